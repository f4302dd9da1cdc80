//! A token endpoint on loopback (RFC 6749 §5.1), for those whose cache is filled by a real exchange.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use http::header::CONTENT_LENGTH;
use serde_json::json;

use crate::requests::token;

/// Starts one that answers once.
pub fn start() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let address = listener.local_addr().expect("a listener has an address");
    std::thread::spawn(move || {
        if let Ok((connection, _)) = listener.accept() {
            answer(connection).expect("the client reads the answer");
        }
    });
    address
}

fn answer(mut connection: TcpStream) -> Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str()) => {
                length = value.trim().parse().unwrap_or_default();
            }
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let body = json!({ "access_token": token(), "token_type": "Bearer", "expires_in": 86_400 }).to_string();
    write!(
        connection,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
