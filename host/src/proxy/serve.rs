use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::access::Access;
use super::doors::Doors;
use super::generation::{Door, Generation};
use super::listen::{self, Inherited, Socket};
use super::stats::Stats;
use super::worker::{self, Command, Shared};
use crate::Host;
use crate::admin::{
    Admin, ConnectorOverview, ListenerOverview, Overview, PluginOverview, ProfileOverview, ReloadHistory,
    Source,
};
use crate::config::{self, Finding, Findings, Listen, ServeConfig};

/// What is said in place of what `[serve]` says.
#[derive(Debug, Default)]
pub struct Overrides {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// Who may come over TCP.
    pub access: Option<config::Access>,
    /// Where health, metrics and status are told.
    pub admin: Option<Listen>,
    /// How many threads serve.
    pub threads: Option<usize>,
    inherited: Inherited,
}

impl Overrides {
    /// Takes over the listening sockets that whoever started the process has opened (`LISTEN_FDS`, socket activation), for
    /// `listen = "systemd"`. To be called once, while the process has one thread, for it changes the environment.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when one of them is no stream socket that listens.
    pub fn inherit_sockets(&mut self) -> Result<(), countersign::Error> {
        self.inherited = Inherited::from_env()?;
        Ok(())
    }
}

/// The running proxy: it listens, and forwards what comes to the connectors' upstreams with their credentials.
///
/// It runs on threads of its own. Dropping it ends it at once; [`drain`](Proxy::drain) first lets calls end that are
/// under way.
///
/// # Example
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::path::Path;
/// use std::time::Duration;
///
/// use countersign_host::{Host, Overrides, Proxy};
///
/// let config = Path::new("countersign.toml");
/// let proxy = Proxy::start(Host::start(config).await?, config, Overrides::default())?;
/// println!("{:?}", proxy.listeners());
/// tokio::time::sleep(Duration::from_secs(60)).await;
/// proxy.drain(Duration::from_secs(30)).await;
/// # Ok(())
/// # }
/// ```
pub struct Proxy {
    state: Arc<State>,
    workers: Vec<Worker>,
    /// Held while the configuration is changed.
    reloading: tokio::sync::Mutex<()>,
    overrides: Overrides,
    admin: Option<AbortHandle>,
}

/// What there is to tell of.
struct State {
    shared: Arc<Shared>,
    doors: Mutex<Doors>,
    path: PathBuf,
    started: SystemTime,
    draining: AtomicBool,
    reloads: ReloadHistory,
}

struct Worker {
    commands: UnboundedSender<Command>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Serves what a host's configuration says; `path` is its file. It has to be called within a Tokio runtime, on which
    /// health, metrics and status are told.
    ///
    /// # Errors
    /// What is wrong with `[serve]`, an address that cannot be listened on, a token file that cannot be used.
    pub fn start(host: Host, path: &Path, mut overrides: Overrides) -> Result<Self, Findings> {
        let config = serve_config(&host, path, &overrides)?;
        let mut doors = Doors::new(std::mem::take(&mut overrides.inherited));
        let opened = doors.open(&host, &config)?;
        let admin = config.admin.as_ref().map(|listen| admin_on(listen, &doors, &config)).transpose()?;
        let generation = Generation::new(host, &config, &opened, None)?;
        let shared = Arc::new(Shared {
            generation: ArcSwap::from_pointee(generation),
            number: AtomicU64::new(1),
            stats: Arc::new(Stats::default()),
            connections: AtomicUsize::new(0),
        });
        let threads =
            config.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let workers = (0..threads).map(|index| Worker::start(index, Arc::clone(&shared)));
        let workers: Result<_, String> = workers.collect();
        let state = Arc::new(State {
            shared,
            doors: Mutex::new(doors),
            path: path.to_owned(),
            started: SystemTime::now(),
            draining: AtomicBool::new(false),
            reloads: ReloadHistory::default(),
        });
        let proxy = Self {
            workers: workers.map_err(|error| Findings::from(config.site.finding_at("threads", error)))?,
            reloading: tokio::sync::Mutex::default(),
            overrides,
            admin: admin.map(|admin| {
                let source: Arc<dyn Source> = Arc::clone(&state) as Arc<dyn Source>;
                tokio::spawn(admin.serve(source)).abort_handle()
            }),
            state,
        };
        let sockets = proxy.sockets(&opened, &config)?;
        proxy.enter(opened, sockets);
        Ok(proxy)
    }

    /// Reads the configuration anew and serves what it says from then on; calls under way end as they began. What did
    /// not change keeps its credentials, and listeners that are still wanted stay open. The number of threads and the
    /// address of health, metrics and status are those of the start.
    ///
    /// # Errors
    /// What is wrong with it; then everything stays as it was.
    pub async fn reload(&self) -> Result<(), Findings> {
        let _one_at_a_time = self.reloading.lock().await;
        let old = self.host();
        let outcome = match old.reload(&self.state.path).await {
            Ok(host) => self.replace(host).inspect_err(|_| old.refuse(&self.state.path)),
            Err(findings) => Err(findings),
        };
        match &outcome {
            Ok(()) => self.state.reloads.succeeded(SystemTime::now()),
            Err(findings) => self.state.reloads.failed(SystemTime::now(), findings.to_string()),
        }
        outcome
    }

    fn replace(&self, host: Host) -> Result<(), Findings> {
        let config = serve_config(&host, &self.state.path, &self.overrides)?;
        let opened = self.state.doors().open(&host, &config)?;
        let before = self.state.shared.generation.load_full();
        let generation = Generation::new(host, &config, &opened, Some(&before))?;
        let sockets = self.sockets(&opened, &config)?;
        // From here on nothing fails.
        self.state.shared.generation.store(Arc::new(generation));
        self.state.shared.number.fetch_add(1, Ordering::Release);
        self.enter(opened, sockets);
        self.tell(|| Command::Refresh);
        Ok(())
    }

    /// A handle for each worker of each listener that is not open yet.
    fn sockets(
        &self,
        opened: &[Arc<Door>],
        config: &ServeConfig,
    ) -> Result<Vec<(u64, Vec<Socket>)>, Findings> {
        let doors = self.state.doors();
        let new = opened.iter().filter(|door| doors.all().iter().all(|open| open.id != door.id));
        new.map(|door| {
            let sockets: Result<_, _> = self.workers.iter().map(|_| door.bound.handle()).collect();
            let wrong = |error: std::io::Error| {
                Findings::from(config.site.finding_at("listen", format!("{}: {error}", door.listen)))
            };
            Ok((door.id, sockets.map_err(wrong)?))
        })
        .collect()
    }

    /// Takes connections from these listeners, and from no others.
    fn enter(&self, opened: Vec<Arc<Door>>, new: Vec<(u64, Vec<Socket>)>) {
        for door in self.state.doors().replace(opened) {
            self.tell(|| Command::Leave(door.id));
            tracing::info!(listener = %door.listen, "listens there no more");
        }
        for (door, sockets) in new {
            for (worker, socket) in self.workers.iter().zip(sockets) {
                // A worker that is gone needs no socket.
                let _ = worker.commands.send(Command::Listen(door, socket));
            }
        }
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
        self.state.draining.store(true, Ordering::Relaxed);
        // Who still knocks is to be told by the system that nobody listens. Before the workers hear of it: between their last look
        // into the queue and the end of the socket nobody is let in any more.
        self.state.doors().replace(Vec::new());
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

    /// The file with the token that clients send, if one of the listeners wants it.
    pub fn token_file(&self) -> Option<PathBuf> {
        let generation = self.state.shared.generation.load();
        let wants = self.state.doors().all().iter().any(|door| {
            generation.entrance(door.id).is_some_and(|entrance| matches!(entrance.access, Access::Token(_)))
        });
        generation.host().serve().filter(|_| wants).map(|config| config.token_file.clone())
    }

    /// What it serves now.
    pub fn host(&self) -> Host {
        self.state.shared.generation.load().host().clone()
    }

    /// Where it listens, as a person reads it: with the port that the system chose where none was given.
    pub fn listeners(&self) -> Vec<String> {
        self.state.doors().all().iter().map(|door| door.address()).collect()
    }

    /// Connections of clients.
    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.state.shared.connections.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn generation(&self) -> Arc<Generation> {
        self.state.shared.generation.load_full()
    }

    /// Where there is more to tell than listeners and such.
    #[cfg(feature = "otel")]
    pub(crate) fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.state) as Arc<dyn Source>
    }

    /// How long calls under way have when it ends.
    pub fn drain_time(&self) -> Duration {
        self.host().serve().map_or(Duration::from_secs(30), |config| config.drain)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(admin) = &self.admin {
            admin.abort();
        }
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("listeners", &self.listeners()).finish_non_exhaustive()
    }
}

impl State {
    fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for State {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn overview(&self) -> Overview {
        let generation = self.shared.generation.load_full();
        let listener = |door: &Arc<Door>| {
            let entrance = generation.entrance(door.id);
            let own = entrance.and_then(|entrance| entrance.own);
            ListenerOverview {
                address: door.address(),
                connector: own.map(|index| generation.served(index).connector.name().to_owned()),
                access: match (entrance.map(|entrance| &entrance.access), door.bound.tcp_address()) {
                    (Some(Access::Token(_)), _) => "token",
                    (_, Some(_)) => "any-local-process",
                    (_, None) => "peer",
                },
            }
        };
        let connectors = generation.all_served().iter();
        Overview {
            draining: self.is_draining(),
            started: self.started,
            now: SystemTime::now(),
            config: self.path.clone(),
            reloads: self.reloads.so_far(),
            listeners: self.doors().all().iter().map(listener).collect(),
            connectors: connectors.map(|served| ConnectorOverview::from(&*served.connector)).collect(),
            profiles: generation.host().profiles().map(ProfileOverview::from).collect(),
            plugins: generation.host().types().plugins().map(PluginOverview::from).collect(),
            totals: self.shared.stats.totals(),
        }
    }
}

impl Worker {
    fn start(index: usize, shared: Arc<Shared>) -> Result<Self, String> {
        let (commands, received) = unbounded_channel();
        let thread =
            std::thread::Builder::new().name(format!("countersign-proxy-{index}")).spawn(move || {
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

fn admin_on(listen: &Listen, doors: &Doors, config: &ServeConfig) -> Result<Admin, Findings> {
    let wrong =
        |error: countersign::Error| Findings::from(config.site.finding_at("admin", error.to_string()));
    let bound = listen::bind(listen, doors.inherited(), &[]).map_err(wrong)?;
    let addresses: Vec<String> = bound.iter().map(ToString::to_string).collect();
    tracing::info!(addresses = addresses.join(", "), "tells health, metrics and status");
    Admin::on(bound).map_err(wrong)
}

/// What `[serve]` and the command line say together.
fn serve_config(host: &Host, path: &Path, overrides: &Overrides) -> Result<ServeConfig, Findings> {
    let Some(config) = host.serve() else {
        let finding = Finding::about(path, "has no `[serve]`, which says where to listen and for whom");
        return Err(finding.with_help(WAYS).into());
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

/// The ways to listen.
pub(super) const WAYS: &str = "add `[serve]` with `listen = \"127.0.0.1:7070\"` and `access = \"token\"`, or with \
                               `listen = \"unix:/run/countersign.sock\"`";
