//! Plugin files and whom the operator trusts: digests, the lock file, signatures. What is not trusted does not run.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use countersign_host::plugin::{
    Evidence, Folder as Loaded, FolderSettings, Lock, Locked, Pin, PluginSettings, SecretKey, Trust,
    load_folder,
};
use support::{Folder, all_in_process, in_process, mode, plugin};

const LOGIN: &str = "acme-login";
const HMAC: &str = "acme-hmac";
const FILE: &str = "libacme_login.so";
const SIGNATURE: &str = "libacme_login.so.minisig";

fn settings(trust: Trust, keys: &[&SecretKey]) -> PluginSettings {
    PluginSettings { trust, keys: keys.iter().map(|key| key.public()).collect(), ..in_process() }
}

fn load(folder: &Folder, default: PluginSettings) -> Loaded {
    load_folder(folder.path(), &FolderSettings { default, ..all_in_process() }, &[])
}

/// What speaks for the only plugin of a folder.
#[track_caller]
fn evidence(loaded: &Loaded) -> Evidence {
    assert_eq!(loaded.refusals, []);
    assert_eq!(loaded.plugins.len(), 1);
    loaded.plugins[0].evidence()
}

/// The sentence about a file of a folder from which nothing is loaded.
#[track_caller]
fn refused(loaded: &Loaded) -> String {
    assert!(loaded.plugins.is_empty(), "nothing is loaded");
    assert_eq!(loaded.refusals.len(), 1, "{:?}", loaded.refusals);
    let refusal = loaded.refusals[0].to_string();
    assert!(refusal.len() < 400 && !refusal.contains('\n'), "{refusal}");
    refusal
}

fn sign(folder: &Folder, key: &SecretKey, comment: &str) -> PathBuf {
    let bytes = fs::read(folder.path().join(FILE)).unwrap();
    folder.put(SIGNATURE, key.sign(&bytes, comment).unwrap().to_string().as_bytes())
}

const COMMENT: &str = "timestamp:1\tfile:libacme_login.so\thashed";

#[test]
fn signed_means_a_valid_signature_by_one_of_the_keys() {
    let (ours, theirs) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let folder = Folder::with(&[LOGIN]);
    let signed = || settings(Trust::Signed, &[&theirs, &ours]);
    let missing = refused(&load(&folder, signed()));
    assert!(missing.contains("has no signature") && missing.contains(SIGNATURE), "{missing}");

    sign(&folder, &ours, COMMENT);
    let evidence = evidence(&load(&folder, signed()));
    assert_eq!(evidence, Evidence { pinned: None, signed_by: Some(ours.public().id()) });

    let other_key = refused(&load(&folder, settings(Trust::Signed, &[&theirs])));
    assert!(other_key.contains(&format!("signed by the key {}", ours.public().id())), "{other_key}");
    let no_key = refused(&load(&folder, settings(Trust::Signed, &[])));
    assert!(no_key.contains("give `keys`"), "{no_key}");
}

#[test]
fn a_wrong_signature_is_a_refusal_even_if_none_is_demanded() {
    let (ours, theirs) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let folder = Folder::with(&[LOGIN]);
    let any = || settings(Trust::Any, &[&ours]);
    assert_eq!(evidence(&load(&folder, any())), Evidence::default());

    let good = fs::read_to_string(sign(&folder, &ours, COMMENT)).unwrap();
    assert_eq!(evidence(&load(&folder, any())).signed_by, Some(ours.public().id()));
    assert_eq!(evidence(&load(&folder, settings(Trust::Any, &[]))).signed_by, None, "nobody looked");

    folder.put(SIGNATURE, good.replace("timestamp:1", "timestamp:2").as_bytes());
    let comment = refused(&load(&folder, any()));
    assert!(comment.contains("trusted comment was changed"), "{comment}");

    folder.put(SIGNATURE, b"untrusted comment: nothing\n");
    let garbled = refused(&load(&folder, any()));
    assert!(garbled.contains(SIGNATURE) && garbled.contains("is no signature of minisign"), "{garbled}");

    sign(&folder, &theirs, COMMENT);
    let other_key = refused(&load(&folder, any()));
    assert!(other_key.contains("which is not trusted for it"), "{other_key}");
    assert_eq!(
        evidence(&load(&folder, settings(Trust::Any, &[&theirs]))).signed_by,
        Some(theirs.public().id())
    );
}

#[test]
fn a_file_that_was_changed_after_it_was_signed_is_refused() {
    let key = SecretKey::generate().unwrap();
    let folder = Folder::with(&[LOGIN]);
    sign(&folder, &key, COMMENT);
    let mut bytes = fs::read(plugin(LOGIN)).unwrap();
    // Behind all that the judgement of the file itself looks at.
    *bytes.last_mut().unwrap() ^= 1;
    folder.put(FILE, &bytes);
    let changed = refused(&load(&folder, settings(Trust::Signed, &[&key])));
    assert!(changed.contains("is not the file that the key"), "{changed}");
    assert!(changed.contains(&key.public().id().to_string()), "{changed}");
}

#[test]
fn the_signature_comes_before_what_the_file_is() {
    let key = SecretKey::generate().unwrap();
    let folder = Folder::new();
    folder.put(FILE, b"no plugin at all");
    let unsigned = refused(&load(&folder, settings(Trust::Signed, &[&key])));
    assert!(unsigned.contains("has no signature"), "{unsigned}");
    sign(&folder, &key, COMMENT);
    let signed = refused(&load(&folder, settings(Trust::Signed, &[&key])));
    assert!(signed.contains("is not an ELF file"), "{signed}");
}

#[test]
fn signatures_that_were_swapped_between_files_are_refused() {
    let key = SecretKey::generate().unwrap();
    let folder = Folder::with(&[LOGIN, HMAC]);
    let signature = |package: &str, comment: &str| {
        key.sign(&fs::read(plugin(package)).unwrap(), comment).unwrap().to_string()
    };
    folder.put(SIGNATURE, signature(HMAC, COMMENT).as_bytes());
    folder.put("libacme_hmac.so.minisig", signature(LOGIN, COMMENT).as_bytes());
    let loaded = load(&folder, settings(Trust::Signed, &[&key]));
    assert!(loaded.plugins.is_empty());
    assert_eq!(loaded.refusals.len(), 2);
    assert!(loaded.refusals.iter().all(|refusal| refusal.reason().contains("is not the file that the key")));

    // With its file, a signature does not make another plugin of it: the name is signed where the comment tells it.
    let folder = Folder::new();
    folder.put("libother.so", &fs::read(plugin(LOGIN)).unwrap());
    folder.put("libother.so.minisig", signature(LOGIN, COMMENT).as_bytes());
    let renamed = refused(&load(&folder, settings(Trust::Signed, &[&key])));
    assert!(renamed.contains("signed as \"libacme_login.so\""), "{renamed}");
    folder.put("libother.so.minisig", signature(LOGIN, "no name").as_bytes());
    assert!(load(&folder, settings(Trust::Signed, &[&key])).refusals.is_empty());
}

#[test]
fn a_signature_is_judged_as_the_file_is() {
    let key = SecretKey::generate().unwrap();
    let folder = Folder::with(&[LOGIN]);
    let signature = sign(&folder, &key, COMMENT);
    let signed = || settings(Trust::Signed, &[&key]);
    mode(&signature, 0o664);
    let writable = refused(&load(&folder, signed()));
    assert!(writable.contains(SIGNATURE) && writable.contains("can be written by its group"), "{writable}");

    let outside = Folder::new();
    fs::rename(&signature, outside.path().join("x")).unwrap();
    mode(&outside.path().join("x"), 0o644);
    std::os::unix::fs::symlink(outside.path().join("x"), &signature).unwrap();
    let link = refused(&load(&folder, signed()));
    assert!(link.contains("leads out of the plugins folder"), "{link}");

    fs::remove_file(&signature).unwrap();
    folder.put(SIGNATURE, &vec![b'x'; 20 << 10]);
    let large = refused(&load(&folder, signed()));
    assert!(large.contains("has more than 16 KiB"), "{large}");
}

#[test]
fn a_signature_that_can_be_executed_is_no_plugin() {
    let key = SecretKey::generate().unwrap();
    let folder = Folder::with(&[LOGIN]);
    mode(&sign(&folder, &key, COMMENT), 0o755);
    evidence(&load(&folder, settings(Trust::Signed, &[&key])));
}

fn lock_of(folder: &Folder, plugins: &[(&str, [u8; 32])]) -> Lock {
    let locked = |sha256| Locked { sha256, version: None };
    let plugins: BTreeMap<_, _> =
        plugins.iter().map(|(name, sha256)| ((*name).to_owned(), locked(*sha256))).collect();
    Lock::new(folder.path().join("plugins.lock"), plugins)
}

fn digest() -> [u8; 32] {
    *countersign_host::plugin::inspect(&plugin(LOGIN)).unwrap().sha256()
}

#[test]
fn pinned_means_a_digest_in_the_configuration_or_the_lock_file() {
    let folder = Folder::with(&[LOGIN]);
    let load = |pin: Option<[u8; 32]>, lock: Lock| {
        let default = settings(Trust::Pinned, &[]);
        let mut settings = FolderSettings { default: default.clone(), lock, ..all_in_process() };
        if let Some(sha256) = pin {
            settings = settings.with(LOGIN, PluginSettings { sha256: Some(sha256), ..default });
        }
        load_folder(folder.path(), &settings, &[])
    };
    let unpinned = refused(&load(None, Lock::default()));
    assert!(
        unpinned.contains("is pinned nowhere") && unpinned.contains("`[plugins.acme-login] sha256`"),
        "{unpinned}"
    );
    assert_eq!(evidence(&load(Some(digest()), Lock::default())).pinned, Some(Pin::Config));
    assert_eq!(evidence(&load(None, lock_of(&folder, &[(LOGIN, digest())]))).pinned, Some(Pin::Lock));

    // Each alone can refuse.
    let by_lock = refused(&load(Some(digest()), lock_of(&folder, &[(LOGIN, [7; 32])])));
    assert!(
        by_lock.contains("plugins.lock pins") && by_lock.contains("countersign plugins lock"),
        "{by_lock}"
    );
    let by_config = refused(&load(Some([7; 32]), lock_of(&folder, &[(LOGIN, digest())])));
    assert!(by_config.contains("`sha256` in its `[plugins.NAME]` pins"), "{by_config}");
}

#[test]
fn a_locked_digest_holds_even_if_none_is_demanded() {
    let folder = Folder::with(&[LOGIN]);
    let lock = lock_of(&folder, &[(LOGIN, [7; 32])]);
    let loaded = load_folder(folder.path(), &FolderSettings { lock, ..all_in_process() }, &[]);
    assert!(refused(&loaded).contains("plugins.lock pins"));
}

#[test]
fn an_older_version_with_a_good_signature_is_refused_only_by_a_digest() {
    let key = SecretKey::generate().unwrap();
    let folder = Folder::new();
    // The older version is signed by the same key, and always will be.
    let mut older = fs::read(plugin(LOGIN)).unwrap();
    older.push(0);
    folder.put(FILE, &older);
    sign(&folder, &key, COMMENT);
    evidence(&load(&folder, settings(Trust::Signed, &[&key])));
    let settings = FolderSettings {
        default: settings(Trust::Signed, &[&key]),
        lock: lock_of(&folder, &[(LOGIN, digest())]),
        ..all_in_process()
    };
    let refused = refused(&load_folder(folder.path(), &settings, &[]));
    assert!(refused.contains("plugins.lock pins"), "{refused}");
}

#[test]
fn a_locked_plugin_that_is_gone_is_said_and_holds_up_nothing() {
    let folder = Folder::with(&[LOGIN]);
    let lock = lock_of(&folder, &[(LOGIN, digest()), ("gone", [7; 32])]);
    let loaded = load_folder(folder.path(), &FolderSettings { lock, ..all_in_process() }, &[]);
    assert_eq!(loaded.plugins.len(), 1);
    assert!(!loaded.is_fatal());
    let [stale] = &*loaded.refusals else { panic!("{:?}", loaded.refusals) };
    assert!(stale.file().ends_with("plugins.lock") && stale.reason().contains("pins `gone`"), "{stale}");
}

#[test]
fn a_required_plugin_that_is_not_trusted_stops_the_start() {
    let key = SecretKey::generate().unwrap();
    let folder = Folder::with(&[LOGIN, HMAC]);
    let default = settings(Trust::Signed, &[&key]);
    let required = PluginSettings { required: true, ..default.clone() };
    for (demand, fatal) in [(default, false), (required, true)] {
        let settings = FolderSettings { default: settings(Trust::Any, &[]), ..all_in_process() };
        let loaded = load_folder(folder.path(), &settings.with(LOGIN, demand), &[]);
        assert_eq!((loaded.is_fatal(), loaded.plugins.len()), (fatal, usize::from(!fatal)));
    }
}

#[test]
fn a_lock_file_is_judged_as_plugins_are() {
    let folder = Folder::new();
    let path = folder.path().join("plugins.lock");
    assert_eq!(Lock::read(&path).map(|lock| lock.plugins().count()), Ok(0), "there is none");
    let path = folder.put("plugins.lock", lock_of(&folder, &[(LOGIN, digest())]).to_file().as_bytes());
    assert_eq!(Lock::read(&path), Ok(lock_of(&folder, &[(LOGIN, digest())])));
    for (bits, who) in [(0o664, "its group"), (0o646, "everybody")] {
        mode(&path, bits);
        let reason = Lock::read(&path).unwrap_err();
        assert!(reason.contains(&format!("can be written by {who}")), "{reason}");
    }
    folder.put("plugins.lock", b"format = 1\n[plugins.a]\nsha256 = 'x'\n");
    assert!(Lock::read(&path).unwrap_err().contains("countersign plugins lock"));
}
