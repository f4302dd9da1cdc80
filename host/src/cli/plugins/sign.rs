use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::password;
use crate::cli::Failure;
use crate::cli::args::SignArguments;
use crate::cli::output::{print, replace};
use crate::plugin::{Protection, SecretKey};

/// Signs files: each gets a `FILE.minisig` beside it.
pub(super) fn sign(arguments: &SignArguments) -> Result<(), Failure> {
    let key = open(&arguments.key, arguments.password_file.as_deref())?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    for file in &arguments.files {
        let bytes = std::fs::read(file)
            .map_err(|error| Failure::Words(format!("cannot read {}: {error}", file.display())))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let comment = match &arguments.comment {
            // What minisign writes, and the version's words behind it.
            Some(words) => format!("timestamp:{seconds}\tfile:{name}\thashed\t{words}"),
            None => format!("timestamp:{seconds}\tfile:{name}\thashed"),
        };
        let signature = key
            .sign(&bytes, &comment)
            .map_err(|error| Failure::Words(format!("what would stand beside {} {error}", file.display())))?;
        let beside = beside(file);
        replace(&beside, signature.to_string().as_bytes())
            .map_err(|error| Failure::Words(format!("cannot write {}: {error}", beside.display())))?;
        print(format_args!("{}: signed by {}\n", beside.display(), key.public().id()))?;
    }
    Ok(())
}

/// `FILE.minisig`.
pub(super) fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

fn open(path: &Path, password_file: Option<&Path>) -> Result<SecretKey, Failure> {
    let words = |error: &dyn std::fmt::Display| Failure::Words(format!("{} {error}", path.display()));
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| Failure::Words(format!("cannot read {}: {error}", path.display())))?;
    let password = match SecretKey::protection(&text).map_err(|error| words(&error))? {
        Protection::None => Zeroizing::default(),
        Protection::Password => password::known(password_file)?,
    };
    SecretKey::open(&text, &password).map_err(|error| words(&error))
}
