use smallvec::SmallVec;

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

/// Small pieces are collected before a hash gets them: each of its calls costs more than a copy.
pub(crate) struct Collected<T: Absorb> {
    into: T,
    buffer: [u8; 256],
    filled: usize,
}

/// What takes bytes in larger pieces.
pub(crate) trait Absorb {
    /// Takes bytes.
    fn absorb(&mut self, bytes: &[u8]);
}

impl<T: Absorb> Collected<T> {
    pub(crate) const fn new(into: T) -> Self {
        Self { into, buffer: [0; 256], filled: 0 }
    }

    /// What it was collected for, with all of it.
    pub(crate) fn into_inner(mut self) -> T {
        self.flush();
        self.into
    }

    fn flush(&mut self) {
        let filled = self.buffer.get(..self.filled).unwrap_or_default();
        self.into.absorb(filled);
        self.filled = 0;
    }
}

impl<T: Absorb> Sink for Collected<T> {
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
            None => self.into.absorb(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Absorb for Vec<u8> {
        fn absorb(&mut self, bytes: &[u8]) {
            self.extend_from_slice(bytes);
        }
    }

    #[test]
    fn pieces_of_any_size_arrive_in_order() {
        let text: Vec<u8> = (0..=255).cycle().take(2600).collect();
        for size in [1, 3, 255, 256, 257, 1000] {
            let mut sink = Collected::new(Vec::new());
            text.chunks(size).for_each(|chunk| sink.put(chunk));
            assert_eq!(sink.into_inner(), text, "{size}");
        }
    }
}
