use crate::Secret;
use crate::protocol::base64;

/// The longest quote, in characters.
const LIMIT: usize = 200;
/// What is shorter is masked only where it stands alone, or every digit would be.
const SHORT: usize = 4;

/// What must not be repeated when somebody else's words are quoted in an error: a password that was sent, and that a server's
/// error page shows again.
///
/// # Example
/// ```
/// use countersign::Withheld;
///
/// let mut sent = Withheld::default();
/// sent.add("open sesame");
/// let said = sent.quote("No such user or password: open%20sesame\r\n<br>");
/// assert_eq!(said.as_deref(), Some("\"No such user or password: … <br>\""));
/// ```
#[derive(Debug, Default)]
pub struct Withheld(Vec<Secret>);

impl Withheld {
    /// One more text, as it is and as it may come back: percent-encoded, as a form has it, in base64, in JSON, in HTML.
    pub fn add(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let variants = [
            text.to_owned(),
            base64::encode(text.as_bytes()),
            form.replace('+', "%20"),
            form,
            serde_json::Value::from(text).to_string().trim_matches('"').to_owned(),
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
        ];
        self.0.extend(variants.map(Secret::new));
        // Longest first, so that nothing of one is left when another within it has been taken out.
        self.0
            .sort_by(|a, b| b.expose().len().cmp(&a.expose().len()).then_with(|| a.expose().cmp(b.expose())));
        self.0.dedup_by(|a, b| a.expose() == b.expose());
    }

    /// Somebody's words in quotes: one printable line of at most 200 characters, with `…` for what is withheld, in whatever case
    /// of letters. `None` where nothing is left.
    pub fn quote(&self, words: &str) -> Option<String> {
        let mut masked = words.to_owned();
        for secret in &self.0 {
            masked = without(&masked, secret.expose());
        }
        let printable = masked.chars().map(|c| if c.is_control() || c == '"' { ' ' } else { c });
        let words = printable.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
        let cut: String = words.chars().take(LIMIT).collect();
        let more = if cut.len() < words.len() { "…" } else { "" };
        (!cut.is_empty()).then(|| format!("\"{cut}{more}\""))
    }
}

/// The text with `…` for each occurrence of a secret, in any case of letters.
fn without(text: &str, secret: &str) -> String {
    let is_short = secret.chars().count() < SHORT;
    let (mut out, mut rest, mut before) = (String::with_capacity(text.len()), text, None);
    while let Some(next) = rest.chars().next() {
        if let Some(behind) = strip_prefix_in_any_case(rest, secret) {
            let alone = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
            if !is_short || (alone(before) && alone(behind.chars().next())) {
                out.push('…');
                before = Some('…');
                rest = behind;
                continue;
            }
        }
        out.push(next);
        before = Some(next);
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
    }
    out
}

fn strip_prefix_in_any_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let mut chars = text.char_indices();
    for wanted in prefix.chars() {
        let (_, char) = chars.next()?;
        if char != wanted && !char.to_lowercase().eq(wanted.to_lowercase()) {
            return None;
        }
    }
    Some(chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str, secrets: &[&str]) -> String {
        let mut withheld = Withheld::default();
        secrets.iter().for_each(|secret| withheld.add(secret));
        withheld.quote(text).unwrap_or_default()
    }

    #[test]
    fn what_is_withheld_is_not_repeated_however_it_is_written() {
        for said in [
            "wrong: p&ä\"ss w0rd",
            "wrong: P&Ä\"SS W0RD!",
            "wrong: p%26%C3%A4%22ss%20w0rd",
            "wrong: p%26%c3%a4%22ss+w0rd",
            "wrong: p&amp;ä&quot;ss w0rd",
            "wrong: p&ä\\\"ss w0rd",
            "wrong: cCbDpCJzcyB3MHJk",
        ] {
            let quoted = quoted(said, &["p&ä\"ss w0rd"]);
            assert!(quoted.starts_with("\"wrong: …"), "{quoted}");
            assert!(!quoted.to_lowercase().contains("w0rd") && !quoted.contains("cCbD"), "{quoted}");
        }
    }

    #[test]
    fn a_short_text_is_masked_where_it_stands_alone() {
        assert_eq!(quoted("code 10: 1 is not 1st", &["1"]), "\"code 10: … is not 1st\"");
        assert_eq!(quoted("abcd and abcdef", &["abcd", "abcdef"]), "\"… and …\"");
    }

    #[test]
    fn a_quote_is_one_printable_line_of_bounded_length() {
        assert_eq!(quoted("a\r\n\u{1b}[31mb \"c\"", &[]), "\"a [31mb c\"");
        assert_eq!(quoted(&"ä".repeat(500), &[]).chars().count(), LIMIT + 3);
        assert_eq!(quoted(" \n ", &[]), "");
    }
}
