use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Response, StatusCode};

use super::Http1Error;
use super::receiving::Receiving;
use crate::proxy::wire::Chunks;

/// How many fields an answer may have.
const MOST_FIELDS: usize = 256;
/// How large its head may be, in bytes.
const MOST_BYTES: usize = 256 << 10;
/// How many answers may come before the final one (RFC 9110 §15.2).
pub(super) const MOST_INFORMATIONAL: usize = 16;
pub(super) const INFORMATIONAL: Http1Error = Http1Error::Answer("it has too many answers of status 1xx");

/// The head of an answer.
pub(super) struct Head {
    pub(super) answer: Response<()>,
    /// How many bytes it has.
    pub(super) length: usize,
    /// What follows it.
    pub(super) receiving: Receiving,
    /// Whether the connection stays open after it.
    pub(super) persistent: bool,
}

impl Head {
    /// Whether another answer follows this one. The one that changes the protocol is final.
    pub(super) fn is_informational(&self) -> bool {
        let status = self.answer.status();
        status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
    }
}

/// Whether a head can end behind the first `before` bytes: the rest is read as a whole only then, or when it is too long.
pub(super) fn may_end(came: &[u8], before: usize) -> bool {
    let new = &came[before.saturating_sub(2)..];
    let empty_line = |at: usize| matches!(&new[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]);
    came.len() > MOST_BYTES || (0..new.len()).any(|at| new[at] == b'\n' && empty_line(at))
}

/// Reads the head of an answer off what came; none if it is not all there. Its values are pieces of what came.
///
/// # Errors
/// What came is no answer; or it does not say in one way where it ends, so that what follows could be taken for another
/// answer (RFC 9112 §6.3, §11.2).
pub(super) fn parse(came: &Bytes, to_head: bool) -> Result<Option<Head>, Http1Error> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let length = match config.parse_response_with_uninit_headers(&mut parsed, came, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length <= MOST_BYTES => length,
        Ok(httparse::Status::Partial) if came.len() <= MOST_BYTES => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            return Err(Http1Error::Answer("its header fields are too many or too large"));
        }
        Err(_) => return Err(Http1Error::Answer("it is not HTTP/1.1, or ill-formed")),
    };
    let is_11 = parsed.version == Some(1);
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let mut answer = Response::new(());
    *answer.status_mut() = status.ok_or(Http1Error::Answer("its status is none"))?;
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    let mut facts = Facts::default();
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(came.slice_ref(field.value));
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(Http1Error::Answer("a header field of it is ill-formed"));
        };
        if facts.take_in(&name, field.value)? {
            headers.append(name, value);
        }
    }
    let receiving = facts.receiving(answer.status(), to_head, is_11, &mut headers)?;
    *answer.headers_mut() = headers;
    let other = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    let ends = other || facts.closes || matches!(receiving, Receiving::UntilClose);
    let persistent = !ends && (is_11 || facts.keeps);
    Ok(Some(Head { answer, length, receiving, persistent }))
}

/// What the fields say of where the answer ends, and whether the connection does with it (RFC 9112 §9.3).
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    encoded: bool,
    closes: bool,
    keeps: bool,
}

impl Facts {
    /// Takes in a field; says whether it stays.
    #[inline]
    fn take_in(&mut self, name: &HeaderName, value: &[u8]) -> Result<bool, Http1Error> {
        if *name == CONTENT_LENGTH {
            let first = self.length.is_none();
            for said in value.split(|byte| *byte == b',') {
                let said = decimal(said.trim_ascii()).ok_or(LENGTH)?;
                if self.length.is_some_and(|length| length != said) {
                    return Err(Http1Error::Answer("it has several Content-Lengths that differ"));
                }
                self.length = Some(said);
            }
            // The same length twice is to be said once (RFC 9110 §8.6).
            return Ok(first && !value.contains(&b','));
        }
        if *name == TRANSFER_ENCODING {
            // We ask for no other coding (RFC 9110 §10.1.4), and could not say to clients that there is one.
            if self.encoded || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Http1Error::Answer("its Transfer-Encoding is not chunked, once"));
            }
            self.encoded = true;
        } else if *name == CONNECTION {
            for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                self.closes |= option.eq_ignore_ascii_case(b"close");
                self.keeps |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(true)
    }

    /// All fields are in: what follows (RFC 9112 §6.3).
    fn receiving(
        &mut self,
        status: StatusCode,
        to_head: bool,
        is_11: bool,
        headers: &mut HeaderMap,
    ) -> Result<Receiving, Http1Error> {
        if let Some(length) = self.length
            && !headers.contains_key(CONTENT_LENGTH)
        {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
        if to_head || bodiless || status.is_informational() {
            return Ok(Receiving::Ended);
        }
        if self.encoded {
            if !is_11 {
                return Err(Http1Error::Answer("it is HTTP/1.0, which has no Transfer-Encoding"));
            }
            if headers.remove(CONTENT_LENGTH).is_some() {
                // Somebody may have put one answer into another.
                self.closes = true;
            }
            return Ok(Receiving::Chunks(Chunks::of_answer()));
        }
        Ok(match self.length {
            Some(0) => Receiving::Ended,
            Some(length) => Receiving::Length(length),
            None => Receiving::UntilClose,
        })
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

const LENGTH: Http1Error = Http1Error::Answer("its Content-Length is not a number");

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> Result<Option<Head>, Http1Error> {
        parse(&Bytes::copy_from_slice(head.as_bytes()), false)
    }

    fn whole(head: &str) -> Head {
        of(head).unwrap().unwrap()
    }

    #[test]
    fn a_head_that_is_not_all_there_is_waited_for() {
        let head = "HTTP/1.1 200 Fine\r\ncontent-length: 2\r\n\r\n";
        for end in 0..head.len() {
            assert!(of(&head[..end]).unwrap().is_none(), "{end}");
        }
        let whole = whole(&format!("{head}ok"));
        assert_eq!((whole.length, whole.answer.status().as_u16()), (head.len(), 200));
        assert!(matches!(whole.receiving, Receiving::Length(2)) && whole.persistent);
    }

    #[test]
    fn a_head_is_read_again_only_where_it_can_end() {
        for head in
            ["HTTP/1.1 200 OK\r\nx: y\r\n\r\n", "HTTP/1.1 200 OK\nx: y\n\n", "HTTP/1.1 200 OK\nx: y\n\r\n"]
        {
            for before in 0..head.len() {
                assert!(may_end(head.as_bytes(), before), "{head:?} {before}");
                assert!(!may_end(&head.as_bytes()[..before], 0), "{head:?} {before}");
            }
        }
        assert!(may_end(&[b'x'; MOST_BYTES + 1], MOST_BYTES));
    }

    #[test]
    fn where_an_answer_ends_is_said_by_its_fields() {
        for (head, ends, persistent) in [
            ("HTTP/1.1 200 OK\r\n\r\n", "UntilClose", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "Ended", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "Length(5)", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "Length(5)", true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", "Chunks", true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "Chunks", false),
            ("HTTP/1.1 204 No Content\r\n\r\n", "Ended", true),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "Ended", true),
            ("HTTP/1.1 101 Switching Protocols\r\nupgrade: chat\r\n\r\n", "Ended", false),
            ("HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n", "Ended", true),
            ("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 5\r\n\r\n", "Length(5)", false),
            (
                "HTTP/1.1 200 OK\r\nConnection: close, keep-alive\r\nContent-Length: 5\r\n\r\n",
                "Length(5)",
                false,
            ),
            ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "Length(5)", false),
            ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", "Length(5)", true),
        ] {
            let whole = whole(head);
            let receiving = format!("{:?}", whole.receiving);
            assert!(receiving.starts_with(ends), "{head}: {receiving}");
            assert_eq!(whole.persistent, persistent, "{head}");
            let lengths = whole.answer.headers().get_all(CONTENT_LENGTH).iter().count();
            let said = head.contains("Length") && ends != "Chunks";
            assert_eq!(lengths, usize::from(said), "{head}");
        }
        let to_head = parse(&Bytes::from_static(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), true);
        assert!(matches!(to_head.unwrap().unwrap().receiving, Receiving::Ended));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_no_answer() {
        for fields in [
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5, 6",
            "Content-Length: +5",
            "Content-Length: ",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Content-Length : 5",
            "X: a\r\n folded: yes",
            "X: a\u{0}b",
            "no colon",
        ] {
            assert!(of(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n")).is_err(), "{fields}");
        }
        for head in [
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 099 No\r\n\r\n",
            "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        ] {
            assert!(of(head).is_err(), "{head}");
        }
    }

    #[test]
    fn a_head_is_not_endless() {
        let fields = "x: y\r\n".repeat(MOST_FIELDS);
        assert!(whole(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).answer.headers().len() == MOST_FIELDS);
        assert!(of(&format!("HTTP/1.1 200 OK\r\n{fields}x: y\r\n\r\n")).is_err());
        assert!(of(&format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MOST_BYTES))).is_err());
    }
}
