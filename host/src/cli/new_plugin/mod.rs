//! `countersign new-plugin`: a plugin of one's own that works as it is, made from the examples of the book.
//!
//! Not here: the examples, which lie in `docs/examples` and are tested there; and what lies around them, in
//! `host/templates/new-plugin`.

mod files;
mod name;
mod sdk;

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use self::files::Kit;
use self::name::Name;
use self::sdk::Sdk;
use super::Failure;
use super::args::{Language, NewPlugin};
use super::output::print;

/// Makes the folder, and says what to do next.
pub(super) fn run(config: &Path, arguments: &NewPlugin) -> Result<(), Failure> {
    let name = Name::parse(&arguments.name, arguments.lang).map_err(Failure::Words)?;
    if arguments.lang == Language::Sh && arguments.signs {
        return Err(Failure::Words(
            "a shell script cannot compute signatures: jq knows no hashes, and a secret must not be another program's argument; \
             take `--lang python` or `--lang rust`"
                .to_owned(),
        ));
    }
    let sdk = match (&arguments.sdk, arguments.lang) {
        (Some(_), Language::Python | Language::Sh) => {
            let words = "only plugins in Rust are built with an SDK; leave `--sdk` out";
            return Err(Failure::Words(words.to_owned()));
        }
        (Some(text), Language::Rust) => Sdk::parse(text).map_err(Failure::Words)?,
        (None, _) => Sdk::at_hand(),
    };
    let kit = Kit::new(&name, arguments.lang, arguments.signs, &sdk, config);
    let folder = Path::new(name.as_str());
    make(folder, &kit).map_err(|(path, error)| {
        let path = path.display();
        Failure::Words(if error.kind() == std::io::ErrorKind::AlreadyExists {
            format!("{path} is there already; take another name, or another folder to be in")
        } else {
            format!("cannot make {path}: {error}")
        })
    })?;
    print(format_args!("{}\n", kit.next_steps()))?;
    Ok(())
}

fn make(folder: &Path, kit: &Kit) -> Result<(), (std::path::PathBuf, std::io::Error)> {
    let mode = |executable| if executable { 0o755 } else { 0o644 };
    fs::DirBuilder::new().mode(0o755).create(folder).map_err(|error| (folder.to_owned(), error))?;
    for file in kit.files() {
        let path = folder.join(&file.path);
        let write = || {
            if let Some(parent) = path.parent() {
                fs::DirBuilder::new().mode(0o755).recursive(true).create(parent)?;
            }
            let mode = mode(file.executable);
            let mut options = fs::OpenOptions::new();
            let mut opened = options.write(true).create_new(true).mode(mode).open(&path)?;
            std::io::Write::write_all(&mut opened, file.text.as_bytes())
        };
        write().map_err(|error| (path.clone(), error))?;
    }
    Ok(())
}
