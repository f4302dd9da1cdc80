use super::Fault;
use super::authority::is_authority;
use super::chars::{self, TOKEN};
use super::request_line::Version;

/// The longest name of a field.
const NAME_BYTES: usize = 256;

/// What the fields of a head say about where its body ends.
#[derive(Debug, Default)]
pub(super) struct Facts {
    host: bool,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
    expect: bool,
    /// Something else than HTTP/2 without TLS is asked for, which clients offer with any request.
    leaves_http: bool,
}

/// Where the body of a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    None,
    /// After so many bytes, at least one.
    Length(u64),
    /// After its last chunk and its trailers.
    Chunked,
}

/// `name: value`, without its line end and without control bytes, as its name and its value.
#[inline]
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let end = line.iter().position(|byte| !chars::is(*byte, TOKEN)).unwrap_or(line.len());
    match (end, line.get(end)) {
        (0, Some(b' ' | b'\t')) => Err(FOLDED),
        (0, _) => Err(NAME),
        (_, _) if end > NAME_BYTES => Err(LONG),
        (_, Some(b':')) => Ok((&line[..end], chars::trimmed(&line[end + 1..]))),
        (_, Some(b' ' | b'\t')) => Err(SPACE),
        (_, None) => Err(COLON),
        _ => Err(NAME),
    }
}

impl Facts {
    /// Takes in a field of a head.
    #[inline]
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        let named = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if named(b"host") => self.host(value),
            6 if named(b"expect") => self.expect(value),
            7 if named(b"upgrade") => self.upgrade(value),
            10 if named(b"connection") => connection(value),
            14 if named(b"content-length") => self.length(value),
            17 if named(b"transfer-encoding") => self.encoding(value),
            _ => Ok(()),
        }
    }

    /// All fields are in: what they come to.
    pub(super) fn framing(&self, version: Version) -> Result<Framing, Fault> {
        if version == Version::Http11 && !self.host {
            return Err(Fault::bad("the request has no Host; HTTP/1.1 demands one"));
        }
        if version == Version::Http10 && self.chunked {
            return Err(Fault::bad("HTTP/1.0 has no Transfer-Encoding; send a Content-Length, or HTTP/1.1"));
        }
        let framing = match (self.chunked, self.length) {
            (true, Some(_)) => {
                return Err(Fault::bad(
                    "the request has both Content-Length and Transfer-Encoding; send one of them",
                ));
            }
            (true, None) => Framing::Chunked,
            (false, None | Some(0)) => Framing::None,
            (false, Some(length)) => Framing::Length(length),
        };
        if self.leaves_http && framing != Framing::None {
            return Err(Fault::bad("the request has an Upgrade and a body; send one of them"));
        }
        Ok(framing)
    }

    /// After this request, something else than HTTP may follow.
    pub(super) fn may_upgrade(&self, version: Version) -> bool {
        self.upgrade && version == Version::Http11
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Fault> {
        if std::mem::replace(&mut self.host, true) {
            return Err(Fault::bad("the request has several Hosts; send one"));
        }
        if is_authority(value) {
            Ok(())
        } else {
            Err(Fault::bad("the Host is ill-formed; send host or host:port"))
        }
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Fault> {
        if std::mem::replace(&mut self.expect, true) || !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Fault::new(
                417,
                "the request expects more than can be promised; expect 100-continue, once",
            ));
        }
        Ok(())
    }

    fn upgrade(&mut self, value: &[u8]) -> Result<(), Fault> {
        self.upgrade = true;
        self.leaves_http |= !value.eq_ignore_ascii_case(b"h2c");
        Ok(())
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.length.is_some() {
            return Err(Fault::bad("the request has several Content-Lengths; send one"));
        }
        self.length = Some(decimal(value).ok_or(Fault::bad(
            "the Content-Length is not a number; send decimal digits only, without zeros before them",
        ))?);
        Ok(())
    }

    fn encoding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if std::mem::replace(&mut self.chunked, true) {
            return Err(Fault::bad("the request has several Transfer-Encodings; send one"));
        }
        if value.eq_ignore_ascii_case(b"chunked") {
            Ok(())
        } else {
            Err(Fault::new(
                501,
                "the Transfer-Encoding is not understood; send chunked alone, or a Content-Length",
            ))
        }
    }
}

/// Up to 18 digits, which is more than anybody sends and less than overflows anywhere.
fn decimal(value: &[u8]) -> Option<u64> {
    match value {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] if value.len() <= 18 && value.iter().all(u8::is_ascii_digit) => {
            Some(value.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
        }
        _ => None,
    }
}

/// Fields that are named here go no further, so those that say where the request ends, or for whom it is, cannot be.
fn connection(value: &[u8]) -> Result<(), Fault> {
    let kept = |option: &[u8]| {
        let option = chars::trimmed(option);
        [b"host".as_slice(), b"content-length", b"transfer-encoding"]
            .iter()
            .any(|name| option.eq_ignore_ascii_case(name))
    };
    if value.split(|byte| *byte == b',').any(kept) {
        return Err(Fault::bad("Connection names a field that is not the connection's; leave it out"));
    }
    Ok(())
}

/// Fields that no trailer may bring: they would say again, and too late, where the request ends, for whom it is and
/// who sent it (RFC 9110 §6.5.1).
const NOT_IN_TRAILERS: [&[u8]; 24] = [
    b"authorization",
    b"cache-control",
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-range",
    b"content-type",
    b"cookie",
    b"expect",
    b"forwarded",
    b"host",
    b"keep-alive",
    b"max-forwards",
    b"origin",
    b"proxy-authorization",
    b"proxy-connection",
    b"range",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"via",
    b"x-forwarded-for",
    b"x-forwarded-host",
];

/// Judges the name of a trailer field.
pub(super) fn trailer(name: &[u8]) -> Result<(), Fault> {
    if NOT_IN_TRAILERS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return Err(Fault::bad("a trailer brings a field that belongs in the head"));
    }
    Ok(())
}

const FOLDED: Fault = Fault::bad("a header line begins with a space; put each field on one line");
const SPACE: Fault = Fault::bad("a header's name is followed by a space; put the colon right after it");
const COLON: Fault = Fault::bad("a header line has no colon; send name: value");
const NAME: Fault = Fault::bad("a header's name has bytes that no name has, or is empty");
const LONG: Fault = Fault::new(431, "a header's name is longer than 256 bytes");
