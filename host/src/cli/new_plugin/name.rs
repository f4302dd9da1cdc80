use crate::cli::args::Language;
use crate::registry::Registry;

/// The name of a plugin, which is its type's, its folder's and its file's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

/// What Rust knows by that name already, so that a crate cannot have it.
const OF_RUST: [&str; 53] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "countersign",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "hmac",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "schemars",
    "self",
    "serde",
    "serde-json",
    "sha2",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "type",
];
const MORE_OF_RUST: [&str; 9] =
    ["try", "typeof", "union", "unsafe", "unsized", "use", "virtual", "where", "while"];
/// What the examples call something else.
const OF_THE_EXAMPLES: [&str; 17] = [
    "AuthProfile",
    "Context",
    "Credential",
    "Digest",
    "Duration",
    "Edits",
    "Error",
    "HttpRequest",
    "Inputs",
    "KeyInit",
    "Mac",
    "RequestHead",
    "Secret",
    "Session",
    "Settings",
    "Sha256",
    "SignContext",
];
const OF_THE_PRELUDE: [&str; 14] = [
    "Box", "Clone", "Copy", "Default", "Drop", "Err", "Fn", "None", "Ok", "Option", "Result", "Some",
    "String", "Vec",
];

impl Name {
    /// # Errors
    /// It cannot be one, in words.
    pub(super) fn parse(text: &str, language: Language) -> Result<Self, String> {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let well_formed = text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.chars().all(letters)
            && !text.ends_with('-')
            && !text.contains("--")
            && text.len() <= 64;
        if !well_formed {
            return Err(format!(
                "{text:?} cannot be a plugin's name: lower-case letters, digits and single `-` between them, beginning with a letter, \
                 at most 64; `acme-login`"
            ));
        }
        if Registry::built_in().names().any(|built_in| built_in == text) {
            return Err(format!(
                "`{text}` is a built-in type, and no plugin may bring another; take another name"
            ));
        }
        if crate::config::PLUGINS_KEYS.contains(&text) {
            return Err(format!(
                "`{text}` is a key of `[plugins]`, so that nothing could be said of the plugin; take another name"
            ));
        }
        let rust = language == Language::Rust;
        if rust && (OF_RUST.contains(&text) || MORE_OF_RUST.contains(&text)) {
            return Err(format!(
                "`{text}` is a word of Rust or a crate that is used; take another name, `{text}-login`"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// `acme_login`.
    pub(super) fn snake(&self) -> String {
        self.0.replace('-', "_")
    }

    /// `AcmeLogin`; never a name that the examples use for something else.
    pub(super) fn camel(&self) -> String {
        let name: String = self.0.split('-').map(capitalized).collect();
        let taken = OF_THE_EXAMPLES.contains(&&*name) || OF_THE_PRELUDE.contains(&&*name);
        if taken { format!("{name}Type") } else { name }
    }

    /// The first word: `acme`.
    pub(super) fn first(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }
}

pub(super) fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
    format!("{}{rest}", first.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_plugin_can_have_are_refused_in_words() {
        for (name, words) in [
            ("", "cannot be a plugin's name"),
            ("Acme", "cannot be a plugin's name"),
            ("2fa", "cannot be a plugin's name"),
            ("acme_login", "cannot be a plugin's name"),
            ("acme--login", "cannot be a plugin's name"),
            ("acme-", "cannot be a plugin's name"),
            ("../acme", "cannot be a plugin's name"),
            ("basic", "is a built-in type"),
            ("trust", "is a key of `[plugins]`"),
            ("match", "is a word of Rust"),
            ("serde-json", "is a word of Rust"),
        ] {
            let refused = Name::parse(name, Language::Rust).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
        assert!(Name::parse("match", Language::Python).is_ok());
    }

    #[test]
    fn a_name_is_written_as_each_place_wants_it() {
        let name = Name::parse("acme-2fa", Language::Rust).unwrap();
        assert_eq!((name.snake(), name.camel(), name.first()), ("acme_2fa".into(), "Acme2fa".into(), "acme"));
        let taken = Name::parse("credential", Language::Rust).unwrap();
        assert_eq!(taken.camel(), "CredentialType");
    }
}
