//! Names of profiles, connectors and plugins, and the nearest known one to a misspelt one.

/// Why a text is no name, if it is none: names are `[a-z0-9][a-z0-9._-]*`, at most 64 characters.
pub(crate) fn fault(name: &str) -> Option<&'static str> {
    const WORDS: &str = "is not a name: lower-case letters, digits, `-`, `_` and `.`, beginning with a letter \
                         or digit, at most 64 characters";
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (!first || name.len() > 64 || !name.bytes().all(inner)).then_some(WORDS)
}

/// The known name that was probably meant.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let length = name.chars().count();
    if length > 64 {
        return None;
    }
    let tolerated = (length / 3).max(1);
    known
        .into_iter()
        .filter_map(|candidate| {
            if length >= 3 && candidate.starts_with(name) {
                return Some((1, candidate));
            }
            // Lengths first: the distance itself is dear, and there may be ten thousand names.
            let possible = candidate.len().abs_diff(name.len()) <= tolerated;
            let distance = possible.then(|| strsim::osa_distance(name, candidate))?;
            (distance <= tolerated).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?` or what there is.
pub(crate) fn suggestion(name: &str, known: &[&str], none: &str) -> String {
    const SHOWN: usize = 24;
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if known.is_empty() => none.to_owned(),
        None => {
            let mut shown: Vec<String> = known.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
            if known.len() > SHOWN {
                shown.push(format!("and {} more", known.len() - SHOWN));
            }
            format!("known here: {}", shown.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_plain_and_lower_case() {
        for good in ["a", "0", "orders-jwt", "crm_2", "v1.2"] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in ["", "-a", ".a", "A", "a b", "a/b", "ä", &"a".repeat(65)] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn nearest_is_near_or_nothing() {
        assert_eq!(nearest("isuer", ["subject", "issuer", "user"]), Some("issuer"));
        assert_eq!(nearest("pofile", ["profiles", "profile"]), Some("profile"));
        assert_eq!(nearest("stat", ["replay", "status"]), Some("status"));
        assert_eq!(nearest("zzz", ["issuer"]), None);
    }
}
