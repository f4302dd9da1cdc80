//! Credentials, from an issuer that is well and from one that is not.

use std::time::{Duration, SystemTime};

use countersign::protocol::Start;
use countersign::{Challenge, Error, ErrorKind, HttpRequest, Lifetime, Places, Profile, Secret};
use serde_json::Value;

use super::check::{self, Check};
use super::issuer::{Fault, Issuer};
use super::report::Want;
use super::script::Stated;
use super::subject::Case;
use super::talk::{Talked, YEAR, start, target, today};
use super::trial::{Trial, in_full, is, told};
use super::{CANARY, look};

/// What a good conversation yields: what all others are compared with.
pub(super) struct First {
    pub(super) profile: Box<dyn Profile>,
    pub(super) look: Value,
    /// Whether the same conversation yields the very same credential again.
    pub(super) fixed: bool,
    /// How many exchanges it takes.
    pub(super) exchanges: usize,
    /// How many needs.
    pub(super) needs: usize,
}

impl First {
    /// Whether that is what the first credential was, as far as random bytes let it be.
    pub(super) fn is_like(&self, look: &Value) -> bool {
        if self.fixed { self.look == *look } else { look::shape(&self.look) == look::shape(look) }
    }
}

/// What needs a credential.
pub(super) const NEEDED: [&Check; 10] = [
    check::PLACEMENTS_VALID,
    check::PLACES_KEPT,
    check::LIFETIME_AHEAD,
    check::LIFETIME_FOLLOWED,
    check::LIFETIME_NOT_GUESSED,
    check::TIME_FROM_HOST,
    check::UNDECLARED_UNSEEN,
    check::CALLER_MISSED,
    check::RENEWAL_TAKEN,
    check::CHALLENGE_TAKEN,
];
pub(super) const FAULTS: [&Check; 6] = [
    check::NO_ANSWER,
    check::UNWELL,
    check::RATE_LIMITED,
    check::DENIED,
    check::REDIRECTED,
    check::BROKEN_ANSWERS,
];

/// `None` if no credential is to be had.
pub(super) fn check(trial: &mut Trial<'_>, case: &Case) -> Option<First> {
    let about = case.name.as_str();
    let first = match first(trial, case) {
        Ok(first) => first,
        Err(why) => {
            trial.skip(&NEEDED, about, &why);
            trial.skip(&FAULTS, about, &why);
            trial.skip(&[check::BOUNDED], about, &why);
            return None;
        }
    };
    placements(trial, about, &first);
    lifetimes(trial, about, &first);
    time(trial, about, &first);
    undeclared(trial, about, &first);
    caller(trial, about, &first);
    renewal(trial, about, &first);
    challenge(trial, about, &first);
    faults(trial, about, &first);
    let unbounded = std::mem::take(&mut trial.unbounded);
    trial.settle(check::BOUNDED, about, unbounded);
    Some(first)
}

/// A first conversation, and the same again.
fn first(trial: &mut Trial<'_>, case: &Case) -> Result<First, String> {
    let about = case.name.as_str();
    let Ok(profile) = trial.make(case) else {
        trial.skip(&[check::ACQUIRED], about, "there is no instance");
        return Err("there is no instance".to_owned());
    };
    let inputs = profile.inputs();
    let issuer = Issuer::of(trial.script, 1);
    let Talked { outcome, sent, needs, unbounded } =
        trial.talk("a good answer", &*profile, start(&inputs, 1), &issuer);
    let credential = match outcome {
        Ok(credential) => credential,
        Err(error)
            if trial.script.is_generic()
                && unbounded.is_none()
                && is(&error, &[ErrorKind::Unavailable, ErrorKind::Denied]) =>
        {
            trial.want = Some(Want::Answers);
            trial.skip(&[check::ACQUIRED], about, "");
            return Err(Want::Answers.why().to_owned());
        }
        Err(error) => {
            trial.settle(check::ACQUIRED, about, vec![unbounded.unwrap_or_else(|| told(&error))]);
            return Err("there is no credential".to_owned());
        }
    };
    trial.settle(check::ACQUIRED, about, Vec::new());
    let look = look::of(&credential);
    let again = trial.talk("the same again", &*profile, start(&inputs, 1), &issuer);
    let fixed = again.outcome.is_ok_and(|again| look::of(&again) == look);
    // A request may hold random bytes although its answer, the same each time, makes the same credential.
    let repeated: Vec<String> = again.sent.iter().map(in_whole).collect();
    let first = First { profile, look, fixed, exchanges: sent.len(), needs };
    let seen = if fixed { first.look.clone() } else { look::shape(&first.look) };
    trial.note(about, "credential", seen.to_string());
    for (nth, request) in sent.iter().enumerate() {
        let seen = Some(in_whole(request)).filter(|seen| repeated.get(nth) == Some(seen));
        let seen = seen.unwrap_or_else(|| format!("{} {}", request.method, request.url));
        trial.note(about, &format!("exchange {nth}"), seen);
    }
    Ok(first)
}

/// A request with all that it holds, to be compared.
fn in_whole(request: &HttpRequest) -> String {
    let headers: Vec<_> =
        request.headers.iter().map(|header| (&header.name, header.value.expose())).collect();
    format!("{} {} {headers:?} {:?}", request.method, request.url, request.body.expose())
}

fn placements(trial: &mut Trial<'_>, about: &str, first: &First) {
    let mut faults = Vec::new();
    let placed = first.look["placements"].as_array().map(Vec::as_slice).unwrap_or_default();
    for placement in placed {
        faults.extend(misplaced(placement));
    }
    let empty =
        placed.is_empty() && first.look["material"].is_null() && first.look["client_certificate"].is_null();
    if empty {
        faults.push("the credential holds nothing: no placement, no material, no certificate".to_owned());
    }
    trial.settle(check::PLACEMENTS_VALID, about, faults);

    let Some(declared) = first.profile.places() else {
        return trial.skip(&[check::PLACES_KEPT], about, "it does not declare where it places values");
    };
    let mut faults: Vec<String> =
        placed.iter().filter_map(|placement| undeclared_place(placement, &declared)).collect();
    if !first.look["client_certificate"].is_null() && !declared.presents_certificate() {
        faults.push("it presents a client certificate, which it does not declare".to_owned());
    }
    trial.settle(check::PLACES_KEPT, about, faults);
}

/// What is placed although it is not declared.
pub(super) fn undeclared_place(placement: &Value, declared: &Places) -> Option<String> {
    let placement: countersign::Placement = serde_json::from_value(placement.clone()).ok()?;
    let (place, name) = (placement.place, placement.name.as_str());
    let undeclared = !declared.contains(place, name);
    undeclared.then(|| format!("the {place} `{}` is placed, and not declared", name.escape_debug()))
}

/// Why the host would not place it.
pub(super) fn misplaced(placement: &Value) -> Option<String> {
    let placement: countersign::Placement = serde_json::from_value(placement.clone()).ok()?;
    let (place, name) = (placement.place, placement.name.as_str());
    let fault = place.check_name(name).err().or_else(|| place.check_value(placement.value.expose()).err())?;
    Some(format!("the {place} `{}`: {}", name.escape_debug(), fault.message()))
}

fn lifetimes(trial: &mut Trial<'_>, about: &str, first: &First) {
    let credential =
        serde_json::from_value::<countersign::Credential>(first.look.clone()).unwrap_or_default();
    let good = look::stated(&credential, today());
    let fault = "it ends now, or in the past".to_owned();
    trial.settle(
        check::LIFETIME_AHEAD,
        about,
        if good == Some(Duration::ZERO) { vec![fault] } else { Vec::new() },
    );

    let both = [check::LIFETIME_FOLLOWED, check::LIFETIME_NOT_GUESSED];
    if first.exchanges == 0 {
        return trial.skip(&both, about, "the type asks no issuer");
    }
    if !trial.script.states_lifetime() {
        return trial.skip(&both, about, "the script states no lifetime: `expires_in` or the like");
    }
    let inputs = first.profile.inputs();
    let life = |trial: &mut Trial<'_>, stated| {
        let issuer = Issuer::of(trial.script, 1).stating(stated);
        let talked = trial.talk("other lifetimes", &*first.profile, start(&inputs, 1), &issuer);
        talked.outcome.ok().and_then(|credential| look::stated(&credential, today()))
    };
    let short = life(trial, Stated::One);
    let ignored = good.is_some() && short >= good;
    let fault = "it lives as long as before, although the issuer's number is 1".to_owned();
    trial.settle(check::LIFETIME_FOLLOWED, about, if ignored { vec![fault] } else { Vec::new() });
    let invented = life(trial, Stated::Nothing);
    let faults =
        invented.map(|life| format!("it lives {} s, of which the issuer says nothing", life.as_secs()));
    trial.settle(check::LIFETIME_NOT_GUESSED, about, faults.into_iter().collect());
}

fn time(trial: &mut Trial<'_>, about: &str, first: &First) {
    let inputs = first.profile.inputs();
    let issuer = Issuer::of(trial.script, 1);
    let mut at = |now| {
        let start = Start { now, ..start(&inputs, 1) };
        trial.talk("another year", &*first.profile, start, &issuer).outcome
    };
    let times = [today(), today() + YEAR, today() - YEAR * 20];
    let outcomes = times.map(&mut at);
    let end = fixed_end(&outcomes[0]);
    if end.is_some() && outcomes.iter().all(|outcome| fixed_end(outcome) == end) {
        // Until the end of something in the settings, or of this machine's clock? That one moves on.
        std::thread::sleep(A_MOMENT);
        if fixed_end(&at(today())) == end {
            return trial.settle(check::TIME_FROM_HOST, about, Vec::new());
        }
    }
    let lives: Vec<_> = outcomes
        .into_iter()
        .zip(times)
        .map(|(outcome, now)| {
            outcome.map_or_else(|error| told(&error), |credential| look::life(&credential, now))
        })
        .collect();
    let faults = lives[1..]
        .iter()
        .filter(|life| **life != lives[0])
        .map(|life| format!("today the credential lives {}, in another year {life}", lives[0]))
        .collect();
    trial.settle(check::TIME_FROM_HOST, about, faults);
}

/// The instant at which the credential ends, if it names one.
fn fixed_end(outcome: &Result<countersign::Credential, Error>) -> Option<SystemTime> {
    match outcome.as_ref().ok()?.lifetime() {
        Lifetime::Until(end) => Some(end),
        _ => None,
    }
}

fn undeclared(trial: &mut Trial<'_>, about: &str, first: &First) {
    let inputs = first.profile.inputs();
    let mut more = start(&inputs, 1);
    for attribute in ["user", "tenant", "email", "sub", "roles", "name", "id", "unit"] {
        if !inputs.reads_caller(attribute) {
            more.caller.set(attribute, format!("undeclared {attribute}"));
        }
    }
    more.target = target();
    let issuer = Issuer::of(trial.script, 1);
    let talked = trial.talk("undeclared attributes", &*first.profile, more, &issuer);
    let same = talked.outcome.is_ok_and(|credential| first.is_like(&look::of(&credential)));
    let fault = "attributes that it does not declare make another credential".to_owned();
    trial.settle(check::UNDECLARED_UNSEEN, about, if same { Vec::new() } else { vec![fault] });
}

fn caller(trial: &mut Trial<'_>, about: &str, first: &First) {
    let inputs = first.profile.inputs();
    if inputs.caller_attributes().len() == 0 {
        return trial.skip(&[check::CALLER_MISSED], about, "it reads nothing of the caller");
    }
    let bare = Start { caller: Default::default(), ..start(&inputs, 1) };
    let issuer = Issuer::of(trial.script, 1);
    let outcome = trial.talk("a caller without attributes", &*first.profile, bare, &issuer).outcome;
    let fault = match outcome {
        Err(error) if is(&error, &[ErrorKind::Internal]) => Some(told(&error)),
        // Whose credential would that be?
        Ok(credential) if first.is_like(&look::of(&credential)) => {
            Some("a caller without attributes gets the same credential as one who has them".to_owned())
        }
        _ => None,
    };
    trial.settle(check::CALLER_MISSED, about, fault.into_iter().collect());
}

fn renewal(trial: &mut Trial<'_>, about: &str, first: &First) {
    let Some(state) = first.look["renewal"].as_str() else {
        return trial.skip(&[check::RENEWAL_TAKEN], about, "its credentials leave nothing for the next time");
    };
    let inputs = first.profile.inputs();
    let well = Issuer::of(trial.script, 1);
    let mut faults = Vec::new();
    for (what, state, issuer) in [
        ("its own state", state, well),
        ("its own state, which the issuer refuses", state, well.failing(0, Fault::Denied)),
        ("an empty state", "", well),
        ("a state of some other time", CANARY, well),
    ] {
        let start = Start { previous: Some(Secret::new(state.to_owned())), ..start(&inputs, 1) };
        let talked = trial.talk(what, &*first.profile, start, &issuer);
        match talked.outcome {
            Err(error) if is(&error, &[ErrorKind::Internal]) => {
                faults.push(format!("{what}: {}", told(&error)))
            }
            Err(error) if what == "its own state" => faults.push(format!("{what}: {}", told(&error))),
            _ => {}
        }
    }
    trial.settle(check::RENEWAL_TAKEN, about, faults);
}

fn challenge(trial: &mut Trial<'_>, about: &str, first: &First) {
    let inputs = first.profile.inputs();
    let headers = [
        ("www-authenticate", "Bearer realm=\"a\", error=\"invalid_token\""),
        ("www-authenticate", "DPoP error=\"use_dpop_nonce\""),
        ("dpop-nonce", "n"),
        ("www-authenticate", "\u{fffd} , ,"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let start = Start { challenge: Some(Challenge { status: 401, headers }), ..start(&inputs, 1) };
    let issuer = Issuer::of(trial.script, 1);
    let fault = trial.talk("a challenge", &*first.profile, start, &issuer).outcome.err();
    let faults = fault.filter(|error| is(error, &[ErrorKind::Internal])).map(|error| told(&error));
    trial.settle(check::CHALLENGE_TAKEN, about, faults.into_iter().collect());
}

fn faults(trial: &mut Trial<'_>, about: &str, first: &First) {
    use ErrorKind::{Config, Denied, LoginRequired, RateLimited, Unavailable};
    if first.exchanges == 0 {
        return trial.skip(&FAULTS, about, "the type asks no issuer");
    }
    fault(trial, about, first, check::NO_ANSWER, &[Fault::NoAnswer], &[Unavailable]);
    fault(trial, about, first, check::UNWELL, &[Fault::Internal, Fault::Busy], &[Unavailable]);
    fault(trial, about, first, check::RATE_LIMITED, &[Fault::Limited], &[RateLimited]);
    fault(trial, about, first, check::DENIED, &[Fault::Denied], &[Denied, LoginRequired, Config]);
    fault(trial, about, first, check::REDIRECTED, &[Fault::Redirect], &[Unavailable, Denied, Config]);
    fault(trial, about, first, check::BROKEN_ANSWERS, &Fault::BROKEN, &[Unavailable, Denied, Config]);
}

/// Longer than the second that lifetimes are rounded to.
const A_MOMENT: Duration = Duration::from_millis(1100);

/// Each fault, from each exchange on.
fn fault(
    trial: &mut Trial<'_>,
    about: &str,
    first: &First,
    check: &'static Check,
    faults: &[Fault],
    kinds: &[ErrorKind],
) {
    let inputs = first.profile.inputs();
    let mut wrong = Vec::new();
    for (fault, from) in faults.iter().flat_map(|fault| (0..first.exchanges).map(move |from| (*fault, from)))
    {
        let what = format!("{} at exchange {}", fault.as_str(), from + 1);
        let issuer = Issuer::of(trial.script, 1).failing(from, fault);
        let talked = trial.talk(&what, &*first.profile, start(&inputs, 1), &issuer);
        trial.note(about, &what, talked.outcome.as_ref().map_or_else(in_full, |_| "a credential".to_owned()));
        match talked.outcome {
            Ok(_) => wrong.push(format!("{what} becomes a credential")),
            Err(error) if talked.unbounded.is_none() && !is(&error, kinds) => {
                wrong.push(format!("{what} is an error of the kind `{}`, not `{}`", error.kind(), kinds[0]));
            }
            Err(error) if fault == Fault::Limited && error.retry_after() != Some(Duration::from_secs(7)) => {
                wrong.push(format!("{what}: `Retry-After: 7` is lost"));
            }
            Err(_) => {}
        }
    }
    trial.settle(check, about, wrong);
}
