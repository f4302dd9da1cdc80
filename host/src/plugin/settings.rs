use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the operator says of a plugins folder (`[plugins]`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderSettings {
    /// What holds for files that are not named.
    pub default: PluginSettings,
    /// What is said of single ones (`[plugins.NAME]`), by plugin name: the file's stem without `lib`, with `-` for `_`.
    pub plugins: BTreeMap<String, PluginSettings>,
}

impl FolderSettings {
    /// With what is said of one plugin.
    #[must_use]
    pub fn with(mut self, plugin: impl Into<String>, settings: PluginSettings) -> Self {
        self.plugins.insert(plugin.into(), settings);
        self
    }
}

/// What the operator says of one plugin (`[plugins.NAME]`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginSettings {
    /// The SHA-256 that the file must have.
    pub sha256: Option<[u8; 32]>,
    /// Names of shared libraries that it may need besides the system's own: `libssl.so.3`.
    pub allow_libraries: Vec<String>,
    /// Whether the host must not start without it.
    pub required: bool,
    /// The types that it may bring; all, if not given.
    pub types: Option<Vec<String>>,
    /// Where its code runs.
    pub isolation: Isolation,
    /// What its process may do beyond computing.
    pub allow: Vec<Right>,
}

/// Where a plugin's code runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Isolation {
    /// In a process of its own, in a sandbox; where the kernel cannot enforce all of that, not at all.
    Process,
    /// In a process of its own, in as much of the sandbox as the kernel can enforce.
    BestEffort,
    /// In the host's process: whatever it does, the host does. Not for executables.
    #[default]
    InProcess,
}

impl Isolation {
    /// The word for it in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::BestEffort => "best-effort",
            Self::InProcess => "in-process",
        }
    }
}

/// What a plugin's process may do beyond computing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// Read a file, or all below a folder: `read:/etc/krb5.conf`.
    Read(PathBuf),
    /// Open connections: `connect`.
    Connect,
    /// Start threads: `threads`.
    Threads,
}
