use countersign::{Edits, Error, RequestHead, SignContext};

use crate::algorithm::Hex;
use crate::config::Protection;
use crate::count::Counts;
use crate::follow::AUTHENTICATION_INFO;
use crate::material::Material;
use crate::quoted;

/// The response to the challenge for one request (RFC 7616 §3.4.1).
pub(crate) fn sign(
    material: &Material,
    counts: &Counts,
    request: &RequestHead<'_>,
    cx: &SignContext,
) -> Result<Edits, Error> {
    let count = material.count(counts);
    // In `-sess` the key is the challenge's nonce's.
    let next = match &material.cnonce {
        None => count.follow.after(request.learned(AUTHENTICATION_INFO)),
        Some(_) => None,
    };
    let (nonce, count) = match &next {
        Some(next) => (next.nonce.as_str(), &next.count),
        None => (material.nonce.as_str(), count),
    };
    match (material.qop, &material.cnonce) {
        (Protection::None, _) => header(material, nonce, request, None),
        (_, Some(cnonce)) => header(material, nonce, request, Some((count.next()?, cnonce))),
        (_, None) => {
            let cnonce = Hex::of(&cx.random::<16>()?);
            header(material, nonce, request, Some((count.next()?, cnonce.as_str())))
        }
    }
}

/// With a nonce count and the client's nonce, but for `qop`s of old.
pub(crate) fn header(
    material: &Material,
    nonce: &str,
    request: &RequestHead<'_>,
    ours: Option<(u32, &str)>,
) -> Result<Edits, Error> {
    let (path, query) = (request.path(), request.query());
    let mark = if query.is_some() { "?" } else { "" };
    let query = query.unwrap_or_default();
    if [path, query].iter().any(|part| part.contains(['"', '\\'])) {
        return Err(Error::unsupported(
            "the address holds `\"` or `\\`, which Digest authentication cannot name; percent-encode them (%22, %5C)",
        ));
    }
    let hash = material.hash;
    let uri = [path.as_bytes(), mark.as_bytes(), query.as_bytes()];
    let asked = if material.qop == Protection::AuthInt {
        let body = request.body().ok_or_else(|| Error::internal("the body to hash is not there"))?;
        let body = hash.of(&[body]);
        hash.of(&[request.method().as_bytes(), b":", uri[0], uri[1], uri[2], b":", body.as_bytes()])
    } else {
        hash.of(&[request.method().as_bytes(), b":", uri[0], uri[1], uri[2]])
    };
    let (before, after) = &material.head;
    let key = material.key.expose().as_bytes();
    let mut value =
        String::with_capacity(before.len() + nonce.len() + after.len() + path.len() + query.len() + 168);
    value.push_str(before);
    quoted::put(nonce, &mut value);
    value.push_str(after);
    let nonce = nonce.as_bytes();
    for part in [", uri=\"", path, mark, query, "\""] {
        value.push_str(part);
    }
    let response = match ours {
        None => hash.of(&[key, b":", nonce, b":", asked.as_bytes()]),
        Some((count, cnonce)) => {
            let count = Hex::of(&count.to_be_bytes());
            for part in [", nc=", count.as_str(), ", cnonce=\"", cnonce, "\""] {
                value.push_str(part);
            }
            let (count, cnonce) = (count.as_bytes(), cnonce.as_bytes());
            let qop = material.qop.as_str().as_bytes();
            let parts: [&[u8]; 11] =
                [key, b":", nonce, b":", count, b":", cnonce, b":", qop, b":", asked.as_bytes()];
            hash.of(&parts)
        }
    };
    for part in [", response=\"", response.as_str(), "\""] {
        value.push_str(part);
    }
    Ok(Edits::with_capacity(1).and_header("authorization", value))
}
