//! The pages, over a proxy whose profiles are caches with a scripted issuer.

mod checker;
mod host;
mod metrics;
mod pages;
mod server;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign::protocol::Start;
use countersign::{Caller, Challenge, Credential, Error, Inputs, Origin};
use http::Request;
use http_body_util::BodyExt;
use tokio::runtime::Handle;

use super::guard::Guard;
use super::{
    ConnectorOverview, ListenerOverview, Overview, PluginOverview, ProfileOverview, ReloadHistory, Source,
    pages as served,
};
use crate::acquire::{Acquire, BoxFuture};
use crate::cache::{Clock, Environment, Jitter, ManualClock, MemoryStore, ProfileCache, Settings};
use crate::instance::Signing;
use crate::plugin::{Cause, Condition, LastFailure, PluginStatus};
use crate::proxy::stats::Stats;

/// A secret that looks like nothing else.
const CANARY: &str = "cAnArY-4f9b27-SiNgS-n0where";

struct Issuer {
    inputs: Inputs,
    /// What it answers with in place of a credential.
    error: Mutex<Option<Error>>,
}

impl Acquire for Issuer {
    fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    fn acquire(self: Arc<Self>, _: Start) -> BoxFuture<'static, Result<Credential, Error>> {
        let secret = || {
            let credential = Credential::header("authorization", format!("Bearer {CANARY}"));
            credential.valid_for(Duration::from_secs(3600))
        };
        let answer = self.error.lock().unwrap().clone().map_or_else(|| Ok(secret()), Err);
        Box::pin(std::future::ready(answer))
    }

    fn signer(&self, _: Credential) -> BoxFuture<'_, Result<Signing, Error>> {
        Box::pin(async { Err(Error::unsupported("this issuer does not sign")) })
    }
}

/// Two connectors: `orders` uses the profile `jwt`, `crm` the profile `users`, which has a credential for each user.
/// The profile `spare` is used by none.
struct Proxy {
    clock: ManualClock,
    profiles: Vec<(&'static str, Arc<Issuer>, ProfileCache)>,
    stats: Stats,
    history: ReloadHistory,
    draining: AtomicBool,
    plugins: Mutex<Vec<PluginOverview>>,
}

impl Proxy {
    fn new() -> Arc<Self> {
        let clock = Clock::manual(at(1_000_000));
        let profile = |name, inputs| {
            let issuer = Arc::new(Issuer { inputs, error: Mutex::default() });
            let settings = Settings {
                acquire: Arc::clone(&issuer) as Arc<dyn Acquire>,
                default_lifetime: Duration::from_secs(300),
                store_as: CANARY.to_owned(),
            };
            let environment = Arc::new(Environment {
                clock: clock.clock(),
                store: Arc::new(MemoryStore::new()),
                jitter: Jitter::seeded(7),
                runtime: Handle::current(),
            });
            (name, issuer, ProfileCache::new(name, settings, environment))
        };
        let profiles = vec![
            profile("jwt", Inputs::none()),
            profile("spare", Inputs::none()),
            profile("users", Inputs::none().caller("user")),
        ];
        let (stats, history) = (Stats::default(), ReloadHistory::default());
        let (draining, plugins) = (AtomicBool::new(false), Mutex::default());
        Arc::new(Self { clock, profiles, stats, history, draining, plugins })
    }

    fn profile(&self, name: &str) -> (&Issuer, &ProfileCache) {
        let (_, issuer, cache) = self.profiles.iter().find(|(known, ..)| *known == name).unwrap();
        (issuer, cache)
    }

    fn fails_from_now_on(&self, name: &str, error: Error) {
        *self.profile(name).0.error.lock().unwrap() = Some(error);
    }

    fn works_again(&self, name: &str) {
        *self.profile(name).0.error.lock().unwrap() = None;
    }

    /// What a call on behalf of that user carries, or why it does not go.
    async fn call(&self, name: &str, user: &str) -> Result<String, String> {
        let (caller, cache) = (Caller::from_iter([("user", user)]), self.profile(name).1);
        let snapshot = cache.current(&caller, &target()).await.map_err(|failure| failure.to_string())?;
        Ok(snapshot.headers()[0].1.to_str().unwrap().to_owned())
    }

    fn reject(&self, name: &str, user: &str) {
        let (caller, cache) = (Caller::from_iter([("user", user)]), self.profile(name).1);
        let generation = cache.try_current(&caller, &target()).unwrap().generation();
        cache.reject(&caller, &target(), generation, Challenge { status: 401, headers: Vec::new() });
    }

    /// One that is not well.
    fn has_a_plugin(&self) {
        let mut status = PluginStatus::well().with_process(Some(4711));
        (status.condition, status.starts, status.refused, status.stuck) = (Condition::Quarantined, 6, 7, 1);
        status.failures = vec![(Cause::Crash, 5), (Cause::Stuck, 1)];
        let (words, ago) = ("was killed by SIGSEGV".to_owned(), Duration::from_secs(10));
        status.last_failure = Some(LastFailure { cause: Cause::Crash, words, ago });
        self.plugins.lock().unwrap().push(PluginOverview {
            name: "acme-login".to_owned(),
            version: "1.2.3".to_owned(),
            file: "/etc/countersign/plugins/libacme_login.so".into(),
            isolation: "process",
            types: vec!["acme-login".to_owned()],
            status,
        });
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let request = Request::get(path).header("host", "localhost:7071").body(()).unwrap();
        self.answer(&request, tcp()).await
    }

    async fn answer(&self, request: &Request<()>, guard: Guard) -> (u16, String) {
        let answer = served::answer(request, guard, self);
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

impl Source for Proxy {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn overview(&self) -> Overview {
        let connector = |name: &str, profile: &str| ConnectorOverview {
            name: name.into(),
            origin: format!("https://{name}.example"),
            profiles: vec![profile.into()],
        };
        let profiles = self.profiles.iter().map(|(name, _, cache)| ProfileOverview {
            name: (*name).into(),
            type_name: "bearer".into(),
            plugin: (*name == "spare").then(|| "/etc/countersign/plugins/acme.so".into()),
            status: cache.status(),
        });
        Overview {
            draining: self.is_draining(),
            started: at(1_000_000),
            now: self.clock.clock().tick().wall,
            config: "countersign.toml".into(),
            reloads: self.history.so_far(),
            listeners: vec![ListenerOverview {
                address: "127.0.0.1:7070".into(),
                connector: None,
                access: "token",
            }],
            connectors: vec![connector("crm", "users"), connector("orders", "jwt")],
            profiles: profiles.collect(),
            plugins: self.plugins.lock().unwrap().clone(),
            totals: self.stats.totals(),
        }
    }
}

fn tcp() -> Guard {
    Guard::Tcp("127.0.0.1:7071".parse().unwrap())
}

fn target() -> Origin {
    "https://orders.example".parse().unwrap()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}
