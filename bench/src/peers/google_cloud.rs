//! google-cloud-auth: user credentials, whose token comes once from a token endpoint on loopback and then from their
//! cache. The headers go on the request as in Google's own client, `google-cloud-gax-internal`.

use std::time::Duration;

use google_cloud_auth::credentials::{CacheableResource, Credentials, user_account};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Extensions, HeaderMap};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::harness::Group;
use crate::requests::{OPERATIONS, at_once, heads, place_on};
use crate::token_endpoint;

pub(super) fn lane<'a>(group: &mut Group<'a>, clock_overhead: Duration, runtime: &'a Runtime) {
    let credentials = runtime.block_on(credentials());
    let mut requests = heads();
    group.lane("google-cloud-auth, user credentials", OPERATIONS, move || {
        place_on(
            &mut requests,
            clock_overhead,
            |request| place(request, cached(at_once(credentials.headers(Extensions::new())))),
            |request| assert!(request.headers.remove(AUTHORIZATION).is_some()),
        )
    });
}

fn place(request: &mut Parts, headers: HeaderMap) {
    for (name, value) in headers {
        if let Some(name) = name {
            request.headers.insert(name, value);
        }
    }
}

fn cached<E: std::fmt::Debug>(headers: Result<CacheableResource<HeaderMap>, E>) -> HeaderMap {
    match headers.expect("the token endpoint gave a token") {
        CacheableResource::New { data, .. } => data,
        CacheableResource::NotModified => HeaderMap::new(),
    }
}

async fn credentials() -> Credentials {
    let endpoint = token_endpoint::start();
    let user = json!({
        "type": "authorized_user",
        "client_id": "bench",
        "client_secret": "bench",
        "refresh_token": "bench",
    });
    let credentials = user_account::Builder::new(user)
        .with_token_uri(format!("http://{endpoint}/token"))
        .build()
        .expect("the settings are right");
    credentials.headers(Extensions::new()).await.expect("the token endpoint gave a token");
    credentials
}
