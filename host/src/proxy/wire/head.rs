use super::Fault;
use super::chars;
use super::field::{self, Facts};
use super::request_line::{self, TARGET_TOO_LONG, Version};

pub(crate) use super::field::Framing;

/// How large a head may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WireLimits {
    /// Bytes of the request line and the fields, line ends included.
    pub(crate) head_bytes: usize,
    /// Fields of a head; so many again of its trailers.
    pub(crate) headers: usize,
}

impl Default for WireLimits {
    fn default() -> Self {
        Self { head_bytes: 64 * 1024, headers: 100 }
    }
}

/// The server's parser takes twice as many.
const TRAILER_BYTES: usize = 8 * 1024;

impl WireLimits {
    pub(super) fn of_trailers(self) -> Self {
        Self { head_bytes: self.head_bytes.min(TRAILER_BYTES), ..self }
    }
}

/// Judges one whole head, the empty line at its end included.
///
/// # Errors
/// It is not well-formed, can be read in two ways, is too large, or asks for what is off here.
#[cfg(test)]
pub(crate) fn judge(head: &[u8], limits: &WireLimits) -> Result<Framing, Fault> {
    match Judge::of_head().advance(head, limits)? {
        Some(verdict) if verdict.length == head.len() => Ok(verdict.framing),
        _ => Err(Fault::bad("the head does not end where it should; end it with one empty line")),
    }
}

/// A head, or a trailer section, that is judged as it comes, line by line.
///
/// What comes of it depends on its bytes only, not on how they were parted: each fault has its place, and the first
/// one counts.
#[derive(Debug)]
pub(super) struct Judge {
    stage: Stage,
    /// Where the line that is not whole yet begins.
    line: usize,
    /// Up to here it has no control byte.
    seen: usize,
    fields: usize,
    facts: Facts,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Nothing was there yet but, perhaps, one empty line (RFC 9112 §2.2).
    Start,
    RequestLine,
    Fields(Version),
    Trailers,
}

/// A head that passed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    /// Bytes, the empty line at its end included.
    pub(super) length: usize,
    pub(super) framing: Framing,
    /// After this request, something else than HTTP may follow.
    pub(super) may_upgrade: bool,
}

impl Judge {
    pub(super) fn of_head() -> Self {
        Self::at(Stage::Start)
    }

    pub(super) fn of_trailers() -> Self {
        Self::at(Stage::Trailers)
    }

    fn at(stage: Stage) -> Self {
        Self { stage, line: 0, seen: 0, fields: 0, facts: Facts::default() }
    }

    /// Goes on with the bytes from the beginning of the head on, of which there are more than last time.
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &WireLimits) -> Result<Option<Verdict>, Fault> {
        let bytes = &bytes[..bytes.len().min(limits.head_bytes)];
        while let Some(end) = self.line_end(bytes)? {
            let line = &bytes[self.line..end];
            self.line = end + 2;
            self.seen = end + 2;
            if let Some(verdict) = self.line(line, limits)? {
                return Ok(Some(verdict));
            }
        }
        if bytes.len() == limits.head_bytes { Err(self.too_large()) } else { Ok(None) }
    }

    /// Where the current line ends, if its CR and LF are both there.
    #[inline]
    fn line_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let Some(at) = chars::control(bytes, self.seen) else {
            self.seen = bytes.len();
            return Ok(None);
        };
        self.seen = at;
        match (bytes[at], bytes.get(at + 1)) {
            (b'\r', Some(b'\n')) => Ok(Some(at)),
            (b'\r', None) => Ok(None),
            (b'\r', Some(_)) => Err(Fault::bad("a carriage return stands alone; end lines with CR LF")),
            (b'\n', _) => Err(Fault::bad("a line feed stands alone; end lines with CR LF")),
            _ => Err(Fault::bad("the head has a control byte; send printable ones")),
        }
    }

    /// Takes in one line, without its end. The empty one ends the head.
    #[inline]
    fn line(&mut self, line: &[u8], limits: &WireLimits) -> Result<Option<Verdict>, Fault> {
        match self.stage {
            Stage::Start if line.is_empty() => self.stage = Stage::RequestLine,
            Stage::Start | Stage::RequestLine => self.stage = Stage::Fields(request_line::judge(line)?),
            Stage::Fields(version) if line.is_empty() => {
                let framing = self.facts.framing(version)?;
                return Ok(Some(self.verdict(framing, self.facts.may_upgrade(version))));
            }
            Stage::Trailers if line.is_empty() => return Ok(Some(self.verdict(Framing::None, false))),
            Stage::Fields(_) => {
                let (name, value) = self.field(line, limits)?;
                self.facts.field(name, value)?;
            }
            Stage::Trailers => field::trailer(self.field(line, limits)?.0)?,
        }
        Ok(None)
    }

    #[inline]
    fn field<'line>(
        &mut self,
        line: &'line [u8],
        limits: &WireLimits,
    ) -> Result<(&'line [u8], &'line [u8]), Fault> {
        self.fields += 1;
        if self.fields > limits.headers {
            return Err(Fault::new(431, "the request has too many header fields"));
        }
        field::split(line)
    }

    fn verdict(&self, framing: Framing, may_upgrade: bool) -> Verdict {
        Verdict { length: self.line, framing, may_upgrade }
    }

    fn too_large(&self) -> Fault {
        match self.stage {
            Stage::Start | Stage::RequestLine => TARGET_TOO_LONG,
            Stage::Fields(_) | Stage::Trailers => {
                Fault::new(431, "the request's header fields are too large")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &[u8], limits: WireLimits) -> Option<u16> {
        judge(head, &limits).err().map(|fault| fault.status)
    }

    #[test]
    fn a_target_that_the_parser_does_not_take_is_refused_whatever_the_limit() {
        let limits = WireLimits { head_bytes: 100_000, ..WireLimits::default() };
        let get = |length: usize| format!("GET /{} HTTP/1.0\r\n\r\n", "x".repeat(length - 1));
        assert_eq!(status(get(65534).as_bytes(), limits), None);
        assert_eq!(status(get(65535).as_bytes(), limits), Some(414));
    }

    #[test]
    fn limits_are_the_last_that_pass() {
        let head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: y\r\n\r\n";
        let limits = WireLimits { head_bytes: head.len(), headers: 2 };
        assert_eq!(status(head, limits), None);
        assert_eq!(status(head, WireLimits { head_bytes: head.len() - 1, ..limits }), Some(431));
        assert_eq!(status(head, WireLimits { headers: 1, ..limits }), Some(431));
        assert_eq!(status(head, WireLimits { head_bytes: 10, ..limits }), Some(414));
    }

    #[test]
    fn a_head_is_judged_whole_and_alone() {
        let head = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert_eq!(judge(head, &WireLimits::default()), Ok(Framing::None));
        assert!(judge(&head[..head.len() - 1], &WireLimits::default()).is_err());
        assert!(judge(&[head.as_slice(), b"G"].concat(), &WireLimits::default()).is_err());
    }
}
