use std::collections::BTreeMap;
use std::path::PathBuf;

use super::trust::{Lock, PublicKey, Trust};

/// What the operator says of a plugins folder (`[plugins]`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderSettings {
    /// What holds for files that are not named.
    pub default: PluginSettings,
    /// What is said of single ones (`[plugins.NAME]`), by plugin name: the file's stem without `lib`, with `-` for `_`.
    pub plugins: BTreeMap<String, PluginSettings>,
    /// Digests that files must have besides what is said of them (`plugins.lock`).
    pub lock: Lock,
}

impl FolderSettings {
    /// All plugins run there.
    pub fn isolated(isolation: Isolation) -> Self {
        Self { default: PluginSettings { isolation, ..PluginSettings::default() }, ..Self::default() }
    }

    /// With what is said of one plugin.
    #[must_use]
    pub fn with(mut self, plugin: impl Into<String>, settings: PluginSettings) -> Self {
        self.plugins.insert(plugin.into(), settings);
        self
    }
}

/// What the operator says of one plugin (`[plugins.NAME]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSettings {
    /// The SHA-256 that the file must have.
    pub sha256: Option<[u8; 32]>,
    /// What it needs to be executed.
    pub trust: Trust,
    /// Who may sign it.
    pub keys: Vec<PublicKey>,
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
    /// The most memory that its process may take, in bytes.
    pub memory: u64,
}

impl PluginSettings {
    /// What a plugin's process may take if nobody says it, in bytes.
    pub const MEMORY: u64 = 512 << 20;
}

impl Default for PluginSettings {
    fn default() -> Self {
        Self {
            sha256: None,
            trust: Trust::default(),
            keys: Vec::new(),
            allow_libraries: Vec::new(),
            required: false,
            types: None,
            isolation: Isolation::default(),
            allow: Vec::new(),
            memory: Self::MEMORY,
        }
    }
}

/// Where a plugin's code runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Isolation {
    /// In a process of its own, in a sandbox; where the kernel cannot enforce all of that, not at all.
    #[default]
    Process,
    /// In a process of its own, in as much of the sandbox as the kernel can enforce.
    BestEffort,
    /// In the host's process: whatever it does, the host does. Not for executables.
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
    /// Be told a variable of the host's environment: `env:ACME_REGION`.
    Variable(String),
}
