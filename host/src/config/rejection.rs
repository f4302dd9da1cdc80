use http::{HeaderName, StatusCode};

use super::reader::Reader;
use super::tree::Value;
use super::{Findings, Site};

/// `[connectors.NAME.rejection]`: which answers say that the credential was refused, and what follows.
///
/// An answer is a rejection when it is like one of the signs: the table's own, or one of those in `also`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rejection {
    /// The signs of a rejection; at least one.
    pub signs: Vec<RejectionSign>,
    /// `replay`: whether the request is sent once more with a new credential.
    pub replay: Replay,
    /// `max_replay_body`: the largest body that is kept for that, in bytes; 64 KiB unless configured.
    pub max_replay_body: usize,
}

/// What one kind of rejection looks like: its status is one of `statuses`, **and** every one of `headers` contains its
/// text, **and** its body contains `body_contains`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RejectionSign {
    /// `status`; 401 unless configured.
    pub statuses: Vec<StatusCode>,
    /// `header = { NAME = "text" }`.
    pub headers: Vec<(HeaderName, String)>,
    /// `body_contains`, at most 256 characters.
    pub body_contains: Option<String>,
}

/// Which refused requests are sent once more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Replay {
    /// Those of idempotent methods (RFC 9110 §9.2.2).
    #[default]
    Idempotent,
    /// All.
    Always,
    /// None.
    Never,
}

pub(crate) const KEYS: [&str; 6] = ["status", "header", "body_contains", "also", "replay", "max_replay_body"];
pub(crate) const SIGN_KEYS: [&str; 3] = ["status", "header", "body_contains"];
pub(crate) const REPLAYS: [&str; 3] = ["idempotent", "always", "never"];
/// How many signs there may be besides the table's own.
pub(crate) const MOST_SIGNS: usize = 16;

impl Default for Rejection {
    fn default() -> Self {
        Self { signs: vec![RejectionSign::default()], replay: Replay::Idempotent, max_replay_body: 64 << 10 }
    }
}

impl Default for RejectionSign {
    fn default() -> Self {
        Self { statuses: vec![StatusCode::UNAUTHORIZED], headers: Vec::new(), body_contains: None }
    }
}

impl Rejection {
    pub(crate) fn of(section: Option<&Site>, findings: &mut Findings) -> Self {
        let default = Self::default();
        let Some(site) = section else { return default };
        let mut reader = Reader::new(site, &KEYS, findings);
        let replay = replay(&mut reader).unwrap_or(default.replay);
        let max_replay_body = reader.size("max_replay_body", 0, 64 << 20).unwrap_or(default.max_replay_body);
        let also = reader.tables("also").unwrap_or_default();
        if also.len() > MOST_SIGNS {
            reader.fault("also", format!("holds more than {MOST_SIGNS} tables"), None);
        }
        let mut signs = vec![RejectionSign::of(site, findings)];
        for site in &also {
            let reader = Reader::new(site, &SIGN_KEYS, findings);
            if reader.node("status").is_none() {
                findings.push(site.finding("lacks `status`").with_help("write `status = [200]`"));
            }
            signs.push(RejectionSign::of(site, findings));
        }
        Self { signs, replay, max_replay_body }
    }
}

impl RejectionSign {
    /// Reads a table whose keys were looked over.
    fn of(site: &Site, findings: &mut Findings) -> Self {
        let mut reader = Reader::of_known(site, findings);
        let statuses = statuses(&mut reader, 200).unwrap_or(Self::default().statuses);
        let body_contains = text(&mut reader);
        let headers = headers(reader.table("header").as_ref(), findings);
        Self { statuses, headers, body_contains }
    }
}

/// Statuses of answers, none of them below `least`.
pub(super) fn statuses(reader: &mut Reader<'_>, least: i64) -> Option<Vec<StatusCode>> {
    let node = reader.node("status")?;
    let Value::Array(items) = &node.value else {
        reader.fault(
            "status",
            format!("expected array of integers, found {}", node.kind()),
            Some("write `[401]`"),
        );
        return None;
    };
    if items.is_empty() {
        reader.fault(
            "status",
            "names no status, so nothing would ever be a rejection",
            Some("write `[401]`"),
        );
    }
    let mut statuses = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let status = match item.value {
            Value::Integer(status) if (least..=599).contains(&status) => u16::try_from(status).ok(),
            _ => None,
        };
        match status.and_then(|status| StatusCode::from_u16(status).ok()) {
            Some(status) => statuses.push(status),
            None => reader.fault(
                &format!("status[{index}]"),
                format!("is not a status from {least} to 599"),
                None,
            ),
        }
    }
    Some(statuses)
}

fn text(reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.string("body_contains")?;
    if text.is_empty() || text.chars().count() > 256 {
        reader.fault("body_contains", "must have 1 to 256 characters", None);
        return None;
    }
    Some(text.to_owned())
}

fn replay(reader: &mut Reader<'_>) -> Option<Replay> {
    match reader.string("replay")? {
        "idempotent" => return Some(Replay::Idempotent),
        "always" => return Some(Replay::Always),
        "never" => return Some(Replay::Never),
        _ => reader.fault("replay", "must be `idempotent`, `always` or `never`", None),
    }
    None
}

fn headers(section: Option<&Site>, findings: &mut Findings) -> Vec<(HeaderName, String)> {
    let Some(site) = section else { return Vec::new() };
    let mut reader = Reader::of_known(site, findings);
    let mut headers = Vec::new();
    for entry in site.table().iter() {
        let Ok(header) = entry.key.parse::<HeaderName>() else {
            reader.fault(&entry.key, "is not a header's name", None);
            continue;
        };
        if let Some(text) = reader.string(&entry.key) {
            headers.push((header, text.to_ascii_lowercase()));
        }
    }
    headers
}
