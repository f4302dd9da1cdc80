use countersign::RequestHead;

use crate::encode::encode;
use crate::parameters::Parameters;

/// The signature base string (RFC 5849 §3.4.1).
pub(crate) fn base_string(request: &RequestHead<'_>, parameters: Parameters) -> Vec<u8> {
    let normalized = parameters.normalized();
    let mut base = Vec::with_capacity(normalized.len() * 3 / 2 + request.path().len() + 128);
    encode(request.method().as_bytes(), &mut base);
    base.push(b'&');
    // The base string URI (§3.4.1.2): scheme and host in lower case, the scheme's own port left out.
    let scheme = request.scheme();
    let authority = request.authority().to_ascii_lowercase();
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let authority = authority.strip_suffix(port).unwrap_or(&authority);
    for part in [&*scheme.to_ascii_lowercase(), "://", authority, request.path()] {
        encode(part.as_bytes(), &mut base);
    }
    base.push(b'&');
    encode(&normalized, &mut base);
    base
}
