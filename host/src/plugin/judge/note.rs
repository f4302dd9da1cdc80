//! What a plugin file says of itself, in its ELF notes.

use countersign::abi::{self, note};

use super::elf::Library;
use crate::plugin::refusal::Reason;

const MAX_TYPES: usize = 256;
const MAX_TEXT: usize = 1024;

/// What a plugin file says of itself, without being executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginNote {
    /// The version of the binary interface that it was built with.
    pub interface: String,
    /// The crate's name.
    pub name: String,
    /// The crate's version.
    pub version: String,
    /// The crate's description; may be empty.
    pub description: String,
    /// The version of the crate `countersign` that it was built with.
    pub sdk: String,
    /// The types that it brings, sorted by name; at least one.
    pub types: Vec<NotedType>,
}

/// A type that a plugin file says it brings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotedType {
    /// Its name in the configuration.
    pub name: String,
    /// One line that says what it is for.
    pub summary: String,
}

impl PluginNote {
    pub(super) fn read(library: &Library<'_>) -> Result<Self, Reason> {
        let (mut plugin, mut types) = (None, Vec::new());
        for (kind, description) in library.notes(&note::OWNER)? {
            match kind {
                note::PLUGIN if plugin.is_some() => {
                    return Err("describes itself twice; call `export_plugin!` once".into());
                }
                note::PLUGIN => plugin = Some(texts(description)?),
                note::TYPE if types.len() == MAX_TYPES => {
                    return Err(format!("brings more than {MAX_TYPES} types").into());
                }
                note::TYPE => types.push(noted_type(description)?),
                // A newer interface may say more.
                _ => {}
            }
        }
        let plugin = plugin.ok_or("is not a Countersign plugin; its crate must call `export_plugin!`")?;
        let [interface, name, version, description, sdk, ..] = plugin.as_slice() else { return Err(GARBLED) };
        check_interface(interface)?;
        types.sort();
        if let Some([twice, _]) = types.array_windows().find(|[one, next]| one.name == next.name) {
            return Err(format!("brings the type `{}` twice; rename one", twice.name).into());
        }
        if types.is_empty() {
            return Err("brings no profile types; its crate must call `register_profile!`".into());
        }
        Ok(Self {
            interface: (*interface).to_owned(),
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            description: (*description).to_owned(),
            sdk: (*sdk).to_owned(),
            types,
        })
    }
}

/// Whether a type of that name is among those that a file says it brings, be the rest of its note as it may.
pub(super) fn names_type(library: &Library<'_>, type_name: &str) -> bool {
    let notes = library.notes(&note::OWNER).unwrap_or_default();
    notes
        .into_iter()
        .filter(|(kind, _)| *kind == note::TYPE)
        .any(|(_, description)| noted_type(description).is_ok_and(|noted| noted.name == type_name))
}

const GARBLED: Reason = Reason::Borrowed("has a garbled note about itself; build it with an unpatched SDK");

fn noted_type(description: &[u8]) -> Result<NotedType, Reason> {
    let texts = texts(description)?;
    let [name, summary, ..] = texts.as_slice() else { return Err(GARBLED) };
    let well_formed = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !well_formed {
        return Err(format!("names a type {name:?}; type names are lower case, digits and `-`").into());
    }
    Ok(NotedType { name: (*name).to_owned(), summary: (*summary).to_owned() })
}

/// The texts of a description; none of them can play tricks on a terminal.
fn texts(description: &[u8]) -> Result<Vec<&str>, Reason> {
    let text = str::from_utf8(description).map_err(|_| GARBLED)?;
    let texts: Vec<_> = text.split('\0').collect();
    let fair = |text: &&str| text.len() <= MAX_TEXT && !text.contains(char::is_control);
    if texts.iter().all(fair) { Ok(texts) } else { Err(GARBLED) }
}

fn check_interface(theirs: &str) -> Result<(), Reason> {
    let major = |version: &str| version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    let ours = abi::VERSION;
    match major(theirs) {
        None => Err(GARBLED),
        found if found == major(ours) => Ok(()),
        _ => Err(format!(
            "speaks version {theirs} of the plugin interface, but this host speaks {ours}; build it with an SDK of that version"
        )
        .into()),
    }
}
