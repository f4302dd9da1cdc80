use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// What an access token says it is bound to (`cnf`: RFC 7800 §3.1, RFC 8705 §3.1, RFC 9449 §6.1).
///
/// It is read to notice at once what the API would refuse later, and verified by nobody here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// The token can be read by the API only.
    Opaque,
    Jwt {
        /// The certificate's SHA-256 thumbprint.
        certificate: Option<String>,
        /// The key's SHA-256 thumbprint.
        key: Option<String>,
    },
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    cnf: Methods,
}

#[derive(Deserialize, Default)]
struct Methods {
    #[serde(rename = "x5t#S256")]
    certificate: Option<String>,
    #[serde(rename = "jkt")]
    key: Option<String>,
}

impl Confirmation {
    pub(crate) fn of(token: &str) -> Self {
        let mut parts = token.split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Self::Opaque;
        };
        let payload = URL_SAFE_NO_PAD.decode(payload).ok();
        match payload.and_then(|payload| serde_json::from_slice::<Claims>(&payload).ok()) {
            Some(Claims { cnf: Methods { certificate, key } }) => Self::Jwt { certificate, key },
            None => Self::Opaque,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_is_bound_to_is_read_and_anything_else_is_opaque() {
        // RFC 8705 §3.1 and RFC 9449 §6.1.
        for (claims, certificate, key) in [
            (
                r#"{"cnf":{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}"#,
                Some("bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"),
                None,
            ),
            (
                r#"{"sub":"x","cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}"#,
                None,
                Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
            ),
            ("{}", None, None),
        ] {
            let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
            let owned = |text: Option<&str>| text.map(str::to_owned);
            let expected = Confirmation::Jwt { certificate: owned(certificate), key: owned(key) };
            assert_eq!(Confirmation::of(&token), expected);
        }
        for token in ["", "opaque", "a.b", "a.b.c", "e30.e30.c2ln.x", "e30.W10.c2ln.", "...."] {
            assert_eq!(Confirmation::of(token), Confirmation::Opaque, "{token}");
        }
    }
}
