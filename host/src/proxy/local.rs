use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use countersign::{ClientCertificate, Error};

use super::deadline::Deadlines;
use super::generation::{Generation, Served};
use super::stats::{Stats, WorkerStats};
use super::upstream::{Target, Tls, Upstream};
use crate::transport::identity_of;

/// One configuration on one thread: with the connections to upstreams and the counters that are this thread's own.
///
/// Calls that are under way keep the one with which they began.
pub(crate) struct Local {
    generation: Arc<Generation>,
    stats: WorkerStats,
    deadlines: Rc<Deadlines>,
    upstreams: Vec<OnceCell<Rc<Upstream>>>,
    /// Connections that present a client certificate, by connector and certificate: never shared between identities.
    identities: RefCell<HashMap<Identity, Rc<Upstream>>>,
}

/// A connector and a certificate's digest.
type Identity = (usize, [u8; 32]);

/// How many identities connections are kept for.
const MOST_IDENTITIES: usize = 256;

impl Local {
    pub(crate) fn new(generation: Arc<Generation>, stats: &Stats, deadlines: Rc<Deadlines>) -> Rc<Self> {
        let served = generation.all_served();
        let stats = stats.worker(served.iter().map(|served| Arc::clone(served.connector.shared_name())));
        let upstreams = served.iter().map(|_| OnceCell::new()).collect();
        Rc::new(Self { stats, deadlines, upstreams, identities: RefCell::default(), generation })
    }

    pub(crate) const fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    pub(crate) const fn stats(&self) -> &WorkerStats {
        &self.stats
    }

    pub(crate) const fn deadlines(&self) -> &Rc<Deadlines> {
        &self.deadlines
    }

    /// The connections to a connector's upstream, for calls that present that certificate or none.
    ///
    /// # Errors
    /// When the certificate cannot be used.
    pub(crate) fn upstream(
        &self,
        index: usize,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Rc<Upstream>, Error> {
        let Some(certificate) = certificate else {
            return Ok(Rc::clone(self.upstreams[index].get_or_init(|| {
                let tls = self.generation.served(index).tls.as_ref().map(|(_, tls)| tls.clone());
                Rc::new(Upstream::new(self.target(index, tls)))
            })));
        };
        let key = (index, identity_of(certificate));
        if let Some(known) = self.identities.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let tls = match &self.generation.served(index).tls {
            Some((trust, _)) => Some(Tls::new(trust, Some(certificate))?),
            None => {
                return Err(Error::config(
                    "a client certificate cannot be presented without TLS; use https://",
                ));
            }
        };
        let upstream = Rc::new(Upstream::new(self.target(index, tls)));
        let mut identities = self.identities.borrow_mut();
        if identities.len() >= MOST_IDENTITIES {
            identities.clear();
        }
        identities.insert(key, Rc::clone(&upstream));
        Ok(upstream)
    }

    fn target(&self, index: usize, tls: Option<Tls>) -> Target {
        let Served { connector, proxy, .. } = &**self.generation.served(index);
        Target {
            proxy: proxy.clone(),
            origin: connector.base_url().origin().clone(),
            tls,
            connect_timeout: connector.serve().connect_timeout,
            idle_timeout: IDLE_CONNECTION,
        }
    }

    /// Drops connections that nobody used for a while.
    pub(crate) fn sweep(&self, now: Instant) {
        self.upstreams.iter().filter_map(OnceCell::get).for_each(|upstream| upstream.sweep(now));
        self.identities.borrow_mut().retain(|_, upstream| {
            upstream.sweep(now);
            Rc::strong_count(upstream) > 1 || upstream.idle() > 0
        });
    }
}

/// How long an unused connection to an upstream is kept; most servers give up theirs after 60 s or more.
const IDLE_CONNECTION: std::time::Duration = std::time::Duration::from_secs(50);
