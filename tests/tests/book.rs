//! What the README and the book show is true: configurations are accepted, included files and linked pages are there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use countersign_host::config::{Document, Findings, Sources};
use countersign_host::plugin::load_folder;
use countersign_host::registry::Registry;
use countersign_tests::built;
use countersign_tests::tls::{Identity, TestCa};

#[test]
fn configurations_in_the_book_are_accepted() {
    let (registry, has_plugins) = registry();
    let mut checked = 0;
    for page in pages() {
        for (line, text) in blocks(&page.text, "```toml,config") {
            if text.contains("\"acme-") && !has_plugins {
                println!(
                    "SKIPPED: {}:{line}: needs the example plugins; `tests/run` builds them",
                    page.path.display()
                );
                continue;
            }
            if let Err(wrong) = accept(&text, &registry) {
                panic!(
                    "{}:{line}: this configuration is not accepted:\n{wrong}\n{text}",
                    page.path.display()
                );
            }
            checked += 1;
        }
    }
    assert!(checked >= 15, "only {checked} configurations were found");
}

#[test]
fn a_configuration_with_a_mistake_is_noticed() {
    let text = "[profiles.x]\ntype = \"basic\"\nusername = \"a:b\"\npassword = \"${file:x.secret}\"\n";
    assert!(accept(text, &Registry::built_in()).unwrap_err().to_string().contains("colon"));
}

#[test]
fn included_files_have_what_is_included() {
    for page in pages() {
        for include in page.text.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next()) {
            let (file, part) = include.split_once(':').unwrap_or((include, ""));
            let file = page.folder().join(file);
            let text =
                fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let anchored = part.is_empty() || part.starts_with(|c: char| c.is_ascii_digit());
            assert!(
                anchored || text.contains(&format!("ANCHOR: {part}\n")),
                "{} lacks {part}",
                file.display()
            );
        }
    }
}

#[test]
fn links_lead_to_pages_and_headings_that_are_there() {
    for page in pages() {
        for link in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.path.clone() } else { page.folder().join(file) };
            assert!(target.exists(), "{}: the link {link} leads nowhere", page.path.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let found =
                    text.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == heading);
                assert!(found, "{}: {link}: there is no such heading", page.path.display());
            }
        }
    }
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = fs::read_to_string(root().join("docs/src/SUMMARY.md")).unwrap();
    for page in pages().iter().filter(|page| page.path.starts_with(root().join("docs/src"))) {
        let name = page.path.strip_prefix(root().join("docs/src")).unwrap().display().to_string();
        assert!(
            name == "SUMMARY.md" || summary.contains(&format!("]({name})")),
            "{name} is not in SUMMARY.md"
        );
    }
}

struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    fn folder(&self) -> &Path {
        self.path.parent().unwrap()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn pages() -> Vec<Page> {
    let mut paths = vec![root().join("README.md")];
    for folder in ["docs/src", "docs/src/types"] {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        paths.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    paths.into_iter().map(|path| Page { text: fs::read_to_string(&path).unwrap(), path }).collect()
}

/// The code blocks with that first line, each with the number of its first line.
fn blocks(page: &str, fence: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, _)) = lines.find(|(_, line)| *line == fence) {
        let block: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        blocks.push((number + 2, block.join("\n")));
    }
    blocks
}

/// A heading's anchor, as mdBook makes it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Everything that `countersign check` does, with throw-away files and variables in place of those that are named.
fn accept(text: &str, registry: &Registry) -> Result<(), Findings> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("plugins")).unwrap();
    for start in ["${file:", "${base64:", "ca_file = \""] {
        for name in text.split(start).skip(1).filter_map(|rest| rest.split(['}', '"']).next()) {
            if start.starts_with("ca_file") {
                fs::write(folder.path().join(name), &identity().certificate).unwrap();
            } else {
                write(folder.path(), name);
            }
        }
    }
    let document = Document::parse(&folder.path().join("countersign.toml"), text)?;
    let config = document.resolve(registry)?;
    // A text that is base64, too.
    let sources = Sources::with_environment(|name| {
        Some(OsString::from(if name == "KEYSTORE_PASSWORD" { "changeit" } else { "throwAway123" }))
    });
    for profile in &config.profiles {
        let resolved = profile.settings.resolve(&sources)?;
        let made = registry.create(&profile.type_name, &resolved.value);
        made.map_err(|error| Findings::from(profile.settings.locate(&error)))?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str) {
    let content = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("pem") => identity().key.clone().into_bytes(),
        Some("crt") => identity().certificate.clone().into_bytes(),
        Some("p12") => fs::read(root().join("jose/tests/data/java.p12")).unwrap(),
        _ => b"throw-away-throw-away-throw-away".to_vec(),
    };
    fs::write(folder.join(name), content).unwrap();
}

/// The key and the certificate of all that is shown, which so belong together.
fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| TestCa::new().client("book"))
}

/// The built-in types, and those of the example plugins where `tests/run` built them.
fn registry() -> (Registry, bool) {
    let Some(built) = std::env::var_os("COUNTERSIGN_TEST_PLUGINS").filter(|built| Path::new(built).is_dir())
    else {
        return (Registry::built_in(), false);
    };
    let folder = tempfile::tempdir().unwrap();
    for name in ["libacme_login.so", "libacme_hmac.so"] {
        fs::copy(Path::new(&built).join(name), folder.path().join(name)).unwrap();
    }
    built::be_host_of_workers();
    let loaded = load_folder(folder.path(), &Default::default(), &[]);
    assert!(loaded.refusals.is_empty(), "{:?}", loaded.refusals);
    (loaded.plugins.into_iter().fold(Registry::built_in(), Registry::with_plugin), true)
}
