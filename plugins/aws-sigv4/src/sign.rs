use std::time::SystemTime;

use countersign::{Edits, Error, Place, Places, RequestHead, Secret};
use hmac::Mac;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::canonical::{Fields, PathForm, hash};
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
        self.payload == Payload::Signed && !(matches!(self.form, Form::Query { .. }) && self.service == "s3")
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
        added.push(("x-amz-date", date.time().as_bytes()));
        if content_sha256 {
            added.push(("x-amz-content-sha256", payload));
        }
        if let Some(token) = &material.session_token {
            added.push(("x-amz-security-token", token.expose().as_bytes()));
        }
        let fields = Fields::of(request, &added, |name| self.is_signed(name));
        let hashed = hash(request, self.path_form(), &[], &fields, payload);
        let signature = self.signature(material, date, &hashed)?;
        let mut value = Vec::with_capacity(320);
        for part in [ALGORITHM, " Credential=", &material.access_key_id, "/"] {
            value.put(part.as_bytes());
        }
        self.scope(date, &mut value);
        value.put(b", SignedHeaders=");
        fields.names(&mut value);
        value.put(b", Signature=");
        value.put(&signature);

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
        self.scope(date, &mut scope);
        let (mut names, seconds) = (Vec::new(), seconds.to_string());
        fields.names(&mut names);
        let (scope, names) = (text(scope)?, text(names)?);
        let mut added: SmallVec<[(&'static str, &str); 6]> = SmallVec::new();
        added.push(("X-Amz-Algorithm", ALGORITHM));
        added.push(("X-Amz-Credential", scope.expose()));
        added.push(("X-Amz-Date", date.time()));
        added.push(("X-Amz-Expires", &seconds));
        added.push(("X-Amz-SignedHeaders", names.expose()));
        if let Some(token) = &material.session_token {
            added.push(("X-Amz-Security-Token", token.expose()));
        }
        let hashed = hash(request, self.path_form(), &added, &fields, payload);
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

    /// `20150830/us-east-1/service/aws4_request`
    fn scope(&self, date: &Date, sink: &mut impl Sink) {
        for part in [date.date(), "/", &self.region, "/", &self.service, "/aws4_request"] {
            sink.put(part.as_bytes());
        }
    }

    /// The signature of the string to sign, in hexadecimal.
    fn signature(&self, material: &Material, date: &Date, hashed: &[u8; 32]) -> Result<[u8; 64], Error> {
        let mut to_sign: SmallVec<[u8; 256]> = SmallVec::new();
        for part in [ALGORITHM, "\n", date.time(), "\n"] {
            to_sign.put(part.as_bytes());
        }
        self.scope(date, &mut to_sign);
        to_sign.put(b"\n");
        to_sign.put(&hex(hashed));
        let mut key = material.signing_key(date, &self.region, &self.service)?;
        key.update(&to_sign);
        Ok(hex(&key.finalize().into_bytes().into()))
    }
}

fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

fn text(bytes: Vec<u8>) -> Result<Secret, Error> {
    String::from_utf8(bytes)
        .map(Secret::new)
        .map_err(|_| Error::unsupported("a signed header's name is not UTF-8"))
}
