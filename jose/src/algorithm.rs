use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::key::Curve;

/// A JWS signature algorithm by its registered name (RFC 7518 §3.1, RFC 8037 §3.1).
///
/// It is pinned when the configuration is read, by its own setting or by the key (RFC 8725 §3.1). `none` does not exist
/// here.
///
/// # Example
/// ```
/// use countersign_jose::Algorithm;
///
/// assert_eq!(Algorithm::Es256.as_str(), "ES256");
/// assert!(serde_json::from_str::<Algorithm>("\"none\"").is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "&'static str")]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

/// What an algorithm asks of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Hmac { hash_bytes: usize },
    Rsa { pss: bool },
    Ec(Curve),
    Ed25519,
}

impl Algorithm {
    /// Every algorithm there is.
    pub const ALL: [Self; 12] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The registered name: the value of the `alg` header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether signer and verifier hold the same secret (HMAC), so that there is no public key to hand out.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    pub(crate) const fn need(self) -> Need {
        match self {
            Self::Hs256 => Need::Hmac { hash_bytes: 32 },
            Self::Hs384 => Need::Hmac { hash_bytes: 48 },
            Self::Hs512 => Need::Hmac { hash_bytes: 64 },
            Self::Rs256 | Self::Rs384 | Self::Rs512 => Need::Rsa { pss: false },
            Self::Ps256 | Self::Ps384 | Self::Ps512 => Need::Rsa { pss: true },
            Self::Es256 => Need::Ec(Curve::P256),
            Self::Es384 => Need::Ec(Curve::P384),
            Self::EdDsa => Need::Ed25519,
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hmac { hash_bytes } => write!(f, "a shared secret of at least {hash_bytes} bytes"),
            Self::Rsa { .. } => f.write_str("an RSA key of at least 2048 bits"),
            Self::Ec(curve) => write!(f, "an EC key on {}", curve.as_str()),
            Self::Ed25519 => f.write_str("an Ed25519 key"),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Algorithm> for &'static str {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.as_str()
    }
}

impl std::str::FromStr for Algorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if let Some(found) = Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name) {
            return Ok(found);
        }
        let near = Self::ALL.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name));
        Err(match near {
            Some(near) => format!("this algorithm is written `{near}`"),
            None if name.eq_ignore_ascii_case("none") => {
                format!("`none` would leave the token unsigned; use one of {}", Self::names())
            }
            None => format!("is not a known signature algorithm; use one of {}", Self::names()),
        })
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Algorithm {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Algorithm".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": Self::ALL.map(Self::as_str) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        name.parse::<Algorithm>().unwrap_err()
    }

    #[test]
    fn every_name_reads_back() {
        for algorithm in Algorithm::ALL {
            let name = serde_json::to_string(&algorithm).unwrap();
            assert_eq!(serde_json::from_str::<Algorithm>(&name).unwrap(), algorithm);
        }
    }

    #[test]
    fn none_is_refused_and_the_allowed_ones_are_named() {
        for name in ["none", "None", "NONE"] {
            let refusal = refusal(name);
            assert!(refusal.contains("unsigned") && refusal.contains("HS256") && refusal.contains("EdDSA"));
        }
    }

    #[test]
    fn unknown_names_are_refused_without_being_repeated() {
        let refusal = refusal("s3cr3t");
        assert!(!refusal.contains("s3cr3t") && refusal.contains("ES384"));
    }

    #[test]
    fn wrong_case_is_told_the_right_spelling() {
        assert!(refusal("rs256").contains("`RS256`"));
    }
}
