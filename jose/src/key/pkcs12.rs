use countersign::Error;
use p12_keystore::{CertificateBag, Pkcs12Archive, PrivateKeyBag, error::Error as Refusal};

use super::config::KeystoreKey;
use super::private::{Loaded, PrivateKey};
use super::{der, keystore};
use crate::certificate::certifies;

/// Reads the chosen private key of a PKCS#12 file (RFC 7292) and its chain.
pub(super) fn read(bytes: &[u8], config: &KeystoreKey) -> Result<Loaded, Error> {
    if let Some(own) = &config.key_password
        && own.expose() != config.password.expose()
    {
        return Err(Error::config("differs from the keystore's, which PKCS#12 does not know; remove it")
            .at("key_password"));
    }
    der::whole(bytes).map_err(|error| error.at("keystore"))?;
    let archive =
        Pkcs12Archive::from_pkcs12(bytes, config.password.expose()).map_err(|error| refused(&error))?;
    let entries = archive.keys.into_iter().enumerate().map(|(index, bag)| (name(&bag, index), bag)).collect();
    let bag = keystore::choose(entries, config.alias.as_deref())?;
    let key = der::pkcs8(bag.key.as_der()).map_err(|error| error.at("keystore"))?;
    let chain = chain(&key, &archive.certs);
    Ok(Loaded { key, kid: None, alg: None, chain })
}

fn name(bag: &PrivateKeyBag, index: usize) -> String {
    bag.friendly_name.clone().unwrap_or_else(|| (index + 1).to_string())
}

/// The key's own certificate and after it its issuers, as far as the file has them.
fn chain(key: &PrivateKey, bags: &[CertificateBag]) -> Vec<Vec<u8>> {
    let Some(public_key) = key.public_key() else { return Vec::new() };
    let own = bags.iter().find(|bag| certifies(bag.cert.as_der(), public_key).unwrap_or(false));
    let mut chain: Vec<&CertificateBag> = own.into_iter().collect();
    while let Some(last) = chain.last()
        && last.cert.issuer() != last.cert.subject()
        && let Some(issuer) = bags.iter().find(|bag| bag.cert.subject() == last.cert.issuer())
        && !chain.contains(&issuer)
    {
        chain.push(issuer);
    }
    chain.into_iter().map(|bag| bag.cert.as_der().to_vec()).collect()
}

/// Our words for the library's refusals; its own may quote the file.
fn refused(error: &Refusal) -> Error {
    match error {
        Refusal::MacError(_) | Refusal::UnpadError | Refusal::Pkcs5Error(_) => {
            Error::config("does not open the keystore, or the keystore is damaged; check it").at("password")
        }
        Refusal::UnsupportedEncryptionScheme | Refusal::UnsupportedMacAlgorithm | Refusal::UnsupportedContentType => {
            Error::config(
                "is a PKCS#12 file encrypted in a way that is unknown here; export it again with \
                 `openssl pkcs12 -export`",
            )
            .at("keystore")
        }
        Refusal::InvalidParameters => {
            Error::config("is a PKCS#12 file that asks for too much work to be opened, or is damaged").at("keystore")
        }
        _ => Error::config(
            "is no PKCS#12 file, or a damaged one, or in BER encoding; if other programs read it, export it again with \
             `openssl pkcs12 -export`",
        )
        .at("keystore"),
    }
}
