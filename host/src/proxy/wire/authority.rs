use std::net::Ipv6Addr;

use super::chars::{self, NAME};

/// `host[:port]`, without user information, percent-encoding or zone; the port, if any, up to 65535.
pub(super) fn is_authority(bytes: &[u8]) -> bool {
    let (host_is_good, port) = match bytes {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            (is_ipv6(&rest[..end]), &rest[end + 1..])
        }
        _ => {
            let end = bytes.iter().position(|byte| *byte == b':').unwrap_or(bytes.len());
            (end > 0 && chars::all(&bytes[..end], NAME), &bytes[end..])
        }
    };
    host_is_good && is_port(port)
}

fn is_ipv6(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// Nothing, or a colon and one to five digits.
fn is_port(bytes: &[u8]) -> bool {
    match bytes {
        [] => true,
        [b':', digits @ ..] => {
            matches!(digits.len(), 1..=5)
                && digits.iter().all(u8::is_ascii_digit)
                && digits.iter().fold(0, |port, digit| port * 10 + u32::from(digit - b'0')) <= 65535
        }
        _ => false,
    }
}
