//! Upstreams that look at what a proxy sends them: one that forgives nothing, and one that reads whatever it can.
//!
//! Whatever both take for a request was one; whatever only the lenient one does is what smuggling lives on.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::http1::Recorded;
use crate::raw::RawServer;

/// How requests are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Byte by byte as RFC 9112 has it, and more narrowly still.
    Strict,
    /// Lines end at any line feed, names are trimmed, folds are joined, numbers are whatever can be one; and a length counts
    /// for more than an encoding.
    LengthFirst,
    /// The same, but an encoding counts for more than a length.
    EncodingFirst,
}

/// What a request has to be.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What its path has to be below.
    pub prefix: String,
    /// Its `Authorization`.
    pub credential: String,
}

/// A running upstream. It answers whole requests with 200.
#[derive(Debug)]
pub struct Upstream {
    server: RawServer,
    seen: Arc<Mutex<Seen>>,
}

/// What came.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Requests that came to their end.
    pub whole: Vec<Recorded>,
    /// How many began and did not.
    pub parts: usize,
    /// What was wrong.
    pub faults: Vec<String>,
}

impl Upstream {
    /// Starts it on a free port.
    pub fn start(reading: Reading, rules: Rules) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let shared = Arc::clone(&seen);
        let server = RawServer::start(move |stream| {
            let mut reader = Reader { stream: BufReader::new(&stream), reading, seen: &shared };
            while let Ok(true) = reader.request(&rules) {
                if (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen").is_err() {
                    break;
                }
            }
        });
        Self { server, seen }
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// What came since this was asked last.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut *lock(&self.seen))
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Reader<'s> {
    stream: BufReader<&'s TcpStream>,
    reading: Reading,
    seen: &'s Mutex<Seen>,
}

/// How a body is framed.
enum Framing {
    Length(usize),
    Chunked,
}

impl Reader<'_> {
    /// Reads a request; whether there was one, and it came to its end.
    fn request(&mut self, rules: &Rules) -> io::Result<bool> {
        if self.stream.fill_buf()?.is_empty() {
            return Ok(false);
        }
        lock(self.seen).parts += 1;
        let mut request = self.head()?;
        self.judge(&request, rules);
        let body = match self.framing(&request.headers) {
            Framing::Length(length) => self.exactly(length),
            Framing::Chunked => self.chunks(),
        };
        request.body = body?;
        self.nothing_more()?;
        let mut seen = lock(self.seen);
        seen.parts -= 1;
        seen.whole.push(request);
        Ok(true)
    }

    fn is_strict(&self) -> bool {
        self.reading == Reading::Strict
    }

    fn fault(&self, what: impl Into<String>) {
        lock(self.seen).faults.push(what.into());
    }

    fn head(&mut self) -> io::Result<Recorded> {
        let mut line = self.line()?;
        while line.is_empty() && !self.is_strict() {
            line = self.line()?;
        }
        let words: Vec<&str> =
            if self.is_strict() { line.split(' ').collect() } else { line.split_whitespace().collect() };
        let (method, target) = match words[..] {
            [method, target, "HTTP/1.1"] => (method, target),
            [method, target, ..] if !self.is_strict() => (method, target),
            _ => {
                self.fault(format!("request line {line:?}"));
                return Err(ErrorKind::InvalidData.into());
            }
        };
        let mut request = Recorded { method: method.into(), target: target.into(), ..Recorded::default() };
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(request);
            }
            if line.starts_with([' ', '\t']) && !self.is_strict() {
                // A fold: more of the value before.
                if let Some((_, value)) = request.headers.last_mut() {
                    value.push_str(line.trim());
                }
                continue;
            }
            let Some((name, value)) = line.split_once(':') else {
                self.fault(format!("line {line:?}"));
                continue;
            };
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(token) {
                self.fault(format!("name {name:?}"));
            }
            if value.bytes().any(|byte| byte == 0x7f || (byte < 0x20 && byte != b'\t')) {
                self.fault(format!("value {value:?}"));
            }
            request.headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// What every request has to be, however it is read.
    fn judge(&self, request: &Recorded, rules: &Rules) {
        let Recorded { method, target, headers, .. } = request;
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
            self.fault(format!("method {method:?}"));
        }
        let host = self.stream.get_ref().local_addr().map(|address| address.to_string()).unwrap_or_default();
        let values = |name: &str| -> Vec<&str> {
            headers.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str()).collect()
        };
        if values("host") != [host] {
            self.fault(format!("hosts {:?} of {target}", values("host")));
        }
        if values("authorization") != [&rules.credential] {
            self.fault(format!("credentials {:?} of {target}", values("authorization")));
        }
        let path = target.split('?').next().unwrap_or_default();
        for reading in readings(path) {
            let rest = reading.strip_prefix(rules.prefix.as_str());
            if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                self.fault(format!("path {path} is {reading}"));
            }
        }
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) || target.contains(['\\', '#', '<', '>']) {
            self.fault(format!("target {target}"));
        }
        let framings = [values("content-length"), values("transfer-encoding")].concat();
        if framings.len() > 1 {
            self.fault(format!("framed {framings:?}"));
        }
        for name in
            ["connection", "upgrade", "te", "expect", "keep-alive", "proxy-connection", "http2-settings"]
        {
            let upgrade = ["connection", "upgrade"].contains(&name) && !values("upgrade").is_empty();
            if !values(name).is_empty() && !upgrade {
                self.fault(format!("{name}: {:?}", values(name)));
            }
        }
    }

    fn framing(&self, headers: &[(String, String)]) -> Framing {
        let chunked = headers.iter().any(|(name, value)| {
            if self.is_strict() {
                if name == "transfer-encoding" && value != "chunked" {
                    self.fault(format!("transfer-encoding {value:?}"));
                }
                return name == "transfer-encoding";
            }
            name.contains("transfer") && value.to_ascii_lowercase().contains("chunked")
        });
        let length = headers.iter().find(|(name, _)| name == "content-length").map(|(_, value)| {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            if digits != *value {
                self.fault(format!("content-length {value:?}"));
            }
            digits.parse().unwrap_or_default()
        });
        match (chunked, length) {
            (true, Some(length)) if self.reading == Reading::LengthFirst => Framing::Length(length),
            (true, _) => Framing::Chunked,
            (false, length) => Framing::Length(length.unwrap_or_default()),
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size =
                if self.is_strict() { &*line } else { line.split(';').next().unwrap_or_default().trim() };
            let Ok(size) = usize::from_str_radix(size, 16) else {
                self.fault(format!("chunk {line:?}"));
                return Err(ErrorKind::InvalidData.into());
            };
            if size == 0 {
                break;
            }
            body.extend(self.exactly(size)?);
            if !self.line()?.is_empty() {
                self.fault("a chunk has no end");
            }
        }
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(body);
            }
            if self.is_strict() {
                self.fault(format!("trailer {line:?}"));
            }
        }
    }

    /// Nobody sends a request before he has the answer to the one before: what is there now would be taken for one.
    fn nothing_more(&mut self) -> io::Result<()> {
        let stream = *self.stream.get_ref();
        stream.set_read_timeout(Some(Duration::from_millis(2)))?;
        let more = self.stream.fill_buf().map(<[u8]>::to_vec);
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        match more {
            Ok(more) if !more.is_empty() => {
                self.fault(format!("after the request: {:?}", String::from_utf8_lossy(&more)));
            }
            _ => {}
        }
        Ok(())
    }

    /// A line without its end.
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        line.pop();
        match line.last() {
            Some(b'\r') => {
                line.pop();
            }
            _ if self.is_strict() => self.fault("a line ends without a carriage return"),
            _ => {}
        }
        if line.contains(&b'\r') {
            self.fault("a carriage return stands alone");
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

/// What servers make of a path: decoded never, once or twice, ended by a NUL or not, with backslashes as slashes or not,
/// with parameters or without, its dot segments resolved.
fn readings(path: &str) -> Vec<String> {
    let once = decode(path);
    let twice = decode(&once);
    let mut readings = Vec::new();
    for text in [path, &once, &twice] {
        for text in [text, text.split('\0').next().unwrap_or_default()] {
            for slashes in [text.to_owned(), text.replace('\\', "/")] {
                let segments =
                    slashes.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
                readings.extend([resolve(&slashes), resolve(&segments.collect::<Vec<_>>().join("/"))]);
            }
        }
    }
    readings
}

fn decode(path: &str) -> String {
    percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned()
}

fn resolve(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." | "" => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}
