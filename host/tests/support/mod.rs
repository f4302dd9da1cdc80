//! Plugin files for tests: built as their authors would, in folders that are made up.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part; it is tests all through

pub(crate) mod elf;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use countersign_host::plugin::{FolderSettings, Isolation, PluginSettings};
use tempfile::TempDir;

/// The crates that tests load.
const PLUGINS: [&str; 3] = ["acme-login", "acme-hmac", "countersign-fixture-faults"];

/// The plugin file of one of [`PLUGINS`]. `COUNTERSIGN_TEST_PLUGINS` names a folder where they were built before;
/// without it they are built now.
pub(crate) fn plugin(package: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| match std::env::var_os("COUNTERSIGN_TEST_PLUGINS") {
        Some(folder) => folder.into(),
        None => build(),
    });
    let file = folder.join(file_name(package));
    assert!(file.exists(), "{} is missing", file.display());
    file
}

fn build() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let packages = PLUGINS.iter().flat_map(|package| ["-p", package]);
    let status = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--profile", "plugin", "--target-dir"])
        .arg(target)
        .args(packages)
        .status()
        .unwrap();
    assert!(status.success(), "the plugins for tests do not build");
    target.join("plugin")
}

pub(crate) fn file_name(package: &str) -> String {
    format!("lib{}.so", package.replace('-', "_"))
}

/// Settings of a plugin that runs in the test's own process.
pub(crate) fn in_process() -> PluginSettings {
    PluginSettings { isolation: Isolation::InProcess, ..PluginSettings::default() }
}

/// Settings of a folder whose plugins do so.
pub(crate) fn all_in_process() -> FolderSettings {
    FolderSettings::isolated(Isolation::InProcess)
}

/// A plugins folder of one test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap())
    }

    /// With the plugin files of some packages.
    pub(crate) fn with(packages: &[&str]) -> Self {
        let folder = Self::new();
        for package in packages {
            folder.put(&file_name(package), &fs::read(plugin(package)).unwrap());
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let file = self.path().join(name);
        fs::write(&file, bytes).unwrap();
        mode(&file, 0o644);
        file
    }
}

pub(crate) fn mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}
