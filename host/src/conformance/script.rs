//! The issuer's answers as the author wrote them, or answers that suit most.

use countersign::{HttpHeader, HttpResponse, Secret};
use serde::Deserialize;
use serde_json::{Value, json};

/// What the issuer answers, in order, when it is well. The last answer is repeated.
///
/// In a string of a body `{{conversation}}` becomes a number of the conversation's own, so that conversations that are mixed up
/// can be told apart.
#[derive(Debug, Clone)]
pub struct Script {
    answers: Vec<Answer>,
    generic: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    /// A string as it is, anything else as JSON.
    #[serde(default)]
    body: Value,
}

const fn ok() -> u16 {
    200
}

/// What an issuer says of a token's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stated {
    /// What the script says.
    AsWritten,
    /// A second, or whatever the unit is.
    One,
    /// Nothing.
    Nothing,
}

impl Script {
    /// Reads a list of answers: `[{"status": 200, "headers": {"name": "value"}, "body": …}]`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let answers: Vec<Answer> =
            serde_json::from_slice(json).map_err(|error| format!("is not a list of answers: {error}"))?;
        if answers.is_empty() {
            return Err("holds no answer".to_owned());
        }
        Ok(Self { answers, generic: false })
    }

    /// One answer that has what most token and login endpoints answer with.
    pub fn generic() -> Self {
        let token = "t0ken-of-conversation-{{conversation}}";
        let body = json!({
            "access_token": token, "token_type": "Bearer", "expires_in": 900, "token": token,
            "refresh_token": "renewal-0f-conversation-{{conversation}}",
            "session": token, "ttl_seconds": 900, "key": "session-key-0f-conversation-{{conversation}}",
        });
        Self { answers: vec![Answer { status: 200, headers: Default::default(), body }], generic: true }
    }

    /// What a program prints: the first answer's body, or a credential in Countersign's own shape.
    pub(super) fn printed(&self, conversation: usize, stated: Stated) -> Secret<Vec<u8>> {
        if !self.generic {
            return self.answer(0, conversation, stated).body;
        }
        let body = json!({ "token": "t0ken-of-conversation-{{conversation}}", "expires_in": 900 });
        let answers = vec![Answer { status: 200, headers: Default::default(), body }];
        Self { answers, generic: true }.answer(0, conversation, stated).body
    }

    /// Whether nobody wrote it for the plugin under test.
    pub(super) const fn is_generic(&self) -> bool {
        self.generic
    }

    /// Whether any answer states a lifetime, as far as can be seen.
    pub(super) fn states_lifetime(&self) -> bool {
        self.answers.iter().any(|answer| {
            let mut body = answer.body.clone();
            restate(&mut body, Stated::Nothing);
            body != answer.body
        })
    }

    /// The answer to the `nth` exchange of a conversation.
    pub(super) fn answer(&self, nth: usize, conversation: usize, stated: Stated) -> HttpResponse {
        let answer = &self.answers[nth.min(self.answers.len() - 1)];
        let mut body = answer.body.clone();
        restate(&mut body, stated);
        let mut headers: Vec<HttpHeader> = answer
            .headers
            .iter()
            .map(|(name, value)| HttpHeader {
                name: name.to_ascii_lowercase(),
                value: Secret::new(value.clone()),
            })
            .collect();
        let text = match body {
            Value::Null => String::new(),
            Value::String(text) => text,
            json => {
                if headers.iter().all(|header| header.name != "content-type") {
                    headers
                        .push(HttpHeader { name: "content-type".into(), value: "application/json".into() });
                }
                json.to_string()
            }
        };
        let text = text.replace("{{conversation}}", &format!("{conversation:06}"));
        HttpResponse { status: answer.status, headers, body: Secret::new(text.into_bytes()) }
    }
}

/// Puts what the issuer says of its tokens' life in place of what is there.
fn restate(body: &mut Value, stated: Stated) {
    if stated == Stated::AsWritten {
        return;
    }
    match body {
        Value::Object(entries) => {
            if stated == Stated::Nothing {
                entries.retain(|name, value| !(is_lifetime(name) && is_number(value)));
            }
            for (name, value) in entries {
                match value {
                    Value::Number(_) if is_lifetime(name) => *value = 1.into(),
                    Value::String(text) if is_lifetime(name) && text.parse::<f64>().is_ok() => {
                        "1".clone_into(text)
                    }
                    value => restate(value, stated),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| restate(item, stated)),
        _ => {}
    }
}

fn is_number(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok())
}

fn is_lifetime(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["expire", "ttl", "lifetime", "valid", "max_age", "maxage"].iter().any(|word| name.contains(word))
        || name == "exp"
}
