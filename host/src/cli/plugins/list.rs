use std::path::Path;

use crate::Setup;
use crate::cli::Failure;
use crate::cli::output::{Paint, print};
use crate::plugin::{Evidence, Pin, hex};

/// Lists the plugin files that are loaded, and those that are refused.
pub(crate) fn list(config: &Path) -> Result<(), Failure> {
    let folder = Setup::plugins_of(config)?;
    let paint = Paint::stdout();
    for plugin in &folder.plugins {
        let about = plugin.about();
        let types: Vec<&str> = plugin.manifests().iter().map(|manifest| manifest.name.as_str()).collect();
        print(format_args!(
            "{}  {} {}  types: {}\n  runs {}: {}\n  sha256 {}\n  trust  {}\n",
            paint.bold(plugin.file().display()),
            about.name,
            about.version,
            types.join(", "),
            plugin.isolation().as_str(),
            plugin.status(),
            hex(plugin.sha256()),
            told(plugin.evidence()),
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

/// `pinned by plugins.lock, signed by 1234567890ABCDEF`.
fn told(evidence: Evidence) -> String {
    let pinned = match evidence.pinned {
        Some(Pin::Config) => "pinned by the configuration",
        Some(Pin::Lock) => "pinned by plugins.lock",
        None => "unpinned",
    };
    match evidence.signed_by {
        Some(key) => format!("{pinned}, signed by {key}"),
        None => format!("{pinned}, unsigned"),
    }
}
