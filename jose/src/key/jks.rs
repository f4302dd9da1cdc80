use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use countersign::Error;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{Decode, Header, SliceReader};
use pkcs8::spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

use super::config::KeystoreKey;
use super::private::Loaded;
use super::{der, keystore};

const SHA1_BYTES: usize = 20;
/// Sun's key protector, the only one in JKS.
const KEY_PROTECTOR: &str = "1.3.6.1.4.1.42.2.17.1.1";

struct Entry<'a> {
    protected: &'a [u8],
    chain: Vec<Vec<u8>>,
}

/// Reads the chosen private key of a Java KeyStore: the format of `sun.security.provider.JavaKeyStore`.
pub(super) fn read(bytes: &[u8], config: &KeystoreKey) -> Result<Loaded, Error> {
    let password = utf16(config.password.expose());
    let entries = entries(bytes).ok_or_else(|| {
        Error::config("is a JKS keystore that is cut off or damaged; was the file still being written?")
            .at("keystore")
    })?;
    verify(bytes, &password)?;
    let entry = keystore::choose(entries, config.alias.as_deref())?;
    let (password, field) = match &config.key_password {
        Some(own) => (utf16(own.expose()), "key_password"),
        None => (password, "password"),
    };
    let key = unprotect(entry.protected, &password).ok_or_else(|| {
        Error::config("does not open the key; does it have a `key_password` of its own?").at(field)
    })?;
    Ok(Loaded {
        key: der::pkcs8(&key).map_err(|error| error.at("keystore"))?,
        kid: None,
        alg: None,
        chain: entry.chain,
    })
}

/// The private keys by alias; `None` when the structure does not hold.
fn entries(bytes: &[u8]) -> Option<Vec<(String, Entry<'_>)>> {
    let mut rest = Bytes(bytes.get(4..bytes.len().checked_sub(SHA1_BYTES)?)?);
    let version = rest.number()?;
    let mut entries = Vec::new();
    for _ in 0..rest.number()? {
        let tag = rest.number()?;
        let alias = rest.text()?;
        rest.take(8)?; // when it was made
        match tag {
            1 => {
                let length = rest.number()?;
                let protected = rest.take(length)?;
                let certificates = rest.number()?;
                let chain = (0..certificates).map(|_| rest.certificate(version)).collect::<Option<_>>()?;
                entries.push((alias, Entry { protected, chain }));
            }
            2 => drop(rest.certificate(version)?),
            _ => return None,
        }
    }
    rest.0.is_empty().then_some(entries)
}

/// Checks the keystore's SHA-1 over password, a whim of 1996, and content.
fn verify(bytes: &[u8], password: &[u8]) -> Result<(), Error> {
    let (content, expected) = bytes.split_at(bytes.len().saturating_sub(SHA1_BYTES));
    let found = sha1(&[password, b"Mighty Aphrodite", content]);
    verify_slices_are_equal(found.as_slice(), expected).map_err(|_| {
        Error::config("does not open the keystore, or the keystore is damaged; check it").at("password")
    })
}

/// Sun's key protector: salt, key XOR a chain of SHA-1 over password and the hash before, SHA-1 over password and key.
fn unprotect(protected: &[u8], password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut outer = SliceReader::new(protected).ok()?;
    Header::decode(&mut outer).ok()?;
    let algorithm = AlgorithmIdentifierRef::decode(&mut outer).ok()?;
    if algorithm.oid.to_string() != KEY_PROTECTOR {
        return None;
    }
    let bytes = <&OctetStringRef>::decode(&mut outer).ok()?.as_bytes();
    let (salt, rest) = bytes.split_at_checked(SHA1_BYTES)?;
    let (encrypted, expected) = rest.split_at_checked(rest.len().checked_sub(SHA1_BYTES)?)?;
    let mut key = Zeroizing::new(encrypted.to_vec());
    let mut pad = sha1(&[password, salt]);
    for block in key.chunks_mut(SHA1_BYTES) {
        block.iter_mut().zip(pad.iter()).for_each(|(byte, pad)| *byte ^= pad);
        pad = sha1(&[password, pad.as_slice()]);
    }
    verify_slices_are_equal(sha1(&[password, &key]).as_slice(), expected).ok().map(|()| key)
}

fn sha1(parts: &[&[u8]]) -> Zeroizing<[u8; SHA1_BYTES]> {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = Zeroizing::new([0; SHA1_BYTES]);
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// A password as Java hashes it: UTF-16, big-endian.
fn utf16(password: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * password.len()));
    bytes.extend(password.encode_utf16().flat_map(u16::to_be_bytes));
    bytes
}

/// What `java.io.DataOutputStream` wrote.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let bytes: [u8; 4] = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    }

    fn text(&mut self) -> Option<String> {
        let length: [u8; 2] = self.take(2)?.try_into().ok()?;
        self.take(u16::from_be_bytes(length).into()).map(|text| String::from_utf8_lossy(text).into_owned())
    }

    fn certificate(&mut self, version: usize) -> Option<Vec<u8>> {
        if version == 2 {
            self.text()?;
        }
        let length = self.number()?;
        self.take(length).map(<[u8]>::to_vec)
    }
}
