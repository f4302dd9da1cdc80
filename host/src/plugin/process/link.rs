use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use countersign::Secret;
use countersign::protocol::frame::FromPlugin;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::home::{Running, Started};
use super::inbox::Inbox;
use super::lost::Lost;
use super::message::Question;
use super::outbox::Outbox;
use super::reader::Reader;
use super::waiting::{Unasked, Waiting};
use crate::plugin::health::{Cause, Health};
use crate::plugin::log::{MAX_RECORD, PluginLog};

/// So long whoever asks looks for the answer itself: two threads that hand a message over cost more.
const LOOK: Duration = Duration::from_micros(30);
/// With more open questions than that an answer will not come so soon.
const MOST_WHILE_LOOKING: usize = 2;
/// More open questions are not taken.
const MOST_OPEN: usize = 1024;
/// The number of the greeting, which has none of its own.
const HELLO: u64 = 0;
/// So much is read at once before deadlines are looked at.
const MOST_AT_ONCE: usize = 64 << 10;

/// The talk with one process: questions and their answers, many at a time.
///
/// Whoever asks writes, and looks for the answer itself for a very short time; then its thread, the [`Reader`], reads
/// for all. Dropping the link ends the process.
pub(super) struct Link(Arc<Talk>);

/// What a link and its reader share.
///
/// Locks are taken in the order `outbox` or `inbox`, then `state`.
pub(super) struct Talk {
    pub(super) stream: OwnedFd,
    pub(super) process: Mutex<Box<dyn Running>>,
    process_id: u32,
    pub(super) health: Arc<Health>,
    log: PluginLog,
    numbers: AtomicU64,
    pub(super) outbox: Mutex<Outbox>,
    pub(super) inbox: Mutex<Inbox>,
    state: Mutex<State>,
    pub(super) bell: Condvar,
    pub(super) alarm: OwnedFd,
    is_open: AtomicBool,
}

pub(super) struct State {
    pub(super) waiting: Waiting,
    /// The last question that was written.
    newest: u64,
    /// Counts questions, so that the reader can tell whether there were any.
    pub(super) asked: u64,
    /// Whether bytes wait to be written.
    pub(super) backlog: bool,
    pub(super) reader: Doing,
    /// Why the talk is to be ended; set once.
    pub(super) ending: Option<Ending>,
    /// That it is over, and how it ended.
    over: Option<String>,
}

/// What the reader does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// It reads, or has not begun.
    Reading,
    /// It waits to be needed.
    Resting,
    /// It waits for bytes, or until then.
    Polling { until: Option<Instant> },
}

/// Why a talk is to be ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// The host has no more use for it.
    Closed,
    /// The process hung up; if `reset`, before it had read everything.
    HungUp { reset: bool },
    /// It is to be killed, and why.
    Kill(Cause, String),
}

impl Link {
    /// A talk with a process that was just started, and the reader that is to be run on a thread of its own.
    pub(super) fn new(started: Started, health: Arc<Health>, plugin: &str) -> Result<(Self, Reader), Errno> {
        let alarm = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let talk = Arc::new(Talk {
            stream: started.stream,
            process_id: started.process.id(),
            process: Mutex::new(started.process),
            health,
            log: PluginLog::new(plugin),
            numbers: AtomicU64::new(1),
            outbox: Mutex::default(),
            inbox: Mutex::default(),
            state: Mutex::new(State {
                waiting: Waiting::new(Instant::now()),
                newest: 0,
                asked: 0,
                backlog: false,
                reader: Doing::Reading,
                ending: None,
                over: None,
            }),
            bell: Condvar::new(),
            alarm,
            is_open: AtomicBool::new(true),
        });
        Ok((Self(Arc::clone(&talk)), Reader(talk)))
    }

    /// Whether there is a process to ask, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.0.is_open.load(Ordering::Acquire)
    }

    /// The id of its process.
    pub(super) fn process_id(&self) -> u32 {
        self.0.process_id
    }

    /// Asks of those numbers, and awaits the answer, not longer than that. Dropping the future gives the answer up.
    pub(super) async fn ask(
        &self,
        question: &Question,
        of: &[u64],
        limit: Duration,
    ) -> Result<FromPlugin, Lost> {
        let id = self.0.numbers.fetch_add(1, Ordering::Relaxed);
        let asked = Asked { talk: &self.0, id };
        self.0.ask(id, &question.line(id, of), limit)?;
        self.0.look_for(id);
        poll_fn(|cx| {
            let mut state = self.0.state();
            let polled = state.waiting.poll(asked.id, cx.waker());
            if polled.is_pending() {
                self.0.call_reader(&mut state, Some(Instant::now() + limit));
            }
            polled
        })
        .await
    }

    /// Says hello before anything else, while no thread runs the reader; `None` when the talk is to be ended.
    pub(super) fn greet(
        &self,
        reader: &Reader,
        hello: &Secret<Vec<u8>>,
        limit: Duration,
    ) -> Option<FromPlugin> {
        let talk = &self.0;
        if talk.ask(HELLO, hello, limit).is_err()
            || !reader.read_until(|talk| talk.state().waiting.is_told(HELLO))
        {
            return None;
        }
        match talk.state().waiting.poll(HELLO, Waker::noop()) {
            Poll::Ready(Ok(reply)) => Some(reply),
            _ => None,
        }
    }

    /// Ends the talk: it has not begun as it should.
    pub(super) fn fail_start(&self, words: String) {
        self.0.begin_end(Ending::Kill(Cause::Start, words));
    }

    /// Says what is not answered.
    pub(super) fn tell(&self, line: &Secret<Vec<u8>>) {
        if self.is_open() {
            self.0.write(line, None);
        }
    }

    /// Ends the talk: the process said what is not of the protocol.
    pub(super) fn break_off(&self, words: impl Into<String>) {
        self.0.begin_end(Ending::Kill(Cause::Protocol, words.into()));
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.0.begin_end(Ending::Closed);
    }
}

/// A question that somebody waits for.
struct Asked<'a> {
    talk: &'a Talk,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut state = self.talk.state();
        if state.waiting.give_up(self.id) {
            self.talk.call_reader(&mut state, None);
        }
    }
}

impl Talk {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a question, and writes it.
    pub(super) fn ask(&self, id: u64, line: &Secret<Vec<u8>>, limit: Duration) -> Result<(), Lost> {
        let mut state = self.state();
        if let Some(words) = &state.over {
            return Err(Lost::new(words.clone(), true));
        }
        if state.waiting.len() >= MOST_OPEN {
            return Err(Lost::new(format!("has {MOST_OPEN} calls open, and takes no more"), false));
        }
        let ending = state.ending.is_some();
        state.asked = state.asked.wrapping_add(1);
        state.waiting.ask(id, limit, ending, Instant::now());
        drop(state);
        if !ending {
            self.write(line, Some(id));
        }
        Ok(())
    }

    /// Writes a line, as far as there is room; the reader writes the rest.
    fn write(&self, line: &Secret<Vec<u8>>, id: Option<u64>) {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = id {
            self.state().newest = id;
        }
        let written = if outbox.is_empty() { self.send(line.expose()) } else { Ok(0) };
        match written {
            Ok(count) => {
                let rest = line.expose().get(count..).unwrap_or_default();
                if rest.is_empty() {
                    return;
                }
                if outbox.push(rest).is_err() {
                    // Half a line must not stay, and a whole one has no room: the process has not read for long.
                    drop(outbox);
                    self.begin_end(Ending::Kill(Cause::Stuck, "reads nothing of what it is told".to_owned()));
                    return;
                }
                let mut state = self.state();
                state.backlog = true;
                self.ring(&mut state);
            }
            Err(_) => {
                drop(outbox);
                if let Some(id) = id {
                    self.state().waiting.was_not_sent(id);
                }
                self.begin_end(Ending::HungUp { reset: false });
            }
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&self) {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        match outbox.flush(|bytes| self.send(bytes)) {
            Ok(()) => self.state().backlog = !outbox.is_empty(),
            Err(_) => {
                drop(outbox);
                self.begin_end(Ending::HungUp { reset: false });
            }
        }
    }

    /// How many bytes went out; 0 when there is no room.
    fn send(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match rustix::net::send(&self.stream, rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(sent)
    }

    /// Reads for a very short time, unless somebody else does.
    fn look_for(&self, id: u64) {
        if !can_look() || self.state().waiting.len() > MOST_WHILE_LOOKING {
            return;
        }
        let Ok(mut inbox) = self.inbox.try_lock() else { return };
        let begun = Instant::now();
        loop {
            self.read(&mut inbox);
            let state = self.state();
            if state.waiting.is_told(id) || state.ending.is_some() {
                return;
            }
            drop(state);
            if begun.elapsed() >= LOOK {
                return;
            }
            std::thread::yield_now();
        }
    }

    /// Reads what is there, but not without end. Of a process that is to be ended nothing more: what it said after it broke the
    /// protocol may be here already.
    pub(super) fn read(&self, inbox: &mut Inbox) {
        if matches!(self.state().ending, Some(Ending::Kill(..))) {
            return;
        }
        let mut total = 0;
        while total < MOST_AT_ONCE {
            let Ok(space) = inbox.space() else {
                return self.begin_end(Ending::Kill(
                    Cause::Protocol,
                    "sent a line that is longer than the protocol allows".to_owned(),
                ));
            };
            let room = space.len();
            let count = match rustix::net::recv(&self.stream, space, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return self.begin_end(Ending::HungUp { reset: false }),
                Ok((_, count)) => count,
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => continue,
                Err(Errno::CONNRESET) => return self.begin_end(Ending::HungUp { reset: true }),
                Err(_) => return self.begin_end(Ending::HungUp { reset: false }),
            };
            inbox.filled(count);
            total += count;
            while let Some(taken) = inbox.with_line(|line| self.take(line)) {
                if let Err(ending) = taken {
                    return self.begin_end(ending);
                }
            }
            if count < room {
                return;
            }
        }
    }

    fn take(&self, line: &[u8]) -> Result<(), Ending> {
        let broken = |words: &str| Ending::Kill(Cause::Protocol, words.to_owned());
        let message = match serde_json::from_slice(line) {
            Ok(message) => message,
            Err(_) if is_unknown(line) => return Ok(()),
            Err(_) => return Err(broken("said what is not a message of the protocol")),
        };
        let (id, reply) = match message {
            FromPlugin::Log(record) => {
                let fits = line.len() <= MAX_RECORD;
                return self
                    .log
                    .take(|| fits.then_some(record))
                    .map_err(|_| Ending::Kill(Cause::Flood, "logs far more than the host takes".to_owned()));
            }
            reply => (id_of(&reply), reply),
        };
        let answered = self.state().waiting.answer(id, reply, Instant::now());
        match answered {
            Ok(waker) => waker.into_iter().for_each(Waker::wake),
            Err(Unasked) => return Err(broken("answered what it was not asked")),
        }
        Ok(())
    }

    /// Has the reader wait for answers, and for a deadline.
    fn call_reader(&self, state: &mut State, deadline: Option<Instant>) {
        match (state.reader, deadline) {
            (Doing::Polling { until: Some(until) }, Some(deadline)) if until <= deadline => {}
            _ => self.ring(state),
        }
    }

    /// Has the reader look at the state again.
    fn ring(&self, state: &mut State) {
        match state.reader {
            Doing::Reading => {}
            Doing::Resting => self.bell.notify_one(),
            Doing::Polling { .. } => {
                // It cannot fail but for a counter that is full, and then it rings as well.
                let _ = rustix::io::write(&self.alarm, &1_u64.to_ne_bytes());
            }
        }
    }

    /// Nothing more is asked; the reader does the rest.
    pub(super) fn begin_end(&self, ending: Ending) {
        self.is_open.store(false, Ordering::Release);
        let mut state = self.state();
        if state.ending.is_none() {
            state.ending = Some(ending);
            self.ring(&mut state);
        }
    }

    /// Tells everybody that it is over.
    pub(super) fn is_over(&self, words: &str, reset: bool) {
        let mut state = self.state();
        state.over = Some(words.to_owned());
        let newest = state.newest;
        if reset {
            // What was written last has not been read to its end.
            state.waiting.was_not_sent(newest);
        }
        let wakers = state.waiting.fail(|unsent| Lost::new(words.to_owned(), unsent));
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Whether somebody else can answer while this thread looks.
fn can_look() -> bool {
    static CPUS: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *CPUS.get_or_init(|| std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1))
}

fn id_of(reply: &FromPlugin) -> u64 {
    match reply {
        FromPlugin::Types(types) => types.id,
        FromPlugin::Created(created) => created.id,
        FromPlugin::Keys(keys) => keys.id,
        FromPlugin::Step(stepped) => stepped.id,
        FromPlugin::Ready(ready) => ready.id,
        FromPlugin::Signed(signed) => signed.id,
        FromPlugin::Error(failed) => failed.id,
        _ => HELLO,
    }
}

/// A message that a newer plugin may say: of another name, and about nothing that was asked.
fn is_unknown(line: &[u8]) -> bool {
    const KNOWN: [&str; 9] = ["hello", "types", "created", "keys", "step", "ready", "signed", "error", "log"];
    let message: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(line).ok();
    message.is_some_and(|message| {
        message.len() == 1
            && message
                .iter()
                .all(|(name, content)| !KNOWN.contains(&name.as_str()) && content.get("id").is_none())
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::super::home::End;
    use super::*;

    struct Nobody;

    impl Running for Nobody {
        fn id(&self) -> u32 {
            0
        }

        fn end(&mut self, _: Duration) -> End {
            End { cause: None, words: String::new() }
        }

        fn last_words(&self) -> Option<String> {
            None
        }
    }

    #[test]
    fn what_a_process_said_after_it_broke_the_protocol_is_no_answer() {
        let (ours, mut its) = UnixStream::pair().unwrap();
        let started = Started { stream: ours.into(), process: Box::new(Nobody) };
        let (link, _reader) = Link::new(started, Arc::new(Health::new("acme")), "acme").unwrap();
        let talk = &*link.0;
        talk.state().waiting.ask(1, Duration::from_secs(2), false, Instant::now());
        its.write_all(b"garbage\n{\"ready\":{\"id\":1}}\n").unwrap();
        // Two read in turn: whoever looks for its answer itself, and the reader. The second has bytes of its own to read.
        for _ in 0..2 {
            talk.read(&mut talk.inbox.lock().unwrap());
            assert!(matches!(&talk.state().ending, Some(Ending::Kill(Cause::Protocol, _))));
            assert!(!talk.state().waiting.is_told(1));
            its.write_all(b"{").unwrap();
        }
    }
}
