use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::args::{AccessArgument, ServeArguments};
use super::{Failure, start};
use crate::config::{Access, Findings, Listen};
use crate::proxy::{Overrides, Proxy, ServiceManager};

/// How often the configuration is looked at: what is edited holds within a second.
const PERIOD: Duration = Duration::from_millis(300);

/// Serves until a signal ends it.
pub(super) async fn run(
    config: &Path,
    arguments: ServeArguments,
    mut overrides: Overrides,
    #[cfg(feature = "otel")] mut otel: Option<crate::otel::Otel>,
) -> Result<(), Failure> {
    override_by(&mut overrides, config, &arguments)?;
    let manager = ServiceManager::from_env();
    // Before anything else: a signal that comes early is not to be lost.
    let (mut end, mut interrupt, mut hang_up) =
        (on(SignalKind::terminate())?, on(SignalKind::interrupt())?, on(SignalKind::hangup())?);
    let host = start(config).await?;
    let proxy = Proxy::start(host, config, overrides)?;
    #[cfg(feature = "otel")]
    if let Some(otel) = &mut otel {
        otel.tell(proxy.source());
    }
    say(&format!("listening on {}", proxy.listeners().join(", ")));
    if let Some(file) = proxy.token_file() {
        say(&format!("clients send `Authorization: Bearer …` with the token in {}", file.display()));
    }
    manager.ready(&format!("serving {} connectors", proxy.host().connectors().len()));

    let mut watchdog = manager.watchdog().map(tokio::time::interval);
    let mut last = None;
    let mut look = tokio::time::interval(PERIOD);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let is_due = tokio::select! {
            _ = end.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                // Who asks is told, also what was said before.
                last = None;
                true
            }
            () = beat(&mut watchdog, &manager) => false,
            _ = look.tick() => proxy.host().config_changed(),
        };
        if !is_due {
            continue;
        }
        // The programs that secrets come from may take their time: neither the service manager nor who ends us waits.
        tokio::select! {
            () = reload(&proxy, &manager, &mut last) => {}
            () = async { loop { beat(&mut watchdog, &manager).await } } => {}
            _ = end.recv() => break,
            _ = interrupt.recv() => break,
        }
    }

    let within = proxy.drain_time();
    say(&format!("ending; calls under way have {} s", within.as_secs()));
    manager.stopping("ending", within);
    let drained = tokio::select! {
        drained = proxy.drain(within) => drained,
        // Who asks twice means it.
        _ = end.recv() => false,
        _ = interrupt.recv() => false,
    };
    #[cfg(feature = "otel")]
    if let Some(otel) = otel {
        // It may block.
        let _ = tokio::task::spawn_blocking(move || otel.end()).await;
    }
    if drained { Ok(()) } else { Err(Failure::Words("ended with calls under way".to_owned())) }
}

/// Tells the service manager that all is well, when it is to hear that again.
async fn beat(watchdog: &mut Option<tokio::time::Interval>, manager: &ServiceManager) {
    match watchdog {
        Some(interval) => {
            interval.tick().await;
            manager.alive();
        }
        None => std::future::pending().await,
    }
}

/// Reads the configuration anew. What is wrong with it is said once, though it is read again from time to time.
async fn reload(proxy: &Proxy, manager: &ServiceManager, last: &mut Option<Findings>) {
    manager.reloading();
    match proxy.reload().await {
        Ok(()) => {
            *last = None;
            say("the configuration was read anew, and holds from now on");
            proxy.host().warnings().iter().for_each(|warning| say(&warning.to_string()));
            manager.ready(&format!("serving {} connectors", proxy.host().connectors().len()));
        }
        Err(findings) => {
            manager.ready("serving; the configuration was edited since, and cannot be used");
            if last.as_ref() != Some(&findings) {
                say(&format!(
                    "the configuration was edited and cannot be used; what held before goes on\n{findings}"
                ));
            }
            *last = Some(findings);
        }
    }
}

fn override_by(overrides: &mut Overrides, config: &Path, arguments: &ServeArguments) -> Result<(), Failure> {
    let address = |option: &str, text: &str| {
        Listen::parse(text, config).map_err(|what| Failure::Words(format!("{option} {what}")))
    };
    overrides.listen =
        arguments.listen.iter().map(|text| address("--listen", text)).collect::<Result<_, _>>()?;
    overrides.access = arguments.access.map(|access| match access {
        AccessArgument::Token => Access::Token,
        AccessArgument::AnyLocalProcess => Access::AnyLocalProcess,
    });
    overrides.admin = arguments.admin.as_deref().map(|text| address("--admin", text)).transpose()?;
    overrides.threads = arguments.threads.map(|threads| usize::from(threads.get()));
    Ok(())
}

fn on(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Failure> {
    signal(kind).map_err(|error| Failure::Words(format!("signals cannot be waited for: {error}")))
}

fn say(words: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "countersign: {}", words.trim_end());
}
