use std::fmt;
use std::sync::{Arc, OnceLock};

use countersign::{Context, Error, Secret};
use serde::{Deserialize, Serialize, Serializer};

use crate::algorithm::{Hash, Hex};
use crate::config::Protection;
use crate::count::{Count, Counts};
use crate::credentials::Credentials;
use crate::offer::Offer;
use crate::quoted;

/// What is needed to answer a challenge for any request.
#[derive(Serialize, Deserialize)]
pub(crate) struct Material {
    pub(crate) hash: Hash,
    pub(crate) qop: Protection,
    pub(crate) nonce: String,
    /// The hash of `A1` in hexadecimal: as good as the password, for this realm.
    #[serde(serialize_with = "exposed")]
    pub(crate) key: Secret,
    /// The client's nonce, where it is the same for all requests (`-sess`).
    pub(crate) cnonce: Option<String>,
    /// The header up to the nonce, and from there to what is each request's own.
    pub(crate) head: (String, String),
    #[serde(skip)]
    pub(crate) count: OnceLock<Arc<Count>>,
}

impl Material {
    pub(crate) fn new(credentials: &Credentials, offer: Offer, cx: &Context) -> Result<Self, Error> {
        let hash = offer.algorithm.hash;
        let (mut key, mut cnonce) = (credentials.hashed(&offer), None);
        if offer.algorithm.session {
            let random = Hex::of(&cx.random::<16>()?);
            let parts: [&[u8]; 5] = [key.as_bytes(), b":", offer.nonce.as_bytes(), b":", random.as_bytes()];
            key = hash.of(&parts);
            cnonce = Some(random.as_str().to_owned());
        }
        Ok(Self {
            hash,
            qop: offer.qop,
            key: key.as_str().into(),
            cnonce,
            head: head(credentials, &offer),
            nonce: offer.nonce,
            count: OnceLock::new(),
        })
    }

    /// How often its nonce was used, and what followed it.
    pub(crate) fn count(&self, counts: &Counts) -> &Count {
        self.count.get_or_init(|| counts.begun(&self.nonce))
    }
}

/// The header up to the nonce, and from there to what is each request's own (RFC 7616 §3.4).
pub(crate) fn head(credentials: &Credentials, offer: &Offer) -> (String, String) {
    let mut head = String::from("Digest ");
    let username = credentials.username();
    if offer.userhash {
        head.push_str("username=");
        quoted::put(credentials.userhash(offer).as_str(), &mut head);
        head.push_str(", userhash=true");
    } else if !username.is_ascii() && offer.utf8 {
        head.push_str("username*=");
        quoted::put_extended(username, &mut head);
    } else {
        head.push_str("username=");
        quoted::put(username, &mut head);
    }
    head.push_str(", realm=");
    quoted::put(&offer.realm, &mut head);
    head.push_str(", nonce=");
    let before = std::mem::take(&mut head);
    if let Some(opaque) = &offer.opaque {
        head.push_str(", opaque=");
        quoted::put(opaque, &mut head);
    }
    // These are not quoted: some servers take them for something else then.
    if let Some(algorithm) = &offer.algorithm.written {
        head.push_str(", algorithm=");
        head.push_str(algorithm);
    }
    if offer.qop != Protection::None {
        head.push_str(", qop=");
        head.push_str(offer.qop.as_str());
    }
    (before, head)
}

fn exposed<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("hash", &self.hash).field("qop", &self.qop).finish_non_exhaustive()
    }
}
