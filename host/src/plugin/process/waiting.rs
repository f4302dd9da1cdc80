use std::collections::HashMap;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use countersign::protocol::frame::FromPlugin;

use super::lost::Lost;

/// How many times its limit a question may be open, even if others are answered meanwhile.
const PATIENCE: u32 = 5;

/// The questions that a process has been asked, until both it has answered and whoever asked was told.
pub(super) struct Waiting {
    open: HashMap<u64, Question>,
    last_answer: Instant,
}

struct Question {
    asked: Instant,
    limit: Duration,
    /// Whether the process owes the answer.
    owed: bool,
    /// Whether it surely was not read by the process.
    unsent: bool,
    waiter: Waiter,
}

enum Waiter {
    /// Looks for the answer itself.
    Looking,
    /// Is woken.
    Parked(Waker),
    /// Has not yet taken what there is for it.
    Told(Box<Result<FromPlugin, Lost>>),
    /// Does not wait any more.
    Gone,
}

/// The answer to what was not asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unasked;

/// Nothing is answered any more: not within that time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stuck(pub(super) Duration);

impl Waiting {
    pub(super) fn new(now: Instant) -> Self {
        Self { open: HashMap::new(), last_answer: now }
    }

    /// A question is about to be asked, or not even that.
    pub(super) fn ask(&mut self, id: u64, limit: Duration, unsent: bool, now: Instant) {
        self.open.insert(id, Question { asked: now, limit, owed: true, unsent, waiter: Waiter::Looking });
    }

    /// The process surely did not read it.
    pub(super) fn was_not_sent(&mut self, id: u64) {
        if let Some(question) = self.open.get_mut(&id) {
            question.unsent = true;
        }
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Takes an answer; wake whom it returns.
    pub(super) fn answer(
        &mut self,
        id: u64,
        reply: FromPlugin,
        now: Instant,
    ) -> Result<Option<Waker>, Unasked> {
        let question = self.open.get_mut(&id).filter(|question| question.owed).ok_or(Unasked)?;
        self.last_answer = now;
        question.owed = false;
        match &question.waiter {
            Waiter::Looking | Waiter::Parked(_) => Ok(question.tell(Ok(reply))),
            // It was told that it took too long.
            Waiter::Told(_) => Ok(None),
            Waiter::Gone => {
                self.open.remove(&id);
                Ok(None)
            }
        }
    }

    /// What there is for whoever asked; else the waker is kept.
    pub(super) fn poll(&mut self, id: u64, waker: &Waker) -> Poll<Result<FromPlugin, Lost>> {
        let Some(question) = self.open.get_mut(&id) else { return Poll::Ready(Err(Lost::of_nobody())) };
        match std::mem::replace(&mut question.waiter, Waiter::Gone) {
            Waiter::Told(reply) => {
                if !question.owed {
                    self.open.remove(&id);
                }
                Poll::Ready(*reply)
            }
            _ => {
                question.waiter = Waiter::Parked(waker.clone());
                Poll::Pending
            }
        }
    }

    /// Whether there is something for whoever asked.
    pub(super) fn is_told(&self, id: u64) -> bool {
        self.open.get(&id).is_none_or(|question| matches!(question.waiter, Waiter::Told(_)))
    }

    /// Whoever asked does not wait any more; returns whether the process owes the answer still.
    pub(super) fn give_up(&mut self, id: u64) -> bool {
        let Some(question) = self.open.get_mut(&id) else { return false };
        question.waiter = Waiter::Gone;
        let owed = question.owed;
        if !owed {
            self.open.remove(&id);
        }
        owed
    }

    /// Whether answers are owed which nobody looks for itself.
    pub(super) fn need_a_reader(&self) -> bool {
        self.open.values().any(|question| question.owed && !matches!(question.waiter, Waiter::Looking))
    }

    /// When [`expire`](Waiting::expire) has something to do next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let owed = || self.open.values().filter(|question| question.owed);
        let told = owed().filter(|question| question.is_waited_for()).map(|it| it.asked + it.limit);
        let passed_over = owed().map(|question| question.asked + question.limit * PATIENCE);
        told.chain(passed_over).chain(self.stuck_at().map(|(at, _)| at)).min()
    }

    /// When the process is stuck if it answers nothing until then, and how long it has had by then.
    ///
    /// Processes answer in order, as a rule: it works on the oldest, and has done so since its last answer.
    fn stuck_at(&self) -> Option<(Instant, Duration)> {
        let owed = self.open.values().filter(|question| question.owed);
        let oldest = owed.min_by_key(|question| question.asked)?;
        Some((oldest.asked.max(self.last_answer) + oldest.limit, oldest.limit))
    }

    /// Tells those who waited as long as they may, and returns whom to wake.
    ///
    /// # Errors
    /// The process does not answer at all, or has owed an answer for very long: it is to be ended.
    pub(super) fn expire(&mut self, now: Instant) -> Result<Vec<Waker>, Stuck> {
        if let Some((_, limit)) = self.stuck_at().filter(|(at, _)| now >= *at) {
            return Err(Stuck(limit));
        }
        let mut owed = self.open.values().filter(|question| question.owed);
        if let Some(forgotten) = owed.find(|question| now >= question.asked + question.limit * PATIENCE) {
            return Err(Stuck(forgotten.limit * PATIENCE));
        }
        let late = self.open.values_mut().filter(|question| {
            question.owed && now >= question.asked + question.limit && question.is_waited_for()
        });
        Ok(late.filter_map(|question| question.tell(Err(Lost::overdue(question.limit)))).collect())
    }

    /// Tells everybody that there will be no answer; wake whom it returns.
    pub(super) fn fail(&mut self, lost: impl Fn(bool) -> Lost) -> Vec<Waker> {
        let mut wakers = Vec::new();
        self.open.retain(|_, question| {
            question.owed = false;
            if question.is_waited_for() {
                wakers.extend(question.tell(Err(lost(question.unsent))));
            }
            !matches!(question.waiter, Waiter::Gone)
        });
        wakers
    }
}

impl Question {
    const fn is_waited_for(&self) -> bool {
        matches!(self.waiter, Waiter::Looking | Waiter::Parked(_))
    }

    fn tell(&mut self, reply: Result<FromPlugin, Lost>) -> Option<Waker> {
        match std::mem::replace(&mut self.waiter, Waiter::Told(Box::new(reply))) {
            Waiter::Parked(waker) => Some(waker),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign::protocol::frame::Ask;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);
    const TICK: Duration = Duration::from_millis(1);

    fn ready(id: u64) -> FromPlugin {
        FromPlugin::Ready(Ask { id })
    }

    fn asked(ids: &[u64]) -> (Waiting, Instant) {
        let now = Instant::now();
        let mut waiting = Waiting::new(now);
        ids.iter().for_each(|id| waiting.ask(*id, LIMIT, false, now));
        (waiting, now)
    }

    fn is_lost(waiting: &mut Waiting, id: u64) -> bool {
        matches!(waiting.poll(id, Waker::noop()), Poll::Ready(Err(_)))
    }

    #[test]
    fn an_answer_goes_to_whoever_asked_and_once() {
        let (mut waiting, now) = asked(&[1, 2]);
        assert!(!waiting.is_told(1) && !waiting.need_a_reader());
        assert!(waiting.poll(1, Waker::noop()).is_pending() && waiting.need_a_reader());
        assert!(waiting.answer(1, ready(1), now).unwrap().is_some());
        assert_eq!(waiting.answer(1, ready(1), now).unwrap_err(), Unasked);
        assert_eq!(waiting.answer(9, ready(9), now).unwrap_err(), Unasked);
        assert!(matches!(waiting.poll(1, Waker::noop()), Poll::Ready(Ok(FromPlugin::Ready(_)))));
        assert_eq!(waiting.len(), 1);
    }

    #[test]
    fn what_was_given_up_is_owed_still() {
        let (mut waiting, now) = asked(&[1]);
        waiting.give_up(1);
        assert!(waiting.need_a_reader(), "for its deadline");
        assert_eq!(waiting.expire(now + LIMIT).unwrap_err(), Stuck(LIMIT));
        assert!(waiting.answer(1, ready(1), now).unwrap().is_none());
        assert_eq!(waiting.len(), 0);
    }

    #[test]
    fn a_process_is_stuck_when_the_oldest_question_has_had_its_time() {
        let (mut waiting, now) = asked(&[1]);
        assert_eq!(waiting.next_deadline(), Some(now + LIMIT));
        assert!(waiting.expire(now + LIMIT - TICK).is_ok());
        assert_eq!(waiting.expire(now + LIMIT).unwrap_err(), Stuck(LIMIT));
    }

    #[test]
    fn a_process_with_much_to_do_is_not_stuck_but_nobody_waits_longer() {
        let (mut waiting, now) = asked(&[1, 2]);
        waiting.answer(1, ready(1), now + LIMIT / 2).unwrap();
        assert!(waiting.poll(1, Waker::noop()).is_ready());
        assert!(waiting.expire(now + LIMIT).is_ok());
        assert!(is_lost(&mut waiting, 2));
        assert_eq!(waiting.next_deadline(), Some(now + LIMIT / 2 + LIMIT));
        assert!(waiting.answer(2, ready(2), now + LIMIT).unwrap().is_none(), "too late, and yet no break");
        assert_eq!(waiting.len(), 0);
    }

    #[test]
    fn a_deadline_that_is_over_is_not_waited_for_again() {
        let (mut waiting, now) = asked(&[]);
        waiting.ask(1, LIMIT * 5, false, now);
        waiting.ask(2, LIMIT, false, now + TICK);
        waiting.give_up(2);
        assert_eq!(waiting.next_deadline(), Some(now + LIMIT * 5), "the first is worked on for so long");
    }

    #[test]
    fn one_question_is_not_passed_over_for_ever() {
        let (mut waiting, now) = asked(&[1, 2]);
        waiting.answer(2, ready(2), now + LIMIT * 5 - TICK).unwrap();
        assert!(waiting.expire(now + LIMIT * 5 - TICK).is_ok());
        assert_eq!(waiting.expire(now + LIMIT * 5).unwrap_err(), Stuck(LIMIT * 5));
    }

    #[test]
    fn when_it_ends_everybody_is_told() {
        let (mut waiting, now) = asked(&[1, 2]);
        waiting.ask(3, LIMIT, true, now);
        waiting.give_up(2);
        waiting.fail(|unsent| Lost::new("is gone", unsent));
        for (id, unsent) in [(1, false), (3, true)] {
            let Poll::Ready(Err(lost)) = waiting.poll(id, Waker::noop()) else { panic!("{id}") };
            assert_eq!(lost.is_unsent(), unsent);
        }
        assert_eq!(waiting.len(), 0);
    }
}
