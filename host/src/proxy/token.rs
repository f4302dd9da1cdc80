use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{Error, Secret};
use rustix::fs::OFlags;

use super::listen::own_uid;

/// The bearer that clients send.
#[derive(Debug)]
pub(crate) struct Token(Secret<Vec<u8>>);

/// How many random bytes a token is made of.
const RANDOM: usize = 32;
/// No token is longer, nor shorter.
const LENGTHS: std::ops::RangeInclusive<usize> = 22..=4096;

impl Token {
    /// The token of a file that only we may read. Where there is none, one is made.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config): why the file cannot be used, and what can be done.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let wrong = |what: String| Error::config(format!("the token file {} {what}", path.display()));
        match Self::read(path) {
            Ok(Some(token)) => Ok(token),
            Ok(None) => Self::make(path).map_err(|error| wrong(format!("cannot be written: {error}"))),
            Err(why) => Err(wrong(format!("{why}; {}", why.help()))),
        }
    }

    /// The token of a file; none where there is no file.
    ///
    /// # Errors
    /// Why the file cannot be used.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Unusable> {
        // A pipe is not waited for.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = match fs::OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let others = fs::metadata(path).is_ok_and(|found| found.uid() != own_uid());
                return Err(if others { Unusable::Anothers } else { Unusable::Unreadable(error) });
            }
        };
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(Unusable::NoFile);
        }
        if found.uid() != own_uid() {
            return Err(Unusable::Anothers);
        }
        if found.mode() & 0o077 != 0 {
            return Err(Unusable::OpenToOthers);
        }
        let mut bytes = Vec::with_capacity(*LENGTHS.end() + 2);
        let read = io::Read::read_to_end(&mut io::Read::take(file, *LENGTHS.end() as u64 + 2), &mut bytes);
        bytes.truncate(bytes.trim_ascii_end().len());
        let bytes = Secret::new(bytes);
        read?;
        if !LENGTHS.contains(&bytes.expose().len()) || !bytes.expose().iter().all(u8::is_ascii_graphic) {
            return Err(Unusable::NoToken);
        }
        Ok(Some(Self(bytes)))
    }

    fn make(path: &Path) -> io::Result<Self> {
        let mut random = [0; RANDOM];
        aws_lc_rs::rand::fill(&mut random)
            .map_err(|_| io::Error::other("the system gives no random bytes"))?;
        let text = Secret::new(URL_SAFE_NO_PAD.encode(random));
        let line = Secret::new(format!("{}\n", text.expose()));
        // Written beside, so that whoever reads meanwhile sees all or nothing, and that no half of a token is left for the next
        // start, whenever this one is ended. What an ended one left is of no use to anybody.
        let half = half_of(path);
        let written = fs::remove_file(&half)
            .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
            // With nobody else's eyes on it from the beginning.
            .and_then(|()| fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half))
            .and_then(|mut file| file.write_all(line.expose().as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| into_place(&half, path));
        let _ = fs::remove_file(&half);
        written?;
        // What stands there is what clients send: another start may have put its own in the half's place meanwhile.
        match Self::read(path) {
            Ok(Some(token)) => Ok(token),
            Ok(None) => Err(io::Error::other("it was removed at once")),
            Err(why) => Err(io::Error::other(why.to_string())),
        }
    }

    /// Whether a field's value shows the token; the time that takes does not tell how much of it is right.
    pub(super) fn is_shown_by(&self, value: &[u8]) -> bool {
        let Some((scheme, shown)) = value.split_at_checked("Bearer ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ")
            && aws_lc_rs::constant_time::verify_slices_are_equal(shown.trim_ascii(), self.0.expose()).is_ok()
    }
}

/// Why a token file cannot be used: what comes after its name.
#[derive(Debug)]
pub(crate) enum Unusable {
    NoFile,
    /// Another user's, and the proxy takes only its own user's.
    Anothers,
    OpenToOthers,
    NoToken,
    Unreadable(io::Error),
}

impl Unusable {
    /// The way out.
    pub(crate) const fn help(&self) -> &'static str {
        match self {
            Self::NoFile => "name a file; it is made where there is none",
            Self::Anothers => "give it to the user who runs `serve`, or remove it and have it made anew",
            Self::OpenToOthers => "`chmod 600` it, or remove it and have it made anew",
            Self::NoToken => "remove it and have it made anew",
            Self::Unreadable(_) => "see to it that the user who runs `serve` can read it",
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => f.write_str("is not a file"),
            Self::Anothers => f.write_str("belongs to another user"),
            Self::OpenToOthers => f.write_str("can be read or written by others"),
            Self::NoToken => write!(
                f,
                "holds no token: one line of {} to {} visible ASCII characters",
                LENGTHS.start(),
                LENGTHS.end()
            ),
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
        }
    }
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// Where a token is written until it is whole.
fn half_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Never over a file that appeared meanwhile, where the file system can tell.
fn into_place(half: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(half, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fs::rename(half, path),
        outcome => outcome,
    }
}

#[cfg(test)]
impl Token {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Secret::new(bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_for_nobody_elses_eyes_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let made = Token::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let read = Token::open(&path).unwrap();
        assert_eq!(made.0.expose(), read.0.expose());
        assert_eq!(made.0.expose().len(), 43);
    }

    #[test]
    fn a_half_that_an_ended_start_left_is_no_hindrance_and_does_not_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(folder.path().join("token.new"), "half of a tok").unwrap();
        let made = Token::open(&path).unwrap();
        assert_eq!(made.0.expose().len(), 43);
        assert_eq!(Token::open(&path).unwrap().0.expose(), made.0.expose());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_token_that_somebody_else_made_meanwhile_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "another's").unwrap();
        assert_eq!(Token::make(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_can_read_or_that_holds_no_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        Token::open(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Token::open(&path).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "short\n", "two lines of a length\nthat would do for a token\n"] {
            fs::write(&path, text).unwrap();
            assert!(Token::open(&path).unwrap_err().to_string().contains("holds no token"), "{text}");
        }
        assert!(Token::open(folder.path()).is_err());
    }

    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(Token::open(&path).unwrap_err().to_string().contains("is not a file"));
    }
}
