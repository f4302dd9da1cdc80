//! This machine's clock against the other side's.

use std::time::{Duration, SystemTime};

use super::super::cause::{Cause, CauseId};
use super::super::evidence::{Evidence, Skew};
use super::super::words::{Speaker, Timing, is_about_time};
use super::Case;
use super::telling::profile;

const REMEDY: &str = "set this machine's clock: run a time service (`timedatectl`, chrony)";

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let skew = case.evidence.skew();
    let off = skew.filter(|skew| skew.is_off());
    let mut causes = Vec::new();
    if let Some(skew) = off {
        let mut cause = Cause::new(CauseId::Clock, weight(case, skew), words(skew)).because(dated(skew));
        if let Some(judged) = judged(case, skew) {
            cause = cause.because(judged);
        }
        causes.push(cause.remedy(REMEDY));
    }
    for said in &case.said {
        let Some(timing) = is_about_time(&said.words) else { continue };
        let of_clock = |weight| {
            Cause::new(CauseId::Clock, weight, "the clocks of this machine and of the other side differ")
                .because(said.quoted())
                .remedy(REMEDY)
        };
        let expired = |weight| {
            Cause::new(CauseId::Expired, weight, "the credential has expired")
                .because(said.quoted())
                .remedy(format!("obtain a new one for the profile {}", profile(case, said.by)))
        };
        match (timing, off) {
            (_, Some(_)) => causes.push(of_clock(97)),
            (Timing::Clock, None) => causes.push(of_clock(94)),
            (Timing::Early, None) => causes.push(of_clock(80)),
            (Timing::Late, None) if said.by == Speaker::Issuer => causes.push(expired(86)),
            (Timing::Late, None) => causes.push(expired(92)),
        }
    }
    causes
}

/// What was looked at and is well.
pub(super) fn alibi(evidence: &Evidence) -> Vec<(CauseId, String)> {
    let skew = evidence.skew().filter(|skew| !skew.is_off());
    skew.map(|skew| (CauseId::Clock, format!("the clocks agree: {} {}", skew.against, within(skew))))
        .into_iter()
        .collect()
}

fn weight(case: &Case<'_>, skew: &Skew) -> u8 {
    let far = skew.ahead_s.unsigned_abs() >= 60;
    match (judged(case, skew), case.is_refused() || case.evidence.answer().is_none()) {
        (Some(_), _) => 97,
        // Most leave a leeway of one minute, AWS of five.
        (None, true) if skew.ahead_s.unsigned_abs() >= 300 => 75,
        (None, true) if far => 55,
        _ => 30,
    }
}

/// How the times of the token look by the other clock.
fn judged(case: &Case<'_>, skew: &Skew) -> Option<String> {
    let sent = case.evidence.last();
    let now = sent.map_or_else(SystemTime::now, |sent| sent.at);
    let ahead = Duration::from_secs(skew.ahead_s.unsigned_abs());
    let theirs = if skew.ahead_s > 0 { now - ahead } else { now + ahead };
    let assertion = case.evidence.failed_exchange().and_then(|(_, exchange)| exchange.assertion.as_ref());
    let token = case.evidence.jwt().map(|placed| &placed.value).or(assertion)?;
    let seconds = |from: SystemTime, to: SystemTime| to.duration_since(from).unwrap_or_default().as_secs();
    for name in ["nbf", "iat"] {
        if let Some(begins) = token.time(name).filter(|begins| *begins > theirs + Duration::from_secs(5)) {
            return Some(format!(
                "by that clock the token's `{name}` is {} s in the future",
                seconds(theirs, begins)
            ));
        }
    }
    let ends = token.time("exp").filter(|ends| *ends <= theirs)?;
    (ends > now).then(|| format!("by that clock the token expired {} s ago", seconds(ends, theirs)))
}

fn words(skew: &Skew) -> String {
    let seconds = skew.ahead_s.unsigned_abs();
    let minutes = (seconds + 30) / 60;
    let far = if minutes >= 2 { format!("{minutes} minutes") } else { format!("{seconds} seconds") };
    let way = if skew.ahead_s > 0 { "ahead" } else { "behind" };
    format!("this machine's clock is {far} {way}")
}

/// What shows it.
fn dated(skew: &Skew) -> String {
    let way = if skew.ahead_s > 0 { "behind" } else { "ahead" };
    let Skew { against, margin_s, .. } = skew;
    format!("{against} dates its answers {} s {way} (± {margin_s} s)", skew.ahead_s.abs())
}

fn within(skew: &Skew) -> String {
    format!("and this machine are within {} s", skew.ahead_s.abs().max(skew.margin_s))
}
