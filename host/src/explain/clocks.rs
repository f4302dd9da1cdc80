use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::evidence::Skew;
use super::record::{Exchanged, Pages};
use crate::connector::BaseUrl;

/// This clock against those of all who answered.
pub(super) fn clocks(pages: &Pages, base_url: &BaseUrl) -> Vec<Skew> {
    let mut clocks: Vec<Skew> = Vec::new();
    let mut note = |against: String, skew: Option<(i64, i64)>| {
        let Some((ahead_s, margin_s)) = skew else { return };
        clocks.retain(|known| known.against != against);
        clocks.push(Skew { against, ahead_s, margin_s });
    };
    for Exchanged { request, at, took, outcome, .. } in &pages.exchanges {
        let Ok(answer) = outcome else { continue };
        let origin = request.url.parse::<countersign::Origin>().map(|origin| origin.to_string());
        let date = answer.header("date").filter(|_| answer.header("age").is_none());
        note(origin.unwrap_or_default(), date.and_then(|date| skew(*at, *took, date)));
    }
    for attempt in &pages.attempts {
        let Some(Ok(head)) = &attempt.outcome else { continue };
        note(
            base_url.origin().to_string(),
            date(&head.headers).and_then(|date| skew(attempt.at, attempt.took, date)),
        );
    }
    clocks
}

fn date(headers: &HeaderMap) -> Option<&str> {
    headers.get("date").filter(|_| !headers.contains_key("age"))?.to_str().ok()
}

/// How far this clock is ahead, and how sure that is: `Date` has whole seconds, and was written while the exchange lasted.
fn skew(at: SystemTime, took: Duration, date: &str) -> Option<(i64, i64)> {
    let theirs = httpdate::parse_http_date(date).ok()? + Duration::from_millis(500);
    let ours = at + took / 2;
    let ahead = match ours.duration_since(theirs) {
        Ok(ahead) => i64::try_from(ahead.as_secs()).ok()?,
        Err(behind) => -i64::try_from(behind.duration().as_secs()).ok()?,
    };
    Some((ahead, i64::try_from((took / 2).as_secs()).ok()? + 1))
}
