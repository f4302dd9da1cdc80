use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{Error, Secret};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, ORIGIN, PROXY_AUTHORIZATION};
use rustix::fs::OFlags;

use super::listen::own_uid;
use super::problem::Problem;
use super::stats::Refusal;

/// What a client has to show before anything is done for it.
#[derive(Debug, Clone)]
pub(crate) enum Access {
    /// The bearer of the token file, in `Authorization` or `Proxy-Authorization`.
    Token(Arc<Token>),
    /// Nothing: who reaches the listener may use it. A unix socket lets in only its users; a loopback address every process.
    Reachable,
}

impl Access {
    /// Whether the client may come in.
    ///
    /// # Errors
    /// The refusal: a token that is missing or wrong.
    #[inline]
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Self::Token(token) = self else { return Ok(()) };
        let shown = [AUTHORIZATION, PROXY_AUTHORIZATION];
        if shown
            .iter()
            .any(|name| headers.get_all(name).iter().any(|value| token.is_shown_by(value.as_bytes())))
        {
            return Ok(());
        }
        let detail =
            "this proxy wants its token: send `Authorization: Bearer …` with what its token file holds";
        // Who may not come in keeps no connection that others could have.
        Err(Problem::refused(Refusal::Access, StatusCode::UNAUTHORIZED, detail).and_close())
    }
}

/// A web page in a browser on this machine could reach us, too, and make calls with our credentials: nothing that a
/// browser sends for a page is let through.
///
/// # Errors
/// The refusal.
#[inline]
pub(crate) fn refuse_web_pages(headers: &HeaderMap) -> Result<(), Problem> {
    const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    if headers.contains_key(ORIGIN) || headers.contains_key(SITE) {
        let detail = "the request comes from a web page (`Origin` or `Sec-Fetch-Site`), and those may not use this proxy";
        return Err(Problem::refused(Refusal::Origin, StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

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
            Ok(token) => token.map_err(|what| wrong(what.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::make(path).map_err(|error| wrong(format!("cannot be written: {error}")))
            }
            Err(error) => Err(wrong(format!("cannot be read: {error}"))),
        }
    }

    fn read(path: &Path) -> io::Result<Result<Self, &'static str>> {
        // A pipe is not waited for.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Err("is not a file"));
        }
        if metadata.uid() != own_uid() {
            return Ok(Err(
                "belongs to another user; give it to the one who runs this, or remove it and have it made anew",
            ));
        }
        if metadata.mode() & 0o077 != 0 {
            return Ok(Err(
                "can be read or written by others; `chmod 600` it, or remove it and have it made anew",
            ));
        }
        let mut bytes = Vec::with_capacity(*LENGTHS.end() + 2);
        io::Read::read_to_end(&mut io::Read::take(file, *LENGTHS.end() as u64 + 2), &mut bytes)?;
        bytes.truncate(bytes.trim_ascii_end().len());
        let bytes = Secret::new(bytes);
        let fits = |byte: &u8| byte.is_ascii_graphic();
        if !LENGTHS.contains(&bytes.expose().len()) || !bytes.expose().iter().all(fits) {
            return Ok(Err(
                "holds no token: one line of 22 to 4096 visible ASCII characters; remove it to have one made",
            ));
        }
        Ok(Ok(Self(bytes)))
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
        Self::read(path)?.map_err(io::Error::other)
    }

    /// Whether a field's value shows the token; the time that takes does not tell how much of it is right.
    fn is_shown_by(&self, value: &[u8]) -> bool {
        let Some((scheme, shown)) = value.split_at_checked("Bearer ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ")
            && aws_lc_rs::constant_time::verify_slices_are_equal(shown.trim_ascii(), self.0.expose()).is_ok()
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

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = Token(Secret::new(b"0123456789abcdef0123456789abcdef".to_vec()));
        let access = Access::Token(Arc::new(token));
        let check = |name: &'static str, value: &'static str| {
            access
                .check(&HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())]))
                .is_ok()
        };
        assert!(check("authorization", "Bearer 0123456789abcdef0123456789abcdef"));
        assert!(check("proxy-authorization", "bearer 0123456789abcdef0123456789abcdef"));
        for wrong in
            ["Bearer 0123456789abcdef0123456789abcde", "Bearer ", "0123456789abcdef0123456789abcdef", ""]
        {
            assert!(!check("authorization", wrong), "{wrong}");
        }
        assert!(!check("x-token", "Bearer 0123456789abcdef0123456789abcdef"));
        let refused = access.check(&HeaderMap::new()).unwrap_err().answer(None);
        assert_eq!(refused.headers()["connection"], "close");
        assert!(Access::Reachable.check(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn what_a_browser_sends_for_a_page_is_refused() {
        for name in ["origin", "sec-fetch-site"] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), "null".parse().unwrap())]);
            assert!(refuse_web_pages(&headers).is_err());
        }
        assert!(refuse_web_pages(&HeaderMap::new()).is_ok());
    }
}
