//! Stands between clients and a server, and keeps what clients sent.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::raw::RawServer;

/// A relay on a free port of 127.0.0.1.
#[derive(Debug)]
pub struct Relay {
    server: RawServer,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Relay {
    /// Passes everything on to that address, and back.
    pub fn to(address: SocketAddr) -> Self {
        let sent = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&sent);
        let server = RawServer::start(move |client| {
            let server = TcpStream::connect(address).unwrap();
            let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    let _ = std::io::copy(&mut answers, &mut back);
                    let _ = back.shutdown(Shutdown::Both);
                });
                let (mut client, mut server) = (client, server);
                let mut bytes = [0; 16 * 1024];
                while let Ok(read @ 1..) = client.read(&mut bytes) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..read]);
                    if server.write_all(&bytes[..read]).is_err() {
                        break;
                    }
                }
                let _ = server.shutdown(Shutdown::Both);
            });
        });
        Self { server, sent }
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// The values of a header field of all requests so far, whose name is given in lower case.
    pub fn sent(&self, name: &str) -> Vec<String> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&sent);
        let fields = text.split("\r\n").filter_map(|line| line.split_once(": "));
        fields
            .filter(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
            .collect()
    }
}
