use std::path::Path;

use super::sign::beside;
use crate::Setup;
use crate::cli::Failure;
use crate::cli::output::{Paint, print};
use crate::plugin::{PublicKey, Signature};

/// Says whether a file is signed by one of the keys: those that are given, or those of the configuration.
pub(super) fn verify(config: &Path, file: &Path, keys: &[String]) -> Result<(), Failure> {
    let keys = if keys.is_empty() {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        Setup::keys_of(config, &stem)?
    } else {
        keys.iter().map(|key| read_key(key)).collect::<Result<_, _>>()?
    };
    if keys.is_empty() {
        let config = config.display();
        return Err(Failure::Words(format!(
            "there is no key to verify with: give `--key`, or `keys` in {config}"
        )));
    }
    let read = |path: &Path| {
        std::fs::read(path)
            .map_err(|error| Failure::Words(format!("cannot read {}: {error}", path.display())))
    };
    let beside = beside(file);
    let text = String::from_utf8_lossy(&read(&beside)?).into_owned();
    let signature: Signature =
        text.parse().map_err(|error| Failure::Words(format!("{} {error}", beside.display())))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    signature
        .verify(&keys, &name, &read(file)?)
        .map_err(|error| Failure::Words(format!("{} {error}", file.display())))?;
    print(format_args!(
        "{}: {} by {}\n  {}\n",
        file.display(),
        Paint::stdout().good("signed"),
        signature.key(),
        // It is the signer's, but a terminal obeys whoever writes to it.
        signature.trusted_comment().replace('\t', "  ").replace(char::is_control, "\u{fffd}"),
    ))?;
    Ok(())
}

/// A key, or a file with one.
fn read_key(text: &str) -> Result<PublicKey, Failure> {
    let owned;
    let key = if PublicKey::is_meant_by(text) {
        text
    } else {
        owned = std::fs::read_to_string(text)
            .map_err(|error| Failure::Words(format!("cannot read {text}: {error}")))?;
        &owned
    };
    key.parse().map_err(|error| Failure::Words(format!("{text} {error}")))
}
