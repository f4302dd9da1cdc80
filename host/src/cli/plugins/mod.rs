//! `countersign plugins …`: a file for each command. What they do is the library's; here are arguments and words.

mod inspect;
mod keys;
mod list;
mod lock;
mod password;
mod sign;
mod test;
mod verify;

use std::path::Path;

use super::Failure;
use super::args::PluginsCommand;
use crate::conformance::Recorder;

/// Runs one of the commands; without any, the list.
pub(super) fn run(
    config: &Path,
    command: Option<PluginsCommand>,
    recorder: Option<&Recorder>,
) -> Result<(), Failure> {
    match command {
        None => list::list(config),
        Some(PluginsCommand::Inspect { file }) => inspect::inspect(&file),
        Some(PluginsCommand::Lock { check }) => lock::lock(config, check),
        Some(PluginsCommand::Keygen(arguments)) => keys::generate(&arguments),
        Some(PluginsCommand::Sign(arguments)) => sign::sign(&arguments),
        Some(PluginsCommand::Test(arguments)) => test::test(config, &arguments, recorder),
        Some(PluginsCommand::Verify { file, keys }) => verify::verify(config, &file, &keys),
    }
}
