use std::sync::mpsc;

use http::HeaderMap;

use super::*;

#[tokio::test]
async fn a_replica_places_what_is_current_and_marks_it_sensitive() {
    let rig = Rig::new(Issuer::new(|call, _| Ok(token(call).and_header("x-tenant", "acme").valid_for(HOUR))));
    let mut headers = HeaderMap::new();
    headers.append("x-token", "from".parse().unwrap());
    headers.append("x-token", "elsewhere".parse().unwrap());
    assert!(rig.cache.try_place(&mut headers).is_none(), "nothing is current yet");
    let snapshot = rig.current().await.unwrap();
    for _ in 0..2 {
        assert_eq!(rig.cache.try_place(&mut headers), Some(snapshot.generation()));
        let placed: Vec<_> = headers.get_all("x-token").iter().collect();
        assert_eq!(placed, ["token-1"], "in place of what was there");
        assert!(placed[0].is_sensitive());
        assert_eq!(headers["x-tenant"], "acme");
    }
}

#[tokio::test]
async fn an_authorization_takes_the_place_of_all_there_were_and_is_counted_once() {
    // Alone, with another header, and each with the time at hand and without.
    for (other, ticks) in [(false, true), (false, false), (true, true), (true, false)] {
        let rig = Rig::new(Issuer::new(move |call, _| {
            let credential =
                Credential::header("authorization", format!("Bearer token-{call}")).valid_for(HOUR);
            Ok(if other { credential.and_header("x-tenant", "acme") } else { credential })
        }));
        let _ticker = ticks.then(|| Ticker::start(&rig.clock.clock()).unwrap());
        let snapshot = rig.current().await.unwrap();
        let before = rig.cache.status().counts.placements;
        for round in 0..3 {
            let mut headers = HeaderMap::new();
            for from in ["from", "elsewhere", "and again"].into_iter().take(round) {
                headers.append("authorization", from.parse().unwrap());
            }
            headers.append("accept", "a/b".parse().unwrap());
            assert_eq!(rig.cache.try_place(&mut headers), Some(snapshot.generation()));
            let placed: Vec<_> = headers.get_all("authorization").iter().collect();
            assert_eq!(placed, ["Bearer token-1"], "{round} {other} {ticks}");
            assert!(placed[0].is_sensitive());
            assert_eq!((headers.len(), headers.contains_key("x-tenant")), (2 + usize::from(other), other));
        }
        assert_eq!(rig.cache.status().counts.placements - before, 3);
        rig.reject(snapshot.generation());
        let mut headers = HeaderMap::new();
        assert!(rig.cache.try_place(&mut headers).is_none() && headers.is_empty());
    }
}

#[tokio::test]
async fn more_than_headers_is_not_placed_by_replicas() {
    let rig = Rig::new(Issuer::new(|call, _| Ok(token(call).and_query("key", "value").valid_for(HOUR))));
    rig.token().await;
    let mut headers = HeaderMap::new();
    assert!(rig.cache.try_place(&mut headers).is_none());
    assert!(headers.is_empty());
}

#[tokio::test]
async fn other_threads_see_an_invalidation_at_once() {
    let rig = Rig::new(Issuer::hourly());
    let first = rig.current().await.unwrap();
    let (ask, asked) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let cache = Arc::clone(&rig.cache);
    let thread = std::thread::spawn(move || {
        for () in asked {
            let mut headers = HeaderMap::new();
            let placed = cache.try_place(&mut headers);
            tell.send(placed.map(|_| headers["x-token"].to_str().unwrap().to_owned())).unwrap();
        }
    });
    let there = || {
        ask.send(()).unwrap();
        told.recv().unwrap()
    };
    assert_eq!(there().as_deref(), Some("token-1"));
    rig.reject(first.generation());
    assert_eq!(there(), None);
    rig.token().await;
    assert_eq!(there().as_deref(), Some("token-2"));
    rig.cache.replace(settings(&rig.issuer));
    assert_eq!(there(), None);
    drop(ask);
    thread.join().unwrap();
}

#[tokio::test]
async fn placements_of_all_threads_and_paths_are_counted() {
    let rig = Rig::new(Issuer::hourly());
    rig.token().await;
    rig.cache.try_current(&Caller::new(), &target()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    rig.cache.try_place(&mut HeaderMap::new()).unwrap();
                }
            });
        }
    });
    rig.cache.try_place(&mut HeaderMap::new()).unwrap();
    let counts = rig.cache.status().counts;
    assert_eq!((counts.placements, counts.acquires), (4003, 1));
}

#[tokio::test]
async fn an_index_that_is_used_again_never_shows_what_was_there() {
    for round in 0..50 {
        let rig = Rig::new(Issuer::new(move |_, _| {
            Ok(Credential::header("x-token", format!("round-{round}")).valid_for(HOUR))
        }));
        let mut headers = HeaderMap::new();
        assert!(rig.cache.try_place(&mut headers).is_none());
        rig.token().await;
        rig.cache.try_place(&mut headers).unwrap();
        assert_eq!(headers["x-token"], format!("round-{round}"));
    }
}

#[tokio::test]
async fn a_credential_that_must_not_be_placed_is_an_error_that_names_it() {
    for (credential, named) in [
        (Credential::header("x-token", "canary\r\nx-evil: 1"), "header x-token"),
        (Credential::query("key", "canary\0"), "query parameter key"),
        (Credential::cookie("sid", "canary; path=/"), "cookie sid"),
        (Credential::header("transfer-encoding", "canary"), "header transfer-encoding"),
        (Credential::header("x-token", "canary").and_header("X-Token", "canary"), "twice"),
        (Credential::new(), "places nothing"),
    ] {
        let wire = serde_json::to_string(&credential.valid_for(HOUR)).unwrap();
        let rig = Rig::new(Issuer::new(move |_, _| Ok(serde_json::from_str(&wire).unwrap())));
        let failure = rig.current().await.unwrap_err();
        assert_eq!(failure.error.kind(), countersign::ErrorKind::Internal);
        let told = format!("{failure} {failure:?}");
        assert!(told.contains(named) && !told.contains("canary"), "{told}");
    }
}

#[tokio::test]
async fn debug_of_a_snapshot_is_blind() {
    let rig = Rig::new(Issuer::new(|_, _| {
        Ok(Credential::header("x", "canary").and_query("q", "canary").and_cookie("c", "canary"))
    }));
    let snapshot = rig.current().await.unwrap();
    assert_eq!(shown(&snapshot), "canary");
    assert!(!format!("{snapshot:?}{:?}{:?}", rig.cache, rig.cache.status()).contains("canary"));
}
