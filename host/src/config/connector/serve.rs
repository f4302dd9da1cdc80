use std::time::Duration;

use http::HeaderName;

use super::caller::{self, CallerSource};
use crate::config::listen::Listen;
use crate::config::reader::Reader;
use crate::config::{Findings, Site};

/// What `[connectors.NAME]` says of calls that come through the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectorServe {
    /// Where each attribute of the caller comes from, in the order of the file. The headers that are named here are not
    /// forwarded, unless `pass_headers` names them too.
    pub caller: Vec<(String, CallerSource)>,
    /// A listener of its own: every request there is the connector's.
    pub listen: Option<Listen>,
    /// The values of `Host` by which requests are the connector's, in lower case and without `:80`.
    pub hosts: Vec<String>,
    /// Headers of the client that are forwarded, of those that are not otherwise.
    pub pass_headers: Vec<HeaderName>,
    /// Calls at a time; 1024 unless configured.
    pub max_concurrent: usize,
    /// How long a connection to the upstream may take to come about; 10 s unless configured.
    pub connect_timeout: Duration,
    /// How long nothing may move on a call whose answer has begun; 5 min unless configured.
    pub idle_timeout: Duration,
}

/// The most that `max_concurrent` can be.
pub(crate) const MOST_CONCURRENT: i64 = 1_000_000;

impl ConnectorServe {
    /// Reads the keys of a connector's table that are about the proxy.
    pub(super) fn of(site: &Site, findings: &mut Findings) -> Self {
        let mut reader = Reader::of_known(site, findings);
        let second = Duration::from_secs(1);
        Self {
            listen: reader.listen("listen"),
            hosts: reader.hosts("hosts"),
            pass_headers: pass_headers(&mut reader),
            max_concurrent: reader.size("max_concurrent", 1, MOST_CONCURRENT).unwrap_or(1024),
            connect_timeout: reader.duration("connect_timeout", 600 * second).unwrap_or(10 * second),
            idle_timeout: reader.duration("idle_timeout", 86_400 * second).unwrap_or(300 * second),
            caller: caller::read(reader.table("caller").as_ref(), findings),
        }
    }
}

fn pass_headers(reader: &mut Reader<'_>) -> Vec<HeaderName> {
    let texts = reader.strings("pass_headers").unwrap_or_default();
    let texts = texts.into_iter().enumerate();
    texts.filter_map(|(index, text)| reader.header(&format!("pass_headers[{index}]"), text)).collect()
}
