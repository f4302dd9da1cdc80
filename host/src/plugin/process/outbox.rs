use rustix::io::Errno;
use zeroize::Zeroize;

/// So many bytes may wait to be written.
const MOST: usize = 16 << 20;

/// What waits to be written to a process that does not read as fast as it is told. It may hold secrets, and is wiped.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Vec<u8>,
    begin: usize,
}

/// More waits than may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.begin == self.waiting.len()
    }

    /// Adds what could not be written.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let held = self.waiting.len() - self.begin;
        if held + bytes.len() > MOST {
            return Err(Full);
        }
        if self.waiting.capacity() - self.waiting.len() < bytes.len() {
            let mut larger = Vec::with_capacity((held + bytes.len()).next_power_of_two());
            larger.extend_from_slice(self.waiting.get(self.begin..).unwrap_or_default());
            self.waiting.zeroize();
            (self.waiting, self.begin) = (larger, 0);
        }
        self.waiting.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes as much as `send` takes.
    pub(super) fn flush(&mut self, send: impl FnOnce(&[u8]) -> Result<usize, Errno>) -> Result<(), Errno> {
        let waiting = self.waiting.get_mut(self.begin..).unwrap_or_default();
        let count = send(waiting)?;
        waiting.get_mut(..count).unwrap_or_default().zeroize();
        self.begin += count;
        if self.is_empty() {
            (self.waiting, self.begin) = (Vec::new(), 0);
        }
        Ok(())
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.waiting.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_out_in_order_however_few_are_taken() {
        let (mut outbox, mut written) = (Outbox::default(), Vec::new());
        for round in 0..50_u8 {
            outbox.push(&[round; 100]).unwrap();
            outbox
                .flush(|bytes| {
                    let count = bytes.len().min(70);
                    written.extend_from_slice(&bytes[..count]);
                    Ok(count)
                })
                .unwrap();
        }
        while !outbox.is_empty() {
            let all = |bytes: &[u8]| {
                written.extend_from_slice(bytes);
                Ok(bytes.len())
            };
            outbox.flush(all).unwrap();
        }
        assert!(written.chunks(100).enumerate().all(|(round, chunk)| chunk == [round as u8; 100]));
        assert_eq!(written.len(), 5000);
    }

    #[test]
    fn more_than_may_wait_is_not_taken() {
        let mut outbox = Outbox::default();
        outbox.push(&vec![0; MOST]).unwrap();
        assert_eq!(outbox.push(&[0]), Err(Full));
    }
}
