use std::fmt;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use blake2::{Blake2b256, Blake2b512, Digest};
use scrypt::Params;
use zeroize::Zeroizing;

use super::key::{KeyId, PublicKey};
use super::signature::{Method, Signature};
use super::text::{self, BadText, base64};

/// A signing key, in the format of minisign's secret keys; only in memory without its password.
pub struct SecretKey {
    id: KeyId,
    /// Seed and public key, as RFC 8032 and minisign keep them.
    key: Zeroizing<[u8; 64]>,
    pair: Ed25519KeyPair,
}

/// Whether a file with a secret key is of use without a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// It was made without one (`minisign -G -W`).
    None,
    /// It needs one.
    Password,
}

const BAD: BadText = BadText("is no secret key of minisign: two lines, as `minisign -G` writes them");
const CORRUPT: BadText = BadText("is corrupt: its checksum does not fit");
const WRONG_PASSWORD: BadText = BadText("does not open with this password");
const COSTLY: BadText = BadText("asks for more work than minisign does to open; it is none of minisign's");
const FAILED: BadText = BadText("cannot be used: the system gave no random bytes, or no memory");

const SEALED: usize = 8 + 64 + 32;

/// The file's bytes: what says how to open it, and what is sealed.
struct Sealed {
    protection: Protection,
    salt: [u8; 32],
    work: (u64, u64),
    sealed: Zeroizing<[u8; SEALED]>,
}

impl SecretKey {
    /// A new key.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub fn generate() -> Result<Self, BadText> {
        let (mut id, mut seed) = ([0; 8], Zeroizing::new([0; 32]));
        rand::fill(&mut id).and_then(|()| rand::fill(&mut *seed)).map_err(|_| FAILED)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| FAILED)?;
        let mut key = Zeroizing::new([0; 64]);
        key[..32].copy_from_slice(&*seed);
        key[32..].copy_from_slice(pair.public_key().as_ref());
        Ok(Self { id: KeyId(id), key, pair })
    }

    /// Whether the text of a file needs a password.
    ///
    /// # Errors
    /// It is no secret key.
    pub fn protection(text: &str) -> Result<Protection, BadText> {
        Ok(Sealed::parse(text)?.protection)
    }

    /// Opens the text of a file; the password does not matter to one that has none. It takes a second or so, and up to a
    /// gibibyte of memory, on purpose.
    ///
    /// # Errors
    /// It is no secret key, or the password is another.
    pub fn open(text: &str, password: &[u8]) -> Result<Self, BadText> {
        let Sealed { protection, salt, work, mut sealed } = Sealed::parse(text)?;
        if protection == Protection::Password {
            mask(&mut sealed, password, &salt, parameters(work.0, work.1).ok_or(COSTLY)?)?;
        }
        let (id, rest) = sealed.split_at(8);
        let (key, checksum) = rest.split_at(64);
        // minisign 0.11 leaves it out where there is no password to be wrong.
        let unchecked = protection == Protection::None && *checksum == [0; 32];
        if !unchecked && *checksum != checksum_of(id, key) {
            return Err(if protection == Protection::Password { WRONG_PASSWORD } else { CORRUPT });
        }
        let pair = Ed25519KeyPair::from_seed_and_public_key(&key[..32], &key[32..]).map_err(|_| CORRUPT)?;
        let mut opened = Self { id: KeyId([0; 8]), key: Zeroizing::new([0; 64]), pair };
        opened.id.0.copy_from_slice(id);
        opened.key.copy_from_slice(key);
        Ok(opened)
    }

    /// The text of its file: sealed with a password, or open to whoever can read it.
    ///
    /// # Errors
    /// The system gave no random bytes, or too little memory.
    pub fn to_file(&self, password: Option<&[u8]>) -> Result<Zeroizing<String>, BadText> {
        let mut sealed = Zeroizing::new([0; SEALED]);
        sealed[..8].copy_from_slice(&self.id.0);
        sealed[8..72].copy_from_slice(&*self.key);
        sealed[72..].copy_from_slice(&checksum_of(&self.id.0, &*self.key));
        let (mut method, mut salt, mut work) = ([0; 2], [0; 32], (0, 0));
        if let Some(password) = password {
            rand::fill(&mut salt).map_err(|_| FAILED)?;
            (method, work) = (*b"Sc", WORK);
            mask(&mut sealed, password, &salt, parameters(work.0, work.1).ok_or(FAILED)?)?;
        }
        let (operations, memory) = (work.0.to_le_bytes(), work.1.to_le_bytes());
        let parts = [&b"Ed"[..], &method, b"B2", &salt, &operations, &memory, &*sealed];
        let bytes = Zeroizing::new(parts.concat());
        let encrypted = if password.is_some() { "encrypted" } else { "unencrypted" };
        let line = Zeroizing::new(base64(&bytes));
        Ok(Zeroizing::new(format!("untrusted comment: minisign {encrypted} secret key\n{}\n", *line)))
    }

    /// The key that others need to verify.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(&self.key[32..]);
        PublicKey::new(self.id, key)
    }

    /// Signs a file's bytes and a comment, which is one line.
    ///
    /// # Errors
    /// The comment is more than a line, or longer than minisign reads.
    pub fn sign(&self, bytes: &[u8], trusted_comment: &str) -> Result<Signature, BadText> {
        // minisign 0.11 reads lines of up to 8 KiB.
        if trusted_comment.contains(['\n', '\r', '\0']) || trusted_comment.len() > 4096 {
            return Err(BadText("is no trusted comment: one line of at most 4096 bytes"));
        }
        let mut signature = Signature {
            method: Method::Hashed,
            key: self.id,
            signature: self.signed(&Blake2b512::digest(bytes)),
            trusted_comment: trusted_comment.to_owned(),
            global_signature: [0; 64],
        };
        signature.global_signature = self.signed(&signature.globally_signed());
        Ok(signature)
    }

    fn signed(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Sealed {
    fn parse(text: &str) -> Result<Self, BadText> {
        let [line] = text::lines::<1>(text).ok_or(BAD)?;
        let bytes: Zeroizing<[u8; 54 + SEALED]> = Zeroizing::new(text::bytes(line).ok_or(BAD)?);
        let mut rest = &bytes[..];
        let (algorithm, method, checksum): ([u8; 2], [u8; 2], [u8; 2]) =
            (text::take(&mut rest), text::take(&mut rest), text::take(&mut rest));
        let protection = match &method {
            b"\0\0" => Protection::None,
            b"Sc" => Protection::Password,
            _ => return Err(BAD),
        };
        if algorithm != *b"Ed" || checksum != *b"B2" {
            return Err(BAD);
        }
        let salt = text::take(&mut rest);
        let work = (u64::from_le_bytes(text::take(&mut rest)), u64::from_le_bytes(text::take(&mut rest)));
        Ok(Self { protection, salt, work, sealed: Zeroizing::new(text::take(&mut rest)) })
    }
}

/// How much work opening a key of ours is: scrypt with N = 2^17, r = 8, p = 1, which takes 128 MiB.
const WORK: (u64, u64) = (1 << 22, 1 << 27);
/// minisign's own keys take this much: N = 2^20, a gibibyte.
const MOST_WORK: (u64, u64) = (1 << 25, 1 << 30);

/// The parameters of scrypt that libsodium derives from its limits (`pickparams` in `pwhash_scryptsalsa208sha256.c`).
pub(super) fn parameters(operations: u64, memory: u64) -> Option<Params> {
    if operations > MOST_WORK.0 || memory > MOST_WORK.1 {
        return None;
    }
    let operations = operations.max(1 << 15);
    let least_log = |most: u64| (1..63).find(|log| 1_u64 << log > most / 2).unwrap_or(63_u8);
    let (log, parallel) = if operations < memory / 32 {
        (least_log(operations / 32), 1)
    } else {
        let log = least_log(memory / 1024);
        (log, ((operations / 4) >> log) / 8)
    };
    Params::new(log, 8, u32::try_from(parallel).ok()?).ok()
}

/// Seals what is open, and opens what is sealed.
fn mask(
    sealed: &mut [u8; SEALED],
    password: &[u8],
    salt: &[u8; 32],
    parameters: Params,
) -> Result<(), BadText> {
    let mut stream = Zeroizing::new([0; SEALED]);
    scrypt::scrypt(password, salt, &parameters, &mut *stream).map_err(|_| FAILED)?;
    sealed.iter_mut().zip(stream.iter()).for_each(|(byte, mask)| *byte ^= mask);
    Ok(())
}

fn checksum_of(id: &[u8], key: &[u8]) -> [u8; 32] {
    Blake2b256::new().chain_update(b"Ed").chain_update(id).chain_update(key).finalize().into()
}
