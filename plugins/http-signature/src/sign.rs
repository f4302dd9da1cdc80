use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::{Edits, Error, Places, RequestHead, Secret};
use countersign_jose::SigningKey;

use crate::component::{Component, View};
use crate::digest::ContentDigest;

/// How requests are signed.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) key: SigningKey,
    pub(crate) coverage: Coverage,
    pub(crate) digest: ContentDigest,
    pub(crate) parameters: Parameters,
    /// The signature's key in the two dictionaries (RFC 9421 §4).
    pub(crate) label: String,
}

/// What a signature covers, in order.
#[derive(Debug)]
pub(crate) struct Coverage {
    /// Without one of these there is no signature.
    pub(crate) components: Vec<Component>,
    /// These are covered where the request has them.
    pub(crate) optional: Vec<Component>,
}

/// The signature's parameters (§2.3); texts are structured-field strings, quotes included.
#[derive(Debug)]
pub(crate) struct Parameters {
    pub(crate) created: bool,
    /// In seconds since it was created.
    pub(crate) lifetime: Option<u64>,
    pub(crate) key_id: Option<String>,
    /// As it is named in the public key, without quotes.
    pub(crate) public_name: Option<String>,
    pub(crate) alg: Option<&'static str>,
    pub(crate) nonce: bool,
    pub(crate) tag: Option<String>,
}

impl Signature {
    pub(crate) fn reads_body(&self) -> bool {
        let covered = || self.coverage.components.iter().chain(&self.coverage.optional);
        self.digest != ContentDigest::None && covered().any(Component::is_content_digest)
            || covered().any(Component::is_content_length)
    }

    pub(crate) const fn has_nonce(&self) -> bool {
        self.parameters.nonce
    }

    /// The public half of the key, for whoever verifies; `None` for a shared secret.
    pub(crate) fn public_key(&self) -> Option<serde_json::Value> {
        let name = self.parameters.public_name.as_deref();
        self.key.public_jwk(name).ok().and_then(|key| serde_json::to_value(key).ok())
    }

    /// Where it goes, and what it always covers; what is optional is covered only where it is there before.
    pub(crate) fn places(&self) -> Places {
        let covered = &self.coverage.components;
        let places = Places::none().header("signature").header("signature-input");
        let places = places.covers_headers(covered.iter().filter_map(Component::field_name));
        let places = if covered.iter().any(Component::reads_query) { places.covers_query() } else { places };
        let all = || covered.iter().chain(&self.coverage.optional);
        match self.digest != ContentDigest::None && all().any(Component::is_content_digest) {
            true => places.header("content-digest"),
            false => places,
        }
    }

    /// What a request gets.
    pub(crate) fn sign(
        &self,
        request: &RequestHead<'_>,
        now: SystemTime,
        nonce: Option<[u8; 16]>,
    ) -> Result<Edits, Error> {
        let nonce = nonce.map(|bytes| format!("\"{}\"", URL_SAFE_NO_PAD.encode(bytes)));
        let digest = self.digest_of(request)?;
        let (base, parameters) = self.base(request, digest.as_deref(), now, nonce.as_deref())?;
        let mut signature = [0; SigningKey::MAX_SIGNATURE_BYTES];
        let signature = self.key.sign(&base, &mut signature)?;

        let mut input = String::with_capacity(self.label.len() + 1 + parameters.len());
        input.push_str(&self.label);
        input.push('=');
        input.push_str(&parameters);
        let mut value = String::with_capacity(self.label.len() + 3 + signature.len().div_ceil(3) * 4);
        value.push_str(&self.label);
        value.push_str("=:");
        STANDARD.encode_string(signature, &mut value);
        value.push(':');

        let mut edits = Edits::with_capacity(3);
        if let Some(digest) = digest {
            edits = edits.and_header("content-digest", digest);
        }
        Ok(edits.and_header("signature-input", input).and_header("signature", Secret::new(value)))
    }

    /// The `Content-Digest` that this request gets: where it is covered, and where it is optional, of a body only.
    fn digest_of(&self, request: &RequestHead<'_>) -> Result<Option<String>, Error> {
        let always = self.coverage.components.iter().any(Component::is_content_digest);
        if self.digest == ContentDigest::None
            || !always && !self.coverage.optional.iter().any(Component::is_content_digest)
        {
            return Ok(None);
        }
        let body = request.body().ok_or_else(|| Error::internal("the body to sign is not there"))?;
        Ok(if always || !body.is_empty() { self.digest.of(body) } else { None })
    }

    /// The signature base (§2.5), and its last line's value: the parameters.
    pub(crate) fn base(
        &self,
        request: &RequestHead<'_>,
        digest: Option<&str>,
        now: SystemTime,
        nonce: Option<&str>,
    ) -> Result<(Vec<u8>, String), Error> {
        let view = View { request, digest };
        let (mut base, mut parameters) = (Vec::with_capacity(768), String::with_capacity(256));
        parameters.push('(');
        for component in &self.coverage.components {
            if !self::line(component, &view, &mut base, &mut parameters)? {
                return Err(Error::config(format!(
                    "the request has no {}, which is covered; send it, or name it in `optional_components`",
                    component.identifier
                )));
            }
        }
        for component in &self.coverage.optional {
            self::line(component, &view, &mut base, &mut parameters)?;
        }
        parameters.push(')');
        self.parameters.write(now, nonce, &mut parameters);
        base.extend_from_slice(b"\"@signature-params\": ");
        base.extend_from_slice(parameters.as_bytes());
        Ok((base, parameters))
    }
}

/// Writes a line of the base, and the identifier; neither if the request has no such component.
fn line(
    component: &Component,
    view: &View<'_>,
    base: &mut Vec<u8>,
    parameters: &mut String,
) -> Result<bool, Error> {
    let start = base.len();
    base.extend_from_slice(component.identifier.as_bytes());
    base.extend_from_slice(b": ");
    let value = base.len();
    if !component.write(view, base)? {
        base.truncate(start);
        return Ok(false);
    }
    let fits = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    if !base.get(value..).unwrap_or_default().iter().all(fits) {
        return Err(Error::unsupported(format!(
            "the value of {} is not ASCII, of which a signature base consists; cover it with `;bs`",
            component.identifier
        )));
    }
    base.push(b'\n');
    if parameters.len() > 1 {
        parameters.push(' ');
    }
    parameters.push_str(&component.identifier);
    Ok(true)
}

impl Parameters {
    fn write(&self, now: SystemTime, nonce: Option<&str>, text: &mut String) {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut put = |name: &str, value: &str| {
            text.push_str(name);
            text.push_str(value);
        };
        if self.created {
            put(";created=", &now.to_string());
        }
        if let Some(lifetime) = self.lifetime {
            put(";expires=", &(now.saturating_add(lifetime)).to_string());
        }
        if let Some(key_id) = &self.key_id {
            put(";keyid=", key_id);
        }
        if let Some(alg) = self.alg {
            put(";alg=", alg);
        }
        if let Some(nonce) = nonce {
            put(";nonce=", nonce);
        }
        if let Some(tag) = &self.tag {
            put(";tag=", tag);
        }
    }
}
