use std::io;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::UnixStream;

/// How long to wait after an `accept` that failed.
///
/// The socket stays readable while descriptors or memory are short, so who does not wait spins. The pauses double, from 5 ms to
/// 1 s; the first of a row is logged.
#[derive(Debug, Default)]
pub(crate) struct AcceptPause {
    last: Option<Duration>,
}

const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(1);

impl AcceptPause {
    /// A connection was accepted.
    #[inline]
    pub(crate) const fn accepted(&mut self) {
        self.last = None;
    }

    /// How long to leave the socket alone; `None` when the failure was that one connection's.
    pub(crate) fn after(&mut self, error: &io::Error) -> Option<Duration> {
        if is_of_the_connection(error) {
            return None;
        }
        if self.last.is_none() {
            tracing::error!(%error, "no connection can be accepted; trying again");
        }
        let pause = self.last.map_or(SHORTEST, |last| LONGEST.min(last * 2));
        self.last = Some(pause);
        Some(pause)
    }
}

/// Errors that `accept` passes on from the connection that it was about to return (accept(2)).
fn is_of_the_connection(error: &io::Error) -> bool {
    const OF_THE_CONNECTION: [Errno; 11] = [
        Errno::CONNABORTED,
        Errno::CONNRESET,
        Errno::INTR,
        Errno::PROTO,
        Errno::NOPROTOOPT,
        Errno::PERM,
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::TIMEDOUT,
    ];
    Errno::from_io_error(error).is_some_and(|error| OF_THE_CONNECTION.contains(&error))
}

/// Who is at the other end, as the kernel knows since the connection was made.
///
/// # Errors
/// When the kernel does not say; then nobody is let in.
pub(crate) fn peer_uid(stream: &UnixStream) -> io::Result<u32> {
    stream.peer_cred().map(|peer| peer.uid())
}

/// Who we are.
pub(crate) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(errno: Errno) -> io::Error {
        errno.into()
    }

    #[test]
    fn a_lack_of_descriptors_is_waited_for_longer_and_longer() {
        let mut pause = AcceptPause::default();
        let waits: Vec<_> =
            (0..10).map(|_| pause.after(&failure(Errno::MFILE)).unwrap().as_millis()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        pause.accepted();
        assert_eq!(pause.after(&failure(Errno::NFILE)), Some(SHORTEST));
    }

    #[test]
    fn a_connection_that_is_gone_keeps_nobody_waiting() {
        let mut pause = AcceptPause::default();
        assert_eq!(pause.after(&failure(Errno::CONNABORTED)), None);
        assert_eq!(pause.after(&failure(Errno::MFILE)), Some(SHORTEST));
    }

    #[tokio::test]
    async fn the_peer_of_a_unix_socket_is_known() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(peer_uid(&one).unwrap(), own_uid());
    }
}
