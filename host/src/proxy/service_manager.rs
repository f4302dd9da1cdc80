use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Whoever started the process and wants to know how it is doing: the protocol of sd_notify(3). Often nobody; then all
/// of this does nothing.
#[derive(Debug, Default)]
pub(crate) struct ServiceManager {
    socket: Option<SocketAddr>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub(crate) fn from_env() -> Self {
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let pid = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|_| pid).map(Duration::from_micros);
        Self::at(env::var_os("NOTIFY_SOCKET"), watchdog)
    }

    fn at(socket: Option<OsString>, watchdog: Option<Duration>) -> Self {
        let socket = socket.and_then(|name| {
            address(&name).inspect_err(|error| tracing::warn!(%error, "NOTIFY_SOCKET names no socket")).ok()
        });
        Self { watchdog: watchdog.filter(|_| socket.is_some()), socket }
    }

    /// The proxy serves: for the first time, or again after [`reloading`](ServiceManager::reloading).
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", line(status)));
    }

    /// The configuration is read again. [`ready`](ServiceManager::ready) has to follow, whatever comes of it.
    pub(crate) fn reloading(&self) {
        // `Type=notify-reload` tells by the time whether it is the reload that was asked for.
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The proxy ends; what is in flight has until `drain` from now on.
    pub(crate) fn stopping(&self, status: &str, drain: Duration) {
        let micros = drain.as_micros();
        self.tell(&format!("STOPPING=1\nSTATUS={}\nEXTEND_TIMEOUT_USEC={micros}", line(status)));
    }

    /// How often to say [`alive`](ServiceManager::alive), if somebody wants to hear it.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 2)
    }

    /// The process has not hung itself up.
    pub(crate) fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    fn tell(&self, message: &str) {
        let Some(address) = &self.socket else { return };
        let sent = UnixDatagram::unbound().and_then(|socket| {
            // A service manager that does not read must not hold us up.
            socket.set_nonblocking(true)?;
            socket.send_to_addr(message.as_bytes(), address)
        });
        if let Err(error) = sent {
            tracing::warn!(%error, "the service manager cannot be told how the proxy is doing");
        }
    }
}

/// A path, or `@NAME` for a name that is none.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

/// Only the first line: what follows would be read as further messages.
fn line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ear {
        socket: UnixDatagram,
        _folder: tempfile::TempDir,
        manager: ServiceManager,
    }

    impl Ear {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("notify");
            let socket = UnixDatagram::bind(&path).unwrap();
            let manager = ServiceManager::at(Some(path.into()), Some(Duration::from_secs(20)));
            Self { socket, _folder: folder, manager }
        }

        fn heard(&self) -> String {
            let mut bytes = [0; 512];
            let length = self.socket.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..length].to_vec()).unwrap()
        }
    }

    #[test]
    fn the_service_manager_is_told_each_turn() {
        let ear = Ear::new();
        ear.manager.ready("serves 3 connectors");
        assert_eq!(ear.heard(), "READY=1\nSTATUS=serves 3 connectors");
        ear.manager.reloading();
        let heard = ear.heard();
        let micros = heard.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().parse::<i64>().unwrap();
        let now = clock_gettime(ClockId::Monotonic);
        assert!((now.tv_sec * 1_000_000 - micros).abs() < 60_000_000, "{micros}");
        ear.manager.stopping("drains", Duration::from_secs(30));
        assert_eq!(ear.heard(), "STOPPING=1\nSTATUS=drains\nEXTEND_TIMEOUT_USEC=30000000");
        ear.manager.alive();
        assert_eq!(ear.heard(), "WATCHDOG=1");
        assert_eq!(ear.manager.watchdog(), Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_status_of_several_lines_is_no_further_message() {
        let ear = Ear::new();
        ear.manager.ready("countersign.toml:1:1: wrong\nSTOPPING=1");
        assert_eq!(ear.heard(), "READY=1\nSTATUS=countersign.toml:1:1: wrong");
    }

    #[test]
    fn nobody_and_somebody_who_is_gone_are_no_trouble() {
        let nobody = ServiceManager::at(None, Some(Duration::from_secs(20)));
        nobody.ready("serves");
        assert_eq!(nobody.watchdog(), None);
        ServiceManager::at(Some("/nowhere/notify".into()), None).ready("serves");
    }

    #[test]
    fn an_abstract_name_is_reached() {
        let name = format!("countersign-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        ServiceManager::at(Some(format!("@{name}").into()), None).alive();
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"WATCHDOG=1");
    }
}
