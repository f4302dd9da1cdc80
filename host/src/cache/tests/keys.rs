use super::*;

fn per_user() -> Rig {
    let answer = |_, start: &Start| {
        let user = start.caller.get("user").unwrap_or("nobody");
        Ok(Credential::header("x-token", format!("for-{user}")).valid_for(HOUR))
    };
    Rig::new(Issuer::new(answer).reading(Inputs::none().caller("user")))
}

fn caller(user: &str, tenant: &str) -> Caller {
    Caller::from_iter([("user", user), ("tenant", tenant)])
}

#[tokio::test]
async fn nobody_gets_the_credential_of_another() {
    let rig = per_user();
    for _ in 0..2 {
        for user in ["ada", "bob", ""] {
            let snapshot = rig.cache.current(&caller(user, "acme"), &target()).await.unwrap();
            assert_eq!(shown(&snapshot), format!("for-{user}"));
            let again = rig.cache.try_current(&caller(user, "acme"), &target()).unwrap();
            assert_eq!(shown(&again), format!("for-{user}"));
        }
    }
    assert_eq!(rig.token().await, "for-nobody");
    assert_eq!(rig.issuer.calls(), 4);
    assert!(rig.cache.try_place(&mut http::HeaderMap::new()).is_none(), "no replica of what is one user's");
}

#[tokio::test]
async fn what_is_not_declared_is_neither_told_nor_part_of_the_key() {
    let rig = per_user();
    rig.cache.current(&caller("ada", "acme"), &target()).await.unwrap();
    rig.cache.current(&caller("ada", "other"), &"https://other.example".parse().unwrap()).await.unwrap();
    assert_eq!(rig.issuer.calls(), 1);
    let start = rig.issuer.last_start();
    assert_eq!((start.caller.get("tenant"), start.target), (None, None));
}

#[tokio::test]
async fn a_target_that_is_declared_is_part_of_the_key() {
    let rig = Rig::new(Issuer::hourly().reading(Inputs::none().target()));
    rig.current().await.unwrap();
    assert_eq!(rig.issuer.last_start().target, Some(target()));
    rig.cache.current(&Caller::new(), &"https://other.example".parse().unwrap()).await.unwrap();
    assert_eq!(rig.issuer.calls(), 2);
}

#[tokio::test]
async fn a_failure_of_one_is_not_told_to_others() {
    let answer = |call, start: &Start| match start.caller.get("user") {
        Some("ada") => Err(Error::denied("ada has left")),
        _ => Ok(token(call).valid_for(HOUR)),
    };
    let rig = Rig::new(Issuer::new(answer).reading(Inputs::none().caller("user")));
    rig.cache.current(&caller("ada", ""), &target()).await.unwrap_err();
    rig.cache.current(&caller("bob", ""), &target()).await.unwrap();
    rig.cache.current(&caller("ada", ""), &target()).await.unwrap_err();
    assert_eq!(rig.issuer.calls(), 2);
}

#[tokio::test]
async fn keyed_credentials_are_renewed_ahead_too() {
    let rig = per_user();
    rig.cache.current(&caller("ada", ""), &target()).await.unwrap();
    rig.clock.advance(HOUR * 8 / 10);
    rig.cache.try_current(&caller("ada", ""), &target()).unwrap();
    settle().await;
    assert_eq!(rig.issuer.calls(), 2);
    let status = rig.cache.status();
    assert_eq!((status.keys, status.usable), (1, 1));
}
