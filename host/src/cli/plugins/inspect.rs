use std::fmt::Write as _;
use std::path::Path;

use crate::cli::Failure;
use crate::cli::output::print;
use crate::plugin::{FileKind, PluginNote, hex, inspect as judge};

/// Says what a file says of itself. Nothing of it is executed.
pub(crate) fn inspect(file: &Path) -> Result<(), Failure> {
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
