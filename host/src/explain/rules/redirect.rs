//! The API sends its clients elsewhere, or shows a page for people.

use super::super::cause::{Cause, CauseId};
use super::Case;

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let Some(answer) = case.evidence.answer().filter(|_| !case.evidence.as_expected) else {
        return Vec::new();
    };
    if let Some(to) = &answer.redirect {
        let title = match (to.login, to.elsewhere) {
            (true, _) => {
                "the API sends the client to a login page: it does not see the credential, or this is not the API"
            }
            (false, true) => "the API sends its clients to another origin, to which no credential goes",
            (false, false) => "the API sends its clients to another path",
        };
        let remedy = if to.login {
            "see that `base_url` is that of the API and not of its pages for people, and where the API's documentation wants the credential"
        } else if to.elsewhere {
            "set `base_url` to where the API is now, if you trust that origin"
        } else {
            "set `base_url`, or the probe's `path`, to the new one"
        };
        let weight = if to.elsewhere { 97 } else { 90 };
        return vec![
            Cause::new(CauseId::Redirect, weight, title)
                .because(format!("it answers {} with `Location: {}`", answer.status, to.url))
                .because(format!("the credential is bound to {}", case.evidence.base_url))
                .remedy(remedy),
        ];
    }
    let page = answer.said.as_ref().is_some_and(|said| said.page);
    if page && matches!(answer.status, 200..=299) {
        return vec![
            Cause::new(CauseId::Redirect, 60, "the answer is a page for people")
                .because("its content type is HTML")
                .remedy("see that `base_url` is that of the API"),
        ];
    }
    Vec::new()
}
