use countersign::{Error, ErrorKind};

/// The error codes that a token endpoint may answer with, each with who must act and the way out: RFC 6749 §4.1.2.1 and
/// §5.2, RFC 8707 §2, RFC 9449 §8, OpenID Connect Core §3.1.2.6.
///
/// Only these are repeated in messages. What else a server says, `error_description` above all, may hold a secret.
const CODES: [(&str, ErrorKind, &str); 15] = [
    ("access_denied", ErrorKind::Denied, "the issuer's owner has to allow it"),
    ("consent_required", ErrorKind::LoginRequired, "somebody has to consent at the issuer"),
    ("interaction_required", ErrorKind::LoginRequired, "somebody has to log in at the issuer"),
    (
        "invalid_client",
        ErrorKind::Denied,
        "is the client's id, secret or key the registered one, and `client_auth` the registered way?",
    ),
    (
        "invalid_dpop_proof",
        ErrorKind::Denied,
        "the DPoP proof was not accepted: is this machine's clock right, and the key's algorithm one that the issuer knows?",
    ),
    (
        "invalid_grant",
        ErrorKind::Denied,
        "what was exchanged is expired, revoked or not meant for this client",
    ),
    (
        "invalid_request",
        ErrorKind::Denied,
        "a parameter is missing, unknown or given twice; compare with the issuer's documentation",
    ),
    ("invalid_scope", ErrorKind::Denied, "is `scope` allowed for this client?"),
    ("invalid_target", ErrorKind::Denied, "is `resource` known to the issuer?"),
    ("login_required", ErrorKind::LoginRequired, "somebody has to log in at the issuer"),
    ("server_error", ErrorKind::Unavailable, "the issuer is not well"),
    ("temporarily_unavailable", ErrorKind::Unavailable, "the issuer is not well"),
    ("unauthorized_client", ErrorKind::Denied, "is the grant allowed for this client?"),
    ("unsupported_grant_type", ErrorKind::Denied, "the issuer does not know this grant"),
    ("use_dpop_nonce", ErrorKind::Unsupported, "the issuer demands DPoP; set `dpop = true`"),
];

/// What an error code means for us.
pub(crate) fn refusal(code: &str, status: u16, refreshing: bool) -> Error {
    match CODES.iter().find(|(registered, ..)| *registered == code) {
        Some(("invalid_grant", ..)) if refreshing => Error::login_required(
            "refused the refresh token (invalid_grant): it is expired, revoked or used up; log in anew and set `refresh_token`",
        ),
        Some((code, kind, way_out)) => Error::new(*kind, format!("refused ({code}): {way_out}")),
        None => {
            Error::denied(format!("refused with status {status} and an error code that is not registered"))
        }
    }
}
