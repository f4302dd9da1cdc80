use std::path::Path;

use super::in_process::Shelf;
use super::judge::judge_anywhere;
use super::loaded::Plugin;
use super::refusal::Refusal;
use super::settings::PluginSettings;

/// Judges one file, wherever it lies and whosever it is, and loads it: for those who try out a plugin that they built.
///
/// # Errors
/// It is no plugin for this host, or does not run in the home that the settings say.
pub fn load_file(file: &Path, settings: &PluginSettings) -> Result<Plugin, Refusal> {
    Plugin::load(judge_anywhere(file, settings)?, settings, &Shelf::default())
}
