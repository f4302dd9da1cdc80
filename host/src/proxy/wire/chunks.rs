use super::Fault;

/// Where one is in a chunked body, its trailers excepted (RFC 9112 §7.1).
///
/// Stricter than the grammar: not endless extensions, and, in requests, no white space around a size.
#[derive(Debug)]
pub(crate) struct Chunks {
    at: At,
    /// Spaces may stand behind a size: there are servers that fill its place up with them.
    padded: bool,
    /// The size so far, and then the bytes of the chunk that are still to come.
    left: u64,
    digits: u32,
    /// Bytes of extensions, of all chunks together.
    extensions: usize,
}

#[derive(Debug, Clone, Copy)]
enum At {
    Size,
    Padding,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
}

/// So many digits fit in 60 bits.
const DIGITS: u32 = 15;
/// The server's parser takes twice as many.
const EXTENSIONS: usize = 8 * 1024;

/// How far some bytes led.
pub(super) struct Stride {
    /// The bytes that belong to the body.
    pub(super) length: usize,
    /// They go up to and with the line of the last chunk.
    pub(super) last: bool,
}

/// What comes next in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Next {
    /// So many bytes that are not data.
    pub(crate) framing: usize,
    /// So many bytes of data behind them; none when more is to come before any.
    pub(crate) data: usize,
    /// The first of them go up to and with the line of the last chunk.
    pub(crate) last: bool,
}

impl Chunks {
    /// Of a request.
    pub(super) fn new() -> Self {
        Self { at: At::Size, padded: false, left: 0, digits: 0, extensions: 0 }
    }

    /// Of an answer.
    pub(crate) fn of_answer() -> Self {
        Self { padded: true, ..Self::new() }
    }

    /// Goes on with the next bytes, as far as the next piece of data.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Next, Fault> {
        for (framing, byte) in bytes.iter().enumerate() {
            if let At::Data = self.at {
                return Ok(Next { framing, data: self.data(bytes.len() - framing), last: false });
            }
            if self.byte(*byte)? {
                return Ok(Next { framing: framing + 1, data: 0, last: true });
            }
        }
        Ok(Next { framing: bytes.len(), data: 0, last: false })
    }

    /// Goes over data, as far as it is there.
    fn data(&mut self, there: usize) -> usize {
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(there);
        self.left -= length as u64;
        if self.left == 0 {
            self.at = At::DataCr;
        }
        length
    }

    /// Goes on with the next bytes.
    ///
    /// # Errors
    /// How many bytes are good, and what is wrong with the next one.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<Stride, (usize, Fault)> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if let At::Data = self.at {
                at += self.data(bytes.len() - at);
                continue;
            }
            let last = self.byte(byte).map_err(|fault| (at, fault))?;
            at += 1;
            if last {
                return Ok(Stride { length: at, last });
            }
        }
        Ok(Stride { length: at, last: false })
    }

    /// Takes in a byte that is not data; says whether it ends the line of the last chunk.
    fn byte(&mut self, byte: u8) -> Result<bool, Fault> {
        self.at = match (self.at, byte) {
            (At::Size, _) if byte.is_ascii_hexdigit() => return self.digit(byte).map(|()| false),
            (At::Size | At::Padding, b';') if self.digits > 0 => At::Extension,
            (At::Size | At::Padding, b'\r') if self.digits > 0 => At::SizeLf,
            (At::Size | At::Padding, b' ' | b'\t') if self.padded && self.digits > 0 => {
                self.extension(byte)?;
                At::Padding
            }
            (At::Size | At::Padding, _) => return Err(SIZE),
            (At::Extension, b'\r') => At::SizeLf,
            (At::Extension, _) => return self.extension(byte).map(|()| false),
            (At::SizeLf, b'\n') if self.left == 0 => return Ok(true),
            (At::SizeLf, b'\n') => At::Data,
            (At::SizeLf, _) => return Err(SIZE_END),
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => {
                self.digits = 0;
                At::Size
            }
            (At::Data | At::DataCr | At::DataLf, _) => return Err(DATA_END),
        };
        Ok(false)
    }

    fn digit(&mut self, byte: u8) -> Result<(), Fault> {
        self.digits += 1;
        if self.digits > DIGITS {
            return Err(Fault::bad("a chunk's size is too large"));
        }
        let value = char::from(byte).to_digit(16).unwrap_or_default();
        self.left = self.left << 4 | u64::from(value);
        Ok(())
    }

    fn extension(&mut self, byte: u8) -> Result<(), Fault> {
        self.extensions += 1;
        if self.extensions > EXTENSIONS {
            return Err(Fault::bad("the chunks' extensions are too long"));
        }
        if byte.is_ascii_control() && byte != b'\t' {
            return Err(Fault::bad("a chunk's extension has a control byte"));
        }
        Ok(())
    }
}

const SIZE: Fault = Fault::bad("a chunk's size is not a number; send hexadecimal digits only");
const SIZE_END: Fault = Fault::bad("the line of a chunk's size does not end in CR LF");
const DATA_END: Fault = Fault::bad("a chunk's data does not end in CR LF where its size says");

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes are good, and whether the last chunk's line is there; none if the next byte is at fault.
    fn advance(bytes: &[u8]) -> (usize, Option<bool>) {
        match Chunks::new().advance(bytes) {
            Ok(stride) => (stride.length, Some(stride.last)),
            Err((good, _)) => (good, None),
        }
    }

    #[test]
    fn a_body_ends_with_the_line_of_its_last_chunk() {
        assert_eq!(advance(b"5\r\nhello\r\n0\r\n\r\nGET"), (13, Some(true)));
        assert_eq!(advance(b"A;x=\"y\"\r\n0123456789\r\n00;z\r\nX: y"), (27, Some(true)));
        assert_eq!(advance(b"5\r\nhello\r\n"), (10, Some(false)));
        assert_eq!(advance(b""), (0, Some(false)));
    }

    #[test]
    fn data_is_told_from_its_framing_however_it_is_parted() {
        let body = b"5\r\nhello\r\n6  ;x=y\r\n world\r\n0 \r\nrest";
        for most in 1..body.len() {
            let (mut chunks, mut data, mut rest) = (Chunks::of_answer(), Vec::new(), &body[..]);
            loop {
                let next = chunks.next(&rest[..most.min(rest.len())]).unwrap();
                data.extend_from_slice(&rest[next.framing..next.framing + next.data]);
                rest = &rest[next.framing + next.data..];
                if next.last {
                    break;
                }
            }
            assert_eq!((&*data, rest), (&b"hello world"[..], &b"rest"[..]), "{most} at a time");
        }
        assert_eq!(Chunks::new().next(b"5 \r\n"), Err(SIZE));
        assert_eq!(Chunks::of_answer().next(b" 5\r\n"), Err(SIZE));
        assert_eq!(Chunks::of_answer().next(b"5 5\r\n"), Err(SIZE));
    }

    #[test]
    fn the_first_byte_that_does_not_belong_is_at_fault() {
        let whole: [&[u8]; 14] = [
            b"\r",
            b";",
            b" 5",
            b"0x5",
            b"5 ",
            b"5\n",
            b"5\r\r",
            b"5\rh",
            b"0\r0",
            b"5;\n",
            b"5;\0",
            b"5\r\nhello\n",
            b"5\r\nhello!",
            b"5\r\nhello\r0",
        ];
        for bytes in whole {
            let good = match bytes {
                [b'0', b'x', ..] => 1,
                [b' ', ..] => 0,
                _ => bytes.len() - 1,
            };
            assert_eq!(advance(bytes), (good, None), "{}", bytes.escape_ascii());
        }
        assert_eq!(advance(b"1\r\nx\r\n\r\n"), (6, None));
        assert_eq!(advance(b"1\r\nx\r\n;\r\n"), (6, None));
        assert_eq!(advance(b"0000000000000001"), (15, None));
        assert_eq!(advance(b"100000000000000\r\nx"), (18, Some(false)));
    }
}
