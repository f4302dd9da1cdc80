use super::*;

#[tokio::test]
async fn a_rejection_invalidates_that_generation_and_tells_the_next_conversation() {
    let rig = Rig::new(Issuer::hourly());
    let first = rig.current().await.unwrap();
    assert!(rig.issuer.last_start().challenge.is_none());
    assert!(rig.reject(first.generation()));
    assert!(rig.cache.try_current(&Caller::new(), &target()).is_none());
    assert_eq!(rig.token().await, "token-2");
    assert_eq!(rig.issuer.last_start().challenge.unwrap().status, 401);
}

#[tokio::test]
async fn a_rejection_of_an_old_generation_changes_nothing() {
    let rig = Rig::new(Issuer::hourly());
    let first = rig.current().await.unwrap();
    rig.reject(first.generation());
    let second = rig.current().await.unwrap();
    for _ in 0..100 {
        assert!(rig.reject(first.generation()), "the next one is another one");
        assert_eq!(rig.current().await.unwrap().generation(), second.generation());
    }
    assert_eq!((rig.issuer.calls(), rig.cache.status().counts.rejections), (2, 1));
}

#[tokio::test]
async fn an_upstream_that_rejects_everything_does_not_hammer_the_issuer() {
    let rig = Rig::new(Issuer::hourly());
    for _ in 0..36_000 {
        let snapshot = rig.current().await.unwrap();
        rig.reject(snapshot.generation());
        rig.clock.advance(SECOND / 10);
    }
    let calls = rig.issuer.calls();
    assert!((5..60).contains(&calls), "{calls} acquires in an hour of rejections");
}

#[tokio::test]
async fn within_the_window_the_fresh_credential_goes_on_serving() {
    let rig = Rig::new(Issuer::hourly());
    let first = rig.current().await.unwrap();
    assert!(rig.reject(first.generation()));
    let second = rig.current().await.unwrap();
    assert!(!rig.reject(second.generation()), "trying again now would not help");
    assert_eq!(rig.token().await, "token-2");
    rig.clock.advance(HOUR / 4);
    assert!(rig.reject(second.generation()));
}

#[tokio::test]
async fn a_challenge_is_kept_until_a_conversation_succeeds() {
    let rig = Rig::new(Issuer::new(|call, _| match call {
        2 => Err(Error::unavailable("down")),
        _ => Ok(token(call).valid_for(HOUR)),
    }));
    let first = rig.current().await.unwrap();
    rig.reject(first.generation());
    rig.error().await;
    rig.clock.advance(MINUTE);
    rig.token().await;
    assert!(rig.issuer.last_start().challenge.is_some());
}

#[tokio::test]
async fn new_settings_win_at_once_even_when_they_fail() {
    let rig = Rig::new(Issuer::hourly());
    rig.token().await;
    let mut headers = http::HeaderMap::new();
    assert!(rig.cache.try_place(&mut headers).is_some());
    rig.cache.replace(settings(&Arc::new(Issuer::failing(Error::denied("wrong secret")))));
    assert!(rig.cache.try_place(&mut headers).is_none());
    assert!(rig.cache.try_current(&Caller::new(), &target()).is_none());
    assert_eq!(rig.error().await, "wrong secret");
}

#[tokio::test]
async fn what_settings_bring_that_were_replaced_meanwhile_is_not_used() {
    let rig = Rig::new(Issuer::hourly().held());
    let cache = Arc::clone(&rig.cache);
    let waiting = tokio::spawn(async move { cache.current(&Caller::new(), &target()).await });
    settle().await;
    rig.cache.replace(settings(&Arc::new(Issuer::new(|_, _| Ok(Credential::header("x-token", "new"))))));
    rig.issuer.release();
    assert_eq!(shown(&waiting.await.unwrap().unwrap()), "new");
    let mut headers = http::HeaderMap::new();
    rig.cache.try_place(&mut headers).unwrap();
    assert_eq!(headers["x-token"], "new");
}

#[tokio::test]
async fn what_replaced_settings_bring_late_disturbs_nobody() {
    let rig = Rig::new(Issuer::hourly().held());
    let cache = Arc::clone(&rig.cache);
    let early = tokio::spawn(async move { cache.current(&Caller::new(), &target()).await });
    settle().await;
    let new = Issuer::new(|_, _| Ok(Credential::header("x-token", "new").valid_for(HOUR)));
    rig.cache.replace(settings(&Arc::new(new)));
    assert_eq!(rig.token().await, "new");
    rig.issuer.release();
    assert_eq!(shown(&early.await.unwrap().unwrap()), "new");
    let mut headers = http::HeaderMap::new();
    assert!(rig.cache.try_place(&mut headers).is_some());
    assert_eq!(headers["x-token"], "new");
}
