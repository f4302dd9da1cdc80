//! azure_core: the bearer policy with its cache, followed by a policy that ends the pipeline with an empty answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::Bytes;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::headers::{AUTHORIZATION, Headers};
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{AsyncRawResponse, Context, Method, Request, StatusCode};
use azure_core::time::OffsetDateTime;

use crate::harness::Group;
use crate::requests::{HEADERS, OPERATIONS, URL, at_once, many, place_on, token};

#[derive(Debug)]
struct Source;

#[async_trait]
impl TokenCredential for Source {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(token(), OffsetDateTime::now_utc() + Duration::from_secs(86_400)))
    }
}

/// Ends the pipeline.
#[derive(Debug)]
struct End;

#[allow(elided_lifetimes_in_paths, reason = "the trait elides it, and `async_trait` needs the same")]
#[async_trait]
impl Policy for End {
    async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        Ok(AsyncRawResponse::from_bytes(StatusCode::NoContent, Headers::new(), Bytes::new()))
    }
}

pub(super) fn lane(group: &mut Group<'_>, clock_overhead: Duration) {
    let policy = BearerTokenAuthorizationPolicy::new(Arc::new(Source), ["https://orders.example/.default"]);
    let end: [Arc<dyn Policy>; 1] = [Arc::new(End)];
    let context = Context::default();
    let mut requests = many(request);
    group.lane("azure_core, bearer policy", OPERATIONS, move || {
        place_on(
            &mut requests,
            clock_overhead,
            |request| assert!(at_once(policy.send(&context, request, &end)).is_ok()),
            // Its headers cannot be taken away one by one; the next value replaces this one.
            |request| assert!(request.headers().get_optional_str(&AUTHORIZATION).is_some()),
        )
    });
}

fn request() -> Request {
    let mut request = Request::new(URL.parse().expect("the URL is valid"), Method::Get);
    for (name, value) in HEADERS {
        request.insert_header(name, value);
    }
    request
}
