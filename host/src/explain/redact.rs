use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use countersign::Secret;
use serde_json::Value;

/// Makes texts fit to be shown: what servers say, and what was sent, without any secret of the run.
///
/// It knows the secrets themselves, so that it finds them wherever a server repeats them: as they are, in any case,
/// percent-encoded, in base64 or hex, whole or a part. What merely looks like a token is taken out as well.
#[derive(Default)]
pub(crate) struct Redactor {
    /// Every run of [`RUN`] bytes of every secret in every form, in lower case.
    runs: HashSet<[u8; RUN]>,
    /// Those shorter than that, in lower case.
    short: Vec<Secret>,
}

/// How many bytes in a row of a secret give it away.
const RUN: usize = 12;
/// What is shorter could be any word, and is not looked for.
const SHORTEST: usize = 6;
/// How much of a text is shown, in characters.
const LONGEST: usize = 400;
/// From which length on a run of letters and digits is taken for a token.
const TOKEN: usize = 40;

const HIDDEN: &str = "[redacted]";

impl Redactor {
    /// Takes note of a secret.
    pub(crate) fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() < SHORTEST {
            return;
        }
        self.add_form(secret);
        let encoded =
            percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string();
        self.add_form(&encoded);
        let decoded = percent_encoding::percent_decode_str(secret).decode_utf8_lossy();
        if decoded != secret {
            self.add_form(&decoded);
        }
        for skipped in 0..3 {
            // Whole groups of three bytes only: what stands before and after changes the edges.
            let bytes = secret.as_bytes().get(skipped..).unwrap_or_default();
            let whole = bytes.get(..bytes.len() / 3 * 3).unwrap_or_default();
            if whole.len() >= SHORTEST {
                self.add_form(&STANDARD.encode(whole));
                self.add_form(&URL_SAFE.encode(whole));
            }
        }
        self.add_form(&secret.bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
        // As JSON writes it.
        if secret.contains(['"', '\\', '\n', '/']) {
            let json = Value::from(secret).to_string();
            self.add_form(json.trim_matches('"'));
            self.add_form(&secret.replace('/', "\\/"));
        }
    }

    /// Takes note of what a header field holds: of `Scheme value`, the value; of parameters, those that prove something.
    pub(crate) fn add_field(&mut self, value: &str) {
        let rest = value.split_once(' ').map_or(value, |(_, rest)| rest);
        let parameters: Vec<_> = rest.split(',').filter_map(|part| part.trim().split_once('=')).collect();
        let proofs =
            ["signature", "response", "oauth_signature", "mac", "cnonce", "token", "hash", "oauth_token"];
        let mut found = false;
        for (name, proof) in &parameters {
            if proofs.contains(&name.to_ascii_lowercase().as_str()) {
                self.add(proof.trim_matches('"'));
                found = true;
            }
        }
        if found {
            return;
        }
        self.add(value);
        self.add(rest);
        // `Basic`: who hears the pair in another form hears the password.
        if let Some(pair) = STANDARD.decode(rest).ok().and_then(|pair| String::from_utf8(pair).ok())
            && let Some((_, password)) = pair.split_once(':')
        {
            self.add(password);
        }
    }

    fn add_form(&mut self, form: &str) {
        let form = Secret::new(form.to_ascii_lowercase());
        if form.expose().len() < RUN {
            self.short.push(form);
            return;
        }
        self.runs
            .extend(form.expose().as_bytes().windows(RUN).filter_map(|run| <[u8; RUN]>::try_from(run).ok()));
    }

    /// Whether a text gives a secret away.
    pub(crate) fn tells(&self, text: &str) -> bool {
        !self.hidden(text).is_empty()
    }

    /// A text without secrets, tokens and control characters, on one line and of bounded length.
    pub(crate) fn clean(&self, text: &str) -> String {
        // At first what is not seen: it could be strewn into a secret.
        let unseen = |c: &char| {
            c.is_control() && !c.is_whitespace()
                || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        let text: String = text.chars().filter(|c| !unseen(c)).collect();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut shown = without_tokens(&self.without_secrets(&text));
        if shown.chars().count() > LONGEST {
            shown = shown.chars().take(LONGEST).chain(['…']).collect();
        }
        shown
    }

    /// A JSON value whose strings are clean.
    pub(crate) fn clean_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.clean(text)),
            Value::Array(items) => items.iter().take(50).map(|item| self.clean_json(item)).collect(),
            Value::Object(entries) => {
                let entries = entries.iter().take(100);
                entries
                    .map(|(key, value)| (self.clean(key), self.clean_json(value)))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }
            other if self.tells(&other.to_string()) => Value::String(HIDDEN.to_owned()),
            other => other.clone(),
        }
    }

    fn without_secrets(&self, text: &str) -> String {
        let hidden = self.hidden(text);
        let mut shown = String::with_capacity(text.len());
        let mut from = 0;
        for (start, end) in hidden {
            let (start, end) = (floor(text, start), ceil(text, end));
            if start >= from {
                shown.push_str(text.get(from..start).unwrap_or_default());
                shown.push_str(HIDDEN);
            }
            from = end.max(from);
        }
        shown.push_str(text.get(from..).unwrap_or_default());
        shown
    }

    /// Where secrets stand in a text, in order, not overlapping.
    fn hidden(&self, text: &str) -> Vec<(usize, usize)> {
        let lower = text.to_ascii_lowercase();
        let bytes = lower.as_bytes();
        let mut marks = vec![false; bytes.len()];
        let mut mark = |start: usize, length: usize| {
            marks.iter_mut().skip(start).take(length).for_each(|mark| *mark = true);
        };
        for (start, run) in bytes.windows(RUN).enumerate() {
            if <[u8; RUN]>::try_from(run).is_ok_and(|run| self.runs.contains(&run)) {
                mark(start, RUN);
            }
        }
        for secret in &self.short {
            let secret = secret.expose();
            lower.match_indices(secret.as_str()).for_each(|(start, found)| mark(start, found.len()));
        }
        // What touches a secret belongs to it: in base64 its first and last bytes look otherwise.
        let of_word = |at: usize| {
            bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-+=".contains(byte))
        };
        for at in 1..marks.len() {
            marks[at] |= marks[at - 1] && of_word(at) && of_word(at - 1);
        }
        for at in (1..marks.len()).rev() {
            marks[at - 1] |= marks[at] && of_word(at) && of_word(at - 1);
        }
        let mut hidden = Vec::new();
        let mut begun = None;
        for (at, marked) in marks.iter().copied().chain([false]).enumerate() {
            match (marked, begun) {
                (true, None) => begun = Some(at),
                (false, Some(start)) => {
                    hidden.push((start, at));
                    begun = None;
                }
                _ => {}
            }
        }
        hidden
    }
}

/// Blind.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// A text in which JWTs and long runs that look like tokens are named by their length only.
fn without_tokens(text: &str) -> String {
    let of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '=');
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(of_token) {
        shown.push_str(rest.get(..start).unwrap_or_default());
        rest = rest.get(start..).unwrap_or_default();
        let mut end = rest.find(|c| !of_token(c)).unwrap_or(rest.len());
        if rest.starts_with("eyJ") {
            end = rest.find(|c: char| !of_token(c) && c != '.').unwrap_or(rest.len());
        }
        let run = rest.get(..end).unwrap_or_default();
        if looks_like_a_token(run) {
            shown.push_str(&format!("[{} characters]", run.len()));
        } else {
            shown.push_str(run);
        }
        rest = rest.get(end..).unwrap_or_default();
    }
    shown.push_str(rest);
    shown
}

fn looks_like_a_token(run: &str) -> bool {
    if run.starts_with("eyJ") && run.len() >= 20 {
        return true;
    }
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    let upper = run.bytes().any(|byte| byte.is_ascii_uppercase());
    let lower = run.bytes().any(|byte| byte.is_ascii_lowercase());
    let hex = run.bytes().all(|byte| byte.is_ascii_hexdigit());
    run.len() >= TOKEN && digits >= 2 && (upper && lower || hex)
}

/// The strings of a profile's settings that its type's schema marks as secret (`writeOnly`), at any depth.
pub(crate) fn secrets_of(settings: &Value, schema: &Value) -> Vec<Secret> {
    let mut found = Vec::new();
    walk(settings, &[schema], schema, 0, &mut found);
    found
}

/// How deep a schema is looked into.
const DEEPEST: usize = 16;

fn walk(value: &Value, schemas: &[&Value], root: &Value, depth: usize, found: &mut Vec<Secret>) {
    if depth > DEEPEST {
        return;
    }
    let mut all = Vec::new();
    schemas.iter().for_each(|schema| alternatives(schema, root, 0, &mut all));
    if all.iter().any(|schema| schema["writeOnly"] == true) {
        return strings(value, found);
    }
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let of: Vec<&Value> = all
                    .iter()
                    .filter_map(|schema| {
                        schema["properties"].get(key).or_else(|| schema.get("additionalProperties"))
                    })
                    .collect();
                walk(value, &of, root, depth + 1, found);
            }
        }
        Value::Array(items) => {
            let of: Vec<&Value> = all.iter().filter_map(|schema| schema.get("items")).collect();
            items.iter().for_each(|item| walk(item, &of, root, depth + 1, found));
        }
        _ => {}
    }
}

/// A schema, and those that it refers to and chooses from.
fn alternatives<'s>(schema: &'s Value, root: &'s Value, depth: usize, all: &mut Vec<&'s Value>) {
    if depth > DEEPEST {
        return;
    }
    all.push(schema);
    if let Some(pointer) = schema["$ref"].as_str().and_then(|target| target.strip_prefix('#'))
        && let Some(target) = root.pointer(pointer)
    {
        alternatives(target, root, depth + 1, all);
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        for one in schema[choice].as_array().into_iter().flatten() {
            alternatives(one, root, depth + 1, all);
        }
    }
}

fn strings(value: &Value, found: &mut Vec<Secret>) {
    match value {
        Value::String(text) => {
            found.push(Secret::new(text.clone()));
            // Of a key in PEM a server would repeat a line.
            found.extend(
                text.lines()
                    .filter(|line| text.len() > line.len() && !line.starts_with("-----"))
                    .map(Secret::from),
            );
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(entries) => entries.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const CANARY: &str = "cAnArY-4f9b27-SiNgS-n0where";

    fn redactor() -> Redactor {
        let mut redactor = Redactor::default();
        redactor.add(CANARY);
        redactor
    }

    #[test]
    fn secrets_are_found_in_every_form() {
        let redactor = redactor();
        for said in [
            CANARY.to_owned(),
            CANARY.to_uppercase(),
            STANDARD.encode(CANARY),
            STANDARD.encode(format!("erp:{CANARY}")),
            CANARY.bytes().map(|byte| format!("{byte:02X}")).collect(),
            CANARY[..16].to_owned(),
        ] {
            let shown = redactor.clean(&format!("token {said} is wrong"));
            assert!(shown.starts_with("token [redacted]") && !shown.contains(&said[4..12]), "{shown}");
        }
        assert_eq!(redactor.clean("an innocent text"), "an innocent text");
    }

    #[test]
    fn what_looks_like_a_token_is_named_by_its_length() {
        let shown = Redactor::default().clean("Token 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl' of id 4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(shown, "Token '[49 characters]' of id 4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn no_control_character_reaches_a_terminal() {
        assert_eq!(Redactor::default().clean("a\u{1b}[31mb\r\nc\u{202e}d"), "a[31mb cd");
        assert_eq!(Redactor::default().clean(&"x ".repeat(1000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn the_proof_in_a_field_is_a_secret_and_its_parameters_are_not() {
        let mut redactor = Redactor::default();
        redactor.add_field("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=5d672d79c15b13162d9279b0855cfba6");
        assert_eq!(
            redactor.clean("AKIDEXAMPLE/20150830 5d672d79c15b13162d9279b0855cfba6"),
            "AKIDEXAMPLE/20150830 [redacted]"
        );
        let mut redactor = Redactor::default();
        redactor.add_field(&format!("Basic {}", STANDARD.encode(format!("erp:{CANARY}"))));
        assert!(!redactor.clean(CANARY).contains("n0where"));
    }

    #[test]
    fn secret_settings_are_found_by_their_schema() {
        let schema = json!({
            "properties": {
                "url": { "type": "string" },
                "password": { "type": "string", "writeOnly": true },
                "headers": { "additionalProperties": { "writeOnly": true } },
                "key": { "anyOf": [{ "$ref": "#/$defs/Key" }, { "type": "null" }] },
            },
            "$defs": { "Key": { "properties": { "pem": { "writeOnly": true }, "kid": { "type": "string" } } } },
        });
        let settings = json!({
            "url": "u", "password": "p1", "headers": { "a": "p2" }, "key": { "pem": "p3", "kid": "k" },
        });
        let mut found: Vec<_> =
            secrets_of(&settings, &schema).iter().map(|secret| secret.expose().clone()).collect();
        found.sort();
        assert_eq!(found, ["p1", "p2", "p3"]);
    }

    proptest! {
        #[test]
        fn no_run_of_a_secret_is_left(secret in "[!-~]{12,60}", before in "\\PC{0,20}", after in "\\PC{0,20}") {
            let mut redactor = Redactor::default();
            redactor.add(&secret);
            let shown = redactor.clean(&format!("{before}{secret}{after}"));
            prop_assert!(!redactor.tells(&shown), "{shown}");
            prop_assert!(!shown.contains(&secret));
        }
    }
}
