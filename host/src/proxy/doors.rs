use std::sync::Arc;

use super::generation::Door;
use super::listen::{self, Inherited};
use super::serve::WAYS;
use crate::Host;
use crate::config::{Finding, Findings, Listen, ServeConfig};

/// The listeners of the process.
pub(super) struct Doors {
    open: Vec<Arc<Door>>,
    next: u64,
    inherited: Inherited,
}

impl Doors {
    pub(super) const fn new(inherited: Inherited) -> Self {
        Self { open: Vec::new(), next: 0, inherited }
    }

    pub(super) const fn inherited(&self) -> &Inherited {
        &self.inherited
    }

    pub(super) fn all(&self) -> &[Arc<Door>] {
        &self.open
    }

    /// The listeners that a configuration wants: those that are open, and new ones.
    pub(super) fn open(&mut self, host: &Host, config: &ServeConfig) -> Result<Vec<Arc<Door>>, Findings> {
        let wanted = wanted(host, config);
        if wanted.is_empty() {
            let finding = config.site.finding_at("", "names no address to listen on");
            return Err(finding.with_help(WAYS).into());
        }
        let names: Vec<&str> = wanted.iter().filter_map(|(listen, _)| name_of(listen)).collect();
        let mut doors: Vec<Arc<Door>> = Vec::new();
        for (listen, finding) in &wanted {
            if doors.iter().any(|door| door.listen == *listen) {
                continue;
            }
            let known: Vec<_> = self.open.iter().filter(|door| door.listen == *listen).cloned().collect();
            if !known.is_empty() {
                doors.extend(known);
                continue;
            }
            let bound = listen::bind(listen, &self.inherited, &names).map_err(|error| {
                let mut finding = finding.clone();
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

    /// These are open from now on. Gives those that are gone.
    pub(super) fn replace(&mut self, doors: Vec<Arc<Door>>) -> Vec<Arc<Door>> {
        let mut before = std::mem::replace(&mut self.open, doors);
        before.retain(|door| self.open.iter().all(|open| open.id != door.id));
        before
    }
}

/// The addresses of `[serve]` and of connectors, each with how to begin to say what is wrong with it.
fn wanted(host: &Host, config: &ServeConfig) -> Vec<(Listen, Finding)> {
    let common = config.listen.iter().map(|listen| (listen.clone(), config.site.finding_at("listen", "")));
    let own = host.connectors().into_iter().filter_map(|name| {
        let listen = host.connector(name).ok()?.serve().listen.clone()?;
        Some((listen, config.site.finding_at("", format!("the listener of the connector {name}: "))))
    });
    common.chain(own).collect()
}

fn name_of(listen: &Listen) -> Option<&str> {
    match listen {
        Listen::Inherited(name) => name.as_deref(),
        _ => None,
    }
}
