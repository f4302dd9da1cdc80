use std::path::Path;

use super::Failure;
use super::output::print;
use crate::Setup;

/// Prints a profile's public keys as a JWK Set (RFC 7517 §5).
pub(super) fn run(config: &Path, name: &str) -> Result<(), Failure> {
    let setup = Setup::read(config)?;
    let Some(profile) = setup.profiles().iter().find(|profile| profile.name() == name) else {
        let names: Vec<_> = setup.profiles().iter().map(|known| format!("`{}`", known.name())).collect();
        let known = if names.is_empty() { String::new() } else { format!("; it has {}", names.join(", ")) };
        return Err(Failure::Words(format!("{} has no profile `{name}`{known}", config.display())));
    };
    let keys = profile.public_keys().map_err(|error| Failure::Words(format!("profile {name}: {error}")))?;
    if keys.is_empty() {
        let kind = profile.type_name();
        return Err(Failure::Words(format!(
            "the profile {name} (type {kind}) has no key pair, so there is no public key to hand out"
        )));
    }
    print(format_args!("{:#}\n", serde_json::json!({ "keys": keys })))?;
    Ok(())
}
