use hmac::digest::Update;
use smallvec::SmallVec;
use zeroize::Zeroize;

/// A short text on its way, mostly without going to the heap.
pub(crate) type Scratch = SmallVec<[u8; 128]>;

/// What a text is written to.
pub(crate) trait Sink {
    /// Takes bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl<const N: usize> Sink for SmallVec<[u8; N]> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A short text that may be secret, and is wiped.
#[derive(Default)]
pub(crate) struct Wiped(pub(crate) Scratch);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Small pieces are collected before a hash gets them: each of its calls costs more than a copy.
pub(crate) struct Collected<'t, T> {
    into: &'t mut T,
    buffer: [u8; 256],
    filled: usize,
}

impl<'t, T: Update> Collected<'t, T> {
    pub(crate) const fn new(into: &'t mut T) -> Self {
        Self { into, buffer: [0; 256], filled: 0 }
    }

    /// Hands on what was collected, as has to be done at last.
    pub(crate) fn flush(&mut self) {
        let filled = self.buffer.get(..self.filled).unwrap_or_default();
        self.into.update(filled);
        self.filled = 0;
    }
}

impl<T: Update> Sink for Collected<'_, T> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.buffer.get_mut(self.filled..self.filled + bytes.len()) {
            room.copy_from_slice(bytes);
            self.filled += bytes.len();
            return;
        }
        self.flush();
        match self.buffer.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.filled = bytes.len();
            }
            None => self.into.update(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Text(Vec<u8>);

    impl Update for Text {
        fn update(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    #[test]
    fn pieces_of_any_size_arrive_in_order() {
        let text: Vec<u8> = (0..=255).cycle().take(2600).collect();
        for size in [1, 3, 255, 256, 257, 1000] {
            let mut arrived = Text::default();
            let mut sink = Collected::new(&mut arrived);
            text.chunks(size).for_each(|chunk| sink.put(chunk));
            sink.flush();
            assert_eq!(arrived.0, text, "{size}");
        }
    }
}
