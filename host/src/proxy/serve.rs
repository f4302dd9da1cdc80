use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::generation::{Door, Generation};
use super::listen::{self, Inherited};
use super::stats::Stats;
use super::worker::{self, Command, Shared};
use crate::config::{Access, Finding, Findings, Listen, ServeConfig};
use crate::Host;

/// What the command line says in place of `[serve]`.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// Who may come over TCP.
    pub access: Option<Access>,
    /// Where health, metrics and status are told.
    pub admin: Option<Listen>,
    /// How many threads serve.
    pub threads: Option<usize>,
}

/// The running proxy: it listens, and forwards what comes to the connectors' upstreams with their credentials.
///
/// It runs on threads of its own. Dropping it ends it at once; [`drain`](Proxy::drain) first lets calls end that are
/// under way.
pub struct Proxy {
    shared: Arc<Shared>,
    workers: Vec<Worker>,
    doors: Mutex<Doors>,
    /// Held while the configuration is changed.
    reloading: tokio::sync::Mutex<()>,
    path: PathBuf,
    overrides: Overrides,
}

struct Worker {
    commands: UnboundedSender<Command>,
    thread: Option<JoinHandle<()>>,
}

/// The listeners of the process.
struct Doors {
    open: Vec<Arc<Door>>,
    next: u64,
    inherited: Inherited,
}

impl Proxy {
    /// Serves what a host's configuration says; `path` is its file.
    ///
    /// # Errors
    /// What is wrong with `[serve]`, an address that cannot be listened on, a token file that cannot be used.
    pub fn start(host: Host, path: &Path, overrides: Overrides) -> Result<Self, Findings> {
        let config = serve_config(&host, path, &overrides)?;
        let inherited =
            Inherited::from_env().map_err(|error| Findings::from(config.site.finding_at("listen", error.to_string())))?;
        let mut doors = Doors { open: Vec::new(), next: 0, inherited };
        let opened = doors.open(&host, &config)?;
        let generation = Generation::new(host, &config, &opened)?;
        let shared = Arc::new(Shared {
            generation: ArcSwap::from_pointee(generation),
            number: AtomicU64::new(1),
            stats: Arc::new(Stats::default()),
            connections: AtomicUsize::new(0),
        });
        let threads = config.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let mut workers = Vec::with_capacity(threads);
        for index in 0..threads {
            let worker = Worker::start(index, Arc::clone(&shared));
            workers.push(worker.map_err(|error| Findings::from(config.site.finding_at("threads", error)))?);
        }
        let proxy = Self { shared, workers, doors: Mutex::new(doors), reloading: tokio::sync::Mutex::default(), path: path.to_owned(), overrides };
        proxy.enter(opened, &config)?;
        Ok(proxy)
    }

    /// Reads the configuration anew and serves what it says from then on; calls under way end as they began. What did
    /// not change keeps its credentials, and listeners that are still wanted stay open.
    ///
    /// # Errors
    /// What is wrong with it; then everything stays as it was.
    pub async fn reload(&self) -> Result<(), Findings> {
        let _one_at_a_time = self.reloading.lock().await;
        let old = self.host();
        let host = old.reload(&self.path).await?;
        self.replace(host).inspect_err(|_| old.refuse(&self.path))
    }

    fn replace(&self, host: Host) -> Result<(), Findings> {
        let config = serve_config(&host, &self.path, &self.overrides)?;
        let opened = self.doors().open(&host, &config)?;
        let generation = Generation::new(host, &config, &opened)?;
        self.shared.generation.store(Arc::new(generation));
        self.shared.number.fetch_add(1, Ordering::Release);
        self.enter(opened, &config)?;
        self.tell(|| Command::Refresh);
        Ok(())
    }

    fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes connections from these listeners, and from no others.
    fn enter(&self, opened: Vec<Arc<Door>>, config: &ServeConfig) -> Result<(), Findings> {
        let mut doors = self.doors();
        for gone in doors.open.iter().filter(|door| !opened.iter().any(|other| other.id == door.id)) {
            self.tell(|| Command::Leave(gone.id));
            tracing::info!(listener = %gone.listen, "listens there no more");
        }
        for new in opened.iter().filter(|door| !doors.open.iter().any(|other| other.id == door.id)) {
            for worker in &self.workers {
                let socket = new.bound.handle().map_err(|error| {
                    Findings::from(config.site.finding_at("listen", format!("{}: {error}", new.listen)))
                })?;
                let _ = worker.commands.send(Command::Listen(new.id, socket));
            }
        }
        doors.open = opened;
        Ok(())
    }

    fn tell(&self, command: impl Fn() -> Command) {
        for worker in &self.workers {
            // A worker that is gone needs no command.
            let _ = worker.commands.send(command());
        }
    }

    /// Takes no more connections and waits until all calls under way have their answers, at most so long. Returns whether
    /// they had.
    pub async fn drain(&self, within: Duration) -> bool {
        let mut waiting = Vec::with_capacity(self.workers.len());
        for worker in &self.workers {
            let (done, finished) = oneshot::channel();
            if worker.commands.send(Command::Drain(done)).is_ok() {
                waiting.push(finished);
            }
        }
        let all = async {
            for finished in waiting {
                let _ = finished.await;
            }
        };
        tokio::time::timeout(within, all).await.is_ok()
    }

    /// What it serves now.
    pub fn host(&self) -> Host {
        self.shared.generation.load().host().clone()
    }

    /// Where it listens, as a person reads it: with the port that the system chose where none was given.
    pub fn listeners(&self) -> Vec<String> {
        let doors = self.doors();
        let shown = |door: &Arc<Door>| match door.bound.tcp_address() {
            Some(address) => format!("http://{address}"),
            None => door.listen.to_string(),
        };
        doors.open.iter().map(shown).collect()
    }

    pub(crate) fn stats(&self) -> &Arc<Stats> {
        &self.shared.stats
    }

    /// What `[serve]` and the command line say together.
    ///
    /// # Errors
    /// Neither says anything.
    pub fn config(&self) -> Result<ServeConfig, Findings> {
        serve_config(&self.host(), &self.path, &self.overrides)
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("listeners", &self.listeners()).finish_non_exhaustive()
    }
}

impl Worker {
    fn start(index: usize, shared: Arc<Shared>) -> Result<Self, String> {
        let (commands, received) = unbounded_channel();
        let thread = std::thread::Builder::new().name(format!("countersign-proxy-{index}")).spawn(move || {
            if let Err(error) = worker::run(shared, received) {
                tracing::error!(%error, "a thread of the proxy ended");
            }
        });
        let thread = thread.map_err(|error| format!("no thread can be started: {error}"))?;
        Ok(Self { commands, thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Hangs up, which ends the thread.
        self.commands = unbounded_channel().0;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Doors {
    /// The listeners that a configuration wants: those that are open, and new ones.
    fn open(&mut self, host: &Host, config: &ServeConfig) -> Result<Vec<Arc<Door>>, Findings> {
        let mut wanted: Vec<(Listen, Finding)> = Vec::new();
        for listen in &config.listen {
            wanted.push((listen.clone(), config.site.finding_at("listen", "")));
        }
        for name in host.connectors() {
            if let Some(listen) = host.connector(name).ok().and_then(|connector| connector.serve().listen.clone()) {
                wanted.push((listen, config.site.finding_at("", format!("the listener of the connector {name}: "))));
            }
        }
        if wanted.is_empty() {
            let finding = config.site.finding_at("", "names no address to listen on");
            return Err(finding.with_help("add `listen = \"127.0.0.1:7070\"` and `access = \"token\"`, or `listen = \"unix:/run/countersign.sock\"`").into());
        }
        let names: Vec<String> = wanted
            .iter()
            .filter_map(|(listen, _)| match listen {
                Listen::Inherited(Some(name)) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut doors: Vec<Arc<Door>> = Vec::new();
        for (listen, finding) in wanted {
            if doors.iter().any(|door| door.listen == listen) {
                continue;
            }
            let known: Vec<_> = self.open.iter().filter(|door| door.listen == listen).cloned().collect();
            if !known.is_empty() {
                doors.extend(known);
                continue;
            }
            let bound = listen::bind(&listen, &self.inherited, &names).map_err(|error| {
                let mut finding = finding;
                finding.message.push_str(&error.to_string());
                Findings::from(finding)
            })?;
            for bound in bound {
                doors.push(Arc::new(Door { id: self.next, listen: listen.clone(), bound }));
                self.next += 1;
            }
        }
        Ok(doors)
    }
}

fn serve_config(host: &Host, path: &Path, overrides: &Overrides) -> Result<ServeConfig, Findings> {
    let Some(config) = host.serve() else {
        let finding = Finding::about(path, "has no `[serve]`");
        return Err(finding.with_help("add `[serve]` with `listen = \"127.0.0.1:7070\"` and `access = \"token\"`").into());
    };
    let mut config = config.clone();
    if !overrides.listen.is_empty() {
        config.listen.clone_from(&overrides.listen);
    }
    config.access = overrides.access.or(config.access);
    config.admin = overrides.admin.clone().or(config.admin);
    config.threads = overrides.threads.or(config.threads);
    Ok(config)
}
