//! A plugin file: its size, and how long it takes until its type can be used.

use std::path::Path;
use std::time::Instant;

use countersign_host::plugin::{FolderSettings, Isolation, load_folder};
use countersign_host::registry::Registry;

use crate::hosts;
use crate::process::once_more;
use crate::rows::Rows;

const STARTS: usize = 51;

/// Measures both; each loading in a process of its own, since a library is loaded once.
pub fn measure(file: &Path) -> Rows {
    let size = std::fs::metadata(file).expect("the plugin is there").len() as f64;
    let file = file.to_str().expect("the path is text");
    let milliseconds = (0..STARTS).flat_map(|_| once_more(&["load-once", file])).collect();
    let mut rows = Rows::new("A plugin file (profile `plugin`: what an author ships)");
    rows.one("size, KB", size / 1000.0, Some(800.0));
    rows.many("judged, loaded and registered, ms", milliseconds, Some(5.0));
    rows
}

/// Loads it, once, and prints how many milliseconds that took.
pub fn load_once(file: &Path) {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let plugins = hosts::install(file, folder.path());
    let built_in = Registry::built_in();
    let start = Instant::now();
    let names: Vec<&str> = built_in.names().collect();
    let loaded = load_folder(&plugins, &FolderSettings::isolated(Isolation::InProcess), &names);
    let registry = loaded.plugins.into_iter().fold(Registry::built_in(), Registry::with_plugin);
    let spent = start.elapsed();
    assert!(registry.manifest("bench-token").is_some());
    println!("{}", spent.as_secs_f64() * 1000.0);
}
