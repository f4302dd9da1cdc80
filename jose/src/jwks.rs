use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::algorithm::Algorithm;
use crate::key::Curve;

/// A JWK Set (RFC 7517 §5): the public keys, to hand to the API's owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// The keys.
    pub keys: Vec<PublicJwk>,
}

/// A public key for verifying (RFC 7517 §4). It has no place for anything private.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicJwk {
    kid: String,
    alg: Algorithm,
    #[serde(rename = "use")]
    usage: &'static str,
    #[serde(flatten)]
    members: Members,
}

/// The members that make the key, in the order in which RFC 7638 §3.2 hashes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Members {
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    kty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl PublicJwk {
    pub(crate) fn new(members: Members, alg: Algorithm, kid: Option<&str>) -> Self {
        let kid = kid.map_or_else(|| members.thumbprint(), str::to_owned);
        Self { kid, alg, usage: "sig", members }
    }

    /// The key's name: what the tokens' `kid` header says, if it says anything.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key's SHA-256 thumbprint, base64url (RFC 7638).
    pub fn thumbprint(&self) -> String {
        self.members.thumbprint()
    }
}

impl Members {
    const fn of(kty: &'static str) -> Self {
        Self { crv: None, e: None, kty, n: None, x: None, y: None }
    }

    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Self {
        Self { n: encoded(n), e: encoded(e), ..Self::of("RSA") }
    }

    /// From an uncompressed point (SEC1 §2.3.3): 4, x, y.
    pub(crate) fn ec(curve: Curve, point: &[u8]) -> Self {
        let (x, y) = point[1..].split_at(curve.coordinate_bytes());
        Self { crv: Some(curve.as_str()), x: encoded(x), y: encoded(y), ..Self::of("EC") }
    }

    pub(crate) fn ed25519(x: &[u8]) -> Self {
        Self { crv: Some("Ed25519"), x: encoded(x), ..Self::of("OKP") }
    }

    fn thumbprint(&self) -> String {
        let mut json = String::from("{");
        let members = [
            ("crv", self.crv),
            ("e", self.e.as_deref()),
            ("kty", Some(self.kty)),
            ("n", self.n.as_deref()),
            ("x", self.x.as_deref()),
            ("y", self.y.as_deref()),
        ];
        for (name, value) in members {
            let Some(value) = value else { continue };
            let comma = if json.len() > 1 { "," } else { "" };
            json.push_str(&format!("{comma}\"{name}\":\"{value}\""));
        }
        json.push('}');
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, json.as_bytes()))
    }
}

fn encoded(bytes: &[u8]) -> Option<String> {
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_is_that_of_rfc_7638() {
        // RFC 7638 §3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB\
                 ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJ\
                 ZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBni\
                 Iqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let members = Members { n: Some(n.into()), e: Some("AQAB".into()), ..Members::of("RSA") };
        assert_eq!(members.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn thumbprint_is_that_of_rfc_9449() {
        // RFC 9449 §4.2, figure 2 (the key), and §6.1, figure 7 (`jkt`).
        let members = Members {
            crv: Some("P-256"),
            x: Some("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs".into()),
            y: Some("9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA".into()),
            ..Members::of("EC")
        };
        assert_eq!(members.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }
}
