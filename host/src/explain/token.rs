use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Map, Value};

use super::redact::Redactor;

/// A credential's value, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "form")]
pub enum Token {
    /// A signed JWT (RFC 7519): header and claims; of the signature only the length.
    Jwt {
        /// The JOSE header.
        header: Map<String, Value>,
        /// The claims.
        claims: Map<String, Value>,
        /// How long the signature is, in characters.
        signature_length: usize,
    },
    /// An encrypted JWT (RFC 7516): only its header can be read.
    Jwe {
        /// The JOSE header.
        header: Map<String, Value>,
    },
    /// User name and password (RFC 7617).
    Basic {
        /// The user name.
        user: String,
        /// How long the password is, in characters.
        password_length: usize,
    },
    /// The parameters of a scheme that has some (RFC 9110 §11.2): those that prove nothing are shown.
    Parameters {
        /// Name and value; what is a proof is shown by its length.
        parameters: Vec<(String, String)>,
    },
    /// Anything else.
    Opaque {
        /// How long it is, in characters.
        length: usize,
        /// The beginning that its issuer puts before all tokens of a kind, such as `ghp_`.
        #[serde(skip_serializing_if = "Option::is_none")]
        prefix: Option<&'static str>,
    },
}

/// What issuers begin their tokens with, to be recognized by those who find them: it says nothing about the rest.
const PREFIXES: [&str; 30] = [
    "AIza",
    "AKIA",
    "ASIA",
    "EAA",
    "GOCSPX-",
    "SG.",
    "dapi",
    "dop_v1_",
    "eyJ",
    "gho_",
    "ghp_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "hvs.",
    "key-",
    "lin_api_",
    "npm_",
    "pat-",
    "pk_live_",
    "pk_test_",
    "pypi-",
    "rk_live_",
    "shpat_",
    "sk-",
    "sk_live_",
    "sk_test_",
    "xoxb-",
    "ya29.",
];

impl Token {
    /// Reads what stands behind the scheme.
    pub(crate) fn of(scheme: Option<&str>, value: &str, redactor: &Redactor) -> Self {
        if let Some((header, claims, signature_length)) = jwt(value) {
            let clean = |part: Map<String, Value>| match redactor.clean_json(&Value::Object(part)) {
                Value::Object(part) => part,
                _ => Map::new(),
            };
            return Self::Jwt { header: clean(header), claims: clean(claims), signature_length };
        }
        if let Some(header) = jwe(value) {
            return Self::Jwe { header };
        }
        if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic"))
            && let Some(pair) = STANDARD.decode(value).ok().and_then(|pair| String::from_utf8(pair).ok())
            && let Some((user, password)) = pair.split_once(':')
        {
            // Where a key is the user name, it is the secret.
            let user = if password.is_empty() { "[redacted]".to_owned() } else { redactor.clean(user) };
            return Self::Basic { user, password_length: password.chars().count() };
        }
        if scheme.is_some() && value.contains('=') && value.contains(',') {
            let parameters = value.split(',').filter_map(|part| part.trim().split_once('='));
            let parameters: Vec<_> = parameters
                .map(|(name, value)| (redactor.clean(name), redactor.clean(value.trim_matches('"'))))
                .collect();
            return Self::Parameters { parameters };
        }
        let prefix =
            PREFIXES.into_iter().filter(|prefix| value.starts_with(prefix)).max_by_key(|it| it.len());
        Self::Opaque { length: value.chars().count(), prefix }
    }

    /// A claim, if it is a JWT.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Jwt { claims, .. } => claims.get(name),
            _ => None,
        }
    }

    /// A parameter of the JOSE header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self {
            Self::Jwt { header, .. } | Self::Jwe { header } => header.get(name)?.as_str(),
            _ => None,
        }
    }

    /// A claim that is a time (RFC 7519 §2, NumericDate).
    pub fn time(&self, name: &str) -> Option<SystemTime> {
        let seconds = self.claim(name)?.as_f64().filter(|seconds| (0.0..1e11).contains(seconds))?;
        Some(UNIX_EPOCH + Duration::from_secs_f64(seconds))
    }

    /// A claim that is a text or a list of texts: `aud`, `scp`, `roles`.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        match self.claim(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// What it allows, by the claims that issuers use for that (RFC 9068 §2.2.3, and `scp` and `roles` of others).
    pub fn scopes(&self) -> Vec<&str> {
        ["scope", "scp", "scopes", "roles", "permissions"]
            .iter()
            .flat_map(|claim| self.texts(claim))
            .flat_map(|text| text.split(' '))
            .filter(|scope| !scope.is_empty())
            .collect()
    }
}

/// Header, claims, and the signature's length.
type Parts = (Map<String, Value>, Map<String, Value>, usize);

/// Takes a signed JWT apart (RFC 7515 §7.1).
pub(crate) fn jwt(text: &str) -> Option<Parts> {
    let mut parts = text.split('.');
    let (header, claims, signature, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next())
    else {
        return None;
    };
    let header = object(header)?;
    header.contains_key("alg").then_some(())?;
    Some((header, object(claims)?, signature.len()))
}

fn jwe(text: &str) -> Option<Map<String, Value>> {
    let parts: Vec<_> = text.split('.').collect();
    let header = object(parts.first()?)?;
    (parts.len() == 5 && header.contains_key("enc")).then_some(header)
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encoded(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    #[test]
    fn of_a_jwt_all_is_shown_but_the_signature() {
        let text = format!(
            "{}.{}.c2lnbmF0dXJl",
            encoded(&json!({ "alg": "ES256", "kid": "k" })),
            encoded(&json!({ "aud": ["a"], "exp": 10, "scope": "r w" }))
        );
        let token = Token::of(Some("Bearer"), &text, &Redactor::default());
        assert_eq!(token.header("kid"), Some("k"));
        assert_eq!((token.texts("aud"), token.scopes()), (vec!["a"], vec!["r", "w"]));
        assert_eq!(token.time("exp"), Some(UNIX_EPOCH + Duration::from_secs(10)));
        assert!(!serde_json::to_string(&token).unwrap().contains("c2lnbmF0dXJl"));
    }

    #[test]
    fn of_anything_else_only_the_length_and_what_all_have() {
        let opaque = |text| Token::of(None, text, &Redactor::default());
        assert_eq!(opaque("s3cr3t.x"), Token::Opaque { length: 8, prefix: None });
        assert_eq!(opaque("ghp_abcdef"), Token::Opaque { length: 10, prefix: Some("ghp_") });
        let basic = Token::of(Some("Basic"), &STANDARD.encode("erp:secret"), &Redactor::default());
        assert_eq!(basic, Token::Basic { user: "erp".into(), password_length: 6 });
        let basic = Token::of(Some("Basic"), &STANDARD.encode("apikey:"), &Redactor::default());
        assert!(!format!("{basic:?}").contains("apikey"));
    }
}
