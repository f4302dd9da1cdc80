use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use slab::Slab;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_local;

use super::client::Client;
use super::deadline::Deadlines;
use super::generation::Generation;
use super::listen::{AcceptPause, Socket, peer_uid};
use super::local::Local;
use super::stats::{Refusal, Stats};

/// What the workers share with whoever commands them.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) generation: ArcSwap<Generation>,
    /// Which generation that is: workers look at this before each request.
    pub(crate) number: AtomicU64,
    pub(crate) stats: Arc<Stats>,
    /// Clients' connections, of all workers.
    pub(crate) connections: AtomicUsize,
}

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Take connections from this listener.
    Listen(u64, Socket),
    /// Take no more from it; those that came stay.
    Leave(u64),
    /// There is another configuration. Workers see that by themselves when a request comes; one without requests would
    /// keep the old one alive.
    Refresh,
    /// Take no more connections, answer what was asked, and say when all is done.
    Drain(oneshot::Sender<()>),
}

/// One thread that takes connections and serves them: all of a connection, and the connections to upstreams that its
/// calls use, stay on it.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    local: RefCell<(u64, Rc<Local>)>,
    deadlines: Rc<Deadlines>,
    clients: RefCell<Slab<Rc<Client>>>,
    doors: RefCell<HashMap<u64, Rc<Notify>>>,
    draining: Cell<bool>,
    changed: Notify,
}

/// How often slow and idle connections are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// How long a request may take from a client to here.
const ON_ITS_WAY: Duration = Duration::from_millis(100);

/// Runs a worker on the calling thread until its commander hangs up.
///
/// # Errors
/// When the thread cannot wait for sockets.
pub(crate) fn run(shared: Arc<Shared>, commands: UnboundedReceiver<Command>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async move {
        let worker = Worker::new(shared);
        let deadlines = Rc::clone(&worker.deadlines);
        let ticking = spawn_local(async move { deadlines.run().await });
        let sweeping = spawn_local(Rc::clone(&worker).sweep());
        worker.obey(commands).await;
        ticking.abort();
        sweeping.abort();
    });
    // Whoever still asks the resolver for a name is not waited for.
    runtime.shutdown_background();
    Ok(())
}

impl Worker {
    fn new(shared: Arc<Shared>) -> Rc<Self> {
        let deadlines = Deadlines::new();
        let number = shared.number.load(Ordering::Acquire);
        let local = Local::new(shared.generation.load_full(), &shared.stats, Rc::clone(&deadlines));
        Rc::new(Self {
            local: RefCell::new((number, local)),
            deadlines,
            clients: RefCell::default(),
            doors: RefCell::default(),
            draining: Cell::new(false),
            changed: Notify::new(),
            shared,
        })
    }

    /// The configuration that holds now.
    #[inline]
    pub(crate) fn local(&self) -> Rc<Local> {
        let number = self.shared.number.load(Ordering::Acquire);
        let mut local = self.local.borrow_mut();
        if local.0 != number {
            let generation = self.shared.generation.load_full();
            *local = (number, Local::new(generation, &self.shared.stats, Rc::clone(&self.deadlines)));
        }
        Rc::clone(&local.1)
    }

    /// Whether this is the end, and clients are to send no more.
    #[inline]
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    async fn obey(self: &Rc<Self>, mut commands: UnboundedReceiver<Command>) {
        while let Some(command) = commands.recv().await {
            match command {
                Command::Listen(door, socket) => {
                    let closed = Rc::new(Notify::new());
                    self.doors.borrow_mut().insert(door, Rc::clone(&closed));
                    spawn_local(Rc::clone(self).listen(door, socket, closed));
                }
                Command::Leave(door) => self.leave(door),
                Command::Refresh => drop(self.local()),
                Command::Drain(done) => {
                    spawn_local(Rc::clone(self).drain(done));
                }
            }
        }
    }

    fn leave(&self, door: u64) {
        if let Some(closed) = self.doors.borrow_mut().remove(&door) {
            closed.notify_one();
        }
    }

    async fn listen(self: Rc<Self>, door: u64, socket: Socket, closed: Rc<Notify>) {
        let outcome = match socket {
            Socket::Tcp(listener) => self.listen_tcp(door, listener, &closed).await,
            Socket::Unix(listener) => self.listen_unix(door, listener, &closed).await,
        };
        if let Err(error) = outcome {
            tracing::error!(%error, "a listener cannot be used");
        }
    }

    async fn listen_tcp(
        self: &Rc<Self>,
        door: u64,
        listener: std::net::TcpListener,
        closed: &Notify,
    ) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        tokio::select! {
            () = self.take_tcp(door, &listener) => {}
            () = closed.notified() => {}
        }
        // Who was put through before the end is let in.
        let listener = listener.into_std()?;
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true)?;
            self.serve_tcp(door, TcpStream::from_std(stream)?);
        }
        Ok(())
    }

    async fn listen_unix(
        self: &Rc<Self>,
        door: u64,
        listener: std::os::unix::net::UnixListener,
        closed: &Notify,
    ) -> io::Result<()> {
        let listener = UnixListener::from_std(listener)?;
        tokio::select! {
            () = self.take_unix(door, &listener) => {}
            () = closed.notified() => {}
        }
        let listener = listener.into_std()?;
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true)?;
            self.serve_unix(door, UnixStream::from_std(stream)?);
        }
        Ok(())
    }

    async fn take_tcp(self: &Rc<Self>, door: u64, listener: &TcpListener) {
        let mut pause = AcceptPause::default();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    pause.accepted();
                    self.serve_tcp(door, stream);
                }
                Err(error) => wait(&mut pause, &error).await,
            }
        }
    }

    async fn take_unix(self: &Rc<Self>, door: u64, listener: &UnixListener) {
        let mut pause = AcceptPause::default();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    pause.accepted();
                    self.serve_unix(door, stream);
                }
                Err(error) => wait(&mut pause, &error).await,
            }
        }
    }

    fn serve_tcp(self: &Rc<Self>, door: u64, stream: TcpStream) {
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        self.serve(door, None, stream);
    }

    fn serve_unix(self: &Rc<Self>, door: u64, stream: UnixStream) {
        let entrance = self.local().generation().entrance(door).cloned();
        match (entrance, peer_uid(&stream)) {
            (Some(entrance), Ok(uid)) if entrance.uids.contains(&uid) => self.serve(door, Some(uid), stream),
            // Without a word: who may not come in has nothing to learn here.
            _ => self.local().stats().refused(Refusal::Access),
        }
    }

    fn serve<S>(self: &Rc<Self>, door: u64, uid: Option<u32>, stream: S)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let local = self.local();
        let others = self.shared.connections.fetch_add(1, Ordering::Relaxed);
        if others >= local.generation().limits().max_connections {
            self.shared.connections.fetch_sub(1, Ordering::Relaxed);
            local.stats().refused(Refusal::TooMany);
            return;
        }
        local.stats().accepted();
        let client = Client::new(door, uid);
        let present =
            Present { key: self.clients.borrow_mut().insert(Rc::clone(&client)), worker: Rc::clone(self) };
        self.changed.notify_one();
        spawn_local(async move {
            client.serve(Rc::clone(&present.worker), stream).await;
            drop(present);
        });
    }

    /// Looks for connections that were slow or idle for too long; not at all while there are none.
    async fn sweep(self: Rc<Self>) {
        loop {
            if self.clients.borrow().is_empty() {
                self.local().sweep(Instant::now());
                self.changed.notified().await;
            }
            tokio::time::sleep(SWEEP).await;
            let (local, now) = (self.local(), Instant::now());
            local.sweep(now);
            for (_, client) in self.clients.borrow().iter() {
                client.look(now, local.generation().limits());
            }
        }
    }

    async fn drain(self: Rc<Self>, done: oneshot::Sender<()>) {
        self.draining.set(true);
        for (_, closed) in self.doors.borrow_mut().drain() {
            closed.notify_one();
        }
        // What is on its way already is answered, too; whoever says nothing by then is let go.
        tokio::time::sleep(ON_ITS_WAY).await;
        // Looked at now and then: this happens once in a process's life.
        while !self.clients.borrow().is_empty() || self.local().generation().is_busy() {
            for (_, client) in self.clients.borrow().iter() {
                client.finish();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let _ = done.send(());
    }
}

/// A client's connection among the others, until this is dropped: also when serving it panicked.
struct Present {
    worker: Rc<Worker>,
    key: usize,
}

impl Drop for Present {
    fn drop(&mut self) {
        self.worker.clients.borrow_mut().try_remove(self.key);
        self.worker.shared.connections.fetch_sub(1, Ordering::Relaxed);
        self.worker.local().stats().closed();
    }
}

async fn wait(pause: &mut AcceptPause, error: &io::Error) {
    if let Some(pause) = pause.after(error) {
        tokio::time::sleep(pause).await;
    }
}
