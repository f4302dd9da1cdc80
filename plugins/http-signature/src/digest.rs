use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};

/// The hash in `Content-Digest` (RFC 9530 §5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ContentDigest {
    /// SHA-256.
    #[default]
    #[serde(rename = "sha-256")]
    Sha256,
    /// SHA-512.
    #[serde(rename = "sha-512")]
    Sha512,
    /// The profile makes none; where it is covered, the application sends it.
    #[serde(rename = "none")]
    None,
}

impl ContentDigest {
    /// The field's value for a body (RFC 9530 §2); `None` if none is made.
    pub(crate) fn of(self, body: &[u8]) -> Option<String> {
        let mut value = String::with_capacity(104);
        match self {
            Self::Sha256 => {
                value.push_str("sha-256=:");
                STANDARD.encode_string(Sha256::digest(body), &mut value);
            }
            Self::Sha512 => {
                value.push_str("sha-512=:");
                STANDARD.encode_string(Sha512::digest(body), &mut value);
            }
            Self::None => return None,
        }
        value.push(':');
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_rfcs() {
        // RFC 9530 §B.1 and §D (with the line end that its examples have), RFC 9421 §B.2 (without).
        for (digest, body, value) in [
            (
                ContentDigest::Sha256,
                "{\"hello\": \"world\"}\n",
                "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
            ),
            (
                ContentDigest::Sha512,
                "{\"hello\": \"world\"}\n",
                "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:",
            ),
            (
                ContentDigest::Sha512,
                "{\"hello\": \"world\"}",
                "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
            ),
        ] {
            assert_eq!(digest.of(body.as_bytes()).as_deref(), Some(value));
        }
        assert_eq!(ContentDigest::None.of(b""), None);
    }
}
