//! What came of trying a connector out, for people.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::cli::output::Paint;
use crate::explain::{
    Answer, Cause, CauseId, Evidence, Exchange, Explanation, FoundKeys, ObtainedEvidence, PlacedEvidence,
    Problem, ProfileEvidence, Sent, Token,
};

/// Step by step: obtained, placed, answered.
pub(super) fn steps(explanation: &Explanation, paint: Paint) -> String {
    let evidence = &explanation.evidence;
    let mut text = Text { out: String::new(), paint };
    text.head(evidence);
    evidence.profiles.iter().for_each(|profile| text.profile(profile, None));
    text.attempts(evidence, false);
    text.verdict(evidence);
    if let Some(cause) = explanation.causes.first() {
        let title = &cause.title;
        text.line(format_args!("{} {title}", text.paint.bold("likeliest:")));
        text.line(format_args!("`countersign explain {}` says more", evidence.connector));
    }
    text.out
}

/// The causes first, then everything that they were found from.
pub(super) fn whole(explanation: &Explanation, paint: Paint) -> String {
    let Explanation { evidence, causes, well } = explanation;
    let mut text = Text { out: String::new(), paint };
    text.head(evidence);
    text.verdict(evidence);
    for (rank, cause) in causes.iter().enumerate() {
        text.cause(rank, cause);
    }
    if !well.is_empty() {
        text.line("");
        well.iter().for_each(|words| text.line(format_args!("{} {words}", text.paint.good("well:"))));
    }
    text.line("");
    evidence.profiles.iter().for_each(|profile| text.profile(profile, Some(causes)));
    text.attempts(evidence, true);
    // What stands above already is not said again.
    let of_causes =
        causes.iter().filter(|cause| cause.cause == CauseId::Clock).flat_map(|cause| &cause.because);
    let told: Vec<&String> = of_causes.chain(well.iter().filter(|words| words.contains("clock"))).collect();
    for skew in evidence.clocks.iter().filter(|skew| told.iter().all(|words| !words.contains(&skew.against)))
    {
        let way = if skew.ahead_s < 0 { "behind" } else { "ahead of" };
        text.line(format_args!(
            "{} this machine's is {} s {way} {} (± {} s)",
            text.paint.bold("clock:"),
            skew.ahead_s.abs(),
            skew.against,
            skew.margin_s
        ));
    }
    text.keys(evidence);
    text.out
}

struct Text {
    out: String,
    paint: Paint,
}

impl Text {
    fn line(&mut self, line: impl std::fmt::Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.out, "{line}");
    }

    fn head(&mut self, evidence: &Evidence) {
        let asked = &evidence.request;
        let caller = if asked.caller.is_empty() {
            String::new()
        } else {
            format!(" for a caller with {}", asked.caller.join(", "))
        };
        self.line(format_args!(
            "{}: {} {}{caller}",
            self.paint.bold(&evidence.connector),
            asked.method,
            asked.url
        ));
    }

    fn verdict(&mut self, evidence: &Evidence) {
        let expected = &evidence.request.expected;
        let statuses = || expected.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ");
        let line = match evidence.answer() {
            _ if evidence.as_expected => self.paint.good("as expected"),
            Some(answer) if !expected.is_empty() => self.paint.bad(format_args!(
                "not as expected: answered with {}, not {}",
                answer.status,
                statuses()
            )),
            Some(answer) => self.paint.bad(format_args!("not as expected: answered with {}", answer.status)),
            None if evidence.profiles.iter().any(|profile| failure_of(profile).is_some()) => {
                // Why, the profile's own line says, or the cause.
                self.paint.bad("no answer: nothing was sent, for want of a credential")
            }
            None => match &evidence.failure {
                Some(failure) => self.paint.bad(format_args!("no answer: {failure}")),
                None => self.paint.bad("no answer"),
            },
        };
        self.line(line);
    }

    fn cause(&mut self, rank: usize, cause: &Cause) {
        let how = match (rank, cause.weight) {
            (0, 90..) => "cause",
            (_, 60..) => "likely",
            _ => "perhaps",
        };
        let mark = format!("{how}[{}]", cause.cause.as_str());
        let mark = if rank == 0 { self.paint.bad(mark) } else { self.paint.bold(mark) };
        self.line("");
        self.line(format_args!("{mark}: {}", cause.title));
        cause.because.iter().for_each(|why| self.line(format_args!("  | {why}")));
        cause.remedies.iter().for_each(|way| self.line(format_args!("  = help: {way}")));
    }

    /// In whole below the causes, or in brief.
    fn profile(&mut self, profile: &ProfileEvidence, below: Option<&[Cause]>) {
        let whole = below.is_some();
        let is_told = |message: &str| {
            let because = below.into_iter().flatten().flat_map(|cause| &cause.because);
            because.into_iter().any(|words| words.contains(message))
        };
        let ProfileEvidence { name, type_name, home, outcome, exchanges, reads, places, .. } = profile;
        let home = if home == "built in" { String::new() } else { format!(", {home}") };
        let outcome = match outcome {
            Some(ObtainedEvidence::Credential { took_ms, valid_for_s, single_use, certificate }) => {
                let life = match (valid_for_s, single_use) {
                    (_, true) => ", for one request".to_owned(),
                    (Some(seconds), _) => format!(", good for {seconds} s"),
                    (None, _) => String::new(),
                };
                let certificate = if *certificate { ", with a client certificate" } else { "" };
                self.paint.good(format_args!("a credential after {took_ms} ms{life}{certificate}"))
            }
            Some(ObtainedEvidence::Failed { kind, message, .. }) if is_told(message) => {
                self.paint.bad(format_args!("no credential ({kind})"))
            }
            Some(ObtainedEvidence::Failed { kind, message, field }) => {
                let at = field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default();
                self.paint.bad(format_args!("no credential: {at}{message} ({kind})"))
            }
            None => self.paint.dim("was not asked"),
        };
        self.line(format_args!("{} {name} ({type_name}{home}): {outcome}", self.paint.bold("profile")));
        if whole && !reads.is_empty() {
            self.line(format_args!("    reads {}", reads.join(", ")));
        }
        if let Some(places) = places.as_ref().filter(|_| whole) {
            self.line(format_args!("    places {}", places.join(", ")));
        }
        exchanges.iter().for_each(|exchange| self.exchange(exchange, whole));
    }

    fn exchange(&mut self, exchange: &Exchange, whole: bool) {
        let Exchange { method, url, took_ms, parameters, assertion, status, said, trouble } = exchange;
        let outcome = match (status, trouble) {
            (Some(status), _) => status.to_string(),
            (None, Some(trouble)) => words_of(trouble),
            (None, None) => "not sent".to_owned(),
        };
        self.line(format_args!("    {method} {url}: {outcome} after {took_ms} ms"));
        if let Some(said) = said {
            let said: Vec<_> =
                [&said.code, &said.message].into_iter().flatten().map(String::as_str).collect();
            if !said.is_empty() {
                self.line(format_args!("      says: {}", said.join(": ")));
            }
        }
        if whole {
            parameters.iter().for_each(|(name, value)| self.line(format_args!("      {name}={value}")));
            if let Some(token) = assertion {
                self.line("      the assertion:");
                self.token(token, 8);
            }
        }
    }

    fn attempts(&mut self, evidence: &Evidence, whole: bool) {
        for (number, sent) in evidence.attempts.iter().enumerate() {
            if number > 0 {
                self.line("once more, with a new credential:");
            }
            // What was placed and answered the first time is told in full only where it was the last.
            self.sent(sent, whole && number + 1 == evidence.attempts.len());
        }
    }

    fn sent(&mut self, sent: &Sent, whole: bool) {
        for placed in &sent.placed {
            let PlacedEvidence { profile, place, name, scheme, value } = placed;
            let scheme = scheme.as_ref().map(|scheme| format!("{scheme} ")).unwrap_or_default();
            self.line(format_args!(
                "{} {place} {name}: {scheme}{} (of {profile})",
                self.paint.bold("placed"),
                summary(value)
            ));
            if whole {
                self.token(value, 4);
            }
        }
        if sent.certificate {
            self.line(format_args!("{} a client certificate on the connection", self.paint.bold("placed")));
        }
        if let Some(signed) = sent.signed.as_ref().filter(|_| whole) {
            let scope = signed.scope.as_ref().map(|scope| format!(" for {scope}")).unwrap_or_default();
            self.line(format_args!("    {} signs {}{scope}", signed.scheme, signed.headers.join(", ")));
            if let Some(difference) = &signed.difference {
                self.line(format_args!("    - {}: {}   (sent)", difference.line, difference.sent));
                self.line(format_args!("    + {}: {}   (read by the API)", difference.line, difference.read));
            }
        }
        match (&sent.answer, &sent.trouble) {
            (Some(answer), _) => self.answer(answer, sent.took_ms, whole),
            (None, Some(trouble)) => {
                self.line(format_args!(
                    "{} {}",
                    self.paint.bold("answered"),
                    self.paint.bad(words_of(trouble))
                ));
            }
            (None, None) => self.line(format_args!("{} nothing", self.paint.bold("answered"))),
        }
    }

    fn answer(&mut self, answer: &Answer, took_ms: u64, whole: bool) {
        let status = match answer.status {
            200..=299 => self.paint.good(answer.status),
            _ => self.paint.bad(answer.status),
        };
        self.line(format_args!("{} {status} after {took_ms} ms", self.paint.bold("answered")));
        for challenge in &answer.challenges {
            let parameters: Vec<_> =
                challenge.parameters.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            self.line(
                format_args!("    www-authenticate: {} {}", challenge.scheme, parameters.join(", "))
                    .to_string()
                    .trim_end(),
            );
        }
        if let Some(to) = &answer.redirect {
            self.line(format_args!(
                "    location: {}{}",
                to.url,
                if to.elsewhere { " (another origin)" } else { "" }
            ));
        }
        if whole {
            answer.headers.iter().for_each(|(name, value)| self.line(format_args!("    {name}: {value}")));
        }
        if let Some(said) = answer.said.as_ref().filter(|_| whole || answer.status >= 300) {
            let said: Vec<_> =
                [&said.code, &said.message].into_iter().flatten().map(String::as_str).collect();
            if !said.is_empty() && (answer.status >= 300 || !said.is_empty()) {
                self.line(format_args!("    says: {}", said.join(": ")));
            }
        }
    }

    /// A token's parts, each value on its line.
    fn token(&mut self, token: &Token, indent: usize) {
        match token {
            Token::Jwt { header, claims, .. } => {
                self.object("header", header, indent);
                self.object("claims", claims, indent);
            }
            Token::Jwe { header } => self.object("header", header, indent),
            Token::Parameters { parameters } => {
                for (name, value) in parameters {
                    self.line(format_args!("{:indent$}{name}={value}", ""));
                }
            }
            Token::Basic { .. } | Token::Opaque { .. } => {}
        }
    }

    fn object(&mut self, what: &str, object: &Map<String, Value>, indent: usize) {
        for (name, value) in object {
            let time = matches!(name.as_str(), "exp" | "iat" | "nbf" | "auth_time")
                .then(|| value.as_u64())
                .flatten();
            let time = time.map(|seconds| format!("  ({})", utc(seconds))).unwrap_or_default();
            self.line(format_args!("{:indent$}{what} {name}: {value}{time}", ""));
        }
    }

    fn keys(&mut self, evidence: &Evidence) {
        let Some(keys) = &evidence.keys else { return };
        let words = match &keys.found {
            FoundKeys::None { why } => format!("could not be asked for its keys: {why}"),
            FoundKeys::Some { kids, verifies, .. } => {
                let verified = match verifies {
                    Some(true) => "; one of them verifies the token",
                    Some(false) => "; none of them verifies the token",
                    None => "",
                };
                let kids = if kids.is_empty() {
                    "keys without names".to_owned()
                } else {
                    format!("the keys {}", kids.join(", "))
                };
                format!("publishes {kids}{verified}")
            }
        };
        self.line(format_args!("{} {} {words}", self.paint.bold("issuer:"), keys.issuer));
    }
}

/// Why a profile has no credential.
fn failure_of(profile: &ProfileEvidence) -> Option<&str> {
    match &profile.outcome {
        Some(ObtainedEvidence::Failed { message, .. }) => Some(message),
        _ => None,
    }
}

/// A value in a few words.
fn summary(token: &Token) -> String {
    match token {
        Token::Jwt { signature_length, .. } => {
            format!("a JWT, its signature of {signature_length} characters")
        }
        Token::Jwe { .. } => "an encrypted JWT".to_owned(),
        Token::Basic { user, password_length } => {
            format!("user {user}, a password of {password_length} characters")
        }
        Token::Parameters { .. } => "parameters".to_owned(),
        Token::Opaque { length, prefix: Some(prefix) } => format!("{prefix}…, {length} characters"),
        Token::Opaque { length, prefix: None } => format!("{length} characters"),
    }
}

fn words_of(problem: &Problem) -> String {
    match problem {
        Problem::Unresolved => "the host's name has no address".to_owned(),
        Problem::Refused => "nobody listens there".to_owned(),
        Problem::Late => "no answer in time".to_owned(),
        Problem::Alert(alert) => format!("TLS was ended by the other side: {alert}"),
        Problem::Certificate(why) => format!("TLS does not come about: {why}"),
        Problem::Cut => "the connection was closed without an answer".to_owned(),
        Problem::Other => "no answer".to_owned(),
    }
}

/// A time as people compare it (RFC 3339, UTC).
fn utc(seconds: u64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds.min(100_000_000_000));
    httpdate::fmt_http_date(time)
}
