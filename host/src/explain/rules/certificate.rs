//! TLS: certificates, ours and theirs.

use super::super::cause::{Cause, CauseId};
use super::super::evidence::Problem;
use super::Case;

/// Alerts (RFC 8446 §6.2) by which servers refuse a client for its certificate or the lack of one.
const ABOUT_OURS: [(&str, u8); 8] = [
    ("CertificateRequired", 98),
    ("BadCertificate", 94),
    ("UnknownCA", 93),
    ("CertificateExpired", 95),
    ("CertificateRevoked", 95),
    ("CertificateUnknown", 92),
    ("AccessDenied", 85),
    // What TLS 1.2 says for want of a better word.
    ("HandshakeFailure", 80),
];

pub(super) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let api =
        case.evidence.last().and_then(|sent| Some(("the API", sent.certificate, sent.trouble.as_ref()?)));
    let issuer = case
        .evidence
        .failed_exchange()
        .and_then(|(_, exchange)| Some(("the issuer", false, exchange.trouble.as_ref()?)));
    let mut causes = Vec::new();
    for (who, presented, trouble) in [issuer, api].into_iter().flatten() {
        match trouble {
            Problem::Alert(alert) => {
                let known = ABOUT_OURS.iter().find(|(name, _)| name == alert);
                let had = if presented {
                    "a certificate was presented, and is not accepted"
                } else {
                    "no certificate was presented"
                };
                causes.push(match known {
                    Some((_, weight)) => Cause::new(CauseId::ClientCertificate, *weight, format!("{who} demands a client certificate that it trusts"))
                        .because(format!("{who} ended TLS with the alert `{alert}`; {had}"))
                        .remedy("add a profile that presents a certificate to the connector's `profiles`; one that is issued by whom the API's owner names"),
                    None => Cause::new(CauseId::Trust, 85, format!("no TLS comes about with {who}"))
                        .because(format!("{who} ended TLS with the alert `{alert}`"))
                        .remedy("compare the TLS versions that both sides allow"),
                });
            }
            Problem::Certificate(why) => causes.push(
                Cause::new(CauseId::Trust, 96, format!("the certificate of {who} is not accepted here"))
                    .because(why.clone())
                    .remedy("name its authority in `ca_file` (of the connector, or of `[http]` for issuers)")
                    .remedy("if a proxy on the way breaks TLS open, its authority is the one to trust"),
            ),
            _ => {}
        }
    }
    causes
}
