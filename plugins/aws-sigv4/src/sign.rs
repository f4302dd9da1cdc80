use std::time::SystemTime;

use countersign::{Edits, Error, Place, Places, RequestHead, Secret};
use hmac::Mac;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::canonical::{Fields, Hashing, PathForm, hash};
use crate::config::Payload;
use crate::date::Date;
use crate::encode::Sink;
use crate::key::Material;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNSIGNED: &[u8] = b"UNSIGNED-PAYLOAD";

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
    /// `/us-east-1/service/aws4_request`
    tail: String,
}

impl Scope {
    pub(crate) fn new(region: String, service: String) -> Self {
        Self { tail: format!("/{region}/{service}/aws4_request"), region, service }
    }

    /// `20150830/us-east-1/service/aws4_request`
    fn put(&self, date: &Date, sink: &mut impl Sink) {
        sink.put(date.date());
        sink.put(self.tail.as_bytes());
    }
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
        let payload: &[u8] = if self.signs_payload() {
            let body = request.body().ok_or_else(|| Error::internal("the body to sign is not there"))?;
            digest = hex(&Sha256::digest(body).into());
            &digest
        } else {
            UNSIGNED
        };
        match self.form {
            Form::Headers { content_sha256 } => {
                self.in_headers(material, request, &date, payload, content_sha256)
            }
            Form::Query { seconds } => self.in_query(material, request, &date, payload, seconds),
        }
    }

    fn in_headers(
        &self,
        material: &Material,
        request: &RequestHead<'_>,
        date: &Date,
        payload: &[u8],
        content_sha256: bool,
    ) -> Result<Edits, Error> {
        let mut added: SmallVec<[(&str, &[u8]); 3]> = SmallVec::new();
        added.push(("x-amz-date", date.time()));
        if content_sha256 {
            added.push(("x-amz-content-sha256", payload));
        }
        if let Some(token) = &material.session_token {
            added.push(("x-amz-security-token", token.expose().as_bytes()));
        }
        let fields = Fields::of(request, &added, |name| self.is_signed(name));
        let names = fields.names();
        let hashed = hash(request, self.path_form(), &[], &fields, &names, payload);
        let signature = self.signature(material, date, &hashed)?;
        // Its parts and their lengths: a value is wiped whole, with what it has room for.
        let parts: [&[u8]; 9] = [
            b"AWS4-HMAC-SHA256 Credential=",
            material.access_key_id.as_bytes(),
            b"/",
            date.date(),
            self.scope.tail.as_bytes(),
            b", SignedHeaders=",
            &names,
            b", Signature=",
            &signature,
        ];
        let value = parts.concat();

        let mut edits = Edits::with_capacity(added.len() + 1);
        for (name, value) in &added {
            edits = edits.and_header(*name, text(value.to_vec())?);
        }
        Ok(edits.and_header("authorization", text(value)?))
    }

    fn in_query(
        &self,
        material: &Material,
        request: &RequestHead<'_>,
        date: &Date,
        payload: &[u8],
        seconds: u64,
    ) -> Result<Edits, Error> {
        let fields = Fields::of(request, &[], |name| self.is_signed(name));
        let mut scope = material.access_key_id.clone().into_bytes();
        scope.put(b"/");
        self.scope.put(date, &mut scope);
        let (signed, seconds) = (fields.names(), seconds.to_string());
        let (scope, names, time) = (text(scope)?, text(signed.to_vec())?, text(date.time().to_vec())?);
        let mut added: SmallVec<[(&'static str, &str); 6]> = SmallVec::new();
        added.push(("X-Amz-Algorithm", ALGORITHM));
        added.push(("X-Amz-Credential", scope.expose()));
        added.push(("X-Amz-Date", time.expose()));
        added.push(("X-Amz-Expires", &seconds));
        added.push(("X-Amz-SignedHeaders", names.expose()));
        if let Some(token) = &material.session_token {
            added.push(("X-Amz-Security-Token", token.expose()));
        }
        let hashed = hash(request, self.path_form(), &added, &fields, &signed, payload);
        let signature = self.signature(material, date, &hashed)?;
        let mut edits = Edits::with_capacity(added.len() + 1);
        for (name, value) in &added {
            edits = edits.and(Place::Query, *name, *value);
        }
        Ok(edits.and(Place::Query, "X-Amz-Signature", text(signature.to_vec())?))
    }

    const fn path_form(&self) -> PathForm {
        PathForm { double: self.double, normalize: self.normalize }
    }

    fn is_signed(&self, name: &str) -> bool {
        name.starts_with("x-amz-")
            || matches!(name, "content-type" | "content-md5")
            || self.signed_headers.iter().any(|signed| signed == name)
    }

    /// The signature of the string to sign, in hexadecimal.
    fn signature(&self, material: &Material, date: &Date, hashed: &[u8; 32]) -> Result<[u8; 64], Error> {
        let key = material.signing_key(date, &self.scope.region, &self.scope.service)?;
        let mut to_sign = Hashing::with(key);
        to_sign.put(b"AWS4-HMAC-SHA256\n");
        to_sign.put(date.time());
        to_sign.put(b"\n");
        self.scope.put(date, &mut to_sign);
        to_sign.put(b"\n");
        to_sign.put(&hex(hashed));
        Ok(hex(&to_sign.finish().finalize().into_bytes().into()))
    }
}

fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    const PAIRS: [[u8; 2]; 256] = {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let mut pairs = [[0; 2]; 256];
        let mut byte = 0;
        while byte < 256 {
            pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
            byte += 1;
        }
        pairs
    };
    let mut text = [0; 64];
    for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(bytes) {
        *pair = PAIRS[usize::from(*byte)];
    }
    text
}

fn text(bytes: Vec<u8>) -> Result<Secret, Error> {
    String::from_utf8(bytes)
        .map(Secret::new)
        .map_err(|_| Error::unsupported("a signed header's name is not UTF-8"))
}
