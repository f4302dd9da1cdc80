use std::any::Any;
use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::protocol::{exposed, millis};
use crate::{Error, Place, Secret};

/// What [`acquire`](crate::AuthProfile::acquire) yields: values to place on requests, or material to sign them
/// with, and how long both live.
///
/// # Example
/// ```
/// use countersign::Credential;
/// use std::time::Duration;
///
/// let credential = Credential::bearer("eyJ…").valid_for(Duration::from_secs(3600));
/// let several = Credential::header("x-session", "abc").and_cookie("sid", "def").until_rejected();
/// ```
#[derive(Default, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// What is placed on every request, in order.
    #[serde(default)]
    placements: Vec<Placement>,
    /// What the type's own `sign` needs; its presence says that each request is signed. Types written with the SDK keep
    /// JSON in it.
    #[serde(default, with = "exposed::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    material: Option<Secret>,
    /// Presented on the connections that carry this credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_certificate: Option<ClientCertificate>,
    /// What of the API's answers `sign` is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    learns: Vec<Learns>,
    /// How long it lives.
    #[serde(default)]
    lifetime: Lifetime,
    /// Comes back as `previous` with the next `start`.
    #[serde(default, with = "exposed::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    renewal: Option<Secret>,
    #[serde(skip)]
    parsed: Parsed,
}

impl Credential {
    /// Starts empty; useful when what is placed depends on settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Places `Authorization: Bearer TOKEN` (RFC 6750 §2.1).
    pub fn bearer(token: impl AsRef<str>) -> Self {
        Self::header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Places a header. The host marks the value as sensitive and checks it (no CR, LF, NUL; no framing header).
    pub fn header(name: impl Into<String>, value: impl Into<Secret>) -> Self {
        Self::new().and_header(name, value)
    }

    /// Places a query parameter; the host percent-encodes it.
    pub fn query(name: impl Into<String>, value: impl Into<Secret>) -> Self {
        Self::new().and_query(name, value)
    }

    /// Places a cookie (RFC 6265 §4.2), beside those that the request has.
    pub fn cookie(name: impl Into<String>, value: impl Into<Secret>) -> Self {
        Self::new().and_cookie(name, value)
    }

    /// For types whose proof covers the request: the host calls [`sign`](crate::AuthProfile::sign) for each.
    ///
    /// `material` is what `sign` needs beyond the settings, `&()` if nothing; it comes back by
    /// [`material`](Credential::material).
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when the material does not serialize to JSON.
    pub fn signing(material: &impl Serialize) -> Result<Self, Error> {
        let json = serde_json::to_string(material)
            .map_err(|_| Error::internal("the signing material does not serialize to JSON"))?;
        Ok(Self { material: Some(Secret::new(json)), ..Self::default() })
    }

    /// One more header.
    #[must_use]
    pub fn and_header(self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.and(Place::Header, name, value)
    }

    /// One more query parameter.
    #[must_use]
    pub fn and_query(self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.and(Place::Query, name, value)
    }

    /// One more cookie.
    #[must_use]
    pub fn and_cookie(self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.and(Place::Cookie, name, value)
    }

    /// One more value at a place that settings decide.
    #[must_use]
    pub fn and(mut self, place: Place, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.placements.push(Placement { place, name: name.into(), value: value.into() });
        self
    }

    /// Presents a client certificate on the connections that carry this credential.
    #[must_use]
    pub fn and_client_certificate(mut self, certificate: ClientCertificate) -> Self {
        self.client_certificate = Some(certificate);
        self
    }

    /// Has [`sign`](crate::AuthProfile::sign) told, by [`RequestHead::learned`](crate::RequestHead::learned), what the
    /// API said last in a header field of its answers: the nonce that it wants to see next, say.
    ///
    /// The host keeps the latest value per connector, so that what one API says is never told to another. A rejection
    /// whose `WWW-Authenticate` holds the words `demanded_by` is no verdict on the credential: the call is made once
    /// more, with the same credential and what was just learned.
    #[must_use]
    pub fn learning(mut self, header: impl Into<String>, demanded_by: impl Into<String>) -> Self {
        self.learns.push(Learns { header: header.into(), demanded_by: demanded_by.into() });
        self
    }

    /// Lives for so long, counted from the moment at which it was asked for.
    #[must_use]
    pub const fn valid_for(mut self, duration: Duration) -> Self {
        self.lifetime = Lifetime::For(duration);
        self
    }

    /// Lives until then (wall time).
    #[must_use]
    pub const fn valid_until(mut self, instant: SystemTime) -> Self {
        self.lifetime = Lifetime::Until(instant);
        self
    }

    /// Serves one request; the next one acquires anew.
    #[must_use]
    pub const fn single_use(mut self) -> Self {
        self.lifetime = Lifetime::SingleUse;
        self
    }

    /// Lives until an upstream rejects it or the settings change.
    #[must_use]
    pub const fn until_rejected(mut self) -> Self {
        self.lifetime = Lifetime::UntilRejected;
        self
    }

    /// Keeps state for the next `acquire` (a refresh token); the host stores it durably before this credential is
    /// used and hands it back as [`cx.previous()`](crate::Context::previous).
    #[must_use]
    pub fn renewed_by(mut self, state: impl Into<Secret>) -> Self {
        self.renewal = Some(state.into());
        self
    }

    /// The values to place, in the order in which they were added.
    pub fn placements(&self) -> &[Placement] {
        &self.placements
    }

    /// Whether each request has to be signed.
    pub const fn signs(&self) -> bool {
        self.material.is_some()
    }

    /// The signing material as the type that `acquire` gave; parsed once per credential.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when there is none, or it is of another type.
    pub fn material<T: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<&T, Error> {
        let json = self.material.as_ref().ok_or_else(|| Error::internal("the credential does not sign"))?;
        let parsed = match self.parsed.0.get() {
            Some(parsed) => parsed,
            None => {
                let value: T = serde_json::from_str(json.expose())
                    .map_err(|_| Error::internal("the signing material is of another type"))?;
                self.parsed.0.get_or_init(|| Box::new(value))
            }
        };
        parsed.downcast_ref().ok_or_else(|| Error::internal("the signing material is of another type"))
    }

    /// The certificate to present, if any.
    pub const fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.client_certificate.as_ref()
    }

    /// What of the API's answers `sign` is told.
    pub fn learns(&self) -> &[Learns] {
        &self.learns
    }

    /// How long it lives.
    pub const fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// The state for the next `acquire`, if any.
    pub const fn renewal(&self) -> Option<&Secret> {
        self.renewal.as_ref()
    }
}

/// Names what it holds, never a value.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("placements", &self.placements)
            .field("signs", &self.signs())
            .field("client_certificate", &self.client_certificate.is_some())
            .field("lifetime", &self.lifetime)
            .field("renewable", &self.renewal.is_some())
            .finish()
    }
}

/// How long a credential lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Lifetime {
    /// The issuer did not say: the host applies the profile's `default_lifetime` (5 minutes), never "forever".
    #[default]
    Unstated,
    /// Until a wall-clock instant, in milliseconds since the epoch on the wire.
    #[serde(with = "millis::instant")]
    #[schemars(with = "u64")]
    Until(SystemTime),
    /// For a duration since it was asked for, in milliseconds on the wire.
    #[serde(with = "millis::duration")]
    #[schemars(with = "u64")]
    For(Duration),
    /// For one request.
    SingleUse,
    /// Until an upstream rejects it or the settings change.
    UntilRejected,
}

/// One value to place on a request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Placement {
    /// Where it goes.
    pub place: Place,
    /// The header's, parameter's or cookie's name.
    pub name: String,
    /// The value.
    #[serde(with = "exposed")]
    #[schemars(with = "String")]
    pub value: Secret,
}

/// A header field of the API's answers whose latest value signatures are made with: see
/// [`learning`](Credential::learning).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Learns {
    /// The field's name, in lower case.
    pub header: String,
    /// The words in the `WWW-Authenticate` of a rejection that ask for a new signature, and not for a new credential.
    pub demanded_by: String,
}

/// A certificate chain and its private key, both PEM, to present in TLS (RFC 8446 §4.4.2).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ClientCertificate {
    /// The certificate and its chain, PEM.
    pub chain_pem: String,
    /// The private key, PEM.
    #[serde(with = "exposed")]
    #[schemars(with = "String")]
    pub key_pem: Secret,
}

/// The signing material, once parsed.
#[derive(Default)]
struct Parsed(OnceLock<Box<dyn Any + Send + Sync>>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_names_and_no_values() {
        let credential = Credential::header("x-key", "canary").renewed_by("canary");
        let shown = format!("{credential:?}");
        assert!(shown.contains("x-key") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn material_of_another_type_is_an_error() {
        let credential = Credential::signing(&"text").unwrap();
        assert_eq!(credential.material::<String>().unwrap(), "text");
        assert!(credential.material::<u32>().is_err());
    }

    #[test]
    fn the_wire_form_comes_back_whole() {
        let credential = Credential::bearer("t").valid_for(Duration::from_secs(60)).renewed_by("r");
        let wire = serde_json::to_string(&credential).unwrap();
        let back: Credential = serde_json::from_str(&wire).unwrap();
        assert_eq!(back.lifetime(), Lifetime::For(Duration::from_secs(60)));
        assert_eq!(back.placements()[0].value.expose(), "Bearer t");
        assert_eq!(back.renewal().unwrap().expose(), "r");
    }
}
