use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use countersign::{Error, Secret};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize, Serializer};
use sha2::Sha256;
use zeroize::Zeroize;

use crate::date::Date;
use crate::sign::{Scope, text};

type HmacSha256 = Hmac<Sha256>;

/// What requests are signed with.
#[derive(Serialize, Deserialize)]
pub(crate) struct Material {
    pub(crate) access_key_id: String,
    #[serde(serialize_with = "exposed")]
    secret_access_key: Secret,
    #[serde(serialize_with = "exposed_option")]
    pub(crate) session_token: Option<Secret>,
    /// That of the last day on which something was signed. All threads read it, so that none may wait for another.
    #[serde(skip)]
    of_the_day: ArcSwapOption<SigningKey>,
}

/// The key of a day, for a region and a service: it takes four HMACs to make. A profile has one region and one service,
/// so that the day is all that changes.
pub(crate) struct SigningKey {
    day: u64,
    /// `20150830`
    pub(crate) date: [u8; 8],
    /// `20150830/us-east-1/service/aws4_request`
    scope: String,
    /// What the header's value begins with: `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=`.
    pub(crate) authorization: String,
    /// In the form in which HMAC works with it; wiped when dropped, as are its copies.
    key: HmacSha256,
}

impl Material {
    pub(crate) fn new(
        access_key_id: String,
        secret_access_key: Secret,
        session_token: Option<Secret>,
    ) -> Self {
        Self { access_key_id, secret_access_key, session_token, of_the_day: ArcSwapOption::empty() }
    }

    /// Has the signing key of a day used.
    pub(crate) fn with_key<T>(
        &self,
        date: Date,
        scope: &Scope,
        sign: impl FnOnce(&SigningKey) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match &*self.of_the_day.load() {
            Some(key) if key.day == date.day => sign(key),
            _ => {
                let key = Arc::new(self.derive(date, scope)?);
                self.of_the_day.store(Some(Arc::clone(&key)));
                sign(&key)
            }
        }
    }

    #[cold]
    fn derive(&self, at: Date, scope: &Scope) -> Result<SigningKey, Error> {
        let date = at.date();
        let mut secret = zeroize::Zeroizing::new(b"AWS4".to_vec());
        secret.extend_from_slice(self.secret_access_key.expose().as_bytes());
        let mut key = keyed(&secret)?;
        for part in [&date[..], scope.region.as_bytes(), scope.service.as_bytes(), b"aws4_request"] {
            key.update(part);
            let mut next: [u8; 32] = key.finalize().into_bytes().into();
            key = keyed(&next)?;
            next.zeroize();
        }
        let scope = format!("{}/{}/{}/aws4_request", text(&date)?, scope.region, scope.service);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=", self.access_key_id);
        Ok(SigningKey { day: at.day, date, scope, authorization, key })
    }
}

impl SigningKey {
    /// `AKIDEXAMPLE/20150830/us-east-1/service/aws4_request`
    pub(crate) fn credential(&self, material: &Material) -> String {
        format!("{}/{}", material.access_key_id, self.scope)
    }

    /// Signs the string to sign, of which `hashed` is the hash of the canonical request in hexadecimal.
    pub(crate) fn sign(&self, time: &str, hashed: &[u8]) -> [u8; 32] {
        // Nothing of it is secret.
        let mut text = Vec::with_capacity(128 + self.scope.len());
        for piece in [b"AWS4-HMAC-SHA256\n", time.as_bytes(), b"\n", self.scope.as_bytes(), b"\n", hashed] {
            text.extend_from_slice(piece);
        }
        let mut mac = self.key.clone();
        mac.update(&text);
        mac.finalize().into_bytes().into()
    }
}

fn keyed(key: &[u8]) -> Result<HmacSha256, Error> {
    HmacSha256::new_from_slice(key).map_err(|_| Error::internal("the key does not fit HMAC"))
}

fn exposed<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

fn exposed_option<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}
