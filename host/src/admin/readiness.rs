use countersign::ErrorKind;
use serde_json::{Value, json};

use super::overview::{Overview, ProfileOverview};

/// Whether calls can be expected to get their credentials.
///
/// The proxy is ready unless it drains, or a profile that a connector uses has no usable credential and its last
/// acquire failed, as long as the pause after that failure holds: then nobody is told anything else anyway. When the
/// pause is over, the next call tries again, and for that it has to be let through. A profile that was not used yet is no obstacle.
///
/// Where each caller has a credential of its own, what the issuer says of one caller (`denied`, `login-required`,
/// `config`) is not the proxy's: else one client could take the others their proxy away.
pub(super) struct Readiness<'o> {
    draining: bool,
    failing: Vec<(&'o ProfileOverview, ErrorKind)>,
}

impl<'o> Readiness<'o> {
    pub(super) fn of(overview: &'o Overview) -> Self {
        let failing = overview.used_profiles().filter_map(|profile| Some((profile, obstacle(profile)?)));
        Self { draining: overview.draining, failing: failing.collect() }
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.draining && self.failing.is_empty()
    }

    pub(super) fn to_json(&self) -> Value {
        let profiles: Vec<Value> = self
            .failing
            .iter()
            .map(|(profile, kind)| json!({ "profile": &*profile.name, "kind": kind.as_str() }))
            .collect();
        json!({ "ready": self.is_ready(), "draining": self.draining, "failing": profiles })
    }
}

/// Why no call can get the profile's credential, if that is so.
pub(super) fn obstacle(profile: &ProfileOverview) -> Option<ErrorKind> {
    let status = &profile.status;
    let kind = status.failure.as_ref()?.error.kind();
    let of_one_caller =
        status.per_caller && matches!(kind, ErrorKind::Denied | ErrorKind::LoginRequired | ErrorKind::Config);
    (status.usable == 0 && !of_one_caller).then_some(kind)
}
