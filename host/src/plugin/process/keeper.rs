//! The thread that starts the plugins' processes, and reads what they write on standard error.
//!
//! The kernel ends a process together with the *thread* that started it, so that one which lives as long as the host
//! has to. There is one for all plugins; it comes with the first process, and ends with the host.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStderr, Command};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

/// How much is kept of the end of what a process writes, in bytes.
const KEPT: usize = 2 << 10;
/// The most that is read of one process at once, in bytes; then the others' turn comes, and a pause.
const AT_ONCE: usize = 64 << 10;
const PAUSE: Duration = Duration::from_millis(10);

/// The end of what a process wrote on standard error.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<u8>>>);

impl Tail {
    /// The last lines, oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        let bytes: Vec<u8> = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(bytes);
        let over = kept.len().saturating_sub(KEPT);
        kept.drain(..over);
    }
}

/// Starts a process. Its standard error must be piped.
pub(super) fn spawn(command: Command) -> io::Result<(Child, Tail)> {
    static KEEPER: OnceLock<Result<Keeper, io::ErrorKind>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| Keeper::start().map_err(|error| error.kind()));
    match keeper {
        Ok(keeper) => keeper.spawn(command),
        Err(kind) => Err((*kind).into()),
    }
}

struct Order {
    command: Command,
    started: SyncSender<io::Result<(Child, Tail)>>,
}

struct Keeper {
    orders: Sender<Order>,
    bell: Arc<OwnedFd>,
}

impl Keeper {
    fn start() -> io::Result<Self> {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (orders, taken) = channel();
        let heard = Arc::clone(&bell);
        std::thread::Builder::new()
            .name("countersign-keeper".to_owned())
            .stack_size(256 << 10)
            .spawn(move || keep(&taken, &heard))?;
        Ok(Self { orders, bell })
    }

    fn spawn(&self, command: Command) -> io::Result<(Child, Tail)> {
        let (started, answer) = sync_channel(1);
        let gone = || io::Error::other("the thread that starts processes is gone");
        self.orders.send(Order { command, started }).map_err(|_| gone())?;
        rustix::io::write(&self.bell, &1_u64.to_ne_bytes())?;
        answer.recv().map_err(|_| gone())?
    }
}

fn keep(orders: &Receiver<Order>, bell: &OwnedFd) {
    let mut ends: Vec<(ChildStderr, Tail)> = Vec::new();
    let mut buffer = vec![0; 4 << 10];
    loop {
        // A process that writes without end is read only now and then: it waits, nobody else does.
        let busy = read_all(&mut ends, &mut buffer);
        let mut waited: Vec<_> = vec![PollFd::new(bell, PollFlags::IN)];
        if !busy {
            waited.extend(ends.iter().map(|(end, _)| PollFd::new(end, PollFlags::IN)));
        }
        let pause = Timespec::try_from(PAUSE).ok().filter(|_| busy);
        let _ = poll(&mut waited, pause.as_ref());
        let _ = rustix::io::read(bell, &mut [0; 8]);
        for Order { mut command, started } in orders.try_iter() {
            let child = command.spawn().map(|mut child| {
                let tail = Tail::default();
                if let Some(end) =
                    child.stderr.take().filter(|end| rustix::io::ioctl_fionbio(end, true).is_ok())
                {
                    ends.push((end, tail.clone()));
                }
                (child, tail)
            });
            // The command holds the other ends of pipe and stream.
            drop(command);
            let _ = started.send(child);
        }
    }
}

/// Reads what there is; whether there was anything. Ends that are over go.
fn read_all(ends: &mut Vec<(ChildStderr, Tail)>, buffer: &mut [u8]) -> bool {
    let mut any = false;
    ends.retain(|(end, tail)| {
        let mut read = 0;
        while read < AT_ONCE {
            match rustix::io::read(end, &mut *buffer) {
                Ok(0) => return false,
                Ok(got) => {
                    tail.add(buffer.get(..got).unwrap_or_default());
                    read += got;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => return false,
            }
        }
        any |= read > 0;
        true
    });
    any
}
