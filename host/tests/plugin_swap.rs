//! A plugin file that is exchanged while it is loaded: what is mapped is what was judged, byte by byte.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

mod support;

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use aws_lc_rs::digest::{SHA256, digest};
use countersign_host::plugin::{FolderSettings, Isolation, PluginSettings, Shelf, load_folder};
use support::{Folder, mode, plugin};

const SWAPS: usize = 10_000;
/// Libraries are never unloaded: so many are mapped, and after that only those that are new.
const MOST_MAPPED: usize = 200;
const FILE: &str = "libacme_login.so";
/// The marks by which the versions of the file differ: in its data, in its code, and at its end.
const MARKS: [u8; 4] = [1, 2, 3, 4];

/// All versions, and all mixtures that an overwriting in place can leave.
struct Versions {
    bytes: Vec<u8>,
    /// Where the marks stand.
    places: [usize; 3],
}

impl Versions {
    fn new() -> Self {
        let mut bytes = fs::read(plugin("acme-login")).unwrap();
        let position =
            |wanted: &[u8]| bytes.windows(wanted.len()).position(|window| window == wanted).unwrap();
        // A text that nobody reads, and room between two functions that nobody calls.
        let (data, code) = (position(b"the conversation is over") + 5, position(&[0xcc; 8]) + 4);
        let end = bytes.len();
        bytes.push(0);
        Self { bytes, places: [data, code, end] }
    }

    fn version(&self, marks: [u8; 3]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for (place, mark) in self.places.into_iter().zip(marks) {
            bytes[place] = mark;
        }
        bytes
    }

    fn by_digest(&self) -> HashMap<[u8; 32], Vec<u8>> {
        let mixtures = MARKS
            .into_iter()
            .flat_map(|one| MARKS.into_iter().flat_map(move |two| MARKS.map(|three| [one, two, three])));
        mixtures
            .map(|marks| {
                let bytes = self.version(marks);
                (digest(&SHA256, &bytes).as_ref().try_into().unwrap(), bytes)
            })
            .collect()
    }
}

/// Exchanges the file in every way that there is, again and again. `beside` holds each version, and a new one is made there.
fn swap(file: &Path, beside: &Path, versions: &Versions, swaps: &AtomicUsize) {
    let new = beside.join("new");
    let put = |bytes: &[u8]| {
        fs::write(&new, bytes).unwrap();
        mode(&new, 0o644);
        fs::rename(&new, file).unwrap();
        OpenOptions::new().write(true).open(file).unwrap()
    };
    for turn in 0..SWAPS {
        let (mark, next) = (MARKS[turn % MARKS.len()], MARKS[(turn + 1) % MARKS.len()]);
        match turn % 16 {
            // In place, byte by byte: whoever reads meanwhile reads a mixture.
            7 => {
                let file = put(&versions.version([mark; 3]));
                for place in versions.places {
                    file.write_all_at(&[next], place as u64).unwrap();
                }
            }
            15 => put(&versions.version([mark; 3])).set_len(turn as u64 * 64).unwrap(),
            _ => {
                fs::hard_link(beside.join(mark.to_string()), &new).unwrap();
                fs::rename(&new, file).unwrap();
            }
        }
        swaps.fetch_add(1, Ordering::Relaxed);
    }
}

/// A part of a file that is mapped and that nobody writes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Mapping {
    start: u64,
    end: u64,
    offset: u64,
}

/// The code and the first data of the plugins that are mapped: relocations change neither.
fn mappings() -> BTreeSet<Mapping> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let lines = maps.lines().filter(|line| line.contains("countersign-plugin") || line.contains(FILE));
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (start, end) = words.next()?.split_once('-')?;
            let (rights, offset) = (words.next()?, hex(words.next()?));
            let unchanged = rights == "r-xp" || rights == "r--p" && offset == 0;
            unchanged.then(|| Mapping { start: hex(start), end: hex(end), offset })
        })
        .collect()
}

fn memory(mapping: &Mapping) -> Vec<u8> {
    let mut bytes = vec![0; (mapping.end - mapping.start) as usize];
    File::open("/proc/self/mem").unwrap().read_exact_at(&mut bytes, mapping.start).unwrap();
    bytes
}

/// Ends what runs beside the test, however it ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn not_one_byte_that_was_not_judged_is_mapped() {
    let (folder, beside) = (Folder::new(), Folder::new());
    let versions = Versions::new();
    let known = versions.by_digest();
    for mark in MARKS {
        beside.put(&mark.to_string(), &versions.version([mark; 3]));
    }
    let file = folder.put(FILE, &versions.version([MARKS[0]; 3]));
    let default = PluginSettings { isolation: Isolation::InProcess, ..PluginSettings::default() };
    let settings = FolderSettings { default, ..FolderSettings::default() };

    let (swaps, over, shelf) = (AtomicUsize::new(0), AtomicBool::new(false), Shelf::default());
    let (mut loads, mut mapped, mut refused, mut seen) = (0, 0, 0, BTreeSet::new());
    thread::scope(|scope| {
        let swapper = scope.spawn(|| swap(&file, beside.path(), &versions, &swaps));
        // Somebody else wants the processors too.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let _over = Over(&over);
        let mut before = mappings();
        while !swapper.is_finished() {
            let loaded = if mapped < MOST_MAPPED {
                load_folder(folder.path(), &settings, &[])
            } else {
                shelf.load_folder(folder.path(), &settings, &[])
            };
            loads += 1;
            refused += loaded.refusals.len();
            let after = mappings();
            let new: Vec<Mapping> = after.difference(&before).cloned().collect();
            before = after;
            assert!(new.is_empty() || !loaded.plugins.is_empty(), "what was refused is mapped: {new:?}");
            let Some(plugin) = loaded.plugins.first() else { continue };
            let judged = known.get(plugin.sha256()).expect("a version, or a mixture of versions");
            mapped += usize::from(!new.is_empty());
            seen.insert(*plugin.sha256());
            assert!(mapped > MOST_MAPPED || new.len() == 2, "code and data: {new:?}");
            for mapping in new {
                let is = memory(&mapping);
                let was = &judged[mapping.offset as usize..][..is.len()];
                assert!(is == was, "other bytes are mapped than were judged, at {:#x}", mapping.offset);
            }
        }
    });
    println!(
        "{} swaps, {loads} loads, {refused} refused, {mapped} mapped, {} versions",
        swaps.into_inner(),
        seen.len()
    );
    assert!(mapped > 0 && refused > 0 && seen.len() > 1, "the race took place");
}
