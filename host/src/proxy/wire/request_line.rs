use super::Fault;
use super::authority::is_authority;
use super::chars::{self, METHOD, PATH, QUERY, TOKEN};

/// What a request line says that matters to the rest of the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    Http11,
}

/// The longest method that is looked at.
const METHOD_BYTES: usize = 32;
/// The longest target that the server's parser takes.
const TARGET_BYTES: usize = 65534;

/// Judges `METHOD target HTTP/1.x`, without its line end.
pub(super) fn judge(line: &[u8]) -> Result<Version, Fault> {
    let (method, rest) = part(line).ok_or(PARTS)?;
    let (target, version) = part(rest).ok_or(PARTS)?;
    if method.is_empty() || target.is_empty() {
        return Err(SPACES);
    }
    let version = judge_version(version)?;
    judge_method(method)?;
    judge_target(target)?;
    Ok(version)
}

/// What stands before the first space, and after it.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', bytes)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn judge_version(version: &[u8]) -> Result<Version, Fault> {
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ if version.contains(&b' ') => Err(SPACES),
        [b'H', b'T', b'T', b'P', b'/', digits @ ..] if is_version(digits) => {
            Err(Fault::new(505, "the request is of a version of HTTP that is not spoken here; send HTTP/1.1"))
        }
        _ => Err(Fault::bad("the request line does not end in a version; send HTTP/1.1")),
    }
}

fn is_version(digits: &[u8]) -> bool {
    matches!(digits, [major] | [major, b'.', _] if major.is_ascii_digit())
}

fn judge_method(method: &[u8]) -> Result<(), Fault> {
    if method.len() <= METHOD_BYTES && chars::all(method, METHOD) {
        match method {
            b"CONNECT" => Err(Fault::new(405, "CONNECT is off: this proxy makes no tunnels")),
            b"TRACE" | b"TRACK" => Err(Fault::new(405, "TRACE is off: its answer would show the credential")),
            _ => Ok(()),
        }
    } else if chars::all(method, TOKEN) {
        Err(Fault::new(501, "the method is not one; methods have capital letters, and at most 32"))
    } else {
        Err(Fault::bad("the method has bytes that no method has; send a token in capital letters"))
    }
}

fn judge_target(target: &[u8]) -> Result<(), Fault> {
    if target.len() > TARGET_BYTES {
        return Err(TARGET_TOO_LONG);
    }
    let path = match target {
        [b'/', ..] => target,
        _ => below_authority(target)?,
    };
    judge_path(path)
}

fn judge_path(path: &[u8]) -> Result<(), Fault> {
    let mut class = PATH;
    let mut rest = path;
    while let Some(at) = rest.iter().position(|byte| !chars::is(*byte, class)) {
        rest = match &rest[at..] {
            [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => after,
            [b'?', after @ ..] => {
                class = QUERY;
                after
            }
            [byte, ..] => return Err(target_byte(*byte)),
            [] => &[],
        };
    }
    Ok(())
}

/// What follows the authority of `http://host:port/path`: nothing, or a path.
fn below_authority(target: &[u8]) -> Result<&[u8], Fault> {
    const SCHEME: usize = "http://".len();
    let rest = match target.split_at_checked(SCHEME) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"http://") => rest,
        _ => {
            return Err(Fault::bad(
                "the target is neither a path nor an http:// URL; send a path that begins with /",
            ));
        }
    };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains(&b'@') {
        return Err(Fault::bad("the target names a user before its host; send no user information"));
    }
    if !is_authority(authority) {
        return Err(Fault::bad("the target's host is ill-formed; send http://host:port/path"));
    }
    match path {
        [] | [b'/', ..] => Ok(path),
        _ => Err(Fault::bad("the target has no path after its host; send at least /")),
    }
}

fn target_byte(byte: u8) -> Fault {
    match byte {
        b'%' => Fault::bad(
            "the target has a % without two hexadecimal digits after it; write %25 for a percent sign",
        ),
        b'#' => Fault::bad("the target has a fragment (#); leave it out, or write %23"),
        b'\\' => Fault::bad("the target has a backslash; write / or %5C"),
        _ => Fault::bad("the target has a byte that must be percent-encoded"),
    }
}

const PARTS: Fault =
    Fault::bad("the request line needs a method, a target and a version, one space between them");
const SPACES: Fault = Fault::bad("the request line has more spaces than two; put one between its parts");
pub(super) const TARGET_TOO_LONG: Fault = Fault::new(414, "the target is too long");
