//! Just enough ELF to spoil a file at a chosen place.

/// `p_type` of the program headers that tests change.
pub(crate) const LOAD: u32 = 1;
pub(crate) const DYNAMIC: u32 = 2;
pub(crate) const STACK: u32 = 0x6474_e551;
pub(crate) const RELRO: u32 = 0x6474_e552;

/// A plugin file's bytes, to be spoilt.
#[derive(Clone)]
pub(crate) struct Elf(pub(crate) Vec<u8>);

impl Elf {
    pub(crate) fn byte(mut self, at: usize, value: u8) -> Self {
        self.0[at] = value;
        self
    }

    pub(crate) fn number(mut self, at: usize, bytes: usize, value: u64) -> Self {
        self.0[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
        self
    }

    fn read(&self, at: usize, bytes: usize) -> u64 {
        let mut value = [0; 8];
        value[..bytes].copy_from_slice(&self.0[at..at + bytes]);
        u64::from_le_bytes(value)
    }

    /// Where the first program header of a type stands.
    pub(crate) fn segment(&self, kind: u32) -> usize {
        self.segments(kind)[0]
    }

    /// Where the program headers of a type stand.
    pub(crate) fn segments(&self, kind: u32) -> Vec<usize> {
        let (table, count) = (self.read(32, 8) as usize, self.read(56, 2) as usize);
        let headers = (0..count).map(|index| table + index * 56);
        headers.filter(|at| self.read(*at, 4) == u64::from(kind)).collect()
    }

    /// Where the first entry of the dynamic table with that tag stands.
    pub(crate) fn dynamic(&self, tag: u64) -> usize {
        let table = self.read(self.segment(DYNAMIC) + 8, 8) as usize;
        (0..)
            .map(|index| table + index * 16)
            .find(|at| self.read(*at, 8) == tag)
            .expect("an entry with that tag")
    }

    /// Turns an entry that nobody needs (`DT_RELACOUNT`) into another one.
    pub(crate) fn entry(self, tag: u64, value: u64) -> Self {
        let at = self.dynamic(0x6fff_fff9);
        self.number(at, 8, tag).number(at + 8, 8, value)
    }

    /// Replaces every occurrence of some bytes by as many others.
    pub(crate) fn replace(mut self, old: &[u8], new: &[u8]) -> Self {
        assert_eq!(old.len(), new.len());
        let places: Vec<usize> =
            (0..self.0.len() - old.len()).filter(|at| self.0[*at..].starts_with(old)).collect();
        assert!(!places.is_empty(), "the file has no {:?}", String::from_utf8_lossy(old));
        for at in places {
            self.0[at..at + new.len()].copy_from_slice(new);
        }
        self
    }
}
