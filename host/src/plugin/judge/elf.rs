//! What the dynamic loader would make of a file, found without the dynamic loader.
//!
//! Everything is read the way the loader reads it: by segments and addresses, not by sections, which it ignores.

use object::LittleEndian as LE;
use object::elf::{self, Dyn64, FileHeader64, ProgramHeader64, Sym64};
use object::read::ReadRef;
use object::read::elf::{GnuHashTable, HashTable, NoteIterator};

use crate::plugin::refusal::Reason;

#[cfg(target_arch = "x86_64")]
const MACHINE: elf::Machine = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: elf::Machine = elf::EM_AARCH64;
#[cfg(target_arch = "riscv64")]
const MACHINE: elf::Machine = elf::EM_RISCV;

/// Libraries that every host has loaded anyhow.
const SYSTEM_LIBRARIES: [&str; 8] = [
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
    "libgcc_s.so.1",
];

const CUT_OFF: Reason = Reason::Borrowed("is cut off; copy it again");
pub(super) const BROKEN: Reason = Reason::Borrowed("is a broken ELF file; build or copy it again");

/// A shared library for this machine, whole, with nothing executable that is writable.
#[derive(Debug)]
pub(super) struct Library<'d> {
    data: &'d [u8],
    segments: &'d [ProgramHeader64<LE>],
}

impl<'d> Library<'d> {
    /// Reads header and segments.
    pub(super) fn parse(data: &'d [u8]) -> Result<Self, Reason> {
        let header = header(data)?;
        let sections = u64::from(header.e_shnum.get(LE)) * u64::from(header.e_shentsize.get(LE));
        if !within(data, header.e_shoff.get(LE), sections) {
            return Err(CUT_OFF);
        }
        if usize::from(header.e_phentsize.get(LE)) != size_of::<ProgramHeader64<LE>>() {
            return Err(BROKEN);
        }
        let segments = data
            .read_slice_at(header.e_phoff.get(LE), header.e_phnum.get(LE).into())
            .map_err(|()| CUT_OFF)?;
        let library = Self { data, segments };
        library.check_segments()?;
        Ok(library)
    }

    pub(super) const fn segments(&self) -> &'d [ProgramHeader64<LE>] {
        self.segments
    }

    fn check_segments(&self) -> Result<(), Reason> {
        let mut end = 0;
        let mut stack = false;
        for segment in self.segments {
            if !within(self.data, segment.p_offset.get(LE), segment.p_filesz.get(LE)) {
                return Err(CUT_OFF);
            }
            let flags = segment.p_flags.get(LE);
            match segment.p_type.get(LE) {
                elf::PT_LOAD => {
                    // Only so is it clear which byte of the file an address means.
                    let start = segment.p_vaddr.get(LE);
                    let size = segment.p_memsz.get(LE);
                    if start < end || size < segment.p_filesz.get(LE) {
                        return Err(BROKEN);
                    }
                    end = start.checked_add(size).ok_or(BROKEN)?;
                    if flags.0 & (elf::PF_W.0 | elf::PF_X.0) == elf::PF_W.0 | elf::PF_X.0 {
                        return Err(
                            "has memory that is writable and executable at once; link it as cargo does"
                                .into(),
                        );
                    }
                }
                elf::PT_GNU_STACK => {
                    stack = true;
                    if flags.0 & elf::PF_X.0 != 0 {
                        return Err("wants an executable stack; link it with `-z noexecstack`".into());
                    }
                }
                _ => {}
            }
        }
        if !stack {
            return Err("does not say that its stack is not executable; link it with `-z noexecstack`".into());
        }
        Ok(())
    }

    /// Checks what the loader would do besides mapping the file: the libraries that it would load along with it.
    pub(super) fn check_dependencies(&self, allowed: &[String]) -> Result<(), Reason> {
        for entry in self.dynamic()? {
            let value = entry.d_val.get(LE);
            match entry.d_tag.get(LE) {
                elf::DT_NEEDED => {
                    let name = self.dynamic_text(value)?;
                    if !SYSTEM_LIBRARIES.contains(&name)
                        && !is_loader(name)
                        && !allowed.iter().any(|allowed| allowed == name)
                    {
                        return Err(format!(
                            "needs the library {name:?}; link it in statically, or allow it by `allow_libraries` in its `[plugins.NAME]`"
                        ).into());
                    }
                }
                elf::DT_RPATH | elf::DT_RUNPATH => {
                    return Err("brings its own search path for libraries (RPATH or RUNPATH); link it without `-rpath`".into());
                }
                elf::DT_AUDIT | elf::DT_DEPAUDIT | elf::DT_FILTER | elf::DT_AUXILIARY | elf::DT_CONFIG => {
                    return Err(
                        "makes the loader load more than it names as needed (a filter or an audit library)"
                            .into(),
                    );
                }
                elf::DT_TEXTREL => return Err(TEXT_RELOCATIONS),
                elf::DT_FLAGS if value & elf::DF_TEXTREL.0 != 0 => return Err(TEXT_RELOCATIONS),
                elf::DT_FLAGS_1 if value & elf::DF_1_PIE.0 != 0 => {
                    return Err(
                        "is a program and not a shared library; set `crate-type = [\"cdylib\"]`".into()
                    );
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Those of the system's own libraries that the loader would load along with it.
    pub(super) fn system_libraries(&self) -> Result<Vec<&'static str>, Reason> {
        let mut needed = Vec::new();
        for entry in self.dynamic()?.iter().filter(|entry| entry.d_tag.get(LE) == elf::DT_NEEDED) {
            let name = self.dynamic_text(entry.d_val.get(LE))?;
            needed.extend(SYSTEM_LIBRARIES.iter().copied().find(|known| *known == name));
        }
        Ok(needed)
    }

    /// The descriptions of the notes of an owner (its NUL included), with their kinds.
    pub(super) fn notes(&self, owner: &[u8]) -> Result<Vec<(u32, &'d [u8])>, Reason> {
        let mut found = Vec::new();
        for segment in self.segments.iter().filter(|segment| segment.p_type.get(LE) == elf::PT_NOTE) {
            let bytes = self
                .data
                .read_bytes_at(segment.p_offset.get(LE), segment.p_filesz.get(LE))
                .map_err(|()| CUT_OFF)?;
            let mut notes = NoteIterator::<FileHeader64<LE>>::new(LE, segment.p_align.get(LE), bytes)
                .map_err(|_| BROKEN)?;
            while let Some(note) = notes.next().map_err(|_| BROKEN)? {
                if note.name_bytes() == owner {
                    found.push((note.n_type(LE).0, note.desc()));
                }
            }
        }
        Ok(found)
    }

    /// Whether the file exports a data object of that name and at least that size.
    pub(super) fn exports(&self, name: &str, size: u64) -> Result<bool, Reason> {
        let symbols: &[Sym64<LE>] = self
            .at(self.entry(elf::DT_SYMTAB)?.ok_or(BROKEN)?)?
            .read_slice_at(0, self.symbol_count()?)
            .map_err(|()| BROKEN)?;
        for symbol in symbols.iter().filter(|symbol| symbol.st_shndx.get(LE) != elf::SHN_UNDEF) {
            if self.dynamic_text(symbol.st_name.get(LE).into())? == name {
                return Ok(symbol.st_type() == elf::STT_OBJECT
                    && symbol.st_bind() != elf::STB_LOCAL
                    && symbol.st_size.get(LE) >= size
                    && self.at(symbol.st_value.get(LE))?.len() as u64 >= size);
            }
        }
        Ok(false)
    }

    pub(super) fn symbol_count(&self) -> Result<usize, Reason> {
        if let Some(address) = self.entry(elf::DT_GNU_HASH)? {
            let table = GnuHashTable::<FileHeader64<LE>>::parse(LE, self.at(address)?).map_err(|_| BROKEN)?;
            // An empty table has no exported symbol.
            return Ok(table.symbol_table_length(LE).unwrap_or_default() as usize);
        }
        let address = self.entry(elf::DT_HASH)?.ok_or(BROKEN)?;
        let table = HashTable::<FileHeader64<LE>>::parse(LE, self.at(address)?).map_err(|_| BROKEN)?;
        Ok(table.symbol_table_length() as usize)
    }

    pub(super) fn entry(&self, tag: elf::DynamicTag) -> Result<Option<u64>, Reason> {
        // The loader takes the last of several.
        Ok(self
            .dynamic()?
            .iter()
            .rev()
            .find(|entry| entry.d_tag.get(LE) == tag)
            .map(|entry| entry.d_val.get(LE)))
    }

    fn dynamic(&self) -> Result<&'d [Dyn64<LE>], Reason> {
        let mut tables = self.segments.iter().filter(|segment| segment.p_type.get(LE) == elf::PT_DYNAMIC);
        let (Some(table), None) = (tables.next(), tables.next()) else {
            return Err("is not a shared library that can be loaded; set `crate-type = [\"cdylib\"]`".into());
        };
        let bytes = self.at(table.p_vaddr.get(LE))?;
        let entries: &[Dyn64<LE>] =
            bytes.read_slice_at(0, bytes.len() / size_of::<Dyn64<LE>>()).map_err(|()| BROKEN)?;
        let end = entries.iter().position(|entry| entry.d_tag.get(LE) == elf::DT_NULL).ok_or(BROKEN)?;
        entries.get(..end).ok_or(BROKEN)
    }

    pub(super) fn dynamic_text(&self, offset: u64) -> Result<&'d str, Reason> {
        let table = self.entry(elf::DT_STRTAB)?.ok_or(BROKEN)?;
        let bytes = self.at(table.checked_add(offset).ok_or(BROKEN)?)?;
        let end = bytes.iter().position(|byte| *byte == 0).ok_or(BROKEN)?;
        bytes.get(..end).and_then(|text| str::from_utf8(text).ok()).ok_or(BROKEN)
    }

    /// The bytes of the file that lie at an address, to the end of their segment.
    pub(super) fn at(&self, address: u64) -> Result<&'d [u8], Reason> {
        self.segments
            .iter()
            .filter(|segment| segment.p_type.get(LE) == elf::PT_LOAD)
            .find_map(|segment| {
                let inside = address.checked_sub(segment.p_vaddr.get(LE))?;
                let rest = segment.p_filesz.get(LE).checked_sub(inside).filter(|rest| *rest > 0)?;
                self.data.read_bytes_at(segment.p_offset.get(LE).checked_add(inside)?, rest).ok()
            })
            .ok_or(BROKEN)
    }
}

const TEXT_RELOCATIONS: Reason =
    Reason::Borrowed("has relocations in its code; build it as position-independent code");

/// A program for this machine, whole; what it does is its own process's matter.
pub(super) fn judge_program(data: &[u8]) -> Result<(), Reason> {
    let header = machine_header(data)?;
    if !matches!(header.e_type.get(LE), elf::ET_EXEC | elf::ET_DYN) {
        return Err("is neither a program nor a script that begins with `#!`".into());
    }
    let segments: &[ProgramHeader64<LE>] =
        data.read_slice_at(header.e_phoff.get(LE), header.e_phnum.get(LE).into()).map_err(|()| CUT_OFF)?;
    let whole =
        segments.iter().all(|segment| within(data, segment.p_offset.get(LE), segment.p_filesz.get(LE)));
    if whole { Ok(()) } else { Err(CUT_OFF) }
}

fn header(data: &[u8]) -> Result<&FileHeader64<LE>, Reason> {
    if data.is_empty() {
        return Err("is empty".into());
    }
    if !data.starts_with(&elf::ELFMAG) {
        return Err(
            "is not an ELF file; a plugin is the `.so` that cargo builds of a crate of type cdylib".into()
        );
    }
    let header = machine_header(data)?;
    match header.e_type.get(LE) {
        elf::ET_DYN => Ok(header),
        _ => Err("is not a shared library; set `crate-type = [\"cdylib\"]`".into()),
    }
}

fn machine_header(data: &[u8]) -> Result<&FileHeader64<LE>, Reason> {
    let header: &FileHeader64<LE> = data.read_at(0).map_err(|()| CUT_OFF)?;
    if header.e_ident.class != elf::ELFCLASS64 {
        return Err("is for 32-bit machines; build it for this machine".into());
    }
    if header.e_ident.data != elf::ELFDATA2LSB {
        return Err("is for big-endian machines; build it for this machine".into());
    }
    let machine = header.e_machine.get(LE);
    if machine != MACHINE {
        let (theirs, ours) = (machine.0, std::env::consts::ARCH);
        return Err(format!("is for another processor (ELF machine {theirs}); build it for {ours}").into());
    }
    Ok(header)
}

fn is_loader(name: &str) -> bool {
    !name.contains('/') && (name.starts_with("ld-linux-") || name.starts_with("libc.musl-"))
}

fn within(data: &[u8], offset: u64, size: u64) -> bool {
    offset.checked_add(size).is_some_and(|end| end <= data.len() as u64)
}
