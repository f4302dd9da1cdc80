use std::time::SystemTime;

use countersign::{Edits, Error, Place, Places, RequestHead, hex};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::canonical::{Canonical, Fields, PathForm};
use crate::config::Payload;
use crate::date::Date;
use crate::key::{Material, SigningKey};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// How requests are signed.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) form: Form,
    pub(crate) payload: Payload,
    pub(crate) double: bool,
    pub(crate) normalize: bool,
    /// Those besides the usual ones, in lower case.
    pub(crate) signed_headers: Vec<String>,
    pub(crate) scope: Scope,
}

/// What keys and signatures are good for, besides a day.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) region: String,
    pub(crate) service: String,
}

/// Where a signature goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Headers {
        /// Whether the body's digest goes along as `x-amz-content-sha256`, as S3 wants it.
        content_sha256: bool,
    },
    Query {
        /// How long it is valid.
        seconds: u64,
    },
}

impl Signature {
    /// Whether signing reads the body. That of a presigned URL is not known when the URL is made.
    pub(crate) fn signs_payload(&self) -> bool {
        self.payload == Payload::Signed
            && !(matches!(self.form, Form::Query { .. }) && self.scope.service == "s3")
    }

    /// Where signatures go and what they cover; `session`: whether there may be a session token.
    pub(crate) fn places(&self, session: bool) -> Places {
        let covered = ["host", "content-type", "content-md5", "x-amz-*"].into_iter();
        let places = Places::none()
            .covers_headers(covered.chain(self.signed_headers.iter().map(String::as_str)))
            .covers_query();
        let (place, names): (_, &[&str]) = match self.form {
            Form::Headers { content_sha256: false } => (Place::Header, &["authorization", "x-amz-date"]),
            Form::Headers { content_sha256: true } => {
                (Place::Header, &["authorization", "x-amz-date", "x-amz-content-sha256"])
            }
            Form::Query { .. } => (
                Place::Query,
                &[
                    "X-Amz-Algorithm",
                    "X-Amz-Credential",
                    "X-Amz-Date",
                    "X-Amz-Expires",
                    "X-Amz-Signature",
                    "X-Amz-SignedHeaders",
                ],
            ),
        };
        let session = session.then_some(match place {
            Place::Query => "X-Amz-Security-Token",
            _ => "x-amz-security-token",
        });
        names.iter().copied().chain(session).fold(places, |places, name| places.and(place, name))
    }

    /// What a request gets.
    pub(crate) fn sign(
        &self,
        material: &Material,
        request: &RequestHead<'_>,
        now: SystemTime,
    ) -> Result<Edits, Error> {
        let date = Date::of(now);
        let digest;
        let payload = if self.signs_payload() {
            let body = request.body().ok_or_else(|| Error::internal("the body to sign is not there"))?;
            digest = hex::<32>(&Sha256::digest(body).into());
            text(digest.as_flattened())?
        } else {
            UNSIGNED
        };
        material.with_key(date, &self.scope, |key| {
            let time = date.time(&key.date);
            let time = text(&time)?;
            match self.form {
                Form::Headers { content_sha256 } => {
                    self.in_headers(material, key, request, time, payload, content_sha256)
                }
                Form::Query { seconds } => self.in_query(material, key, request, time, payload, seconds),
            }
        })
    }

    fn in_headers(
        &self,
        material: &Material,
        key: &SigningKey,
        request: &RequestHead<'_>,
        time: &str,
        payload: &str,
        content_sha256: bool,
    ) -> Result<Edits, Error> {
        let mut added: SmallVec<[(&str, &str); 3]> = SmallVec::new();
        added.push(("x-amz-date", time));
        if content_sha256 {
            added.push(("x-amz-content-sha256", payload));
        }
        if let Some(token) = &material.session_token {
            added.push(("x-amz-security-token", token.expose()));
        }
        let fields = Fields::of(request, &added, |name| self.is_signed(name));
        let canonical = Canonical::of(request, self.path_form(), &[], &fields, payload.as_bytes());
        let signature = signature(key, time, &canonical);
        let value = [&key.authorization, canonical.names()?, ", Signature=", text(signature.as_flattened())?];
        let mut edits = Edits::with_capacity(added.len() + 1);
        added.iter().for_each(|(name, value)| edits.add(Place::Header, name, &[value]));
        edits.add(Place::Header, "authorization", &value);
        Ok(edits)
    }

    fn in_query(
        &self,
        material: &Material,
        key: &SigningKey,
        request: &RequestHead<'_>,
        time: &str,
        payload: &str,
        seconds: u64,
    ) -> Result<Edits, Error> {
        let fields = Fields::of(request, &[], |name| self.is_signed(name));
        let credential = key.credential(material);
        let (seconds, mut names) = (seconds.to_string(), Vec::new());
        fields.names(&mut names);
        let mut added: SmallVec<[(&'static str, &str); 6]> = SmallVec::new();
        added.push(("X-Amz-Algorithm", ALGORITHM));
        added.push(("X-Amz-Credential", &credential));
        added.push(("X-Amz-Date", time));
        added.push(("X-Amz-Expires", &seconds));
        added.push(("X-Amz-SignedHeaders", text(&names)?));
        if let Some(token) = &material.session_token {
            added.push(("X-Amz-Security-Token", token.expose()));
        }
        let canonical = Canonical::of(request, self.path_form(), &added, &fields, payload.as_bytes());
        let signature = signature(key, time, &canonical);
        let mut edits = Edits::with_capacity(added.len() + 1);
        added.iter().for_each(|(name, value)| edits.add(Place::Query, name, &[value]));
        edits.add(Place::Query, "X-Amz-Signature", &[text(signature.as_flattened())?]);
        Ok(edits)
    }

    const fn path_form(&self) -> PathForm {
        PathForm { double: self.double, normalize: self.normalize }
    }

    fn is_signed(&self, name: &str) -> bool {
        name.starts_with("x-amz-")
            || matches!(name, "content-type" | "content-md5")
            || self.signed_headers.iter().any(|signed| signed == name)
    }
}

/// The signature of the string to sign, in hexadecimal.
fn signature(key: &SigningKey, time: &str, canonical: &Canonical) -> [[u8; 2]; 32] {
    hex(&key.sign(time, hex(&canonical.hash()).as_flattened()))
}

/// What only a header's name can fail to be.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::unsupported("a signed header's name is not UTF-8"))
}
