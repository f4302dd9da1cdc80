use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::check::Check;
use super::document::Types;
use super::reader::Reader;
use super::settings::Settings;
use super::{Findings, Site, name};

/// `[profiles.NAME]`: one configured instance of a profile type.
#[derive(Debug, Clone)]
pub struct ProfileConfig {
    /// Its name.
    pub name: Arc<str>,
    /// Its type, which exists.
    pub type_name: Arc<str>,
    /// How long a credential is used when its issuer does not say; 5 min unless configured.
    pub default_lifetime: Duration,
    /// The settings that belong to the type.
    pub settings: Settings,
}

/// The keys of a profile that belong to the host; no type can have settings of these names.
pub(crate) const KEYS: [&str; 2] = ["type", "default_lifetime"];
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// Reads every profile; one with a fault is left out.
pub(crate) fn read(sites: &[(&str, Site)], types: &dyn Types, findings: &mut Findings) -> Vec<ProfileConfig> {
    let mut known = Known { types, checks: HashMap::new() };
    let mut profiles = Vec::with_capacity(sites.len());
    profiles.extend(sites.iter().filter_map(|(name, site)| profile(name, site, &mut known, findings)));
    profiles
}

/// The types met so far, each with its schema made ready once.
struct Known<'t> {
    types: &'t dyn Types,
    checks: HashMap<String, Option<Arc<Check>>>,
}

fn profile(name: &str, site: &Site, known: &mut Known<'_>, findings: &mut Findings) -> Option<ProfileConfig> {
    let mut reader = Reader::of_known(site, findings);
    let lifetime = reader.duration("default_lifetime", Duration::from_secs(86_400));
    if reader.node("type").is_none() {
        reader.fault("", "lacks `type`", Some(&format!("add `type = \"…\"`; {}", known.all())));
        return None;
    }
    let type_name = reader.string("type")?;
    let check = known.check(type_name, &mut reader)?;
    Some(ProfileConfig {
        name: name.into(),
        type_name: check.type_name(),
        default_lifetime: lifetime.unwrap_or(DEFAULT_LIFETIME),
        settings: Settings::new(site.clone(), check),
    })
}

impl Known<'_> {
    fn all(&self) -> String {
        name::suggestion("", &self.types.names(), "there are no types")
    }

    fn check(&mut self, type_name: &str, reader: &mut Reader<'_>) -> Option<Arc<Check>> {
        if let Some(check) = self.checks.get(type_name) {
            return check.clone();
        }
        let Some(schema) = self.types.schema(type_name) else {
            let shown = if name::fault(type_name).is_none() { type_name } else { "…" };
            if let Some(file) = self.types.refused(type_name) {
                let file = file.display();
                let message =
                    format!("there is no profile type `{shown}`: {file}, which brings it, was refused");
                let help = format!("mend that file: the line `{file}: refused: …` says what is wrong");
                reader.fault("type", message, Some(&help));
                return None;
            }
            let help = name::suggestion(type_name, &self.types.names(), "there are no types");
            reader.fault("type", format!("there is no profile type `{shown}`"), Some(&help));
            return None;
        };
        let check = match Check::new(type_name, schema) {
            Ok(check) => Some(Arc::new(check)),
            Err(message) => {
                reader.fault("type", message, Some("tell the author of the type"));
                None
            }
        };
        self.checks.insert(type_name.to_owned(), check.clone());
        check
    }
}
