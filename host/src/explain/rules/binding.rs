//! Nonces, and tokens that are bound to a key or a certificate.

use super::super::cause::{Cause, CauseId};
use super::Case;

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let Some(sent) = case.evidence.last().filter(|_| !case.evidence.as_expected) else { return Vec::new() };
    let mut causes = Vec::new();
    if let Some(answer) = sent.answer.as_ref().filter(|answer| matches!(answer.status, 400 | 401)) {
        let given = answer.headers.iter().any(|(name, _)| name == "dpop-nonce");
        let digest = answer.challenges.iter().find(|challenge| challenge.is("digest"));
        if given {
            causes.push(
                Cause::new(CauseId::Nonce, 95, "the API demands a proof with a nonce that it gives (DPoP)")
                    .because("the answer brings a `DPoP-Nonce` (RFC 9449 §9)")
                    .remedy("let the profile prove possession: `dpop` of the type `oauth2`"),
            );
        }
        let answers = sent
            .placed
            .iter()
            .any(|placed| placed.scheme.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("digest")));
        if let Some(challenge) = digest.filter(|challenge| challenge.parameter("nonce").is_some()) {
            if !answers {
                causes.push(
                    Cause::new(
                        CauseId::Nonce,
                        93,
                        "the API demands Digest authentication, with a nonce that it gives",
                    )
                    .because("the answer is a challenge of the scheme Digest (RFC 7616)")
                    .remedy("use a profile of the type `digest`"),
                );
            } else if challenge.parameter("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")) {
                causes.push(
                    Cause::new(CauseId::Nonce, 92, "the API finds the nonce stale, again and again")
                        .because("the answer says `stale=true`")
                        .remedy("call the API directly: each of several servers behind one address may know its own nonces only"),
                );
            }
        }
    }
    if !case.is_refused() {
        return causes;
    }
    let Some(bound) = case.evidence.jwt().and_then(|placed| placed.value.claim("cnf")) else { return causes };
    if bound.get("jkt").is_some() && !sent.proof {
        causes.push(
            Cause::new(CauseId::Binding, 90, "the token is bound to a key, and no proof of it went along")
                .because(
                    "the token's `cnf` names a key (`jkt`), and the request has no `DPoP` header (RFC 9449)",
                )
                .remedy("let the profile prove possession: `dpop` of the type `oauth2`"),
        );
    }
    if bound.get("x5t#S256").is_some() && !sent.certificate {
        causes.push(
            Cause::new(
                CauseId::ClientCertificate,
                92,
                "the token is bound to a client certificate, and none was presented",
            )
            .because("the token's `cnf` names a certificate (`x5t#S256`, RFC 8705)")
            .remedy("add a profile that presents that certificate to the connector's `profiles`"),
        );
    }
    causes
}
