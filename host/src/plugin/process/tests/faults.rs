use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use countersign::Credential;
use countersign::protocol::frame::MAX_LINE;

use super::*;
use crate::plugin::health::{Cause, Condition};

/// The call that meets the fault fails in time and says so; the next is served, by a new process.
fn meets(act: impl Fn() -> Act + Send + Sync + 'static, cause: Cause, words: &str) {
    meets_within(SHORT, act, cause, words);
}

fn meets_within(limits: Limits, act: impl Fn() -> Act + Send + Sync + 'static, cause: Cause, words: &str) {
    let double = once("start", act);
    let (process, _) = open(&double, limits).unwrap();
    let instance = process.create("double", &settings("")).unwrap();
    let begun = Instant::now();
    says(&acquire(&*instance).unwrap_err(), words);
    assert!(begun.elapsed() < limits.answer + Duration::from_millis(300), "{:?}", begun.elapsed());
    assert_eq!(acquire(&*instance).unwrap(), "ada");
    let status = process.status();
    assert_eq!((status.condition, status.failures), (Condition::Well, vec![(cause, 1)]));
    assert_eq!(status.last_failure.unwrap().cause, cause);
}

#[test]
fn death() {
    meets(|| Act::Die, Cause::Crash, "was killed by SIGSEGV");
}

#[test]
fn exit() {
    meets(|| Act::Exit, Cause::Exit, "exited with status 0");
}

#[test]
fn hanging_up() {
    meets(|| Act::HangUp, Cause::Protocol, "hung up");
}

#[test]
fn silence() {
    meets(|| Act::Hang, Cause::Stuck, "did not answer within 200 ms, and was ended");
}

#[test]
fn silence_of_one_that_reads_on() {
    meets(|| Act::Pass, Cause::Stuck, "did not answer within 200 ms");
}

#[test]
fn half_a_line() {
    meets(|| Act::Say(b"{\"step\":{\"id\":4,".to_vec()), Cause::Stuck, "did not answer within");
}

#[test]
fn garbage() {
    let not = "said what is not a message of the protocol";
    meets(|| Act::Say(b"\x7fELF\0\xff\xfe\n".to_vec()), Cause::Protocol, not);
    meets(|| Act::Say(b"\n".to_vec()), Cause::Protocol, not);
    meets(|| Act::Say(b"{\"step\":{\"id\":1}}\n".to_vec()), Cause::Protocol, not);
    meets(|| Act::Say(vec![b'['; 100_000].into_iter().chain([b'\n']).collect()), Cause::Protocol, not);
}

#[test]
fn a_line_without_end() {
    meets_within(
        Limits::USUAL,
        || Act::SayFor(vec![b'x'; 1 << 20]),
        Cause::Protocol,
        "longer than the protocol allows",
    );
}

#[test]
fn a_line_that_is_too_long() {
    let line = || Act::Say([vec![b' '; MAX_LINE], b"{}\n".to_vec()].concat());
    meets_within(Limits::USUAL, line, Cause::Protocol, "longer than the protocol allows");
}

#[test]
fn an_answer_to_nothing() {
    meets(
        || Act::Say(b"{\"ready\":{\"id\":4711}}\n".to_vec()),
        Cause::Protocol,
        "answered what it was not asked",
    );
}

#[test]
fn a_second_answer() {
    let twice = |id: u64| {
        let answer =
            format!("{{\"error\":{{\"id\":{id},\"error\":{{\"kind\":\"denied\",\"message\":\"no\"}}}}}}\n");
        Act::Say(answer.repeat(2).into_bytes())
    };
    let double = Double::new(move |turn, line| {
        if turn == 0 && is(line, "public-keys") {
            twice(serde_json::from_str::<Value>(line).unwrap()["public-keys"]["id"].as_u64().unwrap())
        } else {
            Act::Answer
        }
    });
    let (process, instance) = started(&double, "");
    assert_eq!(wait(instance.public_keys()).unwrap_err(), Error::denied("no"), "the first is an answer");
    assert_eq!(wait(instance.public_keys()).unwrap().len(), 1);
    let failures = process.status().failures;
    assert_eq!(failures, vec![(Cause::Protocol, 1)]);
}

#[test]
fn an_answer_to_another_question() {
    let double = Double::new(move |turn, line| {
        if turn == 0 && is(line, "start") {
            let id = serde_json::from_str::<Value>(line).unwrap()["start"]["id"].as_u64().unwrap();
            Act::Say(format!("{{\"ready\":{{\"id\":{id}}}}}\n").into_bytes())
        } else {
            Act::Answer
        }
    });
    let (_process, instance) = started(&double, "");
    says(&acquire(&*instance).unwrap_err(), "answered something else than it was asked");
    assert_eq!(acquire(&*instance).unwrap(), "ada");
}

#[test]
fn what_a_newer_plugin_says_unasked_is_passed_over() {
    let double = once("start", || {
        Act::SayFirst(
            b"{\"weather\":{\"sun\":true}}\n{\"log\":{\"level\":3,\"message\":\"m\",\"new\":1}}\n".to_vec(),
        )
    });
    let (process, instance) = started(&double, "");
    assert_eq!(acquire(&*instance).unwrap(), "ada");
    assert_eq!(process.status().condition, Condition::Well);
}

#[test]
fn a_flood_of_logs() {
    let records = b"{\"log\":{\"level\":5,\"message\":\"m\"}}\n".repeat(1000);
    meets_within(
        Limits::USUAL,
        move || Act::SayFor(records.clone()),
        Cause::Flood,
        "logs far more than the host takes",
    );
}

#[test]
fn some_logs_are_no_flood() {
    let double = once("start", || Act::SayFirst(b"{\"log\":{\"level\":5,\"message\":\"m\"}}\n".repeat(5000)));
    let (process, instance) = started(&double, "");
    assert_eq!(acquire(&*instance).unwrap(), "ada");
    assert_eq!(process.status().condition, Condition::Well);
}

#[test]
fn an_answer_after_the_deadline_is_for_nobody() {
    // The first is passed over, yet the process answers others meanwhile: it is not stuck.
    let double = once("start", || Act::Pass);
    let (process, instance) = started(&double, "");
    let instance: Arc<dyn Instance> = Arc::from(instance);
    let late = std::thread::spawn({
        let instance = Arc::clone(&instance);
        move || acquire(&*instance)
    });
    while double.heard("start") < 1 {
        std::thread::yield_now();
    }
    let begun = Instant::now();
    while !late.is_finished() {
        assert_eq!(acquire(&*instance).unwrap(), "ada");
        std::thread::sleep(Duration::from_millis(10));
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
    says(&late.join().unwrap().unwrap_err(), "did not answer within 200 ms");
    assert_eq!(process.status().failures, vec![]);
    // In the end it is ended: it owes an answer for too long.
    while process.status().failures.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(5));
        let _ = acquire(&*instance);
    }
    assert_eq!(process.status().failures, vec![(Cause::Stuck, 1)]);
}

#[test]
fn everybody_who_waits_is_answered_when_it_dies() {
    let (tell, told) = channel();
    let told = Arc::new(Mutex::new(told));
    let double = once("start", move || Act::DieWhen(Arc::clone(&told)));
    let (_process, instance) = started(&double, "");
    let instance: Arc<dyn Instance> = Arc::from(instance);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let instance = Arc::clone(&instance);
            std::thread::spawn(move || acquire(&*instance))
        })
        .collect();
    while double.heard("start") < 1 {
        std::thread::yield_now();
    }
    tell.send(()).unwrap();
    let outcomes: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    for outcome in &outcomes {
        // Who came after its death was served by the next.
        outcome
            .as_ref()
            .map_or_else(|error| says(error, "was killed by SIGSEGV"), |user| assert_eq!(user, "ada"));
    }
    assert!(outcomes.iter().any(Result::is_err));
}

#[test]
fn who_does_not_wait_any_more_leaves_the_deadline_behind() {
    let double = once("start", || Act::Hang);
    let (process, instance) = started(&double, "");
    {
        let mut start = std::pin::pin!(instance.start(start_of("ada")));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        while double.heard("start") < 1 {
            assert!(start.as_mut().poll(&mut context).is_pending());
        }
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    while process.status().failures != [(Cause::Stuck, 1)] {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(acquire(&*instance).unwrap(), "ada");
}

#[test]
fn one_that_reads_nothing_is_ended_however_much_it_is_told() {
    let double = once("signer", || Act::Hang);
    let (_process, instance) = started(&double, "");
    let large = "x".repeat(1 << 20);
    let signer = instance.signer(Credential::signing(&large).unwrap());
    let other = instance.signer(Credential::signing(&large).unwrap());
    says(&wait(signer).unwrap_err(), "did not answer within");
    wait(other).unwrap();
}

#[test]
fn a_greeting_in_time_and_of_this_version_is_wanted() {
    let hello = |protocol: &str, name: &str| {
        let line = format!("{{\"hello\":{{\"protocol\":\"{protocol}\",\"name\":\"{name}\"}}}}\n");
        Double::new(move |_, _| Act::Say(line.clone().into_bytes()))
    };
    let refused = |double: &Double| open(double, SHORT).map(drop).unwrap_err();
    let told = |reason: &str, words: &str| assert!(reason.contains(words), "{reason}");
    told(&refused(&hello("2.0", "a")), "speaks version \"2.0\" of the protocol, and this host \"1.0\"");
    told(&refused(&hello("one", "a")), "speaks version \"one\"");
    told(&refused(&hello("1.9", "")), "does not say its name");
    told(&refused(&Double::new(|_, _| Act::Hang)), "did not answer within 300 ms");
    told(&refused(&Double::new(|_, _| Act::Die)), "was killed by SIGSEGV");
    told(&refused(&Double::new(|_, _| Act::Say(b"Hello, world!\n".to_vec()))), "not a message");
    told(
        &refused(&Double::new(|_, _| {
            Act::Say(b"{\"error\":{\"id\":0,\"error\":{\"kind\":\"denied\",\"message\":\"\"}}}\n".to_vec())
        })),
        "did not greet",
    );
}

#[test]
fn secrets_are_in_no_error() {
    let double = once("start", || Act::Die);
    let (process, _) = open(&double, SHORT).unwrap();
    let instance = process.create("double", &json!({"act": "", "key": "cAnArY"})).unwrap();
    let error = acquire(&*instance).unwrap_err();
    assert!(double.heard.lock().unwrap().iter().any(|line| line.contains("cAnArY")), "it was sent");
    assert!(!format!("{error:?} {:?}", process.status()).contains("cAnArY"));
}
