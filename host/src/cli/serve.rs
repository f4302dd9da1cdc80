use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::args::ServeArguments;
use super::{Failure, start};
use crate::config::{Access, Listen};
use crate::proxy::{Overrides, Proxy, ServiceManager};

/// How often the configuration is looked at: what is edited holds within a second.
const PERIOD: Duration = Duration::from_millis(300);

/// Serves until a signal ends it.
pub(super) async fn run(config: &Path, arguments: ServeArguments) -> Result<(), Failure> {
    let overrides = overrides(config, &arguments)?;
    let manager = ServiceManager::from_env();
    // Before anything else: a signal that comes early is not to be lost.
    let (mut end, mut interrupt, mut hang_up) =
        (on(SignalKind::terminate())?, on(SignalKind::interrupt())?, on(SignalKind::hangup())?);
    let host = start(config).await?;
    let proxy = Proxy::start(host, config, overrides)?;
    for listener in proxy.listeners() {
        say(&format!("listening on {listener}"));
    }
    manager.ready(&format!("serving {} connectors", proxy.host().connectors().len()));

    let mut look = tokio::time::interval(PERIOD);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = end.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => reload(&proxy, &manager).await,
            _ = look.tick() => {
                manager.alive();
                if proxy.host().config_changed() {
                    reload(&proxy, &manager).await;
                }
            }
        }
    }

    let within = proxy.config().map_or(Duration::from_secs(30), |config| config.drain);
    say(&format!("ending; calls under way have {} s", within.as_secs()));
    manager.stopping("ending", within);
    let drained = tokio::select! {
        drained = proxy.drain(within) => drained,
        // Who asks twice means it.
        _ = end.recv() => false,
        _ = interrupt.recv() => false,
    };
    if drained { Ok(()) } else { Err(Failure::Words("ended with calls under way".to_owned())) }
}

async fn reload(proxy: &Proxy, manager: &ServiceManager) {
    manager.reloading();
    match proxy.reload().await {
        Ok(()) => {
            say("the configuration was read anew");
            proxy.host().warnings().iter().for_each(|warning| say(&warning.to_string()));
            manager.ready(&format!("serving {} connectors", proxy.host().connectors().len()));
        }
        Err(findings) => {
            say(&format!("the configuration was edited, and cannot be used; the one before goes on:\n{findings}"));
            manager.ready("serving; the edited configuration cannot be used");
        }
    }
}

fn overrides(config: &Path, arguments: &ServeArguments) -> Result<Overrides, Failure> {
    let address = |option: &str, text: &str| {
        Listen::parse(text, &config.with_file_name("."))
            .map_err(|what| Failure::Words(format!("{option} {what}")))
    };
    Ok(Overrides {
        listen: arguments.listen.iter().map(|text| address("--listen", text)).collect::<Result<_, _>>()?,
        access: arguments.access.map(|access| match access {
            super::args::AccessArgument::Token => Access::Token,
            super::args::AccessArgument::AnyLocalProcess => Access::AnyLocalProcess,
        }),
        admin: arguments.admin.as_deref().map(|text| address("--admin", text)).transpose()?,
        threads: arguments.threads.map(|threads| usize::from(threads.get())),
    })
}

fn on(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Failure> {
    signal(kind).map_err(|error| Failure::Words(format!("signals cannot be waited for: {error}")))
}

fn say(words: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "countersign: {}", words.trim_end());
}
