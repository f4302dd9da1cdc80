use std::fmt;
use std::io;

use countersign::{Error, Origin, Secret};
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The longest answer to `CONNECT` that is read, in bytes.
const MOST_HEAD: usize = 16 * 1024;

/// An HTTP proxy between here and an upstream. Connections lead through it by `CONNECT` (RFC 9110 §9.3.6), so that it
/// sees neither requests nor credentials of `https`.
#[derive(Clone)]
pub(crate) struct Proxy {
    origin: Origin,
    authorization: Option<HeaderValue>,
}

impl Proxy {
    /// The one that the environment names for a target (`HTTPS_PROXY`, `NO_PROXY`, …); none for this machine itself.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when it is not an `http://` proxy.
    pub(crate) fn of_environment(target: &Origin) -> Result<Option<Self>, Error> {
        Self::of(target, &Matcher::from_system())
    }

    pub(super) fn of(target: &Origin, rules: &Matcher) -> Result<Option<Self>, Error> {
        if target.is_loopback() {
            return Ok(None);
        }
        let uri: Uri = target.to_string().parse().map_err(|_| Error::internal("an origin is no URL"))?;
        let Some(proxy) = rules.intercept(&uri) else { return Ok(None) };
        match Origin::of(proxy.uri()) {
            Ok(origin) if !origin.is_https() => {
                Ok(Some(Self { origin, authorization: proxy.basic_auth().cloned() }))
            }
            _ => Err(Error::config("the proxy of the environment is not an http:// one")),
        }
    }

    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Makes a connection to the proxy one to `target`.
    pub(super) async fn lead_to(&self, target: &Origin, tcp: io::Result<TcpStream>) -> io::Result<TcpStream> {
        let mut tcp = tcp.map_err(|error| self.names(&error))?;
        tcp.write_all(self.ask_for(target).expose()).await.map_err(|error| self.names(&error))?;
        let head = read_head(&mut tcp).await.map_err(|error| self.names(&error))?;
        match status(&head) {
            Some(200..=299) => Ok(tcp),
            Some(status) => Err(io::Error::other(format!("the proxy {} answered {status}", self.origin))),
            None => Err(io::Error::other(format!("the proxy {} speaks no HTTP/1", self.origin))),
        }
    }

    fn ask_for(&self, target: &Origin) -> Secret<Vec<u8>> {
        let (host, port) = (target.host(), target.port());
        let mut head = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            // Room for all of it, so that no half is left behind where the buffer grows.
            head.reserve_exact(authorization.len() + 64);
            head.extend_from_slice(b"Proxy-Authorization: ");
            head.extend_from_slice(authorization.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        Secret::new(head)
    }

    fn names(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("the proxy {}: {error}", self.origin))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Reads a head and not a byte more. Whoever is behind the proxy waits to be spoken to, so that nothing follows.
async fn read_head(tcp: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(1024);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > MOST_HEAD || head.windows(4).any(|four| four == b"\r\n\r\n") {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it says more than an answer to CONNECT"));
        }
        if tcp.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|&byte| byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.splitn(3, ' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}
