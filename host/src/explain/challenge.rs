use serde::Serialize;

use super::redact::Redactor;

/// One challenge of a `WWW-Authenticate` field (RFC 9110 §11.6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiChallenge {
    /// The scheme, as the API writes it.
    pub scheme: String,
    /// Its parameters, names in lower case.
    pub parameters: Vec<(String, String)>,
}

impl ApiChallenge {
    /// The challenges of a field's value; what cannot be read is left out. Parameters are parted by commas, or, as some
    /// gateways write them, by spaces.
    pub(crate) fn read(field: &str, redactor: &Redactor) -> Vec<Self> {
        let mut challenges: Vec<Self> = Vec::new();
        let mut rest = field;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            let Some(first) = rest.chars().next() else { return challenges };
            let (word, after) = split_word(rest);
            if word.is_empty() {
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
                continue;
            }
            let Some(value) = after.trim_start().strip_prefix('=') else {
                challenges.push(Self { scheme: redactor.clean(word), parameters: Vec::new() });
                rest = after;
                continue;
            };
            let (value, after) = split_value(value.trim_start());
            rest = after;
            // What is left of `token68` (RFC 9110 §11.2) is nobody's name.
            let Some(challenge) = challenges.last_mut().filter(|_| !value.starts_with('=')) else { continue };
            challenge.parameters.push((redactor.clean(&word.to_ascii_lowercase()), redactor.clean(&value)));
        }
    }

    /// Whether it is that scheme's.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// A parameter's value.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A value, in quotes or not, and what comes after it.
fn split_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.to_owned(), rest);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                escaped = false;
                value.push(c);
            }
            '\\' => escaped = true,
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            _ => value.push(c),
        }
    }
    (value, "")
}

/// A token (RFC 9110 §5.6.2) at the beginning, and the rest.
fn split_word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)));
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field: &str) -> Vec<String> {
        let told = |challenge: ApiChallenge| {
            let parameters = challenge.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
            challenge.scheme.clone() + &parameters.collect::<String>()
        };
        ApiChallenge::read(field, &Redactor::default()).into_iter().map(told).collect()
    }

    #[test]
    fn challenges_are_read_as_apis_write_them() {
        for (field, expected) in [
            ("Bearer", vec!["Bearer"]),
            (
                "Bearer realm=\"a, b\", error=\"invalid_token\",error_description=\"The \\\"aud\\\" is wrong\"",
                vec!["Bearer realm=a, b error=invalid_token error_description=The \"aud\" is wrong"],
            ),
            (
                "Basic realm=x, Digest nonce=\"n\" , stale=TRUE, Negotiate",
                vec!["Basic realm=x", "Digest nonce=n stale=TRUE", "Negotiate"],
            ),
            ("DPoP error=\"use_dpop_nonce\"", vec!["DPoP error=use_dpop_nonce"]),
            ("Bearer scope=\"\" error = \"invalid_token\"", vec!["Bearer scope= error=invalid_token"]),
            ("", vec![]),
            ("Negotiate oRQwEqADCgEA==", vec!["Negotiate"]),
            ("\u{fffd} , ,", vec![]),
        ] {
            assert_eq!(read(field), expected, "{field}");
        }
    }
}
