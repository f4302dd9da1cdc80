//! What is checked.

use std::fmt;

/// One rule that a plugin keeps.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, the same for ever: `schema-closed`.
    pub name: &'static str,
    /// What it is about.
    pub group: Group,
    /// What holds when it is passed.
    pub proves: &'static str,
}

/// What checks are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// What the types say of themselves.
    Manifest,
    /// Settings, right and wrong.
    Settings,
    /// Credentials from an issuer that is well.
    Credentials,
    /// An issuer that is not.
    Issuer,
    /// Requests that are signed.
    Signing,
    /// Many at once, given up halfway, dropped.
    Life,
    /// Secrets.
    Silence,
    /// The same in every home.
    Homes,
}

impl Group {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Settings => "settings",
            Self::Credentials => "credentials",
            Self::Issuer => "issuer",
            Self::Signing => "signing",
            Self::Life => "life",
            Self::Silence => "silence",
            Self::Homes => "homes",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident: $group:ident, $text:literal, $proves:literal;)*) => {
        $(pub(super) const $name: &Check = &Check { name: $text, group: Group::$group, proves: $proves };)*

        /// All checks, in the order in which they are run.
        pub const ALL: &[&Check] = &[$($name),*];
    };
}

checks! {
    TYPES_NAMED: Manifest, "types-named", "each type has a name of lower case, digits and `-`, and no name is there twice";
    SUMMARIES: Manifest, "summaries", "each type says in one line what it is for";
    SCHEMA_VALID: Manifest, "schema-valid", "the schema of the settings is one (draft 2020-12), of an object";
    SCHEMA_CLOSED: Manifest, "schema-closed", "a misspelt setting is found: the schema allows no others";
    SETTINGS_DESCRIBED: Manifest, "settings-described", "each setting has a description";
    SECRETS_MARKED: Manifest, "secrets-marked", "each setting whose name says that it is secret is `writeOnly`";

    SETTINGS_TAKEN: Settings, "settings-taken", "good settings make an instance";
    MISSING_FOUND: Settings, "missing-found", "a missing setting is an error of the configuration";
    WRONG_FOUND: Settings, "wrong-found", "a setting of the wrong type is an error of the configuration, if it is not taken";
    UNKNOWN_FOUND: Settings, "unknown-found", "an unknown setting is an error of the configuration, which names it";
    VALUES_UNTOLD: Settings, "values-untold", "no error about settings holds the value of one";
    INPUTS_STABLE: Settings, "inputs-stable", "equal settings declare equal inputs, whenever they are asked";

    ACQUIRED: Credentials, "acquired", "a good answer of the issuer becomes a credential";
    PLACEMENTS_VALID: Credentials, "placements-valid", "the host may place what the credential holds";
    PLACES_KEPT: Credentials, "places-kept", "what it places is what it declares to place, if it declares anything";
    LIFETIME_AHEAD: Credentials, "lifetime-ahead", "the credential's end lies ahead of now";
    LIFETIME_FOLLOWED: Credentials, "lifetime-followed", "an issuer that shortens its tokens' life shortens the credential's";
    LIFETIME_NOT_GUESSED: Credentials, "lifetime-not-guessed", "an issuer that states no lifetime gets none invented";
    TIME_FROM_HOST: Credentials, "time-from-host", "the only clock is the host's: a year later all is a year later, but for what ends with something in the settings, as a certificate does";
    UNDECLARED_UNSEEN: Credentials, "undeclared-unseen", "what the inputs do not declare changes nothing";
    CALLER_MISSED: Credentials, "caller-missed", "a caller who lacks a declared attribute is an error, and not of the plugin's";
    RENEWAL_TAKEN: Credentials, "renewal-taken", "renewal state is taken back, and state that is none is survived";
    CHALLENGE_TAKEN: Credentials, "challenge-taken", "a challenge of the API is survived";

    NO_ANSWER: Issuer, "no-answer", "an issuer that cannot be reached is `unavailable`";
    UNWELL: Issuer, "unwell", "an issuer that answers with 500 or 503 is `unavailable`";
    RATE_LIMITED: Issuer, "rate-limited", "429 is `rate-limited`, and `Retry-After` is kept";
    DENIED: Issuer, "denied", "401 is `denied`";
    REDIRECTED: Issuer, "redirected", "a redirect is an error";
    BROKEN_ANSWERS: Issuer, "broken-answers", "HTML, cut JSON, other JSON, nothing and 256 KiB of noise are no credential";
    BOUNDED: Issuer, "bounded", "every conversation ends within 64 needs and 60 s";

    SIGNED: Signing, "signed", "a request is signed";
    EDITS_VALID: Signing, "edits-valid", "the host may place what the signature adds, and it is what the type declares to place, if it declares anything";
    SIGN_PURE: Signing, "sign-pure", "the same request at the same time is signed the same, but for random bytes";
    SIGN_TIME: Signing, "sign-time", "a signature knows no time but the host's";
    BODY_UNSEEN: Signing, "body-unseen", "a body that the inputs do not declare changes nothing";
    SIGN_THREADS: Signing, "sign-threads", "1,000 requests are signed on 8 threads as on one";
    SIGN_FAST: Signing, "sign-fast", "half of the signatures take at most 20 ms";

    INTERLEAVED: Life, "interleaved", "100 conversations, in turns on 8 threads, are not mixed up";
    CANCELLED: Life, "cancelled", "a conversation that is given up at whichever await leaves nothing behind";
    DROPPED: Life, "dropped", "instances and conversations go in whichever order, without a panic";
    STILL_THERE: Life, "still-there", "after all of this an instance does what it did at first";
    NEVER_INTERNAL: Life, "never-internal", "nothing that happened was an error of the plugin's own";

    ERRORS_SILENT: Silence, "errors-silent", "no error holds a secret: of the settings, of the issuer, of a credential";
    LOGS_SILENT: Silence, "logs-silent", "nothing that was logged, at any level, holds one";

    SAME_EVERYWHERE: Homes, "same-everywhere", "what it says and does is the same in every home";
}
