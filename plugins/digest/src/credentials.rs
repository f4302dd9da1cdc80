use std::fmt;

use countersign::{Error, Secret};
use icu_normalizer::ComposingNormalizerBorrowed;

use crate::algorithm::Hex;
use crate::config::Charset;
use crate::offer::Offer;

/// User name and password, in the forms that servers may want.
pub(crate) struct Credentials {
    /// In the normal form NFC.
    username: String,
    /// In the normal form NFC, as UTF-8.
    password: Secret,
    /// The password for servers that name no charset, where that is another one.
    elsewhere: Option<Secret<Vec<u8>>>,
}

impl Credentials {
    pub(crate) fn new(username: String, password: Secret, charset: Charset) -> Result<Self, Error> {
        let password = password.without_line_end();
        if username.is_empty() {
            return Err(Error::config("is empty; a source that gives nothing?").at("username"));
        }
        without_control(&username).map_err(|error| error.at("username"))?;
        without_control(password.expose()).map_err(|error| error.at("password"))?;
        let composed = ComposingNormalizerBorrowed::new_nfc();
        let username = composed.normalize(&username).into_owned();
        let password = Secret::new(composed.normalize(password.expose()).into_owned());
        let elsewhere = match charset {
            Charset::Utf8 => None,
            Charset::Latin1 => {
                if !username.is_ascii() {
                    let message = "cannot be sent in ISO-8859-1 when it goes beyond ASCII";
                    return Err(Error::config(message).at("username"));
                }
                let bytes: Option<Vec<u8>> =
                    password.expose().chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
                let message = "holds a character that ISO-8859-1 does not have";
                Some(Secret::new(bytes.ok_or_else(|| Error::config(message).at("password"))?))
            }
        };
        Ok(Self { username, password, elsewhere })
    }

    pub(crate) fn username(&self) -> &str {
        &self.username
    }

    /// RFC 7616 §3.4.4.
    pub(crate) fn userhash(&self, offer: &Offer) -> Hex {
        offer.algorithm.hash.of(&[self.username.as_bytes(), b":", offer.realm.as_bytes()])
    }

    /// `H(A1)`, without what `-sess` adds (RFC 7616 §3.4.2): as good as the password, for this realm.
    pub(crate) fn hashed(&self, offer: &Offer) -> Hex {
        let password: &[u8] = match &self.elsewhere {
            Some(elsewhere) if !offer.utf8 => elsewhere.expose(),
            _ => self.password.expose().as_bytes(),
        };
        let parts: [&[u8]; 5] = [self.username.as_bytes(), b":", offer.realm.as_bytes(), b":", password];
        offer.algorithm.hash.of(&parts)
    }
}

fn without_control(text: &str) -> Result<(), Error> {
    if text.chars().any(char::is_control) {
        return Err(Error::config("holds a control character, which Digest authentication cannot carry"));
    }
    Ok(())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}
