use serde::Serialize;

/// What may be the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CauseId {
    /// The clocks of this machine and the other side differ.
    Clock,
    /// The credential has expired.
    Expired,
    /// The token is for somebody else.
    Audience,
    /// The token's issuer is not the one that the API trusts.
    Issuer,
    /// The key that the token names is not known.
    KeyId,
    /// It was signed with another key than the other side has.
    Key,
    /// The other side does not take the algorithm.
    Algorithm,
    /// The token does not allow what was asked for.
    Scope,
    /// Whoever the credential belongs to may not do that.
    Permission,
    /// The API does not see the credential where it was placed.
    Placement,
    /// The API read another request than the one that was signed.
    Signature,
    /// The signature is for another region or service.
    SignatureScope,
    /// The API demands a nonce of its own.
    Nonce,
    /// The token is bound to a key or certificate of which no proof went along.
    Binding,
    /// A client certificate is missing or not accepted.
    ClientCertificate,
    /// A secret (password, key, client secret) is not accepted.
    Secret,
    /// A secret has expired.
    SecretExpired,
    /// The token is not known, or revoked.
    Token,
    /// Somebody has to log in or to consent.
    LoginRequired,
    /// The issuer of credentials cannot be reached, or is not well.
    IssuerDown,
    /// The issuer refused for another reason.
    IssuerRefused,
    /// The API cannot be reached, or is not well.
    ApiDown,
    /// The other side's certificate is not accepted here.
    Trust,
    /// The API sends its clients elsewhere.
    Redirect,
    /// Calls from this address are not accepted.
    Address,
    /// There are too many calls.
    RateLimit,
    /// There is no such path or method, or it is hidden.
    Path,
    /// The request itself is not right; the credential may be.
    Request,
    /// A setting is wrong.
    Config,
    /// A profile does not keep to its contract.
    Profile,
}

impl CauseId {
    /// Its name, as in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Expired => "expired",
            Self::Audience => "audience",
            Self::Issuer => "issuer",
            Self::KeyId => "key-id",
            Self::Key => "key",
            Self::Algorithm => "algorithm",
            Self::Scope => "scope",
            Self::Permission => "permission",
            Self::Placement => "placement",
            Self::Signature => "signature",
            Self::SignatureScope => "signature-scope",
            Self::Nonce => "nonce",
            Self::Binding => "binding",
            Self::ClientCertificate => "client-certificate",
            Self::Secret => "secret",
            Self::SecretExpired => "secret-expired",
            Self::Token => "token",
            Self::LoginRequired => "login-required",
            Self::IssuerDown => "issuer-down",
            Self::IssuerRefused => "issuer-refused",
            Self::ApiDown => "api-down",
            Self::Trust => "trust",
            Self::Redirect => "redirect",
            Self::Address => "address",
            Self::RateLimit => "rate-limit",
            Self::Path => "path",
            Self::Request => "request",
            Self::Config => "config",
            Self::Profile => "profile",
        }
    }
}

/// One thing that may be the matter: how likely, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// What.
    pub cause: CauseId,
    /// How likely, from 0 to 100: from 90 on the other side says it, or it can be seen; below 50 it is a guess.
    pub weight: u8,
    /// In one sentence.
    pub title: String,
    /// The evidence.
    pub because: Vec<String>,
    /// The way out, the best first.
    pub remedies: Vec<String>,
}

impl Cause {
    /// A cause that is so likely.
    pub(crate) fn new(cause: CauseId, weight: u8, title: impl Into<String>) -> Self {
        Self { cause, weight, title: title.into(), because: Vec::new(), remedies: Vec::new() }
    }

    /// With some evidence.
    #[must_use]
    pub(crate) fn because(mut self, evidence: impl Into<String>) -> Self {
        self.because.push(evidence.into());
        self
    }

    /// With a way out.
    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedies.push(remedy.into());
        self
    }

    /// Takes in what another rule has found of the same: it is then a little more likely.
    pub(crate) fn join(&mut self, other: Self) {
        if other.weight > self.weight {
            self.title = other.title;
        }
        let weight = self.weight.max(other.weight);
        self.weight = weight.max(weight.saturating_add(2).min(99));
        for (mine, theirs) in [(&mut self.because, other.because), (&mut self.remedies, other.remedies)] {
            for text in theirs {
                if !mine.contains(&text) {
                    mine.push(text);
                }
            }
        }
    }
}
