//! What servers say of refused credentials, and what they mean by it.

use super::cause::CauseId;
use super::evidence::{Evidence, Exchange};

/// Something that a server said.
pub(crate) struct Utterance {
    /// Who.
    pub(crate) by: Speaker,
    /// In lower case, to be looked through.
    pub(crate) words: String,
    /// As it is shown.
    pub(crate) shown: String,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Api,
    Issuer,
}

impl Speaker {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Api => "the API",
            Self::Issuer => "the issuer",
        }
    }
}

impl Utterance {
    fn new(by: Speaker, shown: String) -> Self {
        Self { by, words: shown.to_lowercase(), shown }
    }

    /// As evidence.
    pub(crate) fn quoted(&self) -> String {
        format!("{} says: {}", self.by.name(), self.shown)
    }
}

/// All that was said of the last answer, or by the issuer that gave no credential.
pub(crate) fn utterances(evidence: &Evidence) -> Vec<Utterance> {
    let mut all = Vec::new();
    if let Some((_, Exchange { said: Some(said), .. })) = evidence.failed_exchange() {
        let parts = [said.code.as_deref(), said.message.as_deref()];
        all.push(parts.into_iter().flatten().collect::<Vec<_>>().join(": "));
        all.retain(|text| !text.is_empty());
        return all.into_iter().map(|text| Utterance::new(Speaker::Issuer, text)).collect();
    }
    let Some(answer) = evidence.answer() else { return Vec::new() };
    for challenge in &answer.challenges {
        let told = challenge.parameters.iter().filter(|(name, value)| {
            matches!(name.as_str(), "error" | "error_description" | "error_uri" | "message" | "reason")
                && !value.is_empty()
        });
        let told: Vec<_> = told.map(|(_, value)| value.as_str()).collect();
        if !told.is_empty() {
            all.push(told.join(": "));
        }
    }
    for (name, value) in &answer.headers {
        if matches!(name.as_str(), "x-amzn-errortype" | "x-error" | "x-error-message" | "x-ms-diagnostics") {
            all.push(value.clone());
        }
    }
    if let Some(said) = answer.said.as_ref().filter(|_| !evidence.as_expected) {
        let parts = [said.code.as_deref(), said.message.as_deref()];
        all.push(parts.into_iter().flatten().collect::<Vec<_>>().join(": "));
    }
    all.retain(|text| !text.is_empty());
    all.into_iter().map(|text| Utterance::new(Speaker::Api, text)).collect()
}

/// Words that mean something: each of them must be there, none of those behind `!`.
pub(crate) struct Wording {
    all: &'static [&'static str],
    pub(crate) means: CauseId,
    pub(crate) weight: u8,
}

impl Wording {
    pub(crate) fn is_in(&self, words: &str) -> bool {
        self.all.iter().all(|word| match word.strip_prefix('!') {
            Some(absent) => !words.contains(absent),
            None => words.contains(word),
        })
    }
}

const fn means(all: &'static [&'static str], means: CauseId, weight: u8) -> Wording {
    Wording { all, means, weight }
}

/// The wordings, as servers in the field have them; the comments say whose. Times are not here: what is expired and what is a
/// matter of clocks, the clocks decide.
pub(crate) const WORDINGS: &[Wording] = &[
    // Spring Security, ASP.NET (IDX10214), express-oauth2-jwt-bearer, Envoy, AWS API Gateway, jsonwebtoken, jose.
    means(&["audience"], CauseId::Audience, 94),
    means(&["\"aud\""], CauseId::Audience, 94),
    means(&["'aud'"], CauseId::Audience, 94),
    means(&["aud claim"], CauseId::Audience, 94),
    means(&["invalid aud"], CauseId::Audience, 94),
    means(&["idx10214"], CauseId::Audience, 95),
    // RFC 8707; Entra ID: the resource is not known in the tenant.
    means(&["invalid_target"], CauseId::Audience, 93),
    means(&["aadsts500011"], CauseId::Audience, 95),
    means(&["aadsts50001:"], CauseId::Audience, 95),
    // ASP.NET (IDX10501, IDX10503), Spring's Nimbus, jose, Envoy, Auth0, Keycloak, Google.
    means(&["signature key was not found"], CauseId::KeyId, 96),
    means(&["idx10501"], CauseId::KeyId, 94),
    means(&["idx10503"], CauseId::KeyId, 92),
    means(&["no matching key"], CauseId::KeyId, 95),
    means(&["doesn't have key to match"], CauseId::KeyId, 96),
    means(&["no applicable key"], CauseId::KeyId, 96),
    means(&["unable to find a signing key"], CauseId::KeyId, 96),
    means(&["unable to find", "key"], CauseId::KeyId, 85),
    means(&["unknown", "kid"], CauseId::KeyId, 95),
    means(&["kid", "not found"], CauseId::KeyId, 95),
    means(&["invalid", "kid"], CauseId::KeyId, 93),
    means(&["public key not found"], CauseId::KeyId, 94),
    means(&["no public key"], CauseId::KeyId, 92),
    means(&["unknown signing key"], CauseId::KeyId, 95),
    means(&["aadsts700027"], CauseId::KeyId, 93),
    means(&["signature verification failed"], CauseId::Key, 93),
    means(&["invalid signature", "!aws"], CauseId::Key, 93),
    means(&["invalidsignature"], CauseId::Key, 93),
    means(&["signature is invalid"], CauseId::Key, 93),
    means(&["signature is not valid"], CauseId::Key, 93),
    means(&["signature mismatch"], CauseId::Key, 90),
    means(&["bad signature"], CauseId::Key, 92),
    means(&["invalid jwt signature"], CauseId::Key, 95),
    means(&["idx10511"], CauseId::Key, 95),
    means(&["jwt verification fails"], CauseId::Key, 90),
    means(&["verification failed", "jwt"], CauseId::Key, 80),
    means(&["algorithm expected"], CauseId::Algorithm, 84),
    means(&["unexpected", "alg"], CauseId::Algorithm, 93),
    means(&["alg", "not allowed"], CauseId::Algorithm, 94),
    means(&["algorithm", "not supported"], CauseId::Algorithm, 93),
    means(&["invalidalgorithm"], CauseId::Algorithm, 94),
    means(&["unsupported algorithm"], CauseId::Algorithm, 94),
    means(&["issuer", "invalid"], CauseId::Issuer, 93),
    means(&["issuer is not configured"], CauseId::Issuer, 95),
    means(&["iss claim"], CauseId::Issuer, 94),
    means(&["\"iss\""], CauseId::Issuer, 93),
    means(&["'iss'"], CauseId::Issuer, 93),
    means(&["unknown issuer"], CauseId::Issuer, 94),
    means(&["unexpected issuer"], CauseId::Issuer, 94),
    means(&["idx10205"], CauseId::Issuer, 95),
    // RFC 6750 §3.1, Auth0, Google, Entra ID, Microsoft Graph, GitHub.
    means(&["insufficient_scope"], CauseId::Scope, 96),
    means(&["insufficient scope"], CauseId::Scope, 96),
    means(&["invalid_scope"], CauseId::Scope, 95),
    means(&["scope_insufficient"], CauseId::Scope, 96),
    means(&["insufficient authentication scopes"], CauseId::Scope, 96),
    means(&["aadsts70011"], CauseId::Scope, 95),
    means(&["scope", "missing"], CauseId::Scope, 92),
    means(&["scope", "required"], CauseId::Scope, 90),
    means(&["does not have", "scope"], CauseId::Scope, 92),
    means(&["lacks", "scope"], CauseId::Scope, 92),
    means(&["is not authorized to perform"], CauseId::Permission, 95),
    means(&["permission_denied"], CauseId::Permission, 88),
    means(&["insufficient privileges"], CauseId::Permission, 92),
    means(&["resource not accessible"], CauseId::Permission, 90),
    means(&["accessdenied", "!expired"], CauseId::Permission, 85),
    // Kong, Envoy, AWS, Spring, Django REST framework, GitHub, Azure API Management, Google.
    means(&["jwt is missing"], CauseId::Placement, 96),
    means(&["not in the form of header.payload.signature"], CauseId::Placement, 92),
    means(&["no api key found"], CauseId::Placement, 96),
    means(&["missing subscription key"], CauseId::Placement, 96),
    means(&["missing authentication token"], CauseId::Placement, 92),
    means(&["missingauthenticationtoken"], CauseId::Placement, 92),
    means(&["missing authorization"], CauseId::Placement, 95),
    means(&["authorization header", "missing"], CauseId::Placement, 95),
    means(&["authorization header", "required"], CauseId::Placement, 93),
    means(&["no authorization"], CauseId::Placement, 93),
    means(&["api key", "missing"], CauseId::Placement, 95),
    means(&["api key", "required"], CauseId::Placement, 92),
    means(&["missing", "api key"], CauseId::Placement, 95),
    means(&["missing", "credentials"], CauseId::Placement, 92),
    means(&["credentials were not provided"], CauseId::Placement, 95),
    means(&["full authentication is required"], CauseId::Placement, 88),
    means(&["requires authentication"], CauseId::Placement, 85),
    means(&["token", "missing", "!scope"], CauseId::Placement, 88),
    means(&["no token"], CauseId::Placement, 90),
    means(&["no credentials"], CauseId::Placement, 85),
    means(&["no auth"], CauseId::Placement, 88),
    means(&["use_dpop_nonce"], CauseId::Nonce, 98),
    means(&["nonce", "required"], CauseId::Nonce, 95),
    means(&["nonce", "expired"], CauseId::Nonce, 92),
    means(&["invalid_dpop_proof"], CauseId::Binding, 93),
    // RFC 6749 §5.2, Entra ID, Google, OpenAI, GitHub, Azure API Management, AWS.
    means(&["aadsts7000222"], CauseId::SecretExpired, 98),
    means(&["client secret", "expired"], CauseId::SecretExpired, 97),
    means(&["secret key", "expired"], CauseId::SecretExpired, 95),
    means(&["api key", "expired"], CauseId::SecretExpired, 96),
    means(&["password", "expired"], CauseId::SecretExpired, 95),
    means(&["aadsts7000215"], CauseId::Secret, 97),
    means(&["aadsts700016"], CauseId::Secret, 93),
    means(&["invalid_client"], CauseId::Secret, 86),
    means(&["invalid api key"], CauseId::Secret, 95),
    means(&["incorrect api key"], CauseId::Secret, 95),
    means(&["api key not valid"], CauseId::Secret, 95),
    means(&["api key", "invalid"], CauseId::Secret, 94),
    means(&["invalid subscription key"], CauseId::Secret, 95),
    means(&["bad credentials"], CauseId::Secret, 85),
    means(&["invalid credentials"], CauseId::Secret, 85),
    means(&["invalid username"], CauseId::Secret, 92),
    means(&["invalid user"], CauseId::Secret, 88),
    means(&["wrong password"], CauseId::Secret, 94),
    means(&["invalidaccesskeyid"], CauseId::Secret, 96),
    means(&["invalidclienttokenid"], CauseId::Secret, 95),
    means(&["unrecognizedclient"], CauseId::Secret, 94),
    means(&["security token included in the request is invalid"], CauseId::Secret, 94),
    means(&["revoked"], CauseId::Token, 93),
    means(&["invalid session"], CauseId::Token, 88),
    means(&["invalid_session"], CauseId::Token, 88),
    means(&["invalid_grant"], CauseId::Token, 70),
    means(&["login_required"], CauseId::LoginRequired, 95),
    means(&["interaction_required"], CauseId::LoginRequired, 95),
    means(&["consent_required"], CauseId::LoginRequired, 95),
    means(&["unauthorized_client"], CauseId::IssuerRefused, 90),
    means(&["unsupported_grant_type"], CauseId::IssuerRefused, 92),
    means(&["invalid_request"], CauseId::IssuerRefused, 60),
    // AWS.
    means(&["signaturedoesnotmatch"], CauseId::Signature, 80),
    means(&["request signature we calculated does not match"], CauseId::Signature, 80),
    means(&["signature_invalid"], CauseId::Signature, 80),
    means(&["scoped to a valid region"], CauseId::SignatureScope, 96),
    means(&["scoped to correct service"], CauseId::SignatureScope, 96),
    means(&["region", "is wrong"], CauseId::SignatureScope, 96),
    means(&["signature", "does not match"], CauseId::Signature, 78),
    // nginx, Apache, F5, RFC 8705.
    means(&["no required ssl certificate"], CauseId::ClientCertificate, 98),
    means(&["ssl certificate error"], CauseId::ClientCertificate, 97),
    means(&["client certificate"], CauseId::ClientCertificate, 95),
    means(&["certificate", "required"], CauseId::ClientCertificate, 92),
    means(&["mtls"], CauseId::ClientCertificate, 85),
    means(&["ip address", "not"], CauseId::Address, 88),
    means(&["ip", "not whitelisted"], CauseId::Address, 92),
    means(&["ip", "allowlist"], CauseId::Address, 92),
];

/// Whether words are about a time: the credential's, or the request's.
pub(crate) fn is_about_time(words: &str) -> Option<Timing> {
    let any = |all: &[&str]| all.iter().any(|word| words.contains(word));
    if any(&[
        "requesttimetooskewed",
        "time and the current time",
        "timestamp_refused",
        "clock",
        "skew",
        "reasonable timeframe",
    ]) {
        return Some(Timing::Clock);
    }
    if any(&[
        "not yet",
        "in the future",
        "nbf",
        "before",
        "not active",
        "issued at",
        "\"iat\"",
        "'iat'",
        "iat claim",
        "too far",
        "immature",
        "idx10222",
        "aadsts700024",
        "not within its valid time",
    ]) && !any(&["nonce"])
    {
        return Some(Timing::Early);
    }
    let of_secret = ["secret", "api key", "password", "aadsts7000222", "nonce"];
    if any(&["expired", "\"exp\"", "'exp'", "exp claim", "idx10223", "lifetime", "timestamp check failed"])
        && !any(&of_secret)
    {
        return Some(Timing::Late);
    }
    None
}

/// What of a time is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timing {
    /// The clocks.
    Clock,
    /// It is not valid yet.
    Early,
    /// It is not valid any more.
    Late,
}
