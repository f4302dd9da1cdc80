use std::sync::atomic::{AtomicBool, Ordering};

use countersign::Secret;

use super::*;

/// Notes whether the state was saved before anybody could use the credential.
#[derive(Default)]
struct Watched {
    states: MemoryStore,
    cache: Mutex<Option<std::sync::Weak<ProfileCache>>>,
    saves: Mutex<Vec<String>>,
    broken: AtomicBool,
}

impl Store for Watched {
    fn load(&self, id: StateId) -> BoxFuture<'_, Result<Option<Secret>, Error>> {
        self.states.load(id)
    }

    fn save(&self, id: StateId, state: Secret) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if let Some(cache) = self.cache.lock().unwrap().as_ref().and_then(std::sync::Weak::upgrade) {
                let published = cache.try_current(&Caller::new(), &target());
                assert!(published.is_none(), "published before its state was durable");
            }
            if self.broken.load(Ordering::SeqCst) {
                return Err(Error::unavailable("the disk is full"));
            }
            self.saves.lock().unwrap().push(state.expose().clone());
            self.states.save(id, state).await
        })
    }
}

fn rotating() -> Issuer {
    Issuer::new(|call, _| Ok(token(call).valid_for(HOUR).renewed_by(format!("refresh-{call}"))))
}

fn rig(issuer: Issuer) -> (Rig, Arc<Watched>) {
    let store = Arc::new(Watched::default());
    let rig = Rig::with_store(issuer, Arc::clone(&store) as Arc<dyn Store>);
    *store.cache.lock().unwrap() = Some(Arc::downgrade(&rig.cache));
    (rig, store)
}

#[tokio::test]
async fn a_state_is_durable_before_its_credential_is_used_and_comes_back() {
    let (rig, store) = rig(rotating());
    rig.token().await;
    rig.clock.advance(2 * HOUR);
    rig.token().await;
    assert_eq!(rig.issuer.last_start().previous.unwrap().expose(), "refresh-1");
    assert_eq!(*store.saves.lock().unwrap(), ["refresh-1", "refresh-2"]);
}

#[tokio::test]
async fn without_a_durable_state_there_is_no_credential() {
    let (rig, store) = rig(rotating());
    store.broken.store(true, Ordering::SeqCst);
    assert_eq!(rig.error().await, "the disk is full");
    assert!(rig.cache.try_current(&Caller::new(), &target()).is_none());
    store.broken.store(false, Ordering::SeqCst);
    rig.clock.advance(MINUTE);
    assert_eq!(rig.token().await, "token-2");
}

#[tokio::test]
async fn a_state_is_kept_even_when_its_credential_cannot_be_placed() {
    let (rig, store) = rig(Issuer::new(|_, _| {
        Ok(Credential::header("host", "evil.example").valid_for(HOUR).renewed_by("refresh-1"))
    }));
    rig.error().await;
    assert_eq!(*store.saves.lock().unwrap(), ["refresh-1"]);
}

#[tokio::test]
async fn an_unchanged_state_is_not_written_again() {
    let (rig, store) = rig(Issuer::new(|call, _| Ok(token(call).valid_for(HOUR).renewed_by("same"))));
    for _ in 0..3 {
        rig.token().await;
        rig.clock.advance(2 * HOUR);
    }
    assert_eq!(store.saves.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn callers_have_states_of_their_own() {
    let (rig, _) = rig(rotating().reading(Inputs::none().caller("user")));
    for user in ["ada", "bob"] {
        rig.cache.current(&Caller::from_iter([("user", user)]), &target()).await.unwrap();
        assert!(rig.issuer.last_start().previous.is_none());
    }
}

#[tokio::test]
async fn conversations_that_use_up_a_state_do_not_overlap() {
    let (rig, _) = rig(Issuer::new(|call, start| {
        let previous = start.previous.as_ref().map_or("refresh-0", |state| state.expose().as_str());
        assert_eq!(previous, format!("refresh-{}", call - 1));
        Ok(token(call).single_use().renewed_by(format!("refresh-{call}")))
    })
    .reading(Inputs::none().caller("user")));
    *rig.issuer.starts.lock().unwrap() = Vec::new();
    rig.current().await.unwrap();
    let crowd: Vec<_> = (0..100)
        .map(|_| {
            let cache = Arc::clone(&rig.cache);
            tokio::spawn(async move { cache.current(&Caller::new(), &target()).await })
        })
        .collect();
    for caller in crowd {
        caller.await.unwrap().unwrap();
    }
}
