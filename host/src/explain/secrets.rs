//! Which texts of a run are secret, and which are not although they stand where secrets do.

use countersign::{HttpHeader, HttpResponse, Place};
use serde_json::Value;

use super::body::tag;
use super::record::{Exchanged, Pages};
use super::redact::Redactor;
use super::value::value;

/// Knows every secret of the run.
pub(super) fn redactor(pages: &Pages) -> Redactor {
    let mut redactor = Redactor::default();
    pages.secrets.iter().for_each(|secret| redactor.add(secret.expose()));
    for attempt in &pages.attempts {
        for (place, name, _) in &attempt.placed {
            match value(&attempt.after, *place, name) {
                Some(value) if !is_public(name) && *place == Place::Header => redactor.add_field(&value),
                Some(value) if !is_public(name) => redactor.add(&value),
                _ => {}
            }
        }
    }
    for Exchanged { request, outcome, .. } in &pages.exchanges {
        for HttpHeader { name, value } in &request.headers {
            if !["accept", "content-type", "user-agent", "host"].contains(&name.to_ascii_lowercase().as_str())
                && !is_public(name)
            {
                redactor.add_field(value.expose());
            }
        }
        for (name, value) in form_urlencoded::parse(request.body.expose()) {
            if !PARAMETERS.contains(&&*name) && !value.contains("://") {
                redactor.add(&value);
            }
        }
        if let Ok(answer) = outcome
            && request.method != "GET"
            && answer.is_success()
        {
            issued(answer, &mut redactor);
        }
    }
    redactor
}

/// What an issuer gave out: every text of its answer but those that say what it is.
fn issued(answer: &HttpResponse, redactor: &mut Redactor) {
    let text = String::from_utf8_lossy(answer.body.expose());
    if let Ok(json) = serde_json::from_str::<Value>(&text) {
        return strings(&json, "", redactor);
    }
    for name in ["SecretAccessKey", "SessionToken", "token", "access_token"] {
        if let Some(value) = tag(&text, name) {
            redactor.add(&value);
        }
    }
}

fn strings(value: &Value, name: &str, redactor: &mut Redactor) {
    const PUBLIC: [&str; 6] =
        ["token_type", "scope", "expires_in", "expires_on", "issued_token_type", "resource"];
    match value {
        Value::String(text) if !PUBLIC.contains(&name) && !text.starts_with("http") => redactor.add(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, name, redactor)),
        Value::Object(entries) => entries.iter().for_each(|(name, value)| strings(value, name, redactor)),
        _ => {}
    }
}

/// The parameters of a token request that say what is asked for, and prove nothing (RFC 6749, 7521, 8693, 8707).
pub(super) const PARAMETERS: [&str; 12] = [
    "grant_type",
    "scope",
    "audience",
    "resource",
    "client_id",
    "client_assertion_type",
    "requested_token_type",
    "subject_token_type",
    "actor_token_type",
    "response_type",
    "redirect_uri",
    "username",
];

/// Whether what stands there under that name is no secret although a profile placed it.
pub(super) fn is_public(name: &str) -> bool {
    const PUBLIC: [&str; 12] = [
        "x-amz-date",
        "x-amz-content-sha256",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-expires",
        "x-amz-signedheaders",
        "date",
        "signature-input",
        "content-digest",
        "digest",
        "x-amz-target",
        "content-type",
    ];
    // Of OAuth 1.0 (RFC 5849 §3.1) only the signature proves something, and the token may.
    let oauth = name.strip_prefix("oauth_").is_some_and(|name| !matches!(name, "signature" | "token"));
    oauth || PUBLIC.iter().any(|public| name.eq_ignore_ascii_case(public))
}
