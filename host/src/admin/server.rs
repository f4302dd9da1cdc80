use std::convert::Infallible;
use std::future::{Future, ready};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use countersign::Error;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::guard::Guard;
use super::overview::Source;
use super::pages;
use crate::proxy::listen::{AcceptPause, Bound, Socket};

/// The server for the pages, before it runs.
#[derive(Debug)]
pub(crate) struct Admin(Vec<(Listener, Guard, Bound)>);

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Connections at a time; further ones wait.
const MOST_CONNECTIONS: usize = 32;
/// How large a request's head may be, in bytes and in fields.
const MOST_HEAD: usize = 16 << 10;
const MOST_FIELDS: usize = 64;
/// How long a client may take for a head, and how long a connection is kept on which nothing is asked.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection lasts at most, that none is held by who does not read.
const LONGEST: Duration = Duration::from_secs(120);

impl Admin {
    /// On these sockets; within a Tokio runtime.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when other machines can reach one of them: the pages have no
    /// access control.
    pub(crate) fn on(sockets: Vec<Bound>) -> Result<Self, Error> {
        sockets.into_iter().map(listener).collect::<Result<_, _>>().map(Self)
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, source: Arc<dyn Source>) {
        let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut loops = JoinSet::new();
        for (listener, guard, bound) in self.0 {
            loops.spawn(accept(listener, guard, bound, Arc::clone(&source), Arc::clone(&permits)));
        }
        while loops.join_next().await.is_some() {}
    }
}

fn listener(bound: Bound) -> Result<(Listener, Guard, Bound), Error> {
    let failed = |error: io::Error| Error::config(format!("cannot serve on {bound}: {error}"));
    let (listener, guard) = match bound.handle().map_err(failed)? {
        Socket::Tcp(socket) => {
            let address = socket.local_addr().map_err(failed)?;
            if !address.ip().to_canonical().is_loopback() {
                return Err(Error::config(format!(
                    "{address} can be reached from other machines, and the admin pages have no access control; \
                     use a loopback address or a unix socket"
                )));
            }
            (TcpListener::from_std(socket).map(Listener::Tcp), Guard::Tcp(address))
        }
        Socket::Unix(socket) => (UnixListener::from_std(socket).map(Listener::Unix), Guard::Unix),
    };
    Ok((listener.map_err(failed)?, guard, bound))
}

/// Accepts for ever; `_bound` keeps a unix socket's file until then.
async fn accept(
    listener: Listener,
    guard: Guard,
    _bound: Bound,
    source: Arc<dyn Source>,
    permits: Arc<Semaphore>,
) {
    let mut connections = JoinSet::new();
    let mut pause = AcceptPause::default();
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let source = Arc::clone(&source);
        let accepted = match &listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                connections.spawn(async move {
                    converse(stream, guard, source).await;
                    drop(permit);
                });
            }),
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                connections.spawn(async move {
                    converse(stream, guard, source).await;
                    drop(permit);
                });
            }),
        };
        match accepted {
            Ok(()) => pause.accepted(),
            Err(error) => {
                if let Some(pause) = pause.after(&error) {
                    sleep(pause).await;
                }
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// One connection. What goes wrong on it is the client's affair.
fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    guard: Guard,
    source: Arc<dyn Source>,
) -> impl Future<Output = ()> + Send {
    let service =
        service_fn(move |request| ready(Ok::<_, Infallible>(pages::answer(&request, guard, &*source))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MOST_HEAD)
        .max_headers(MOST_FIELDS)
        .serve_connection(TokioIo::new(stream), service);
    async move {
        if let Ok(Err(error)) = timeout(LONGEST, connection).await {
            tracing::debug!(%error, "a connection to the admin listener failed");
        }
    }
}
