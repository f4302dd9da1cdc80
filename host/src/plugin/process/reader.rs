use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::home::End;
use super::link::{Doing, Ending, Talk};
use super::lost::Seconds;
use crate::plugin::health::Cause;

/// After so long without a question it waits for what the process says by itself, or for its end.
const IDLE: Duration = Duration::from_millis(50);
/// So long a process that hung up may take to end by itself.
const GRACE: Duration = Duration::from_millis(50);

/// A link's thread: reads for those who wait, watches deadlines, and ends the process. It rests while those who ask
/// read for themselves.
pub(super) struct Reader(pub(super) Arc<Talk>);

impl Reader {
    /// Reads until the talk is to be ended, and ends it.
    pub(super) fn run(self) {
        // A panic (of a log writer, say) must not leave anybody waiting.
        let _ = catch_unwind(AssertUnwindSafe(|| self.watch()));
        self.end();
    }

    /// Reads until `done` says so or the talk is to be ended; returns whether it was not.
    pub(super) fn read_until(&self, mut done: impl FnMut(&Talk) -> bool) -> bool {
        loop {
            if done(&self.0) {
                return true;
            }
            if self.0.state().ending.is_some() {
                return false;
            }
            let until = self.0.state().waiting.next_deadline();
            self.wait_and_read(until);
        }
    }

    fn watch(&self) {
        while let Some(until) = self.rest() {
            self.wait_and_read(until);
        }
    }

    /// Waits to be needed; then says until when to wait for bytes. `None` when the talk is to be ended.
    #[allow(clippy::option_option)] // the inner one: for ever
    fn rest(&self) -> Option<Option<Instant>> {
        let mut state = self.0.state();
        loop {
            if state.ending.is_some() {
                state.reader = Doing::Reading;
                return None;
            }
            let until = state.waiting.next_deadline();
            if state.backlog || state.waiting.need_a_reader() {
                state.reader = Doing::Polling { until };
                return Some(until);
            }
            let asked = state.asked;
            state.reader = Doing::Resting;
            let (rested, timeout) =
                self.0.bell.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = rested;
            if timeout.timed_out() && state.asked == asked && state.waiting.len() == 0 && !state.backlog {
                state.reader = Doing::Polling { until: None };
                return Some(None).filter(|_| state.ending.is_none());
            }
        }
    }

    fn wait_and_read(&self, until: Option<Instant>) {
        let talk = &*self.0;
        let mut events = PollFlags::IN;
        if talk.state().backlog {
            events |= PollFlags::OUT;
        }
        let mut polled = [PollFd::new(&talk.stream, events), PollFd::new(&talk.alarm, PollFlags::IN)];
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let _ = poll(&mut polled, left.as_ref());
        let [stream, alarm] = polled.map(|polled| polled.revents());
        talk.state().reader = Doing::Reading;
        if !alarm.is_empty() {
            let _ = rustix::io::read(&talk.alarm, &mut [0_u8; 8]);
        }
        if stream.contains(PollFlags::OUT) {
            talk.flush();
        }
        if stream.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            talk.read(&mut talk.inbox.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let expired = talk.state().waiting.expire(Instant::now());
        match expired {
            Ok(wakers) => wakers.into_iter().for_each(std::task::Waker::wake),
            Err(stuck) => talk.begin_end(Ending::Kill(
                Cause::Stuck,
                format!("did not answer within {}, and was ended", Seconds(stuck.0)),
            )),
        }
    }

    /// What the process said of itself; only of one that was told no secret.
    pub(super) fn last_words(&self) -> Option<String> {
        self.0.process.lock().unwrap_or_else(PoisonError::into_inner).last_words()
    }

    /// Ends the process, takes note of how, and tells everybody. Returns the words.
    pub(super) fn end(&self) -> String {
        let talk = &*self.0;
        // Nothing is asked from here on, even if the watch itself failed.
        talk.begin_end(Ending::Kill(Cause::Protocol, "could not be read".to_owned()));
        let ending = talk.state().ending.clone();
        let mut process = talk.process.lock().unwrap_or_else(PoisonError::into_inner);
        let (failure, reset) = match ending {
            Some(Ending::HungUp { reset }) => {
                let End { cause, words } = process.end(GRACE);
                let failure = match cause {
                    Some(cause) => (cause, words),
                    None => (Cause::Protocol, "hung up, and was ended".to_owned()),
                };
                (Some(failure), reset)
            }
            Some(Ending::Kill(cause, words)) => {
                process.end(Duration::ZERO);
                (Some((cause, words)), false)
            }
            Some(Ending::Closed) | None => {
                process.end(Duration::ZERO);
                (None, false)
            }
        };
        drop(process);
        let words = match failure {
            Some((cause, words)) => {
                talk.health.failed(Instant::now(), cause, words.clone());
                words
            }
            None => "is not used any more".to_owned(),
        };
        talk.is_over(&words, reset);
        words
    }
}
