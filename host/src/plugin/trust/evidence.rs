use std::ffi::OsStr;

use super::key::KeyId;
use super::lock::Lock;
use super::signature::Signature;
use super::text;
use crate::plugin::judge::{Place, hex};
use crate::plugin::refusal::Reason;
use crate::plugin::settings::PluginSettings;

/// What a plugin file needs to be executed, besides a good place, owner and mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// Nothing. A digest or a signature that is there, and for which there are keys, must be right all the same.
    #[default]
    Any,
    /// A digest in the configuration or the lock file.
    Pinned,
    /// A signature by one of the keys.
    Signed,
}

/// What speaks for a plugin file: all of it was examined and is right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Where its digest stands.
    pub pinned: Option<Pin>,
    /// The key that signed it.
    pub signed_by: Option<KeyId>,
}

/// Where a digest stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// In the configuration.
    Config,
    /// In the lock file.
    Lock,
}

/// Examines what speaks for a file of the plugins folder: its digest, then its signature.
pub(in crate::plugin) fn examine(
    place: &Place,
    file: &OsStr,
    plugin: &str,
    (bytes, sha256): (&[u8], &[u8; 32]),
    settings: &PluginSettings,
    lock: &Lock,
) -> Result<Evidence, Reason> {
    let pinned = pinned(plugin, sha256, settings, lock)?;
    let signed_by = signer(place, file, bytes, settings)?;
    Ok(Evidence { pinned, signed_by })
}

fn pinned(
    plugin: &str,
    sha256: &[u8; 32],
    settings: &PluginSettings,
    lock: &Lock,
) -> Result<Option<Pin>, Reason> {
    if settings.sha256.is_some_and(|expected| expected != *sha256) {
        let found = hex(sha256);
        return Err(format!(
            "is not the file that `sha256` in its `[plugins.NAME]` pins; its digest is {found}"
        )
        .into());
    }
    let locked = lock.get(plugin);
    if locked.is_some_and(|locked| locked.sha256 != *sha256) {
        let (found, lock) = (hex(sha256), lock.path().display());
        return Err(format!(
            "is not the file that {lock} pins; its digest is {found}: if it is meant to be another, run `countersign plugins lock`"
        )
        .into());
    }
    match (settings.sha256, locked, settings.trust) {
        (Some(_), ..) => Ok(Some(Pin::Config)),
        (None, Some(_), _) => Ok(Some(Pin::Lock)),
        (None, None, Trust::Pinned) => Err(format!(
            "is pinned nowhere, and `[plugins] trust` is \"pinned\"; pin what is there with `countersign plugins lock`, or give `[plugins.{plugin}] sha256`"
        )
        .into()),
        (None, None, Trust::Any | Trust::Signed) => Ok(None),
    }
}

fn signer(
    place: &Place,
    file: &OsStr,
    bytes: &[u8],
    settings: &PluginSettings,
) -> Result<Option<KeyId>, Reason> {
    let demanded = settings.trust == Trust::Signed;
    if settings.keys.is_empty() {
        let reason = "has no key that could have signed it, and `[plugins] trust` is \"signed\"; give `keys`";
        return if demanded { Err(reason.into()) } else { Ok(None) };
    }
    let mut beside = file.to_owned();
    beside.push(".minisig");
    let wrong = |reason: &dyn std::fmt::Display| {
        Reason::from(format!("has a signature, {}, that {reason}", beside.display()))
    };
    let Some(signature) =
        place.read_beside(&beside, text::MAX_SIZE as u64).map_err(|reason| wrong(&reason))?
    else {
        let name = file.display();
        return if demanded {
            Err(format!(
                "has no signature, and `[plugins] trust` is \"signed\"; put {} beside it, from whom it comes or from `countersign plugins sign {name}`",
                beside.display()
            )
            .into())
        } else {
            Ok(None)
        };
    };
    let signature = str::from_utf8(&signature).map_err(|_| wrong(&"is not UTF-8; get it anew"))?;
    let signature: Signature =
        signature.parse().map_err(|error| wrong(&format_args!("{error}; get it anew")))?;
    signature
        .verify(&settings.keys, &file.to_string_lossy(), bytes)
        .map_err(|error| Reason::from(error.to_string()))?;
    Ok(Some(signature.key()))
}
