use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::reply::{Fault, Reply};
use super::signal::{PATIENCE, Signal};
use crate::http1::{Recorded, read_request};
use crate::tls::Identity;

/// A scripted server on a free port of 127.0.0.1.
///
/// The first request gets the first reply of the script, and so on; the last reply is repeated. Dropping the server
/// closes all its connections.
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
    listener: Option<JoinHandle<()>>,
}

impl FaultServer {
    /// Serves a script over plain HTTP.
    pub fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::listen("http", None, script)
    }

    /// Serves a script over TLS with this certificate, which may be a faulty one.
    pub fn start_tls(identity: &Identity, script: impl IntoIterator<Item = Reply>) -> Self {
        let certificates = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    certificates.collect::<Result<_, _>>().unwrap(),
                    PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
                )
                .unwrap();
        Self::listen("https", Some(Arc::new(config)), script)
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.seen.lock().requests.clone()
    }

    /// How many requests came.
    pub fn count(&self) -> usize {
        self.state.seen.lock().requests.len()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.state.seen.lock().connections
    }

    /// Returns when so many requests have come.
    ///
    /// # Panics
    /// If they have not after 30 seconds.
    pub fn wait_for(&self, requests: usize) {
        let came = self.state.seen.wait(PATIENCE, |seen| seen.requests.len() >= requests);
        assert!(came, "{requests} requests were expected, {} came", self.count());
    }

    /// Puts another script in the place of the old one; the next request gets its first reply.
    pub fn rescript(&self, script: impl IntoIterator<Item = Reply>) {
        *self.state.script.lock() = script.into_iter().collect();
    }

    fn listen(
        scheme: &'static str,
        tls: Option<Arc<ServerConfig>>,
        script: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let state = Arc::new(State { tls, ..State::default() });
        *state.script.lock() = script.into_iter().collect();
        let shared = Arc::clone(&state);
        let listener = std::thread::spawn(move || shared.accept(&socket));
        Self { address, scheme, state, listener: Some(listener) }
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.state.stopped.change(|stopped| *stopped = true);
        for stream in self.state.seen.lock().streams.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes `accept`; the threads of connections end by themselves, their sockets being closed.
        let _ = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

#[derive(Debug, Default)]
struct State {
    tls: Option<Arc<ServerConfig>>,
    script: Signal<VecDeque<Reply>>,
    seen: Signal<Seen>,
    stopped: Signal<bool>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Vec<Recorded>,
    connections: usize,
    streams: BTreeMap<usize, TcpStream>,
}

impl State {
    fn accept(self: &Arc<Self>, socket: &TcpListener) {
        for stream in socket.incoming().flatten() {
            let Ok(copy) = stream.try_clone() else { return };
            if *self.stopped.lock() {
                return;
            }
            let mut number = 0;
            self.seen.change(|seen| {
                seen.connections += 1;
                number = seen.connections;
                seen.streams.insert(number, copy);
            });
            let state = Arc::clone(self);
            std::thread::spawn(move || {
                // A client that is gone is what half of these scripts are about.
                let _ = state.connection(stream);
                // The last copy: only now is the connection closed, or reset.
                state.seen.change(|seen| drop(seen.streams.remove(&number)));
            });
        }
    }

    fn connection(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        if self.script.lock().front().is_some_and(|reply| reply.fault == Fault::ResetOnAccept) {
            self.next();
            return reset(&stream);
        }
        match &self.tls {
            None => self.serve(stream.try_clone()?, &stream),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                self.serve(StreamOwned::new(connection, stream.try_clone()?), &stream)
            }
        }
    }

    fn serve(&self, stream: impl Read + Write, socket: &TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream)? {
            // One lock for both, so that the n-th recorded request is the one that got the n-th reply.
            let mut reply = None;
            self.seen.change(|seen| {
                seen.requests.push(request);
                reply = self.next();
            });
            let Some(reply) = reply else { break };
            if let Some(hold) = &reply.hold {
                hold.wait();
            }
            self.answer(&reply, stream.get_mut(), socket)?;
            if !reply.keeps_alive() {
                break;
            }
        }
        Ok(())
    }

    fn next(&self) -> Option<Reply> {
        let mut script = self.script.lock();
        if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
    }

    fn answer(&self, reply: &Reply, stream: &mut impl Write, socket: &TcpStream) -> io::Result<()> {
        match reply.fault {
            Fault::None => stream.write_all(&[reply.head(), reply.body.clone()].concat())?,
            Fault::ResetOnAccept | Fault::ResetAfterRequest => return reset(socket),
            Fault::CloseInHeaders => {
                let head = reply.head();
                stream.write_all(&head[..head.len() / 2])?;
            }
            Fault::Truncate(bytes) => {
                stream.write_all(&reply.head())?;
                stream.write_all(&reply.body[..bytes.min(reply.body.len())])?;
            }
            Fault::Drip(every) => {
                stream.write_all(&reply.head())?;
                for byte in &reply.body {
                    stream.write_all(&[*byte])?;
                    stream.flush()?;
                    if self.stopped.wait(every, |&stopped| stopped) {
                        break;
                    }
                }
            }
            Fault::Endless => {
                stream.write_all(&reply.head())?;
                let block = reply.body.repeat(1 + 65_536 / reply.body.len().max(1));
                for _ in 0..(1 << 30) / block.len().max(1) {
                    stream.write_all(&block)?;
                }
            }
            Fault::Silent => {
                self.stopped.wait(PATIENCE, |&stopped| stopped);
            }
            Fault::Raw => stream.write_all(&reply.body)?,
        }
        stream.flush()
    }
}

/// Closing with a linger time of zero sends a reset instead of an orderly end.
fn reset(socket: &TcpStream) -> io::Result<()> {
    rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO))?;
    Ok(())
}
