use countersign::Error;

use super::config::KeystoreKey;
use super::private::Loaded;
use super::{jks, pkcs12, secret};

/// Reads the chosen private key of a keystore and the certificates that belong to it.
pub(super) fn read(config: &KeystoreKey) -> Result<Loaded, Error> {
    let bytes = secret::base64(config.keystore.expose()).ok_or_else(|| {
        Error::config("is not base64; a binary file comes in as \"${base64:/path}\"").at("keystore")
    })?;
    match bytes.as_slice() {
        [] => Err(Error::config("is empty").at("keystore")),
        [0xfe, 0xed, 0xfe, 0xed, ..] => jks::read(&bytes, config),
        [0xce, 0xce, 0xce, 0xce, ..] => Err(Error::config(
            "is a JCEKS keystore; convert it with `keytool -importkeystore -srckeystore OLD -destkeystore NEW \
             -deststoretype PKCS12`",
        )
        .at("keystore")),
        [0x30, ..] => pkcs12::read(&bytes, config),
        _ if bytes.starts_with(b"-----BEGIN ") => {
            Err(Error::config("is a PEM key, not a keystore; give it as `pem`").at("keystore"))
        }
        _ => Err(Error::config("is neither PKCS#12 nor JKS").at("keystore")),
    }
}

/// Which of the entries is meant: the one that the alias names, or the only one there is.
///
/// Aliases are compared as Java does, without regard to case; an exact match goes first.
pub(super) fn choose<T>(entries: Vec<(String, T)>, alias: Option<&str>) -> Result<T, Error> {
    let names = entries.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let index = match alias {
        Some(alias) => entries
            .iter()
            .position(|(name, _)| name == alias)
            .or_else(|| entries.iter().position(|(name, _)| name.eq_ignore_ascii_case(alias))),
        None if entries.len() == 1 => Some(0),
        None => None,
    };
    match (index, alias) {
        (Some(index), _) => entries.into_iter().nth(index).map(|(_, entry)| entry).ok_or_else(no_private_key),
        (None, _) if entries.is_empty() => Err(no_private_key()),
        (None, Some(_)) => {
            Err(Error::config(format!("names no private key of the keystore (there are: {names})"))
                .at("alias"))
        }
        (None, None) => Err(Error::config(format!(
            "is needed, since the keystore holds several private keys (there are: {names})"
        ))
        .at("alias")),
    }
}

fn no_private_key() -> Error {
    Error::config("holds no private key, only certificates or secrets").at("keystore")
}
