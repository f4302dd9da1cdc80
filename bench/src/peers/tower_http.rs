//! `AddAuthorization` of tower-http: a service that puts one fixed value on every request. It knows no expiry, no origin
//! and no renewal. The service inside it gives the request back; what that alone costs is a lane of its own.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{Request, Response};
use tower::Service;
use tower_http::auth::AddAuthorization;

use crate::harness::Group;
use crate::requests::{OPERATIONS, at_once, many, place_on, request, token};

/// Answers with the request itself.
struct GiveBack;

impl Service<Request<()>> for GiveBack {
    type Response = Response<Request<()>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        ready(Ok(Response::new(request)))
    }
}

pub(super) fn lanes(group: &mut Group<'_>, clock_overhead: Duration) {
    let with = AddAuthorization::bearer(GiveBack, &token()).as_sensitive(true);
    lane(group, clock_overhead, "tower-http `AddAuthorization`", with, true);
    lane(group, clock_overhead, "(the tower service inside it, alone)", GiveBack, false);
}

fn lane<S>(group: &mut Group<'_>, clock_overhead: Duration, name: &str, mut service: S, places: bool)
where
    S: Service<Request<()>, Response = Response<Request<()>>, Error = Infallible> + 'static,
{
    let mut requests = many(|| Some(request()));
    group.lane(name, OPERATIONS, move || {
        place_on(
            &mut requests,
            clock_overhead,
            |slot| {
                if let Some(request) = slot.take() {
                    let Ok(response) = at_once(service.call(request));
                    *slot = Some(response.into_body());
                }
            },
            |slot| {
                let placed = slot.as_mut().and_then(|request| request.headers_mut().remove(AUTHORIZATION));
                assert_eq!(placed.is_some(), places);
            },
        )
    });
}
