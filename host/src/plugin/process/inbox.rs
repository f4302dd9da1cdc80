use countersign::protocol::frame::MAX_LINE;
use zeroize::Zeroize;

/// What it holds as a rule; more only while a longer line arrives.
const USUAL: usize = 64 << 10;

/// The read side of a link: bytes come in, lines go out. Lines may hold secrets: they are wiped when they were read.
pub(super) struct Inbox {
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    /// Where no LF has been found yet.
    searched: usize,
}

/// A line is longer than [`MAX_LINE`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Default for Inbox {
    fn default() -> Self {
        Self { buffer: vec![0; USUAL], begin: 0, end: 0, searched: 0 }
    }
}

impl Inbox {
    /// Where the next bytes go; never empty.
    ///
    /// # Errors
    /// The line that they belong to is too long already.
    pub(super) fn space(&mut self) -> Result<&mut [u8], TooLong> {
        if self.begin == self.end {
            (self.begin, self.end, self.searched) = (0, 0, 0);
            if self.buffer.len() > USUAL {
                self.resize(USUAL);
            }
        } else if self.end == self.buffer.len() {
            if self.end - self.begin >= MAX_LINE {
                return Err(TooLong);
            }
            let size = if self.begin > self.buffer.len() / 2 {
                self.buffer.len()
            } else {
                (self.buffer.len() * 2).min(MAX_LINE)
            };
            self.resize(size);
        }
        self.buffer.get_mut(self.end..).ok_or(TooLong)
    }

    /// So many bytes have come.
    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// Lends the next whole line, without its LF, and wipes it.
    pub(super) fn with_line<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let unsearched = self.buffer.get(self.searched..self.end)?;
        let Some(length) = memchr::memchr(b'\n', unsearched) else {
            self.searched = self.end;
            return None;
        };
        let end = self.searched + length;
        let line = self.buffer.get_mut(self.begin..end)?;
        let outcome = read(line);
        line.zeroize();
        (self.begin, self.searched) = (end + 1, end + 1);
        Some(outcome)
    }

    /// Moves what is there into a buffer of that size, and wipes where it was.
    fn resize(&mut self, size: usize) {
        let mut buffer = vec![0; size];
        let held = self.end - self.begin;
        if let (Some(to), Some(from)) = (buffer.get_mut(..held), self.buffer.get(self.begin..self.end)) {
            to.copy_from_slice(from);
        }
        self.buffer.zeroize();
        self.buffer = buffer;
        (self.searched, self.begin, self.end) = (self.searched - self.begin, 0, held);
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(inbox: &mut Inbox, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let (mut left, mut lines) = (bytes, Vec::new());
        while !left.is_empty() {
            let space = inbox.space()?;
            let count = space.len().min(left.len());
            space[..count].copy_from_slice(&left[..count]);
            inbox.filled(count);
            left = &left[count..];
            while let Some(line) = inbox.with_line(<[u8]>::to_vec) {
                lines.push(line);
            }
        }
        Ok(lines)
    }

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let long = vec![b'x'; 3 * USUAL + 17];
        let text = [b"a\n\nbc\n".as_slice(), &long, b"\n", &long, b"\nd\n"].concat();
        let expected = vec![b"a".to_vec(), Vec::new(), b"bc".to_vec(), long.clone(), long, b"d".to_vec()];
        for piece in [1, 7, 4096, text.len()] {
            let mut inbox = Inbox::default();
            let lines: Vec<_> =
                text.chunks(piece).flat_map(|piece| take(&mut inbox, piece).unwrap()).collect();
            assert!(lines == expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn the_longest_line_is_taken_and_no_longer_one() {
        let mut inbox = Inbox::default();
        let mut line = vec![b'x'; MAX_LINE - 1];
        line.push(b'\n');
        assert_eq!(take(&mut inbox, &line).unwrap()[0].len(), MAX_LINE - 1);
        assert_eq!(take(&mut inbox, &vec![b'x'; MAX_LINE + 1]), Err(TooLong));
    }

    #[test]
    fn nothing_of_a_line_is_left() {
        let mut inbox = Inbox::default();
        take(&mut inbox, b"secret\n").unwrap();
        assert!(inbox.buffer.iter().all(|byte| matches!(byte, 0 | b'\n')));
    }

    #[test]
    fn a_long_line_s_room_is_given_back() {
        let mut inbox = Inbox::default();
        let mut line = vec![b'x'; 1 << 20];
        line.push(b'\n');
        take(&mut inbox, &line).unwrap();
        take(&mut inbox, b"a\n").unwrap();
        assert_eq!(inbox.buffer.len(), USUAL);
    }
}
