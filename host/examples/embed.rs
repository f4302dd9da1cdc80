//! A program that embeds the host and lets it run plugins in processes of their own.

use std::path::Path;

use countersign_host::Host;
use countersign_host::plugin::be_worker_if_asked;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // ANCHOR: worker
    // First thing: the process of a plugin is this very program, started once more.
    be_worker_if_asked();
    // ANCHOR_END: worker

    let runtime = tokio::runtime::Runtime::new()?;
    let host = runtime.block_on(Host::start(Path::new("countersign.toml")))?;
    let _connector = host.connector("orders")?;
    Ok(())
}
