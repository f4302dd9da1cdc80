use std::fmt;
use std::sync::{Mutex, PoisonError};

use countersign::{Error, Secret};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize, Serializer};
use sha2::Sha256;

use crate::date::Date;

type HmacSha256 = Hmac<Sha256>;

/// What requests are signed with.
#[derive(Serialize, Deserialize)]
pub(crate) struct Material {
    pub(crate) access_key_id: String,
    #[serde(serialize_with = "exposed")]
    secret_access_key: Secret,
    #[serde(serialize_with = "exposed_option")]
    pub(crate) session_token: Option<Secret>,
    /// The key of the day, for a region and a service: it takes four HMACs to make.
    #[serde(skip)]
    derived: Mutex<Option<Derived>>,
}

struct Derived {
    day: u64,
    key: HmacSha256,
}

impl Material {
    pub(crate) fn new(
        access_key_id: String,
        secret_access_key: Secret,
        session_token: Option<Secret>,
    ) -> Self {
        Self { access_key_id, secret_access_key, session_token, derived: Mutex::default() }
    }

    /// The signing key, ready to sign. A profile has one region and one service, so that the day is all that changes.
    pub(crate) fn signing_key(&self, date: &Date, region: &str, service: &str) -> Result<HmacSha256, Error> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = derived.as_ref().filter(|known| known.day == date.day) {
            return Ok(known.key.clone());
        }
        let mut secret = zeroize::Zeroizing::new(b"AWS4".to_vec());
        secret.extend_from_slice(self.secret_access_key.expose().as_bytes());
        let mut key = keyed(&secret)?;
        for part in [date.date(), region.as_bytes(), service.as_bytes(), b"aws4_request"] {
            key.update(part);
            key = keyed(&key.finalize().into_bytes())?;
        }
        *derived = Some(Derived { day: date.day, key: key.clone() });
        Ok(key)
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
