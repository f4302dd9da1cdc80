//! aws-smithy-runtime: the lazy identity cache and the bearer scheme, in the steps in which its orchestrator takes them
//! for each request: look the identity up, then sign. The rest of the orchestrator is left out.

use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime::client::auth::http::BearerAuthScheme;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::auth::{AuthScheme, AuthSchemeEndpointConfig};
use aws_smithy_runtime_api::client::identity::http::Token;
use aws_smithy_runtime_api::client::identity::{
    Identity, IdentityFuture, ResolveCachedIdentity, ResolveIdentity, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use tokio::runtime::Runtime;

use crate::harness::Group;
use crate::requests::{HEADERS, OPERATIONS, URL, at_once, many, place_on, token};

/// Gives the token, once: after that it comes from the cache.
#[derive(Debug)]
struct Source;

impl ResolveIdentity for Source {
    fn resolve_identity<'a>(&'a self, _: &'a RuntimeComponents, _: &'a ConfigBag) -> IdentityFuture<'a> {
        let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
        IdentityFuture::ready(Ok(Identity::new(Token::new(token(), Some(tomorrow)), Some(tomorrow))))
    }
}

pub(super) fn lane<'a>(group: &mut Group<'a>, clock_overhead: Duration, runtime: &'a Runtime) {
    let components = RuntimeComponentsBuilder::for_tests()
        .with_identity_cache(Some(IdentityCache::lazy().build()))
        .with_sleep_impl(Some(TokioSleep::new()))
        .with_time_source(Some(SystemTimeSource::new()))
        .build()
        .expect("all components are there");
    let config = ConfigBag::base();
    let source = SharedIdentityResolver::new(Source);
    let scheme = BearerAuthScheme::new();
    let mut requests = many(request);
    group.lane("aws-smithy-runtime, identity cache and bearer", OPERATIONS, move || {
        // Its cache makes a timer for each look-up, which only exists inside a runtime.
        let _inside = runtime.enter();
        place_on(
            &mut requests,
            clock_overhead,
            |request| {
                let cache = components.identity_cache();
                let identity = at_once(cache.resolve_cached_identity(source.clone(), &components, &config))
                    .expect("the source gives a token");
                scheme
                    .signer()
                    .sign_http_request(
                        request,
                        &identity,
                        AuthSchemeEndpointConfig::empty(),
                        &components,
                        &config,
                    )
                    .expect("the token fits a header");
            },
            |request| assert!(request.headers_mut().remove("authorization").is_some()),
        )
    });
}

fn request() -> HttpRequest {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(URL).expect("the URL is valid");
    for (name, value) in HEADERS {
        request.headers_mut().insert(name, value);
    }
    request
}
