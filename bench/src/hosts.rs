//! Hosts to be measured, started from a configuration file as everywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_host::{Connector, Host};
use tokio::runtime::Runtime;

use crate::requests::request;

/// A host that runs, and its one connector, whose credential is in the cache.
pub struct Started {
    /// The connector.
    pub connector: Arc<Connector>,
    _host: Host,
    _folder: tempfile::TempDir,
}

/// Starts a host with one profile of those settings.
pub fn start(runtime: &Runtime, settings: &str, plugin: Option<&Path>) -> Started {
    start_with(runtime, settings, plugin, "in-process")
}

/// As [`start`], with the plugin in a process of its own.
#[allow(dead_code)] // not here, but in the other benchmark
pub fn start_isolated(runtime: &Runtime, settings: &str, plugin: Option<&Path>) -> Started {
    start_with(runtime, settings, plugin, "process")
}

fn start_with(runtime: &Runtime, settings: &str, plugin: Option<&Path>, isolation: &str) -> Started {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let plugins = match plugin {
        Some(file) => {
            install(file, folder.path());
            format!("[plugins]\ndir = \"plugins\"\nisolation = \"{isolation}\"\n")
        }
        None => String::new(),
    };
    let config = format!(
        "{plugins}\n[profiles.orders]\n{settings}\n\n\
         [connectors.orders]\nbase_url = \"https://orders.example/api\"\nprofile = \"orders\"\n"
    );
    let file = folder.path().join("countersign.toml");
    fs::write(&file, config).expect("a temporary file can be written");
    let host = runtime.block_on(Host::start(&file)).expect("the configuration is right");
    let connector = host.connector("orders").expect("the connector is there");
    let (mut parts, ()) = request().into_parts();
    runtime.block_on(connector.authorize(&mut parts)).expect("a credential is to be had");
    Started { connector, _host: host, _folder: folder }
}

/// Drops a plugin file into a folder `plugins` and gives that.
pub fn install(plugin: &Path, folder: &Path) -> PathBuf {
    let plugins = folder.join("plugins");
    fs::create_dir(&plugins).expect("a temporary folder can be made");
    let name = plugin.file_name().expect("a plugin has a name");
    fs::copy(plugin, plugins.join(name)).expect("the plugin can be copied");
    plugins
}
