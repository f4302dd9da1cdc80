use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use countersign::{Challenge, HeaderView};
use http::{HeaderMap, HeaderName, HeaderValue};

/// What the connector's API said last in those header fields of its answers that credentials learn.
///
/// It lives with the connector, so that one API never hears what another one said. It is no secret: whoever reads the
/// answers has it.
#[derive(Default)]
pub(super) struct Learned {
    listens: AtomicBool,
    /// `None` until something is listened for.
    now: ArcSwapOption<State>,
}

/// What was known at some time.
pub(super) struct AsOf(Option<Arc<State>>);

/// All fields that are listened for.
#[derive(Default, Clone)]
struct State {
    /// Counts the changes.
    version: u64,
    fields: Vec<Field>,
}

#[derive(Clone)]
struct Field {
    name: HeaderName,
    demanded_by: String,
    said: Option<HeaderValue>,
}

/// The longest value that is kept, in bytes: a nonce, not a text.
const LONGEST: usize = 4096;

impl Learned {
    /// Whether there is anything to listen for.
    #[inline]
    pub(super) fn listens(&self) -> bool {
        self.listens.load(Ordering::Relaxed)
    }

    /// Listens for these from now on, too.
    pub(super) fn watch(&self, learns: &[(HeaderName, String)]) {
        let now = self.now.load();
        let known = |(name, by): &&(HeaderName, String)| {
            fields(now.as_deref()).iter().any(|field| field.name == name && field.demanded_by == *by)
        };
        if learns.iter().all(|one| known(&one)) {
            return;
        }
        self.now.rcu(|state| {
            let mut state = state.as_deref().cloned().unwrap_or_default();
            for (name, by) in learns.iter().filter(|one| !known(one)) {
                state.fields.push(Field { name: name.clone(), demanded_by: by.clone(), said: None });
            }
            Some(Arc::new(state))
        });
        self.listens.store(true, Ordering::Relaxed);
    }

    /// Takes note of an answer.
    pub(super) fn hear(&self, headers: &HeaderMap) {
        let news = |field: &Field| {
            let said = headers.get(&field.name)?;
            (said.len() <= LONGEST && field.said.as_ref() != Some(said)).then(|| said.clone())
        };
        if !fields(self.now.load().as_deref()).iter().any(|field| news(field).is_some()) {
            return;
        }
        self.now.rcu(|state| {
            let mut state = state.as_deref().cloned()?;
            state.version += 1;
            for field in &mut state.fields {
                if let Some(said) = news(field) {
                    field.said = Some(said);
                }
            }
            Some(Arc::new(state))
        });
    }

    /// What is known now.
    pub(super) fn now(&self) -> AsOf {
        AsOf(self.now.load_full())
    }

    /// Whether a rejection of what was signed when `version` was known is no verdict on the credential.
    pub(super) fn is_demand(&self, version: u64, challenge: &Challenge) -> bool {
        let now = self.now.load();
        let demanded = |field: &Field| {
            field.said.is_some()
                && challenge.header("www-authenticate").any(|said| said.contains(&field.demanded_by))
        };
        now.as_ref().is_some_and(|now| now.version > version && now.fields.iter().any(demanded))
    }
}

impl AsOf {
    pub(super) fn version(&self) -> u64 {
        self.0.as_ref().map_or(0, |state| state.version)
    }

    /// As a signing profile sees it.
    pub(super) fn views(&self) -> Vec<HeaderView<'_>> {
        let said =
            fields(self.0.as_deref()).iter().filter_map(|field| Some((&field.name, field.said.as_ref()?)));
        said.map(|(name, said)| HeaderView::new(name.as_str(), said.as_bytes())).collect()
    }
}

fn fields(state: Option<&State>) -> &[Field] {
    state.map_or(&[], |state| &state.fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

    fn said(nonce: &'static str) -> HeaderMap {
        [(NONCE, HeaderValue::from_static(nonce))].into_iter().collect()
    }

    fn rejection(words: &str) -> Challenge {
        Challenge { status: 401, headers: vec![("www-authenticate".to_owned(), words.to_owned())] }
    }

    #[test]
    fn the_latest_value_is_kept_and_nothing_that_nobody_learns() {
        let learned = Learned::default();
        learned.hear(&said("early"));
        assert!(!learned.listens() && learned.now().views().is_empty());
        learned.watch(&[(NONCE, "use_dpop_nonce".to_owned())]);
        assert!(learned.listens() && learned.now().views().is_empty());
        learned.hear(&said("one"));
        learned.hear(&said("two"));
        learned.hear(&HeaderMap::new());
        let now = learned.now();
        assert_eq!((now.version(), now.views()[0].value()), (2, &b"two"[..]));
        learned.hear(&said("two"));
        assert_eq!(learned.now().version(), 2);
    }

    #[test]
    fn only_a_new_value_and_the_right_words_make_a_demand() {
        let learned = Learned::default();
        learned.watch(&[(NONCE, "use_dpop_nonce".to_owned())]);
        let (demand, verdict) =
            (rejection("DPoP error=\"use_dpop_nonce\""), rejection("DPoP error=\"invalid_token\""));
        assert!(!learned.is_demand(0, &demand), "it says no nonce");
        learned.hear(&said("one"));
        assert!(learned.is_demand(0, &demand) && !learned.is_demand(0, &verdict));
        assert!(!learned.is_demand(1, &demand), "that one it had already");
    }
}
