//! From the addresses of a configuration to sockets that listen: TCP, unix, and those that whoever started the process
//! has opened already. Not here: accepting, and who may use the proxy.

mod accept;
mod inherited;
mod unix;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;

use countersign::Error;
use socket2::{Domain, Type};

pub(crate) use accept::{AcceptPause, own_uid, peer_uid};
pub(crate) use inherited::Inherited;
use unix::SocketFile;

pub(crate) use crate::config::Listen;

/// Connections that wait to be accepted, at most; the system may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 1024;

/// Opens what an address means: one socket, or as many as were inherited. `named` are the names by which the
/// configuration's listeners, this one or others, ask for inherited sockets.
///
/// # Errors
/// [`Config`](countersign::ErrorKind::Config): why the address cannot be listened on, and what can be done.
pub(crate) fn bind(listen: &Listen, inherited: &Inherited, named: &[&str]) -> Result<Vec<Bound>, Error> {
    match listen {
        Listen::Tcp(address) => Ok(vec![tcp(*address)?]),
        Listen::Unix(path) => Ok(vec![unix::bind(path)?]),
        Listen::Inherited(Some(name)) => inherited.of_name(name),
        Listen::Inherited(None) => inherited.of_no_name(named),
    }
}

/// A socket that listens, non-blocking. It is closed when it and every handle of it are dropped; a unix socket's file
/// is removed with this value, if it still is this socket's.
#[derive(Debug)]
pub(crate) struct Bound {
    /// First, so that the path is gone before nobody listens.
    file: Option<SocketFile>,
    socket: Socket,
}

impl Bound {
    /// One more handle of the socket, for a worker that accepts from it.
    ///
    /// # Errors
    /// When the process has no more file descriptors.
    pub(crate) fn handle(&self) -> io::Result<Socket> {
        self.socket.try_clone()
    }

    /// The address of a TCP socket, with the port that the system chose.
    pub(crate) fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(_) => None,
        }
    }
}

/// `127.0.0.1:7070`, `unix:/run/countersign/proxy.sock`.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Socket::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.fmt(f),
                Err(_) => f.write_str("tcp"),
            },
            Socket::Unix(listener) => {
                let address = listener.local_addr().ok();
                let path = self.file.as_ref().map(SocketFile::path);
                match path.or_else(|| address.as_ref()?.as_pathname()) {
                    Some(path) => write!(f, "unix:{}", Path::display(path)),
                    None => f.write_str("unix"),
                }
            }
        }
    }
}

/// A handle of a listening socket, as `tokio` takes it over.
#[derive(Debug)]
pub(crate) enum Socket {
    /// TCP.
    Tcp(TcpListener),
    /// Unix.
    Unix(UnixListener),
}

impl Socket {
    fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(listener) => listener.try_clone().map(Self::Tcp),
            Self::Unix(listener) => listener.try_clone().map(Self::Unix),
        }
    }
}

fn tcp(address: SocketAddr) -> Result<Bound, Error> {
    let open = || {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Bound { socket: Socket::Tcp(socket.into()), file: None })
    };
    open().map_err(|error: io::Error| {
        let message = match error.kind() {
            io::ErrorKind::AddrInUse => format!("address in use: another process listens on {address}"),
            io::ErrorKind::AddrNotAvailable => format!("no interface of this machine has {}", address.ip()),
            io::ErrorKind::PermissionDenied => format!(
                "this user may not listen on {address}; take a port from 1024 on, or have the service manager open it"
            ),
            _ => format!("cannot listen on {address}: {error}"),
        };
        Error::config(message)
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn message(bound: Result<Vec<Bound>, Error>) -> String {
        bound.unwrap_err().to_string()
    }

    #[test]
    fn a_tcp_address_is_listened_on_by_one_and_said_to_be_in_use_by_the_next() {
        let none = Inherited::none();
        let mut bound = bind(&Listen::Tcp("127.0.0.1:0".parse().unwrap()), &none, &[]).unwrap();
        let address = bound[0].tcp_address().unwrap();
        assert_eq!(bound[0].to_string(), address.to_string());
        let Socket::Tcp(handle) = bound[0].handle().unwrap() else { panic!("no TCP socket") };
        assert_eq!(handle.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let _client = TcpStream::connect(address).unwrap();
        let in_use = format!("address in use: another process listens on {address}");
        assert_eq!(message(bind(&Listen::Tcp(address), &none, &[])), in_use);
        // Connections that linger in TIME_WAIT do not keep the next process from the address.
        drop((handle.accept().unwrap(), handle, bound.pop()));
        assert!(bind(&Listen::Tcp(address), &none, &[]).is_ok());
    }

    #[test]
    fn an_address_of_another_machine_is_said_to_be_so() {
        let elsewhere = Listen::Tcp("192.0.2.1:7070".parse().unwrap());
        let said = message(bind(&elsewhere, &Inherited::none(), &[]));
        assert_eq!(said, "no interface of this machine has 192.0.2.1");
    }
}
