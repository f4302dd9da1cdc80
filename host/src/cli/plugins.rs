use std::fmt::Write as _;
use std::path::Path;

use super::Failure;
use super::output::{Paint, print};
use crate::Setup;
use crate::plugin::{FileKind, PluginNote, inspect as judge};

/// Lists the plugin files that are loaded, and those that are refused.
pub(super) fn list(config: &Path) -> Result<(), Failure> {
    let folder = Setup::plugins_of(config)?;
    let paint = Paint::stdout();
    for plugin in &folder.plugins {
        let about = plugin.about();
        let types: Vec<&str> = plugin.manifests().iter().map(|manifest| manifest.name.as_str()).collect();
        print(format_args!(
            "{}  {} {}  types: {}\n  runs {}: {}\n  sha256 {}\n",
            paint.bold(plugin.file().display()),
            about.name,
            about.version,
            types.join(", "),
            plugin.isolation().as_str(),
            plugin.status(),
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
    let mut text = format!("{}\n", file.display());
    // Writing to a string cannot fail.
    let _ = match judged.kind() {
        FileKind::Library(PluginNote { interface, name, version, description, sdk, .. }) => writeln!(
            text,
            "  plugin     {name} {version}\n  about      {description}\n  interface  {interface}\n  sdk        {sdk}"
        ),
        FileKind::Executable => {
            writeln!(
                text,
                "  plugin     an executable, which says what it is when it runs: `countersign plugins`"
            )
        }
    };
    let _ = writeln!(text, "  size       {} bytes\n  sha256     {}", judged.size(), hex(judged.sha256()));
    if let FileKind::Library(note) = judged.kind() {
        for noted in &note.types {
            let _ = writeln!(text, "  type       {}: {}", noted.name, noted.summary);
        }
    }
    print(text)?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
