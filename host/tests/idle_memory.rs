//! What a connector with its profile holds in memory while nobody calls it.
//!
//! It may be 4 KiB, of which a third goes to holes that the reading of the configuration leaves behind: `bench/run idle` measures
//! that. Here bytes are counted, as an allocator takes them, so that the test says the same on every machine, and who adds something
//! that each of ten thousand connectors has is told at once. A test binary of its own, for what others allocate meanwhile would count.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_host::Host;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which counts what is in use.
struct Counting;

/// What an allocation takes: its bytes, eight more to tell how many they are, and all of it in steps of sixteen.
const fn taken(layout: Layout) -> usize {
    (layout.size() + 8).next_multiple_of(16)
}

// SAFETY: every call goes to the system's allocator as it came.
#[allow(unsafe_code, reason = "an allocator is unsafe by its trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(taken(layout), Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(taken(layout), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// As many as fill a hash table, so that twice as many fill one that is twice as large.
const MANY: usize = 448;

/// What a running host takes that has so many connectors, each with a profile of its own.
fn host_with(connectors: usize, settings: &str) -> usize {
    let mut text = String::new();
    for index in 0..connectors {
        let settings = settings.replace("INDEX", &format!("{index:04}"));
        write!(
            text,
            "[profiles.api-{index:04}]\n{settings}\n\
             [connectors.api-{index:04}]\nbase_url = 'https://api-{index:04}.example/v1'\nprofile = 'api-{index:04}'\n"
        )
        .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("countersign.toml");
    fs::write(&file, text).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let before = LIVE.load(Ordering::Relaxed);
    let host = runtime.block_on(Host::start(&file)).unwrap();
    let taken = LIVE.load(Ordering::Relaxed) - before;
    assert_eq!(host.connectors().len(), connectors);
    taken
}

#[test]
fn an_idle_connector_with_its_profile_takes_little_memory() {
    let types = [
        ("basic", 1920, "type = 'basic'\nusername = 'erp'\npassword = 'throw-away'"),
        ("bearer", 1920, "type = 'bearer'\ntoken = 'throw-away'"),
        (
            "jwt-bearer",
            2688,
            "type = 'jwt-bearer'\nalgorithm = 'HS256'\nissuer = 'https://erp.example'\naudience = 'api-INDEX'\n\
             subject = 'erp'\nkey = { secret = 'throw-away-throw-away-throw-away' }",
        ),
        (
            "oauth2",
            2304,
            "type = 'oauth2'\ngrant = 'client_credentials'\ntoken_url = 'https://login-INDEX.example/token'\n\
             client_id = 'erp'\nclient_secret = 'throw-away'",
        ),
    ];
    host_with(1, types[0].2);
    let mut much = Vec::new();
    for (name, most, settings) in types {
        let each = (host_with(2 * MANY, settings) - host_with(MANY, settings)) / MANY;
        println!("{name}: {each} bytes");
        if each > most {
            much.push(format!(
                "{name}: {each} bytes, and not {most}; is what was added needed before the first call?"
            ));
        }
    }
    assert!(much.is_empty(), "{much:#?}");
}
