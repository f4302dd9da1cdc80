use bytes::{Buf as _, Bytes};

use super::Http1Error;
use crate::proxy::wire::Chunks;

/// What of an answer is still to come (RFC 9112 §6.3).
#[derive(Debug)]
pub(super) enum Receiving {
    Ended,
    /// So many bytes.
    Length(u64),
    Chunks(Chunks),
    /// What stands behind the last chunk.
    Trailers(Trailers),
    /// Everything, until the connection ends.
    UntilClose,
}

impl Receiving {
    /// Takes the next piece of the body off what came, and nothing if what came has none. What follows the body stays.
    pub(super) fn take(&mut self, came: &mut Bytes) -> Result<Bytes, Http1Error> {
        match self {
            Self::Ended => Ok(Bytes::new()),
            Self::UntilClose => Ok(std::mem::take(came)),
            Self::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(came.len());
                *left -= length as u64;
                let ended = *left == 0;
                let piece = if length == came.len() { std::mem::take(came) } else { came.split_to(length) };
                if ended {
                    *self = Self::Ended;
                }
                Ok(piece)
            }
            Self::Chunks(chunks) => {
                let next = chunks.next(came)?;
                came.advance(next.framing);
                if next.last {
                    *self = Self::Trailers(Trailers::default());
                    return Ok(Bytes::new());
                }
                Ok(came.split_to(next.data))
            }
            Self::Trailers(trailers) => {
                let (length, ended) = trailers.skip(came)?;
                came.advance(length);
                if ended {
                    *self = Self::Ended;
                }
                Ok(Bytes::new())
            }
        }
    }

    /// How much is still to come, where that is known.
    pub(super) const fn left(&self) -> Option<u64> {
        match self {
            Self::Ended => Some(0),
            Self::Length(left) => Some(*left),
            Self::Chunks(_) | Self::Trailers(_) | Self::UntilClose => None,
        }
    }
}

/// How many bytes of trailers are passed over.
const MOST_TRAILERS: usize = 16 << 10;

/// The fields behind a chunked body, of which nothing goes on, for no client of ours said that it wants any (RFC 9110 §6.5.1).
#[derive(Debug, Default)]
pub(super) struct Trailers {
    seen: usize,
    /// How long the line is that one is in, without its end.
    line: usize,
    return_before: bool,
}

impl Trailers {
    /// How many bytes belong to them, and whether that is all.
    fn skip(&mut self, bytes: &[u8]) -> Result<(usize, bool), Http1Error> {
        for (at, byte) in bytes.iter().enumerate() {
            self.seen += 1;
            if self.seen > MOST_TRAILERS {
                return Err(Http1Error::Answer("its trailers are too large"));
            }
            match (byte, std::mem::take(&mut self.return_before)) {
                (b'\n', true) if self.line == 0 => return Ok((at + 1, true)),
                (b'\n', true) => self.line = 0,
                (b'\r', false) => self.return_before = true,
                (b'\n' | b'\r', _) | (_, true) => {
                    return Err(Http1Error::Answer("a line of its trailers does not end in CR LF"));
                }
                _ => self.line += 1,
            }
        }
        Ok((bytes.len(), false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body that comes in pieces of some size, and what follows it.
    fn body(
        mut receiving: Receiving,
        all: &'static [u8],
        most: usize,
    ) -> Result<(Vec<u8>, Vec<u8>), Http1Error> {
        let (mut body, mut rest) = (Vec::new(), Bytes::from_static(all));
        let mut came = Bytes::new();
        while !matches!(receiving, Receiving::Ended) {
            if came.is_empty() {
                if rest.is_empty() {
                    return Err(Http1Error::Ended);
                }
                came = rest.split_to(most.min(rest.len()));
            }
            body.extend_from_slice(&receiving.take(&mut came)?);
        }
        Ok((body, [came, rest].concat()))
    }

    #[test]
    fn a_body_ends_where_its_framing_says_however_it_comes() {
        let chunked = b"3\r\nabc\r\nA;x\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\nHTTP";
        for most in 1..chunked.len() {
            let chunks = Receiving::Chunks(Chunks::of_answer());
            let (data, rest) = body(chunks, chunked, most).unwrap();
            assert_eq!((&*data, &*rest), (&b"abc0123456789"[..], &b"HTTP"[..]), "{most}");
            let (data, rest) = body(Receiving::Length(4), b"bodyHTTP", most).unwrap();
            assert_eq!((&*data, &*rest), (&b"body"[..], &b"HTTP"[..]), "{most}");
        }
    }

    #[test]
    fn trailers_end_with_an_empty_line_and_are_not_endless() {
        let of = |bytes: &[u8]| Trailers::default().skip(bytes).map_err(|error| error.to_string());
        assert_eq!(of(b"\r\nrest"), Ok((2, true)));
        assert_eq!(of(b"a: b\r\nc: d\r\n"), Ok((12, false)));
        for wrong in [&b"\n"[..], b"a\n", b"\r\r\n", b"a\rb", &[b'a'; MOST_TRAILERS + 1]] {
            of(wrong).unwrap_err();
        }
    }
}
