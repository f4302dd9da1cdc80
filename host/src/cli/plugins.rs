use std::fmt::Write as _;
use std::path::Path;

use super::Failure;
use super::output::{Paint, print};
use crate::Setup;
use crate::plugin::{PluginNote, inspect as judge};

/// Lists the plugin files that are loaded, and those that are refused.
pub(super) fn list(config: &Path) -> Result<(), Failure> {
    let folder = Setup::plugins_of(config)?;
    let paint = Paint::stdout();
    for plugin in &folder.plugins {
        let note = plugin.note();
        let types: Vec<&str> = plugin.manifests().iter().map(|manifest| manifest.name.as_str()).collect();
        print(format_args!(
            "{}  {} {}  types: {}\n  sha256 {}\n",
            paint.bold(plugin.file().display()),
            note.name,
            note.version,
            types.join(", "),
            hex(plugin.sha256()),
        ))?;
    }
    for refusal in &folder.refusals {
        print(format_args!("{} {refusal}\n", paint.bad("refused:")))?;
    }
    if folder.plugins.is_empty() && folder.refusals.is_empty() {
        print("no plugins: drop `.so` files into the folder `plugins` beside the configuration\n")?;
    }
    if folder.refusals.is_empty() { Ok(()) } else { Err(Failure::Status(1)) }
}

/// Says what a file says of itself. Nothing of it is executed.
pub(super) fn inspect(file: &Path) -> Result<(), Failure> {
    let judged = judge(file).map_err(|refusal| Failure::Words(refusal.to_string()))?;
    let PluginNote { interface, name, version, description, sdk, types } = judged.note();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{}\n  plugin     {name} {version}\n  about      {description}\n  interface  {interface}\n  sdk        {sdk}\n  \
         size       {} bytes\n  sha256     {}\n",
        file.display(),
        judged.size(),
        hex(judged.sha256()),
    );
    for noted in types {
        let _ = writeln!(text, "  type       {}: {}", noted.name, noted.summary);
    }
    print(text)?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
