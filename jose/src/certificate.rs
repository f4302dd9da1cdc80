use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::Error;
use pkcs8::der::asn1::{AnyRef, BitStringRef, ContextSpecific, GeneralizedTime, UtcTime};
use pkcs8::der::{Decode, Header, Reader, SliceReader, Tag, TagNumber};
use pkcs8::spki::SubjectPublicKeyInfoRef;

use crate::pem;

/// The certificates of a key: its own first, each certified by the next (RFC 7515 §4.1.6).
#[derive(Debug, Clone, Default)]
pub struct Chain(Vec<Vec<u8>>);

impl Chain {
    /// Takes certificates as DER, the key's own first.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when the first one does not certify `public_key` (the bits of its
    /// `SubjectPublicKeyInfo`).
    pub(crate) fn new(certificates: Vec<Vec<u8>>, public_key: &[u8]) -> Result<Self, Error> {
        let Some(own) = certificates.first() else { return Ok(Self::default()) };
        if certifies(own, public_key)? {
            return Ok(Self(certificates));
        }
        for other in &certificates[1..] {
            if certifies(other, public_key)? {
                return Err(Error::config(
                    "lists its certificates in the wrong order; put the key's own first",
                ));
            }
        }
        Err(Error::config("has a certificate that belongs to another key"))
    }

    /// Whether there is no certificate.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The certificates as DER, the key's own first.
    pub fn as_der(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// The SHA-1 thumbprint of the key's own certificate, base64url (RFC 7515 §4.1.7).
    pub fn x5t(&self) -> Option<String> {
        self.thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY)
    }

    /// The SHA-256 thumbprint of the key's own certificate, base64url (RFC 7515 §4.1.8).
    pub fn x5t_s256(&self) -> Option<String> {
        self.thumbprint(&digest::SHA256)
    }

    /// The whole chain, each certificate in plain base64 (RFC 7515 §4.1.6).
    pub fn x5c(&self) -> Vec<String> {
        self.0.iter().map(|der| STANDARD.encode(der)).collect()
    }

    fn thumbprint(&self, algorithm: &'static digest::Algorithm) -> Option<String> {
        self.0.first().map(|der| URL_SAFE_NO_PAD.encode(digest::digest(algorithm, der)))
    }
}

/// Reads the certificates of a PEM text.
pub(crate) fn from_pem(text: &str) -> Result<Vec<Vec<u8>>, Error> {
    if !pem::is_pem(text) {
        return Err(Error::config("is not PEM; a certificate begins with `-----BEGIN CERTIFICATE-----`"));
    }
    pem::blocks(text)?
        .into_iter()
        .map(|block| match block.label.as_str() {
            label if is_certificate(label) => Ok(block.der.to_vec()),
            label if label.ends_with("PRIVATE KEY") => {
                Err(Error::config("holds a private key; only certificates belong here"))
            }
            _ => Err(Error::config("holds something that is no certificate")),
        })
        .collect()
}

/// Whether a PEM label announces a certificate.
pub(crate) fn is_certificate(label: &str) -> bool {
    matches!(label, "CERTIFICATE" | "X509 CERTIFICATE")
}

/// Whether a certificate is about this public key.
pub(crate) fn certifies(certificate: &[u8], public_key: &[u8]) -> Result<bool, Error> {
    Ok(fields(certificate)?.public_key == public_key)
}

/// What of a certificate matters here (RFC 5280 §4.1).
pub(crate) struct Fields<'a> {
    /// As it is written: 2 for version 3. Version 1 is not written.
    pub(crate) version: u8,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
    /// The bits of its `SubjectPublicKeyInfo`.
    pub(crate) public_key: &'a [u8],
}

/// Looks into a certificate.
pub(crate) fn fields(certificate: &[u8]) -> Result<Fields<'_>, Error> {
    walk(certificate).map_err(|_| Error::config("has a certificate that is damaged: it is no valid X.509"))
}

/// Walks to a certificate's validity and public key, and past everything else.
fn walk(certificate: &[u8]) -> pkcs8::der::Result<Fields<'_>> {
    let mut outer = SliceReader::new(certificate)?;
    let mut certificate = content(&mut outer)?;
    let mut tbs = content(&mut certificate)?;
    let version =
        ContextSpecific::<u8>::decode_explicit(&mut tbs, TagNumber(0))?.map_or(0, |field| field.value);
    for _serial_signature_issuer in 0..3 {
        AnyRef::decode(&mut tbs)?;
    }
    let mut validity = content(&mut tbs)?;
    let (not_before, not_after) = (time(&mut validity)?, time(&mut validity)?);
    let _subject = AnyRef::decode(&mut tbs)?;
    let info = SubjectPublicKeyInfoRef::decode(&mut tbs)?;
    let bits: BitStringRef<'_> = info.subject_public_key;
    Ok(Fields { version, not_before, not_after, public_key: bits.raw_bytes() })
}

/// What is inside the next sequence.
fn content<'a>(reader: &mut SliceReader<'a>) -> pkcs8::der::Result<SliceReader<'a>> {
    let header = Header::decode(reader)?;
    SliceReader::new(reader.read_slice(header.length())?)
}

/// RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime from then on.
fn time(reader: &mut SliceReader<'_>) -> pkcs8::der::Result<SystemTime> {
    let since = match Tag::peek(reader)? {
        Tag::UtcTime => UtcTime::decode(reader)?.to_unix_duration(),
        _ => GeneralizedTime::decode(reader)?.to_unix_duration(),
    };
    Ok(UNIX_EPOCH + since)
}
