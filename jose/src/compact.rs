//! The compact form of a JWS (RFC 7515 §7.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{Error, Secret};
use zeroize::Zeroizing;

use crate::key::SigningKey;

/// Header (encoded, with its dot), payload and signature, side by side.
pub(crate) fn sign(key: &SigningKey, header: &str, payload: &[u8]) -> Result<Secret, Error> {
    // Every length is known, so the token is written once, in its place, and no copy of it stays behind.
    let signature_bytes = key.signature_bytes();
    let signed = header.len() + encoded(payload.len());
    let mut token = Zeroizing::new(vec![0; signed + 1 + encoded(signature_bytes)]);
    token[..header.len()].copy_from_slice(header.as_bytes());
    encode(payload, &mut token[header.len()..signed])?;
    let (mut short, mut long);
    let buffer: &mut [u8] = if signature_bytes <= 64 {
        short = [0; 64]; // all but RSA, and clearing more is felt beside an HMAC
        &mut short
    } else {
        long = [0; SigningKey::MAX_SIGNATURE_BYTES];
        &mut long
    };
    let signature = key.sign(&token[..signed], buffer)?;
    token[signed] = b'.';
    encode(signature, &mut token[signed + 1..])?;

    let text = String::from_utf8(std::mem::take(&mut *token))
        .map_err(|_| Error::internal("the token is no text"))?;
    Ok(Secret::new(text))
}

/// The length of so many bytes in base64url without padding.
const fn encoded(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// Fills `out`, which has the encoded length.
fn encode(bytes: &[u8], out: &mut [u8]) -> Result<(), Error> {
    match URL_SAFE_NO_PAD.encode_slice(bytes, out) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::internal("the token does not fit its buffer")),
    }
}
