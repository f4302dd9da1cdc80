//! `[serve]`: the proxy's own side. Not here: what a connector says of its calls through it (`connector/serve.rs`).

mod collisions;
mod limits;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::listen::Listen;
use super::reader::{Reader, beside};
use super::tree::Value;
use super::{Findings, Site};

pub(crate) use collisions::check;
pub(crate) use limits::KEYS as LIMIT_KEYS;
pub use limits::ServeLimits;

/// `[serve]`: where the proxy listens, and to whom.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// Where it listens for all connectors; empty when only connectors have listeners.
    pub listen: Vec<Listen>,
    /// Who may come over TCP; given when one of the addresses is TCP. An inherited socket that turns out to be TCP may
    /// not be served without it.
    pub access: Option<Access>,
    /// The file with the bearer that clients send, for [`Access::Token`].
    pub token_file: PathBuf,
    /// Where health, metrics and status are told; on this machine only.
    pub admin: Option<Listen>,
    /// Further values of `Host` that mean the proxy itself, in lower case and without `:80`.
    pub hosts: Vec<String>,
    /// The users besides ours who may come over unix sockets.
    pub allow_uids: Vec<u32>,
    /// How many threads serve; `None`: one for each processor.
    pub threads: Option<usize>,
    /// How long requests in flight have when the proxy ends; 30 s unless configured.
    pub drain: Duration,
    /// `[serve.limits]`.
    pub limits: ServeLimits,
    /// Where it stands, for whoever finds something wrong later.
    pub site: Site,
}

/// Who may use a TCP listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Whoever sends the bearer of the token file.
    Token,
    /// Every process of this machine, whichever user's it is: on loopback addresses only.
    AnyLocalProcess,
}

pub(crate) const KEYS: [&str; 9] =
    ["listen", "access", "token_file", "admin", "hosts", "allow_uids", "threads", "drain", "limits"];
pub(crate) const ACCESSES: [&str; 2] = ["token", "any-local-process"];
pub(crate) const MOST_THREADS: i64 = 1024;

impl ServeConfig {
    pub(crate) fn of(section: Option<&Site>, findings: &mut Findings) -> Option<Self> {
        let site = section?;
        let mut reader = Reader::new(site, &KEYS, findings);
        Some(Self {
            listen: reader.listens("listen"),
            access: access(&mut reader),
            token_file: reader
                .path("token_file")
                .unwrap_or_else(|| beside(site.file(), Path::new("countersign.token"))),
            admin: reader.listen("admin"),
            hosts: reader.hosts("hosts"),
            allow_uids: uids(&mut reader),
            threads: reader.size("threads", 1, MOST_THREADS),
            drain: reader.duration("drain", Duration::from_secs(3600)).unwrap_or(Duration::from_secs(30)),
            limits: ServeLimits::of(reader.table("limits").as_ref(), findings),
            site: site.clone(),
        })
    }
}

fn access(reader: &mut Reader<'_>) -> Option<Access> {
    match reader.string("access")? {
        "token" => return Some(Access::Token),
        "any-local-process" => return Some(Access::AnyLocalProcess),
        _ => reader.fault("access", "must be `token` or `any-local-process`", None),
    }
    None
}

fn uids(reader: &mut Reader<'_>) -> Vec<u32> {
    let Some(node) = reader.node("allow_uids") else { return Vec::new() };
    let Value::Array(items) = &node.value else {
        reader.fault("allow_uids", format!("expected array of integers, found {}", node.kind()), None);
        return Vec::new();
    };
    let mut uids = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        // The last number means "no user" to the system.
        let uid = match item.value {
            Value::Integer(uid) => u32::try_from(uid).ok().filter(|uid| *uid != u32::MAX),
            _ => None,
        };
        match uid {
            Some(uid) => uids.push(uid),
            None => reader.fault(
                &format!("allow_uids[{index}]"),
                "is no user's number",
                Some("`id -u NAME` tells it"),
            ),
        }
    }
    uids
}
