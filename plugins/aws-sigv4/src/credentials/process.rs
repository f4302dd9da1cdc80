use std::time::Duration;

use countersign::protocol::Run;
use countersign::{Context, Error, Secret, timestamp};
use serde::Deserialize;

use super::Keys;

/// How long a program may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// What of the environment a program needs that looks for credentials.
const INHERIT: [&str; 7] =
    ["PATH", "HOME", "USER", "LANG", "TMPDIR", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];

/// What a `credential_process` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u64,
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    expiration: Option<String>,
}

/// Keys that a program prints.
pub(super) async fn keys(cx: &Context, line: &str) -> Result<Keys, Error> {
    let mut words = words(line)?.into_iter();
    let program = words.next().ok_or_else(|| Error::config("`credential_process` names no program"))?;
    let run = Run {
        program,
        arguments: words.collect(),
        inherit: INHERIT.map(str::to_owned).to_vec(),
        environment: Vec::new(),
        folder: None,
        keeps_errors: false,
        timeout: TIMEOUT,
    };
    let ran = cx.run(run).await?;
    match ran.status {
        Some(0) => {}
        Some(status) => {
            return Err(Error::denied(format!("`credential_process` failed with exit status {status}")));
        }
        None => return Err(Error::unavailable("`credential_process` was ended by a signal")),
    }
    let printed: Printed = serde_json::from_slice(ran.output.expose()).map_err(|_| {
        Error::denied("`credential_process` did not print what it should: version 1, as JSON")
    })?;
    if printed.version != 1 {
        return Err(Error::unsupported("`credential_process` printed another version than 1"));
    }
    let expires = match &printed.expiration {
        None => None,
        Some(text) => Some(timestamp(text).ok_or_else(|| {
            Error::denied("`credential_process` printed an `Expiration` that is no instant")
        })?),
    };
    Ok(Keys {
        access_key_id: printed.access_key_id,
        secret_access_key: printed.secret_access_key,
        session_token: printed.session_token.filter(|token| !token.expose().is_empty()),
        expires,
    })
}

/// A command line's words: blanks separate, quotes keep together, `\` keeps the next character outside of `'…'`.
fn words(line: &str) -> Result<Vec<String>, Error> {
    let unended = || Error::config("`credential_process` has a quote that does not end");
    let (mut words, mut word, mut quote): (Vec<String>, Option<String>, Option<char>) =
        (Vec::new(), None, None);
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match (char, quote) {
            (char, Some(open)) if char == open => quote = None,
            ('\\', open) if open != Some('\'') => {
                word.get_or_insert_default().push(chars.next().ok_or_else(unended)?);
            }
            ('\'' | '"', None) => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (char, None) if char.is_whitespace() => words.extend(word.take()),
            (char, _) => word.get_or_insert_default().push(char),
        }
    }
    if quote.is_some() {
        return Err(unended());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_as_quotes_say() {
        assert_eq!(
            words(r#"/opt/a\ b --x "c \" d" 'e\f' """#).unwrap(),
            ["/opt/a b", "--x", "c \" d", r"e\f", ""]
        );
        assert!(words("a 'b").is_err() && words("a \\").is_err() && words("").unwrap().is_empty());
    }
}
