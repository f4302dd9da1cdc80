//! The ELF note by which a plugin file says what it is without being executed.
//!
//! Notes of owner [`OWNER`] stand in the section [`SECTION`]. One of kind [`PLUGIN`] describes the file, one of kind
//! [`TYPE`] stands for each registered type. A note's description is a list of UTF-8 texts, separated by NUL.

/// The section's name. Its prefix makes it a note section, which linkers and `strip` keep.
pub const SECTION: &str = ".note.countersign";
/// The notes' owner, with its NUL and padded to a multiple of four bytes.
pub const OWNER: [u8; 12] = *b"Countersign\0";
/// A note that describes the file: interface version, crate, crate's version, its description, SDK version.
pub const PLUGIN: u32 = 1;
/// A note that describes a type: name, summary.
pub const TYPE: u32 = 2;

/// One note as it lies in the file (`Elf64_Nhdr`, owner, description).
#[repr(C, align(4))]
#[derive(Debug)]
pub struct Note<const N: usize> {
    owner_size: u32,
    description_size: u32,
    kind: u32,
    owner: [u8; 12],
    description: [u8; N],
}

impl<const N: usize> Note<N> {
    /// A note whose description is `texts` joined by NUL; `N` is their [`joined_len`].
    pub const fn new(kind: u32, texts: &[&str]) -> Self {
        let mut description = [0; N];
        let (mut text, mut at) = (0, 0);
        while text < texts.len() {
            let bytes = texts[text].as_bytes();
            let mut byte = 0;
            while byte < bytes.len() {
                description[at] = bytes[byte];
                at += 1;
                byte += 1;
            }
            at += 1;
            text += 1;
        }
        #[allow(clippy::cast_possible_truncation)] // descriptions are short texts from source code
        let description_size = N as u32;
        Self { owner_size: 12, description_size, kind, owner: OWNER, description }
    }
}

/// The length of texts joined by NUL.
pub const fn joined_len(texts: &[&str]) -> usize {
    let (mut text, mut len) = (0, texts.len().saturating_sub(1));
    while text < texts.len() {
        len += texts[text].len();
        text += 1;
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_joins_its_texts() {
        const TEXTS: &[&str] = &["a", "", "bc"];
        let note: Note<{ joined_len(TEXTS) }> = Note::new(TYPE, TEXTS);
        assert_eq!(&note.description, b"a\0\0bc");
        assert_eq!(note.description_size, 5);
    }
}
