//! The example plugin, built and dropped in as its author would do it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The example's crate, in the source tree that this program was built from.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/acme-login");
const LIBRARY: &str = "libacme_login.so";

/// Builds the example and returns the `.so`.
///
/// # Errors
/// In words: no cargo, no source, or what the compiler said.
pub(super) fn acme_login() -> Result<PathBuf, String> {
    let source = Path::new(SOURCE);
    if !source.join("Cargo.toml").is_file() {
        return Err(format!(
            "the example's source is not at {SOURCE}; build docs/examples/acme-login elsewhere and give its .so with --plugin"
        ));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(&cargo)
        .args(["build", "--profile", "plugin", "--message-format", "json-render-diagnostics", "--quiet"])
        .current_dir(source)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output();
    let output = match built {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err("there is no cargo to build the example plugin with; install Rust, or give a built one with --plugin".to_owned());
        }
        Err(error) => return Err(format!("cargo cannot be run: {error}")),
    };
    if !output.status.success() {
        return Err(format!(
            "the example plugin does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    artifact(&output.stdout).ok_or_else(|| format!("cargo built no {LIBRARY}"))
}

/// The `.so` among the artifacts that cargo names.
fn artifact(messages: &[u8]) -> Option<PathBuf> {
    let lines = messages.split(|byte| *byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
    let files = messages.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    files.filter_map(|file| file.as_str().map(PathBuf::from)).find(|file| file.ends_with(LIBRARY))
}
