//! What the dynamic loader would write to and jump to before any code of a library runs. It believes the file: where that
//! is wrong, the loader itself ends the process.

use object::elf::{self, ProgramHeader64, Rela64, Sym64, Vernaux, Verneed};
use object::read::ReadRef;
use object::{LittleEndian as LE, U16, U64};

use super::elf::{BROKEN, Library};
use crate::plugin::refusal::Reason;

/// How much memory a library may take when it is loaded, in bytes.
const MOST_MEMORY: u64 = 1 << 30;
/// How much of it may be every thread's own.
const MOST_TLS: u64 = 1 << 20;

#[cfg(target_arch = "x86_64")]
mod machine {
    use object::elf::*;
    pub(super) const RELATIVE: u32 = R_X86_64_RELATIVE.0;
    pub(super) const INDIRECT: u32 = R_X86_64_IRELATIVE.0;
    pub(super) const KNOWN: [u32; 9] = [
        R_X86_64_RELATIVE.0,
        R_X86_64_64.0,
        R_X86_64_GLOB_DAT.0,
        R_X86_64_JUMP_SLOT.0,
        R_X86_64_DTPMOD64.0,
        R_X86_64_DTPOFF64.0,
        R_X86_64_TPOFF64.0,
        R_X86_64_TLSDESC.0,
        R_X86_64_NONE.0,
    ];
}
#[cfg(target_arch = "aarch64")]
mod machine {
    use object::elf::*;
    pub(super) const RELATIVE: u32 = R_AARCH64_RELATIVE.0;
    pub(super) const INDIRECT: u32 = R_AARCH64_IRELATIVE.0;
    pub(super) const KNOWN: [u32; 8] = [
        R_AARCH64_RELATIVE.0,
        R_AARCH64_ABS64.0,
        R_AARCH64_GLOB_DAT.0,
        R_AARCH64_JUMP_SLOT.0,
        R_AARCH64_TLS_DTPMOD.0,
        R_AARCH64_TLS_DTPREL.0,
        R_AARCH64_TLS_TPREL.0,
        R_AARCH64_TLSDESC.0,
    ];
}
#[cfg(target_arch = "riscv64")]
mod machine {
    use object::elf::*;
    pub(super) const RELATIVE: u32 = R_RISCV_RELATIVE.0;
    pub(super) const INDIRECT: u32 = R_RISCV_IRELATIVE.0;
    pub(super) const KNOWN: [u32; 6] = [
        R_RISCV_RELATIVE.0,
        R_RISCV_64.0,
        R_RISCV_JUMP_SLOT.0,
        R_RISCV_TLS_DTPMOD64.0,
        R_RISCV_TLS_DTPREL64.0,
        R_RISCV_TLS_TPREL64.0,
    ];
}

const INDIRECT: Reason =
    Reason::Borrowed("runs code of its own while it is linked (IFUNC); build it without such functions");

/// Where an address lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Anywhere,
    Writable,
    Executable,
}

impl Library<'_> {
    /// Checks that what the loader writes to and jumps to is the library's own.
    pub(super) fn check_linking(&self) -> Result<(), Reason> {
        self.check_memory()?;
        let symbols = self.symbol_count()? as u64;
        self.check_relocations((elf::DT_RELA, elf::DT_RELASZ), symbols)?;
        self.check_relocations((elf::DT_JMPREL, elf::DT_PLTRELSZ), symbols)?;
        if self.entry(elf::DT_PLTREL)?.is_some_and(|kind| kind != elf::DT_RELA.0 as u64)
            || self.entry(elf::DT_RELAENT)?.is_some_and(|size| size != size_of::<Rela64<LE>>() as u64)
            || self.entry(elf::DT_REL)?.is_some()
        {
            return Err(BROKEN);
        }
        self.check_relative()?;
        for tag in [elf::DT_INIT, elf::DT_FINI] {
            self.check_at(self.entry(tag)?, 1, Want::Executable)?;
        }
        for (table, size) in [
            (elf::DT_INIT_ARRAY, elf::DT_INIT_ARRAYSZ),
            (elf::DT_FINI_ARRAY, elf::DT_FINI_ARRAYSZ),
            (elf::DT_PREINIT_ARRAY, elf::DT_PREINIT_ARRAYSZ),
        ] {
            let size = self.entry(size)?.unwrap_or_default();
            self.check_at(self.entry(table)?, size, Want::Writable)?;
        }
        for (table, size) in [(elf::DT_STRTAB, elf::DT_STRSZ), (elf::DT_SYMTAB, elf::DT_SYMENT)] {
            self.check_at(self.entry(table)?, self.entry(size)?.unwrap_or_default(), Want::Anywhere)?;
        }
        self.check_names()?;
        self.check_at(self.entry(elf::DT_PLTGOT)?, 8, Want::Writable)
    }

    /// Memory of a sane size, and nothing protected or copied that is not the library's.
    fn check_memory(&self) -> Result<(), Reason> {
        for segment in self.segments() {
            let (start, size) = (segment.p_vaddr.get(LE), segment.p_memsz.get(LE));
            match segment.p_type.get(LE) {
                elf::PT_LOAD if start.saturating_add(size) > MOST_MEMORY => {
                    return Err(format!("wants more than {} GiB of memory", MOST_MEMORY >> 30).into());
                }
                elf::PT_INTERP => {
                    return Err(
                        "names a program loader, as programs do; set `crate-type = [\"cdylib\"]`".into()
                    );
                }
                elf::PT_GNU_RELRO => self.check_at(Some(start), size, Want::Writable)?,
                elf::PT_TLS => {
                    let align = segment.p_align.get(LE).max(1);
                    if size > MOST_TLS || size < segment.p_filesz.get(LE) {
                        return Err(BROKEN);
                    }
                    if !align.is_power_of_two() || align > 4096 {
                        return Err(BROKEN);
                    }
                    self.check_at(Some(start), segment.p_filesz.get(LE), Want::Anywhere)?;
                }
                elf::PT_DYNAMIC => self.check_at(Some(start), size, Want::Anywhere)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn check_relocations(
        &self,
        (table, size): (elf::DynamicTag, elf::DynamicTag),
        symbols: u64,
    ) -> Result<(), Reason> {
        let (table, size) = (self.entry(table)?, self.entry(size)?.unwrap_or_default());
        let Some(table) = table.filter(|_| size > 0) else { return Ok(()) };
        let count = size / size_of::<Rela64<LE>>() as u64;
        let relocations: &[Rela64<LE>] = self
            .at(table)?
            .read_slice_at(0, usize::try_from(count).map_err(|_| BROKEN)?)
            .map_err(|()| BROKEN)?;
        if size % size_of::<Rela64<LE>>() as u64 != 0 {
            return Err(BROKEN);
        }
        let first = self.entry(elf::DT_INIT_ARRAY)?.unwrap_or_default();
        let constructors = first..first.saturating_add(self.entry(elf::DT_INIT_ARRAYSZ)?.unwrap_or_default());
        for relocation in relocations {
            let info = relocation.r_info.get(LE);
            let (symbol, kind) = (info >> 32, u32::try_from(info & 0xffff_ffff).unwrap_or_default());
            if kind == machine::INDIRECT {
                return Err(INDIRECT);
            }
            if !machine::KNOWN.contains(&kind) || symbol >= symbols.max(1) {
                return Err(BROKEN);
            }
            self.check_at(Some(relocation.r_offset.get(LE)), 8, Want::Writable)?;
            // Constructors are what the loader jumps to.
            if kind == machine::RELATIVE && constructors.contains(&relocation.r_offset.get(LE)) {
                let target = u64::try_from(relocation.r_addend.get(LE)).map_err(|_| BROKEN)?;
                self.check_at(Some(target), 1, Want::Executable)?;
            }
        }
        Ok(())
    }

    /// Names of symbols and of the versions that they want; the loader follows them to other libraries.
    fn check_names(&self) -> Result<(), Reason> {
        let count = self.symbol_count()?;
        let symbols: &[Sym64<LE>] = self
            .at(self.entry(elf::DT_SYMTAB)?.ok_or(BROKEN)?)?
            .read_slice_at(0, count)
            .map_err(|()| BROKEN)?;
        for symbol in symbols {
            self.dynamic_text(symbol.st_name.get(LE).into())?;
            if symbol.st_type() == elf::STT_GNU_IFUNC && symbol.st_shndx.get(LE) != elf::SHN_UNDEF {
                return Err(INDIRECT);
            }
        }
        let newest = self.newest_version()?;
        let Some(versions) = self.entry(elf::DT_VERSYM)? else { return Ok(()) };
        let versions: &[U16<LE>] = self.at(versions)?.read_slice_at(0, count).map_err(|()| BROKEN)?;
        // The upper bit only hides a symbol.
        let known = |version: &U16<LE>| version.get(LE) & 0x7fff <= newest;
        if versions.iter().all(known) { Ok(()) } else { Err(BROKEN) }
    }

    /// The highest number of a version that the library wants of others, 1 when it wants none.
    fn newest_version(&self) -> Result<u16, Reason> {
        const MOST: usize = 1024;
        let mut newest = 1;
        let Some(mut file) = self.entry(elf::DT_VERNEED)? else { return Ok(newest) };
        for _ in 0..MOST {
            let needed: &Verneed<LE> = self.at(file)?.read_at(0).map_err(|()| BROKEN)?;
            self.dynamic_text(needed.vn_file.get(LE).into())?;
            let mut version = file.checked_add(needed.vn_aux.get(LE).into()).ok_or(BROKEN)?;
            for _ in 0..MOST {
                let wanted: &Vernaux<LE> = self.at(version)?.read_at(0).map_err(|()| BROKEN)?;
                self.dynamic_text(wanted.vna_name.get(LE).into())?;
                newest = newest.max(wanted.vna_other.get(LE).0 & 0x7fff);
                match wanted.vna_next.get(LE) {
                    0 => break,
                    next => version = version.checked_add(next.into()).ok_or(BROKEN)?,
                }
            }
            match needed.vn_next.get(LE) {
                0 => return Ok(newest),
                next => file = file.checked_add(next.into()).ok_or(BROKEN)?,
            }
        }
        Err(BROKEN)
    }

    /// Relative relocations in their short form (`DT_RELR`): an address, then bits for the 63 words after it.
    fn check_relative(&self) -> Result<(), Reason> {
        let (table, size) = (self.entry(elf::DT_RELR)?, self.entry(elf::DT_RELRSZ)?.unwrap_or_default());
        let Some(table) = table.filter(|_| size > 0) else { return Ok(()) };
        let words: &[U64<LE>] = self
            .at(table)?
            .read_slice_at(0, usize::try_from(size / 8).map_err(|_| BROKEN)?)
            .map_err(|()| BROKEN)?;
        let mut next = None;
        for word in words.iter().map(|word| word.get(LE)) {
            if word & 1 == 0 {
                self.check_at(Some(word), 8, Want::Writable)?;
                next = word.checked_add(8);
            } else {
                let base = next.ok_or(BROKEN)?;
                for bit in (1..64_u64).filter(|bit| word >> bit & 1 == 1) {
                    self.check_at(base.checked_add((bit - 1) * 8), 8, Want::Writable)?;
                }
                next = base.checked_add(63 * 8);
            }
        }
        Ok(())
    }

    /// Whether so many bytes at an address are the library's, in memory.
    fn check_at(&self, address: Option<u64>, size: u64, want: Want) -> Result<(), Reason> {
        let Some(address) = address.filter(|_| size > 0) else { return Ok(()) };
        let holds = |segment: &ProgramHeader64<LE>| {
            let flags = segment.p_flags.get(LE).0;
            let right = match want {
                Want::Anywhere => true,
                Want::Writable => flags & elf::PF_W.0 != 0,
                Want::Executable => flags & elf::PF_X.0 != 0,
            };
            let inside = address.checked_sub(segment.p_vaddr.get(LE));
            let end = inside.and_then(|inside| inside.checked_add(size));
            right && end.is_some_and(|end| end <= segment.p_memsz.get(LE))
        };
        let mut loaded = self.segments().iter().filter(|segment| segment.p_type.get(LE) == elf::PT_LOAD);
        if loaded.any(holds) { Ok(()) } else { Err(BROKEN) }
    }
}
