use std::sync::Arc;
use std::time::Instant;

use countersign::{Credential, ErrorKind};

use super::*;
use crate::plugin::health::{Cause, Condition};

fn answering() -> Double {
    Double::new(|_, _| Act::Answer)
}

#[test]
fn everything_that_an_instance_does_crosses() {
    let double = answering();
    let (process, about) = open(&double, Limits::USUAL).unwrap();
    assert_eq!((about.name.as_str(), about.version.as_str()), ("double", "1.2.3"));
    let instance = process.create("double", &settings("")).unwrap();
    assert_eq!(instance.inputs(), &countersign::Inputs::none().caller("user"));
    assert_eq!(acquire(&*instance).unwrap(), "ada");
    assert_eq!(wait(instance.public_keys()).unwrap(), [json!({"kid": "1"})]);
    let signing = wait(instance.signer(Credential::signing(&()).unwrap())).unwrap();
    assert_eq!(sign(&signing).unwrap(), "/orders");
    let status = process.status();
    assert_eq!((status.condition, status.starts, status.process), (Condition::Well, 1, Some(1000)));
}

#[test]
fn a_conversation_goes_on_and_ends() {
    let double = answering();
    let (_process, instance) = started(&double, "sleep");
    let (step, mut conversation) = begin(&*instance);
    assert!(matches!(step, Step::Need(_)));
    assert_eq!(outcome(wait(conversation.resume(resume()))).unwrap(), "yes");
    let over = outcome(wait(conversation.resume(resume()))).unwrap_err();
    assert_eq!(over.kind(), ErrorKind::Internal);
}

#[test]
fn errors_of_the_type_come_as_they_are() {
    let double = answering();
    let (process, instance) = started(&double, "deny");
    assert_eq!(acquire(&*instance).unwrap_err(), Error::denied("no"));
    let refused = process.create("double", &settings("refuse")).err().unwrap();
    assert_eq!(refused, Error::config("is wrong; make it right").at("key").at("keys[1]"));
    assert_eq!(process.status().condition, Condition::Well);
}

#[test]
fn what_is_dropped_is_cancelled_and_forgotten() {
    let double = answering();
    let (_process, instance) = started(&double, "sleep");
    let signing = wait(instance.signer(Credential::signing(&()).unwrap())).unwrap();
    let (_, conversation) = begin(&*instance);
    drop(conversation);
    drop(instance);
    assert_eq!(sign(&signing).unwrap(), "/orders", "a signer outlives the instance that made it");
    assert_eq!((double.heard("cancel"), double.heard("forget")), (1, 0));
    drop(signing);
    let deadline = Instant::now() + Duration::from_secs(5);
    while double.heard("forget") < 2 {
        assert!(Instant::now() < deadline, "the signer and the instance are forgotten");
        std::thread::yield_now();
    }
}

#[test]
fn a_conversation_that_is_over_is_not_cancelled() {
    let double = answering();
    let (_process, instance) = started(&double, "");
    acquire(&*instance).unwrap();
    acquire(&*instance).unwrap();
    assert_eq!(double.heard("cancel"), 0);
}

#[test]
fn a_process_ends_with_its_last_user() {
    let double = answering();
    let (process, instance) = started(&double, "");
    drop(process);
    assert_eq!(acquire(&*instance).unwrap(), "ada");
    drop(instance);
    let mut last = double.running.lock().unwrap().pop().unwrap();
    last.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut last, &mut rest);
    assert!(!rest.windows(6).any(|window| window == b"start\""), "it was hung up");
}

#[test]
fn a_process_that_died_between_calls_is_replaced_at_the_next_and_nobody_notices() {
    let double = answering();
    let (process, instance) = started(&double, "");
    let signing = wait(instance.signer(Credential::signing(&()).unwrap())).unwrap();
    assert_eq!(sign(&signing).unwrap(), "/orders");
    double.kill_last();
    assert_eq!(sign(&signing).unwrap(), "/orders");
    assert_eq!((double.starts(), double.heard("create"), double.heard("signer")), (2, 2, 2));
    double.kill_last();
    assert_eq!(acquire(&*instance).unwrap(), "ada");
    assert_eq!((double.starts(), double.heard("create"), double.heard("signer")), (3, 3, 2), "as needed");
    double.kill_last();
    assert_eq!(wait(instance.public_keys()).unwrap().len(), 1);
    double.kill_last();
    process.create("double", &settings("")).unwrap();
    let status = process.status();
    assert_eq!((status.condition, status.starts), (Condition::Well, 5));
}

#[test]
fn a_conversation_is_lost_with_its_process() {
    let double = answering();
    let (_process, instance) = started(&double, "sleep");
    let (_, mut conversation) = begin(&*instance);
    double.kill_last();
    let error = outcome(wait(conversation.resume(resume()))).unwrap_err();
    says(&error, "the conversation is lost");
    let (_, mut another) = begin(&*instance);
    assert_eq!(outcome(wait(another.resume(resume()))).unwrap(), "yes");
}

#[test]
fn the_death_of_an_idle_process_is_noticed_without_a_call() {
    let double = answering();
    let (process, _instance) = started(&double, "");
    double.kill_last();
    let deadline = Instant::now() + Duration::from_secs(5);
    while process.status().process.is_some() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[test]
fn many_talk_at_once_and_each_gets_its_own_answer() {
    let double = answering();
    let (process, _) = open(&double, Limits::USUAL).unwrap();
    let instance: Arc<dyn Instance> = Arc::from(process.create("double", &settings("")).unwrap());
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let instance = Arc::clone(&instance);
            std::thread::spawn(move || {
                for turn in 0..200 {
                    let user = format!("{thread}/{turn}");
                    let (step, _) = wait(instance.start(start_of(&user)));
                    assert_eq!(outcome(step).unwrap(), user);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(double.starts(), 1);
}

#[test]
fn a_new_process_makes_an_instance_once_however_many_need_it() {
    let double = answering();
    let (_process, instance) = started(&double, "");
    let instance: Arc<dyn Instance> = Arc::from(instance);
    double.kill_last();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let instance = Arc::clone(&instance);
            std::thread::spawn(move || acquire(&*instance).unwrap())
        })
        .collect();
    threads.into_iter().for_each(|thread| drop(thread.join().unwrap()));
    assert_eq!((double.starts(), double.heard("create")), (2, 2));
}

#[test]
fn a_plugin_that_keeps_dying_is_quarantined_and_one_success_ends_it() {
    let sick = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let double = Double::new({
        let sick = Arc::clone(&sick);
        move |_, line| {
            let sick = sick.load(std::sync::atomic::Ordering::SeqCst);
            if sick && is(line, "start") { Act::Die } else { Act::Answer }
        }
    });
    let (process, instance) = started(&double, "");
    for _ in 0..5 {
        says(&acquire(&*instance).unwrap_err(), "was killed by SIGSEGV");
    }
    let status = process.status();
    assert_eq!((status.condition, status.failures), (Condition::Quarantined, vec![(Cause::Crash, 5)]));
    let starts = double.starts();
    let refused = acquire(&*instance).unwrap_err();
    says(&refused, "is in quarantine");
    assert!(refused.retry_after().is_some_and(|wait| wait <= Duration::from_secs(1)));
    assert_eq!(double.starts(), starts);
    sick.store(false, std::sync::atomic::Ordering::SeqCst);
    let recovered = Instant::now();
    while acquire(&*instance).is_err() {
        std::thread::sleep(refused.retry_after().unwrap_or_default().min(Duration::from_millis(20)));
    }
    assert!(recovered.elapsed() < Duration::from_secs(1));
    assert_eq!(process.status().condition, Condition::Well);
}

#[test]
fn the_operator_s_create_is_a_trial() {
    let double = Double::new(|turn, line| if turn < 5 && is(line, "start") { Act::Die } else { Act::Answer });
    let (process, instance) = started(&double, "");
    (0..5).for_each(|_| drop(acquire(&*instance).unwrap_err()));
    assert_eq!(process.status().condition, Condition::Quarantined);
    process.create("double", &settings("")).unwrap();
    assert_eq!(acquire(&*instance).unwrap(), "ada");
}
