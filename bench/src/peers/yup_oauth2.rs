//! yup-oauth2: an authenticator whose token is in its memory storage, placed as its documentation does.

use std::time::Duration;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Runtime;
use yup_oauth2::{AccessTokenAuthenticator, CustomHyperClientBuilder};

use crate::harness::Group;
use crate::requests::{OPERATIONS, at_once, heads, place_on, token};

const SCOPES: [&str; 1] = ["https://orders.example/orders"];

pub(super) fn lane<'a>(group: &mut Group<'a>, clock_overhead: Duration, runtime: &'a Runtime) {
    let authenticator = runtime.block_on(async {
        let client = CustomHyperClientBuilder::from(Client::builder(TokioExecutor::new()).build_http());
        let builder = AccessTokenAuthenticator::with_client(token(), client);
        let authenticator = builder.build().await.expect("the settings are right");
        authenticator.token(&SCOPES).await.expect("the token is given, and stored");
        authenticator
    });
    let mut requests = heads();
    group.lane("yup-oauth2, memory storage", OPERATIONS, move || {
        place_on(
            &mut requests,
            clock_overhead,
            |request| {
                let token = at_once(authenticator.token(&SCOPES)).expect("the token is stored");
                let value = format!("Bearer {}", token.token().unwrap_or_default());
                let value = HeaderValue::try_from(value).expect("the token fits a header");
                request.headers.insert(AUTHORIZATION, value);
            },
            |request| assert!(request.headers.remove(AUTHORIZATION).is_some()),
        )
    });
}
