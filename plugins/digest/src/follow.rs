use std::sync::{Arc, Mutex, PoisonError};

use crate::challenge::of_fields;
use crate::count::Count;
use crate::quoted::echoable;

/// The header field in which an API says, with an answer that went well, which nonce to use for the next request.
pub(crate) const AUTHENTICATION_INFO: &str = "authentication-info";

/// The nonce that follows on a challenge's (`nextnonce`, RFC 7616 §3.5).
///
/// What is heard is the latest that the API said, whenever that was: what was said before the challenge is not of it, for the
/// challenge came since.
#[derive(Debug, Default)]
pub(crate) struct Follow(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    begun: bool,
    heard: Vec<u8>,
    next: Option<Arc<Next>>,
}

/// A nonce that was given for the next request, and how often it was used.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) nonce: String,
    pub(crate) count: Count,
}

impl Follow {
    /// A challenge brought the nonce, perhaps once more: nothing follows on it yet.
    pub(crate) fn begin(&self) {
        *self.state() = State::default();
    }

    /// The nonce to use instead, now that this was heard last.
    pub(crate) fn after(&self, said: Option<&[u8]>) -> Option<Arc<Next>> {
        let mut state = self.state();
        let said = said.unwrap_or_default();
        if state.heard != said {
            state.heard = said.to_vec();
            if let Some(nonce) = next_nonce(said).filter(|_| state.begun) {
                state.next = Some(Arc::new(Next { nonce, count: Count::default() }));
            }
        }
        state.begun = true;
        state.next.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The nonce that the field names, if it can be sent back.
fn next_nonce(said: &[u8]) -> Option<String> {
    // Its parameters are written like those of a challenge.
    let as_challenge = format!("Digest {}", std::str::from_utf8(said).ok()?);
    let read = of_fields(std::iter::once(as_challenge.as_str()));
    let nonce = read.first()?.parameter("nextnonce")?;
    (!nonce.is_empty() && echoable(nonce, "nextnonce").is_ok()).then(|| nonce.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(next: Option<Arc<Next>>) -> Option<String> {
        next.map(|next| next.nonce.clone())
    }

    #[test]
    fn the_latest_nonce_follows_and_what_names_none_changes_nothing() {
        let follow = Follow::default();
        assert_eq!(nonce(follow.after(None)), None);
        assert_eq!(
            nonce(follow.after(Some(b"nextnonce=\"a\", qop=auth, rspauth=\"0\""))).as_deref(),
            Some("a")
        );
        assert_eq!(nonce(follow.after(Some(b"rspauth=\"1\", nc=00000002"))).as_deref(), Some("a"));
        assert_eq!(nonce(follow.after(Some(b"rspauth=\"2\" , NextNonce=b"))).as_deref(), Some("b"));
        for broken in ["nextnonce=\"c", "nextnonce=\"\"", "nextnonce=\"c\u{1}\"", ""] {
            assert_eq!(nonce(follow.after(Some(broken.as_bytes()))).as_deref(), Some("b"), "{broken}");
        }
        assert_eq!(nonce(follow.after(Some(b"nextnonce=\"\xff\""))).as_deref(), Some("b"));
    }

    #[test]
    fn what_was_said_before_the_challenge_is_not_of_it() {
        let follow = Follow::default();
        let before = Some(&b"nextnonce=\"a\""[..]);
        assert_eq!(nonce(follow.after(before)), None);
        assert_eq!(nonce(follow.after(before)), None);
        assert_eq!(nonce(follow.after(Some(b"nextnonce=\"b\""))).as_deref(), Some("b"));
        follow.begin();
        assert_eq!(
            nonce(follow.after(Some(b"nextnonce=\"b\""))),
            None,
            "a challenge brought the nonce once more"
        );
    }

    #[test]
    fn a_nonce_that_follows_is_counted_from_one_on() {
        let follow = Follow::default();
        follow.after(None);
        let said = Some(&b"nextnonce=\"a\""[..]);
        assert_eq!(follow.after(said).unwrap().count.next().unwrap(), 1);
        assert_eq!(follow.after(said).unwrap().count.next().unwrap(), 2);
    }
}
