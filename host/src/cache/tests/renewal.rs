use super::*;

/// An issuer that is up for the first call only.
fn once(lifetime: Duration) -> Issuer {
    Issuer::new(move |call, _| match call {
        1 => Ok(token(call).valid_for(lifetime)),
        _ => Err(Error::unavailable("the issuer is down")),
    })
}

#[tokio::test]
async fn past_the_refresh_point_one_renewal_runs_and_nobody_waits() {
    let rig = Rig::new(Issuer::hourly().held());
    rig.issuer.release();
    rig.token().await;
    rig.clock.advance(HOUR * 49 / 100);
    rig.token().await;
    settle().await;
    assert_eq!(rig.issuer.calls(), 1, "not before half of its life");
    rig.clock.advance(HOUR * 32 / 100);
    for _ in 0..100 {
        assert_eq!(rig.token().await, "token-1");
        assert_eq!(shown(&rig.cache.try_current(&Caller::new(), &target()).unwrap()), "token-1");
        settle().await;
    }
    assert_eq!(rig.issuer.calls(), 2);
    rig.issuer.release();
    settle().await;
    assert_eq!(rig.token().await, "token-2");
    assert_eq!(rig.cache.status().counts.renewals, 1);
}

#[tokio::test]
async fn an_idle_profile_costs_nothing() {
    let rig = Rig::new(Issuer::hourly());
    rig.token().await;
    rig.clock.advance(HOUR * 100);
    settle().await;
    assert_eq!(rig.issuer.calls(), 1);
}

#[tokio::test]
async fn while_the_issuer_is_down_a_credential_serves_until_its_end_and_not_after() {
    let rig = Rig::new(once(HOUR));
    let mut headers = http::HeaderMap::new();
    rig.token().await;
    let end = HOUR - 5 * SECOND;
    let mut passed = Duration::ZERO;
    while passed + SECOND < end {
        rig.clock.advance(SECOND);
        passed += SECOND;
        assert_eq!(rig.token().await, "token-1");
        settle().await;
        assert!(rig.cache.try_place(&mut headers).is_some(), "the hot path serves on between tries");
    }
    let tries = rig.issuer.calls() - 1;
    assert!((20..200).contains(&tries), "backed off: {tries} tries in half an hour");
    assert_eq!(rig.cache.status().counts.renewals, tries as u64, "nothing is begun only to be told to wait");
    rig.clock.advance(SECOND);
    assert!(rig.cache.try_place(&mut headers).is_none());
    assert!(rig.cache.try_current(&Caller::new(), &target()).is_none());
    assert_eq!(rig.error().await, "the issuer is down");
}

#[tokio::test]
async fn a_refused_renewal_keeps_the_current_credential_until_its_end() {
    let rig = Rig::new(Issuer::new(|call, _| match call {
        1 => Ok(token(call).valid_for(HOUR)),
        _ => Err(Error::login_required("consent was withdrawn")),
    }));
    rig.token().await;
    rig.clock.advance(HOUR * 9 / 10);
    for _ in 0..10 {
        assert_eq!(rig.token().await, "token-1");
        settle().await;
    }
    assert_eq!(rig.issuer.calls(), 2);
    rig.clock.advance(HOUR);
    assert_eq!(rig.error().await, "consent was withdrawn");
    assert_eq!(rig.issuer.calls(), 2);
}

#[tokio::test]
async fn retry_after_holds_for_renewals_too() {
    let rig = Rig::new(Issuer::new(|call, _| match call {
        1 => Ok(token(call).valid_for(HOUR)),
        _ => Err(Error::rate_limited("slow down").with_retry_after(MINUTE)),
    }));
    rig.token().await;
    rig.clock.advance(HOUR * 8 / 10);
    for _ in 0..59 {
        rig.token().await;
        settle().await;
        rig.clock.advance(SECOND);
    }
    assert_eq!(rig.issuer.calls(), 2);
}

#[tokio::test]
async fn a_suspended_machine_does_not_lengthen_a_life() {
    let rig = Rig::new(once(HOUR));
    rig.token().await;
    rig.clock.advance_boot(HOUR);
    assert_eq!(rig.error().await, "the issuer is down");
}

#[tokio::test]
async fn a_wall_clock_that_jumps_forth_ends_a_life_early() {
    let rig = Rig::new(once(HOUR));
    rig.token().await;
    rig.clock.set_wall(at(1_000_000) + HOUR);
    assert_eq!(rig.error().await, "the issuer is down");
}

#[tokio::test]
async fn a_wall_clock_set_back_does_not_extend_a_life() {
    let rig = Rig::new(Issuer::new(|call, start| match call {
        1 => Ok(token(call).valid_until(start.now + HOUR)),
        _ => Err(Error::unavailable("the issuer is down")),
    }));
    rig.token().await;
    rig.clock.set_wall(at(0));
    rig.token().await;
    rig.clock.advance_boot(HOUR);
    assert_eq!(rig.error().await, "the issuer is down");
}

#[tokio::test]
async fn a_life_counts_from_when_the_credential_was_asked_for() {
    let rig = Rig::new(Issuer::hourly().held());
    let cache = Arc::clone(&rig.cache);
    let waiting = tokio::spawn(async move { cache.current(&Caller::new(), &target()).await });
    settle().await;
    rig.clock.advance(HOUR / 2);
    rig.issuer.release();
    let snapshot = waiting.await.unwrap().unwrap();
    assert_eq!(snapshot.life().expires_at, Some(at(1_000_000) + HOUR));
    rig.clock.advance(HOUR / 2 - 5 * SECOND);
    assert!(rig.cache.try_current(&Caller::new(), &target()).is_none());
}

#[tokio::test]
async fn what_expired_on_arrival_is_never_placed() {
    let rig = Rig::new(Issuer::new(|call, start| Ok(token(call).valid_until(start.now - SECOND))));
    assert!(rig.error().await.contains("expired when it arrived"));
    assert_eq!(rig.cache.status().usable, 0);
}

#[tokio::test]
async fn what_arrives_within_the_margin_of_its_end_is_not_placed() {
    let rig = Rig::new(Issuer::hourly().held());
    let cache = Arc::clone(&rig.cache);
    let waiting = tokio::spawn(async move { cache.current(&Caller::new(), &target()).await });
    settle().await;
    rig.clock.advance(HOUR - 5 * SECOND);
    rig.issuer.release();
    waiting.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn an_unstated_lifetime_is_the_profiles_default() {
    let rig = Rig::new(Issuer::new(|call, _| Ok(token(call))));
    let snapshot = rig.current().await.unwrap();
    assert_eq!(snapshot.life().expires_at, Some(at(1_000_000) + 5 * MINUTE));
}

#[tokio::test]
async fn until_rejected_outlives_any_clock() {
    let rig = Rig::new(Issuer::new(|call, _| Ok(token(call).until_rejected())));
    rig.token().await;
    rig.clock.advance(100_000 * HOUR);
    assert_eq!(rig.token().await, "token-1");
}
