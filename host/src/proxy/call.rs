use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::StatusCode;

use super::client::Client;
use super::generation::Served;
use super::local::Local;

/// One call of a connector that is under way: it counts against the connector's limit until it is dropped.
pub(crate) struct Call {
    local: Rc<Local>,
    client: Rc<Client>,
    index: usize,
    began: Instant,
}

impl Call {
    /// A call begins; `None` when there are too many of the connector.
    pub(crate) fn begin(local: &Rc<Local>, client: &Rc<Client>, index: usize) -> Option<Self> {
        let served = local.generation().served(index);
        let others = served.under_way.fetch_add(1, Ordering::Relaxed);
        local.stats().connector(index).begin();
        client.begin();
        let call = Self { local: Rc::clone(local), client: Rc::clone(client), index, began: Instant::now() };
        (others < served.connector.serve().max_concurrent).then_some(call)
    }

    pub(crate) fn connector(&self) -> &str {
        self.served().connector.name()
    }

    pub(crate) fn served(&self) -> &Arc<Served> {
        self.local.generation().served(self.index)
    }

    /// The head of the upstream's answer goes to the client.
    pub(crate) fn answered(&self, status: StatusCode) {
        self.stats().answered(status.as_u16(), self.began.elapsed());
    }

    pub(crate) const fn client(&self) -> &Rc<Client> {
        &self.client
    }

    pub(crate) const fn local(&self) -> &Rc<Local> {
        &self.local
    }

    pub(crate) const fn index(&self) -> usize {
        self.index
    }

    pub(crate) const fn began(&self) -> Instant {
        self.began
    }

    pub(crate) fn stats(&self) -> &super::stats::ConnectorStats {
        self.local.stats().connector(self.index)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.served().under_way.fetch_sub(1, Ordering::Relaxed);
        self.stats().end();
        self.client.end();
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("connector", &self.connector()).finish_non_exhaustive()
    }
}
