//! A client that sends bytes as they are given, however wrong, and reads what comes back a piece at a time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case, and values, in the order of the wire.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers, as [`headers`](Self::headers).
    pub trailers: Vec<(String, String)>,
    /// The statuses of interim answers (1xx) before it.
    pub interim: Vec<u16>,
}

impl Answer {
    /// The first value of a header, whose name is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `Null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The members of a problem (RFC 9457), of which it first checks that it is one, and this one.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        problem
    }
}

/// Sends a request on a connection of its own and reads the answer.
///
/// # Panics
/// If there is none.
#[track_caller]
pub fn call(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut client = Client::connect(address);
    client.send(request);
    client.answer()
}

/// A connection.
#[derive(Debug)]
pub struct Client<S = TcpStream> {
    stream: BufReader<S>,
}

impl Client {
    /// Connects over TCP.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// Says that no more will be sent.
    pub fn finish(&self) {
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
    }

    /// A handle to send from elsewhere while answers are read here.
    pub fn sender(&self) -> TcpStream {
        self.stream.get_ref().try_clone().unwrap()
    }
}

impl Client<UnixStream> {
    /// Connects to a unix socket.
    pub fn connect_unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }
}

impl<S: Read + Write> Client<S> {
    /// Sends bytes. That the other side wants no more of them is no failure: it has answered then.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let stream = self.stream.get_mut();
        let _ = stream.write_all(bytes.as_ref()).and_then(|()| stream.flush());
    }

    /// The next answer.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        let answer = self.next(false).unwrap_or_else(|error| panic!("no answer: {error}"));
        answer.expect("the connection was closed without an answer")
    }

    /// The next answer, which has no body because the request was a `HEAD`.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn answer_to_head(&mut self) -> Answer {
        self.next(true).unwrap().expect("the connection was closed without an answer")
    }

    /// The head of the next answer; its body is still to be read.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn head(&mut self) -> Answer {
        self.next_head().unwrap().expect("the connection was closed without an answer")
    }

    /// The next answer; `None` when the connection was closed instead.
    pub fn next(&mut self, to_head: bool) -> io::Result<Option<Answer>> {
        let Some(mut answer) = self.next_head()? else { return Ok(None) };
        if to_head || matches!(answer.status, 101 | 204 | 304) {
            return Ok(Some(answer));
        }
        if answer.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk()? {
                answer.body.extend(chunk);
            }
            answer.trailers = self.fields()?;
        } else if let Some(length) = answer.header("content-length") {
            answer.body.resize(length.parse().map_err(io::Error::other)?, 0);
            self.stream.read_exact(&mut answer.body)?;
        } else {
            self.stream.read_to_end(&mut answer.body)?;
        }
        Ok(Some(answer))
    }

    /// The next chunk of a chunked body; `None` after the last.
    pub fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default();
        let size =
            usize::from_str_radix(size, 16).map_err(|_| io::Error::other(format!("chunk {line:?}")))?;
        if size == 0 {
            return Ok(None);
        }
        let mut chunk = vec![0; size];
        self.stream.read_exact(&mut chunk)?;
        self.line()?;
        Ok(Some(chunk))
    }

    /// So many bytes, as they are.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// All that comes until the connection is closed, or reset.
    ///
    /// # Panics
    /// If it stays open.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        if let Err(error) = self.stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "the connection stays open");
        }
        rest
    }

    fn next_head(&mut self) -> io::Result<Option<Answer>> {
        let mut answer = Answer::default();
        loop {
            if self.stream.fill_buf()?.is_empty() {
                return Ok(None);
            }
            let line = self.line()?;
            let status = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
            let status = status.and_then(|rest| rest.get(..3)?.parse().ok());
            answer.status = status.ok_or_else(|| io::Error::other(format!("no status line: {line:?}")))?;
            answer.headers = self.fields()?;
            if !(100..200).contains(&answer.status) || answer.status == 101 {
                return Ok(Some(answer));
            }
            answer.interim.push(answer.status);
        }
    }

    fn fields(&mut self) -> io::Result<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| io::Error::other(line.clone()))?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// A line, which has to end as lines end.
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        let Some(line) = line.strip_suffix(b"\r\n") else {
            let line = String::from_utf8_lossy(&line);
            return Err(io::Error::other(format!("a line has no end: {line:?}")));
        };
        Ok(String::from_utf8_lossy(line).into_owned())
    }
}
