//! A server whose connections a test serves itself, with the bytes that it likes.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A server on a free port of 127.0.0.1, with a thread for each connection. Dropping it closes all connections and waits
/// for the threads.
#[derive(Debug)]
pub struct RawServer {
    address: SocketAddr,
    open: Arc<Open>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Open {
    stopped: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

/// No read takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

impl RawServer {
    /// Serves each connection so.
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let open = Arc::<Open>::default();
        let (shared, serve) = (Arc::clone(&open), Arc::new(serve));
        let listener = std::thread::spawn(move || {
            let mut threads = Vec::new();
            for stream in socket.incoming().flatten() {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(copy) = stream.try_clone() else { break };
                shared.streams.lock().unwrap_or_else(PoisonError::into_inner).push(copy);
                let _ = stream.set_nodelay(true);
                let _ = stream.set_read_timeout(Some(PATIENCE));
                let serve = Arc::clone(&serve);
                threads.push(std::thread::spawn(move || {
                    let copy = stream.try_clone();
                    serve(stream);
                    // The list above has a handle, too.
                    let _ = copy.map(|copy| copy.shutdown(Shutdown::Both));
                }));
            }
            for thread in threads {
                let _ = thread.join();
            }
        });
        Self { address, open, listener: Some(listener) }
    }

    /// Its address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.open.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        for stream in self.open.streams.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}
