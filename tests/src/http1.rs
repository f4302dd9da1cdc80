//! Just enough HTTP/1.1 to read a request off a socket and keep it for asserting.

use std::io::{self, BufRead, Read};

use serde_json::Value;

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The request target: path and query.
    pub target: String,
    /// Names in lower case, and values, in the order of the wire.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Recorded {
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

    /// The first value of a field of an `application/x-www-form-urlencoded` body, decoded.
    pub fn form(&self, name: &str) -> Option<String> {
        let text = self.text();
        text.split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(given, _)| decode(given) == name)
            .map(|(_, value)| decode(value))
    }

    /// Everything as one text, to look for what must or must not have been sent.
    pub fn wire(&self) -> String {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        format!("{} {}\n{headers}\n{}", self.method, self.target, self.text())
    }
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Reads one request with its body (`Content-Length` or chunked); `None` where the client has closed.
pub fn read_request(stream: &mut impl BufRead) -> io::Result<Option<Recorded>> {
    let line = read_line(stream)?;
    let mut words = line.split(' ');
    let (Some(method), Some(target)) = (words.next().filter(|word| !word.is_empty()), words.next()) else {
        return Ok(None);
    };
    let mut request = Recorded { method: method.into(), target: target.into(), ..Recorded::default() };
    loop {
        let line = read_line(stream)?;
        let Some((name, value)) = line.split_once(':') else { break };
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if request.header("transfer-encoding").is_some() {
        while let Ok(size @ 1..) = chunk_size(&read_line(stream)?) {
            read_exactly(stream, size, &mut request.body)?;
            read_line(stream)?;
        }
        read_line(stream)?;
    } else if let Some(length) = request.header("content-length").and_then(|value| value.parse().ok()) {
        read_exactly(stream, length, &mut request.body)?;
    }
    Ok(Some(request))
}

/// The size in a chunk's first line, whatever extensions follow.
fn chunk_size(line: &str) -> Result<usize, std::num::ParseIntError> {
    usize::from_str_radix(line.split(';').next().unwrap_or_default(), 16)
}

fn read_exactly(stream: &mut impl BufRead, size: usize, into: &mut Vec<u8>) -> io::Result<()> {
    let start = into.len();
    into.resize(start + size, 0);
    stream.read_exact(&mut into[start..])
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(64 * 1024).read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
}
