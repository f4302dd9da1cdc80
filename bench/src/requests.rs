//! The requests on which credentials are placed: 64 of them, each with six other headers and room for more, so that
//! they stay in the first-level cache, as a request does that has just been made.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request};

/// How many requests there are.
pub const REQUESTS: u32 = 64;
/// How often each of them gets its credential in one measurement.
pub const PASSES: u32 = 32;
/// The operations of one measurement.
pub const OPERATIONS: u32 = REQUESTS * PASSES;
/// Where all of them go.
pub const URL: &str = "https://orders.example/api/orders/4711?expand=lines";

/// The six headers that a request has before it gets its credential.
pub const HEADERS: [(&str, &str); 6] = [
    ("host", "orders.example"),
    ("user-agent", "erp/4.2"),
    ("accept", "application/json"),
    ("accept-encoding", "gzip"),
    ("content-type", "application/json"),
    ("x-request-id", "5f2c1a7e-90f1-4d53-8a4c-0f2b6a0d9c11"),
];

/// The token: 220 bytes.
pub fn token() -> String {
    "eyJhbGciOiJSUzI1NiIs".repeat(11)
}

/// The whole value of the header.
pub fn bearer() -> HeaderValue {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token())).expect("the token is plain ASCII");
    value.set_sensitive(true);
    value
}

/// One request of the crate `http`.
pub fn request() -> Request<()> {
    let mut headers = HeaderMap::with_capacity(8);
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let mut request = Request::get(URL).body(()).expect("the URL is valid");
    *request.headers_mut() = headers;
    request
}

/// The heads of so many requests.
pub fn heads() -> Vec<Parts> {
    many(|| request().into_parts().0)
}

/// So many of whatever kind of request.
pub fn many<R>(make: impl FnMut() -> R) -> Vec<R> {
    std::iter::repeat_with(make).take(REQUESTS as usize).collect()
}

/// Times the placing, and not the taking away, on every request, so many times over.
pub fn place_on<R>(
    requests: &mut [R],
    clock_overhead: Duration,
    mut place: impl FnMut(&mut R),
    mut take_away: impl FnMut(&mut R),
) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..PASSES {
        let start = Instant::now();
        for request in &mut *requests {
            place(black_box(request));
        }
        spent += start.elapsed().saturating_sub(clock_overhead);
        for request in &mut *requests {
            take_away(black_box(request));
        }
    }
    spent
}

/// The outcome of a future that must not wait: what comes from a cache is there at the first poll.
pub fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("the credential did not come from the cache"),
    }
}
