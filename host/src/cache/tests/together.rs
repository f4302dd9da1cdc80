use std::sync::atomic::{AtomicUsize, Ordering};

use super::key::Key;
use super::replica::Front;
use super::slot::Slot;
use super::*;

/// A thousand callers, all waiting.
async fn crowd(rig: &Rig) -> Vec<tokio::task::JoinHandle<Outcome>> {
    let call = |_| {
        let cache = Arc::clone(&rig.cache);
        tokio::spawn(async move { cache.current(&Caller::new(), &target()).await })
    };
    let crowd = (0..1000).map(call).collect();
    settle().await;
    crowd
}

#[tokio::test]
async fn a_thousand_callers_at_a_cold_start_make_one_acquire() {
    let rig = Rig::new(Issuer::hourly().held());
    let crowd = crowd(&rig).await;
    rig.issuer.release();
    for caller in crowd {
        assert_eq!(shown(&caller.await.unwrap().unwrap()), "token-1");
    }
    assert_eq!(rig.issuer.calls(), 1);
}

/// A caller may look before a flight lands and join after: then it begins a flight that has nothing to do.
#[tokio::test]
async fn who_joins_too_late_gets_what_just_landed() {
    for issuer in [Issuer::hourly(), Issuer::failing(Error::denied("no"))] {
        let (issuer, clock) = (Arc::new(issuer), Clock::manual(at(1_000_000)));
        let shared =
            Shared::new("crm".into(), environment(&clock, Arc::new(MemoryStore::new())), Arc::default());
        let (settings, front) = (Arc::new(settings(&issuer)), Arc::new(Front::single(0)));
        let slot = Arc::new(Slot::new(Arc::new(shared), settings, 0, Key::sole(), front));
        let first = slot.obtain_together().await.map(|snapshot| snapshot.generation());
        let second = slot.obtain_together().await.map(|snapshot| snapshot.generation());
        assert_eq!((first, issuer.calls()), (second, 1));
    }
}

#[tokio::test]
async fn a_failure_is_told_to_all_and_tried_once_in_each_window() {
    let rig = Rig::new(Issuer::failing(Error::unavailable("the issuer is down")).held());
    for window in 1..=5 {
        let crowd = crowd(&rig).await;
        rig.issuer.release();
        let mut failures = Vec::new();
        for caller in crowd {
            failures.push(caller.await.unwrap().unwrap_err());
        }
        assert!(failures.iter().all(|failure| Arc::ptr_eq(failure, &failures[0])));
        assert_eq!(rig.current().await.unwrap_err(), failures[0], "told at once within the window");
        assert_eq!(rig.issuer.calls(), window);
        let pause = failures[0].pause.unwrap();
        assert!(pause <= SECOND * (1 << (window - 1)));
        rig.clock.advance(pause - Duration::from_millis(1));
        assert_eq!(rig.current().await.unwrap_err(), failures[0]);
        rig.clock.advance(Duration::from_millis(1));
    }
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let rig = Rig::new(Issuer::failing(Error::rate_limited("slow down").with_retry_after(MINUTE)));
    rig.error().await;
    rig.clock.advance(MINUTE - SECOND);
    rig.error().await;
    assert_eq!(rig.issuer.calls(), 1);
    rig.clock.advance(SECOND);
    rig.error().await;
    assert_eq!(rig.issuer.calls(), 2);
}

#[tokio::test]
async fn what_only_people_can_mend_is_not_tried_again_until_the_settings_change() {
    for error in [Error::config("x"), Error::unsupported("x"), Error::login_required("x")] {
        let rig = Rig::new(Issuer::failing(error));
        for _ in 0..3 {
            rig.error().await;
            rig.clock.advance(1000 * HOUR);
        }
        assert_eq!(rig.issuer.calls(), 1);
        rig.cache.replace(settings(&Arc::new(Issuer::hourly())));
        assert_eq!(rig.token().await, "token-1");
    }
}

#[tokio::test]
async fn a_success_ends_the_streak() {
    let rig = Rig::new(Issuer::new(|call, _| match call % 4 {
        0 => Ok(token(call).valid_for(SECOND)),
        _ => Err(Error::unavailable("down")),
    }));
    for _ in 0..20 {
        for failures in 0..3 {
            let pause = rig.current().await.unwrap_err().pause.unwrap();
            assert!(pause <= SECOND * (1 << failures), "{pause:?} after {failures} others");
            rig.clock.advance(pause);
        }
        rig.token().await;
        rig.clock.advance(SECOND);
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_neither_ends_nor_repeats_the_acquire() {
    let rig = Rig::new(Issuer::hourly().held());
    let mut crowd = crowd(&rig).await;
    for caller in crowd.drain(..900) {
        caller.abort();
    }
    settle().await;
    rig.issuer.release();
    for caller in crowd {
        assert_eq!(shown(&caller.await.unwrap().unwrap()), "token-1");
    }
    assert_eq!(rig.issuer.calls(), 1);
}

#[tokio::test]
async fn what_callers_that_all_went_away_asked_for_serves_the_next_one() {
    let rig = Rig::new(Issuer::hourly().held());
    for caller in crowd(&rig).await {
        caller.abort();
    }
    rig.issuer.release();
    settle().await;
    assert_eq!(rig.token().await, "token-1");
    assert_eq!(rig.issuer.calls(), 1);
}

#[tokio::test]
async fn a_panic_is_a_failure_of_the_profile_told_to_all() {
    let rig = Rig::new(Issuer::new(|_, _| panic!("canary")).held());
    let crowd = crowd(&rig).await;
    rig.issuer.release();
    for caller in crowd {
        let failure = caller.await.unwrap().unwrap_err();
        assert_eq!(failure.error.kind(), countersign::ErrorKind::Internal);
        assert!(!failure.to_string().contains("canary"));
    }
    assert_eq!(rig.issuer.calls(), 1);
}

#[tokio::test]
async fn callers_of_a_runtime_that_ended_are_told() {
    let rig = Rig::new(Issuer::hourly().held());
    let crowd = crowd(&rig).await;
    rig.cache.close();
    for caller in crowd {
        assert!(caller.await.unwrap().unwrap_err().to_string().contains("shutting down"));
    }
}

#[tokio::test]
async fn dropping_the_cache_ends_the_conversation() {
    let ended = Arc::new(AtomicUsize::new(0));
    struct Ends(Arc<AtomicUsize>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let guard = Ends(Arc::clone(&ended));
    let rig = Rig::new(
        Issuer::new(move |call, _| {
            let _ = &guard;
            Ok(token(call))
        })
        .held(),
    );
    let Rig { cache, issuer, .. } = rig;
    let caller = Arc::clone(&cache);
    let caller = tokio::spawn(async move { caller.current(&Caller::new(), &target()).await });
    settle().await;
    caller.abort();
    settle().await;
    drop((cache, issuer));
    settle().await;
    assert_eq!(ended.load(Ordering::SeqCst), 1, "nothing holds the issuer any more");
}

#[tokio::test]
async fn a_credential_of_single_use_serves_one_request() {
    let rig = Rig::new(Issuer::new(|call, _| Ok(token(call).single_use())).held());
    let crowd = crowd(&rig).await;
    (0..1000).for_each(|_| rig.issuer.release());
    let mut tokens = std::collections::HashSet::new();
    for caller in crowd {
        tokens.insert(shown(&caller.await.unwrap().unwrap()));
    }
    assert_eq!((tokens.len(), rig.issuer.calls()), (1000, 1000));
    assert!(rig.cache.try_current(&Caller::new(), &target()).is_none());
}

#[tokio::test]
async fn conversations_for_single_use_are_bounded_and_their_failure_is_shared() {
    let rig = Rig::new(
        Issuer::new(|call, _| match call {
            1 => Ok(token(call).single_use()),
            _ => Err(Error::unavailable("down")),
        })
        .held(),
    );
    rig.issuer.release();
    rig.token().await;
    let crowd = crowd(&rig).await;
    assert_eq!(rig.issuer.calls(), 1 + 16);
    (0..16).for_each(|_| rig.issuer.release());
    for caller in crowd {
        caller.await.unwrap().unwrap_err();
    }
    assert_eq!(rig.issuer.calls(), 1 + 16, "the others were told");
    let failure = rig.current().await.unwrap_err();
    assert!(failure.pause.unwrap() <= SECOND, "sixteen at a time count as one");

    rig.clock.advance(SECOND);
    let crowd = self::crowd(&rig).await;
    assert_eq!(rig.issuer.calls(), 1 + 16 + 1, "one finds out whether the issuer is well again");
    rig.issuer.release();
    for caller in crowd {
        caller.await.unwrap().unwrap_err();
    }
}
