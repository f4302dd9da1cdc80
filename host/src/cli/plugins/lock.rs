use std::fmt::Write as _;
use std::path::Path;

use crate::Setup;
use crate::cli::Failure;
use crate::cli::output::{Paint, print};
use crate::plugin::{Change, Lock, Locked, hex};

/// Writes the digests of the plugin files that there are into the lock file, or only says whether they stand there.
pub(super) fn lock(config: &Path, check: bool) -> Result<(), Failure> {
    let (before, now) = Setup::locks_of(config)?;
    let changes = before.changes(&now);
    let paint = Paint::stdout();
    let path = now.path().display();
    let mut text = String::new();
    for change in &changes {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", told(change, paint));
    }
    if check {
        if changes.is_empty() {
            let _ = writeln!(text, "{path}: {}", paint.good("all plugin files are the locked ones"));
        } else {
            let _ = writeln!(
                text,
                "{path}: {}; if all of that is meant, run `countersign plugins lock`",
                paint.bad("the plugin files are not the locked ones")
            );
        }
        print(text)?;
        return if changes.is_empty() { Ok(()) } else { Err(Failure::Status(1)) };
    }
    let count = now.plugins().count();
    let counted = if count == 1 { "1 plugin".to_owned() } else { format!("{count} plugins") };
    if changes.is_empty() && now.path().exists() {
        let _ = writeln!(text, "{path}: {counted}, nothing has changed");
    } else {
        write(&now)?;
        let _ = writeln!(text, "{path}: {counted} locked");
    }
    print(text)?;
    Ok(())
}

/// Another file takes the place of the one before, whole.
fn write(lock: &Lock) -> Result<(), Failure> {
    crate::cli::output::replace(lock.path(), lock.to_file().as_bytes())
        .map_err(|error| Failure::Words(format!("cannot write {}: {error}", lock.path().display())))
}

fn told(change: &Change, paint: Paint) -> String {
    let version =
        |locked: &Locked| locked.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let name = paint.bold(change.plugin());
    match change {
        Change::Added(_, now) => format!("+ {name}{}  sha256 {}", version(now), hex(&now.sha256)),
        Change::Removed(_, before) => format!("- {name}{}  sha256 {}", version(before), hex(&before.sha256)),
        Change::Changed(_, before, now) => format!(
            "~ {name}{} ->{}  sha256 {} -> {}",
            version(before),
            version(now),
            hex(&before.sha256),
            hex(&now.sha256)
        ),
    }
}
