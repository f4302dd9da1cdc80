//! A worker's lines: read, answered, written.

use std::time::{Duration, Instant};

use countersign::protocol::frame::{MAX_LINE, ToPlugin};
use countersign::respondent::{Respondent, TypeSource};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use zeroize::Zeroize;

use super::log::Output;

/// The least that is read at once, in bytes.
const PIECE: usize = 16 << 10;

/// Answers until the host hangs up.
///
/// # Errors
/// The stream failed, or the host said what is not of the protocol.
pub(super) fn answer(mut respondent: Respondent<impl TypeSource>, output: &Output) -> Result<(), Errno> {
    let mut reader = Reader { buffer: Vec::with_capacity(PIECE), start: 0, searched: 0 };
    let mut answer = Vec::new();
    let mut greeted = false;
    while let Some(line) = reader.line(output.spin())? {
        if !greeted && let Ok(ToPlugin::Hello(hello)) = serde_json::from_slice(line) {
            output.set_level(hello.log_level);
            greeted = true;
        }
        let answered = respondent.answer(line, &mut answer);
        line.zeroize();
        answered.map_err(|_| Errno::PROTO)?;
        let written = output.answer(&answer);
        answer.zeroize();
        written?;
    }
    Ok(())
}

struct Reader {
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where no LF was found.
    searched: usize,
}

impl Reader {
    /// The next line; `None` when there are no more.
    fn line(&mut self, spin: u64) -> Result<Option<&mut [u8]>, Errno> {
        loop {
            let unseen = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', unseen) {
                let (start, end) = (self.start, self.searched + at + 1);
                (self.start, self.searched) = (end, end);
                return Ok(self.buffer.get_mut(start..end));
            }
            self.searched = self.buffer.len();
            if self.start == self.buffer.len() {
                self.buffer.clear();
            } else {
                self.buffer.drain(..self.start);
            }
            self.searched -= self.start;
            self.start = 0;
            if self.buffer.len() > 4 * MAX_LINE {
                return Err(Errno::MSGSIZE);
            }
            if !self.fill(spin)? {
                return Ok(None);
            }
        }
    }

    /// Reads some more; `false` at the end.
    fn fill(&mut self, spin: u64) -> Result<bool, Errno> {
        if self.buffer.spare_capacity_mut().len() < PIECE / 4 {
            self.buffer.reserve(PIECE);
        }
        let until = (spin > 0).then(|| Instant::now() + Duration::from_micros(spin));
        loop {
            let spinning = until.is_some_and(|until| Instant::now() < until);
            let flags = if spinning { RecvFlags::DONTWAIT } else { RecvFlags::empty() };
            let space = rustix::buffer::spare_capacity(&mut self.buffer);
            match rustix::net::recv(rustix::stdio::stdin(), space, flags) {
                Ok((got, _)) => return Ok(got > 0),
                // Whoever asks may want this very processor.
                Err(Errno::AGAIN) => std::thread::yield_now(),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}
