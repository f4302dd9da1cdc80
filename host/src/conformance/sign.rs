//! Requests that are signed.

use std::time::{Duration, Instant, SystemTime};

use countersign::{Credential, Error, HeaderView, Placement, RequestHead, Secret, SignContext, Signer};
use serde_json::Value;

use super::acquire::{First, misplaced, undeclared_place};
use super::check::{self, Check};
use super::look;
use super::subject::Case;
use super::talk::{YEAR, today};
use super::trial::{Trial, in_full, told};

pub(super) const ALL: [&Check; 7] = [
    check::SIGNED,
    check::EDITS_VALID,
    check::SIGN_PURE,
    check::SIGN_TIME,
    check::BODY_UNSEEN,
    check::SIGN_THREADS,
    check::SIGN_FAST,
];
const SLOWEST: Duration = Duration::from_millis(20);

/// A request of the suite's.
#[derive(Clone, Copy)]
struct Request {
    body: Option<&'static [u8]>,
    now: SystemTime,
}

pub(super) fn check(trial: &mut Trial<'_>, case: &Case, first: Option<&First>) {
    let about = case.name.as_str();
    let Some(first) = first else { return trial.skip(&ALL, about, "there is no credential") };
    if first.look["material"].is_null() {
        return trial.skip(&ALL, about, "its credentials do not sign");
    }
    let reads_body = first.profile.inputs().reads_body();
    let request = Request { body: reads_body.then_some(b"{}"), now: today() };
    let made = signer(first);
    let signed = made.as_ref().map_err(Clone::clone).and_then(|signer| sign(&**signer, request));
    let (Ok(signer), Ok(edits)) = (&made, &signed) else {
        let error = made.err().or(signed.err()).unwrap_or_else(|| Error::internal("no signature"));
        trial.settle(check::SIGNED, about, vec![told(&error)]);
        trial.heard.push(("signing".to_owned(), error));
        return trial.skip(&ALL[1..], about, "there is no signature");
    };
    let signer = &**signer;
    let nothing = edits["placements"].as_array().is_none_or(Vec::is_empty);
    let fault = "the signature adds nothing".to_owned();
    trial.settle(check::SIGNED, about, if nothing { vec![fault] } else { Vec::new() });

    let placed = edits["placements"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut faults: Vec<String> = placed.iter().filter_map(misplaced).collect();
    if let Some(declared) = first.profile.places() {
        faults.extend(placed.iter().filter_map(|edit| undeclared_place(edit, &declared)));
    }
    trial.settle(check::EDITS_VALID, about, faults);

    let again = sign(signer, request);
    let other = self::signer(first).and_then(|signer| sign(&*signer, request));
    let fixed = again.as_ref() == Ok(edits);
    let as_before = |signed: &Result<Value, Error>, expected: &Value| {
        signed.as_ref().is_ok_and(|signed| {
            if fixed { signed == expected } else { look::shape(signed) == look::shape(expected) }
        })
    };
    let pure = as_before(&again, edits) && as_before(&other, edits);
    let fault = "another signature of the same request is another one, in more than random bytes".to_owned();
    trial.settle(check::SIGN_PURE, about, if pure { Vec::new() } else { vec![fault] });
    trial.note(about, "signature", if fixed { edits.clone() } else { look::shape(edits) }.to_string());

    // As of another time, and back: nothing is remembered, and the clock on the wall says nothing.
    let later = sign(signer, Request { now: today() + YEAR, ..request });
    let back = sign(signer, request);
    let mut faults: Vec<String> = later.as_ref().err().map(told).into_iter().collect();
    if !as_before(&back, edits) {
        faults.push("a signature as of another time changes those that follow".to_owned());
    }
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    if tells_time(edits, wall) {
        faults.push("it holds the time of this machine's clock, not the host's".to_owned());
    }
    trial.settle(check::SIGN_TIME, about, faults);

    if reads_body {
        trial.skip(&[check::BODY_UNSEEN], about, "its inputs declare the body");
    } else {
        let with = sign(signer, Request { body: Some(b"a body that it does not declare"), ..request });
        let same = as_before(&with, edits);
        let fault = "a body that it does not declare changes the signature".to_owned();
        trial.settle(check::BODY_UNSEEN, about, if same { Vec::new() } else { vec![fault] });
    }

    let wrong: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..125).filter(|_| !as_before(&sign(signer, request), edits)).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(125)).sum()
    });
    let faults = if wrong == 0 { Vec::new() } else { vec![format!("{wrong} of 1,000 are other ones")] };
    trial.settle(check::SIGN_THREADS, about, faults);

    let mut times: Vec<Duration> = (0..201)
        .map(|_| {
            let began = Instant::now();
            let _ = sign(signer, request);
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    let half = times[times.len() / 2];
    let slow = half > SLOWEST;
    let fault = format!("half of them take more than {} µs", half.as_micros());
    let figure = format!("p50 {:.1} µs", half.as_nanos() as f64 / 1000.0);
    trial.settle_with(check::SIGN_FAST, about, if slow { vec![fault] } else { Vec::new() }, Some(figure));

    for seen in [again, other, later, back].iter().filter_map(|signed| signed.as_ref().err()) {
        trial.note(about, "signing", in_full(seen));
        trial.heard.push(("signing".to_owned(), seen.clone()));
    }
}

fn signer(first: &First) -> Result<Box<dyn Signer>, Error> {
    let credential: Credential =
        serde_json::from_value(first.look.clone()).map_err(|_| Error::internal("the credential is none"))?;
    first.profile.signer(credential)
}

fn sign(signer: &dyn Signer, Request { body, now }: Request) -> Result<Value, Error> {
    let headers = [HeaderView::new("content-type", b"application/json"), HeaderView::new("x-raw", b"\xff")];
    let head = RequestHead::new("POST", "https", "api.example", "/orders")
        .with_query(Some("page=2"))
        .with_headers(&headers)
        .with_body(body);
    let mut edits = Vec::new();
    signer.sign(&head, &SignContext::at(now), &mut |place, name, value| {
        edits.push(Placement { place, name: name.to_owned(), value: Secret::new(value.to_owned()) });
    })?;
    Ok(look::of_edits(&edits))
}

/// Whether a value holds that time, in seconds since 1970, give or take some.
fn tells_time(edits: &Value, seconds: u64) -> bool {
    let text = edits.to_string();
    (seconds.saturating_sub(60)..=seconds).any(|second| text.contains(&second.to_string()))
}
