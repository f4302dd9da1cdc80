//! Just enough ELF to spoil a file at a chosen place.

/// `p_type` of the program headers that tests change.
pub(crate) const LOAD: u32 = 1;
pub(crate) const DYNAMIC: u32 = 2;
pub(crate) const NOTE: u32 = 4;
pub(crate) const TLS: u32 = 7;
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

    pub(crate) fn read(&self, at: usize, bytes: usize) -> u64 {
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

    /// What the first entry of the dynamic table with that tag says.
    pub(crate) fn dynamic_value(&self, tag: u64) -> usize {
        self.read(self.dynamic(tag) + 8, 8) as usize
    }

    /// Changes the value of the first entry of the dynamic table with that tag.
    pub(crate) fn set_dynamic(self, tag: u64, value: u64) -> Self {
        let at = self.dynamic(tag) + 8;
        self.number(at, 8, value)
    }

    /// Has its dynamic table go on to the end of its segment.
    pub(crate) fn replace_end_of_dynamic(mut self) -> Self {
        let table = self.read(self.segment(DYNAMIC) + 8, 8) as usize;
        let address = self.read(self.segment(DYNAMIC) + 16, 8);
        let holds = |at: &&usize| {
            let (start, size) = (self.read(**at + 16, 8), self.read(**at + 32, 8));
            (start..start + size).contains(&address)
        };
        let load = *self.segments(LOAD).iter().find(holds).expect("a segment holds it");
        let end = (self.read(load + 8, 8) + self.read(load + 32, 8)) as usize;
        for at in (table..end).step_by(16).filter(|at| at + 16 <= end) {
            if self.read(at, 8) == 0 {
                self = self.number(at, 8, 0x6fff_fff9);
            }
        }
        self
    }

    /// Lets the first constructor be at another address.
    pub(crate) fn constructor(self, address: u64) -> Self {
        let (array, table) = (self.dynamic_value(25) as u64, self.dynamic_value(7));
        let count = self.dynamic_value(8) / 24;
        let entry = (0..count).map(|index| table + index * 24).find(|at| self.read(*at, 8) == array);
        self.number(entry.expect("it is relocated") + 16, 8, address)
    }

    /// Gives all notes of a kind another one.
    pub(crate) fn kinds_of_notes(mut self, kind: u8, other: u8) -> Self {
        let owners: Vec<usize> =
            (12..self.0.len() - 12).filter(|at| self.0[*at..].starts_with(b"Countersign\0")).collect();
        for at in owners {
            if self.0[at - 4..at] == [kind, 0, 0, 0] {
                self.0[at - 4] = other;
            }
        }
        self
    }

    /// With these notes in place of its own, at its end.
    pub(crate) fn with_notes(mut self, notes: &[u8]) -> Self {
        let (header, at) = (self.segment(NOTE), self.0.len().next_multiple_of(4));
        self.0.resize(at, 0);
        self.0.extend_from_slice(notes);
        self.number(header + 8, 8, at as u64).number(header + 32, 8, notes.len() as u64)
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
