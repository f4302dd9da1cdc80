use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::password;
use crate::cli::Failure;
use crate::cli::args::KeygenArguments;
use crate::cli::output::print;
use crate::plugin::SecretKey;

/// Makes a key pair: a secret key to sign plugins with, and the public key that goes into configurations.
pub(super) fn generate(arguments: &KeygenArguments) -> Result<(), Failure> {
    let public = arguments.public.clone().unwrap_or_else(|| arguments.key.with_extension("pub"));
    if public == arguments.key {
        return Err(Failure::Words("the two keys need files of their own: give `--public FILE`".to_owned()));
    }
    for file in [&arguments.key, &public] {
        if file.symlink_metadata().is_ok() {
            let file = file.display();
            return Err(Failure::Words(format!(
                "{file} is there already; give another file, or move it away"
            )));
        }
    }
    let password =
        if arguments.no_password { None } else { Some(password::new(arguments.password_file.as_deref())?) };
    let words = |error: &dyn std::fmt::Display| Failure::Words(format!("the new key {error}"));
    let key = SecretKey::generate().map_err(|error| words(&error))?;
    let text =
        key.to_file(password.as_ref().map(|password| password.as_slice())).map_err(|error| words(&error))?;
    create(&arguments.key, text.as_bytes(), 0o600)?;
    create(&public, key.public().to_file().as_bytes(), 0o644)?;
    let open = if password.is_none() { ", which whoever reads it can sign with" } else { "" };
    print(format_args!(
        "secret key  {}{open}\npublic key  {}\n\n[plugins]\ntrust = \"signed\"\nkeys = [\"{}\"]   # {}\n",
        arguments.key.display(),
        public.display(),
        key.public(),
        key.public().id(),
    ))?;
    Ok(())
}

/// Creates a file that was not there.
fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| Failure::Words(format!("cannot write {}: {error}", path.display())))
}
