use crate::{Credential, Edits, Error, Place, Places, Secret};

/// Where a token goes and which word stands before it: `Authorization: Bearer …` unless the settings say otherwise.
///
/// For types whose credential is one token.
///
/// # Example
/// ```
/// use countersign::TokenPlace;
///
/// let place = TokenPlace::header("Authorization", "Bearer")?;
/// let credential = place.credential("eyJ…");
/// assert_eq!(credential.placements()[0].value.expose(), "Bearer eyJ…");
/// # Ok::<(), countersign::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TokenPlace {
    place: Place,
    name: String,
    /// Empty, or the scheme and a space.
    before: String,
}

impl TokenPlace {
    /// In a header, behind a scheme; an empty scheme lets the token stand alone.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) at `header` or `scheme`.
    pub fn header(header: &str, scheme: &str) -> Result<Self, Error> {
        Place::Header.check_name(header).map_err(|error| error.at("header"))?;
        let before = match scheme {
            "" => String::new(),
            scheme if scheme.bytes().all(is_token_char) => format!("{scheme} "),
            _ => return Err(Error::config("is no scheme; a single word like Bearer is one").at("scheme")),
        };
        Ok(Self { place: Place::Header, name: header.to_ascii_lowercase(), before })
    }

    /// In a query parameter.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) at `query`.
    pub fn query(name: &str) -> Result<Self, Error> {
        Place::Query.check_name(name).map_err(|error| error.at("query"))?;
        Ok(Self { place: Place::Query, name: name.to_owned(), before: String::new() })
    }

    /// In a cookie.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) at `cookie`.
    pub fn cookie(name: &str) -> Result<Self, Error> {
        Place::Cookie.check_name(name).map_err(|error| error.at("cookie"))?;
        Ok(Self { place: Place::Cookie, name: name.to_owned(), before: String::new() })
    }

    /// A credential that places the token; its lifetime is yet to be said.
    pub fn credential(&self, token: impl AsRef<str>) -> Credential {
        self.place(Credential::new(), token)
    }

    /// Adds the token to a credential that holds something already.
    #[must_use]
    pub fn place(&self, credential: Credential, token: impl AsRef<str>) -> Credential {
        credential.and(self.place, &self.name, self.value(token.as_ref()))
    }

    /// The same for a token that is made for one request.
    pub fn edits(&self, token: impl AsRef<str>) -> Edits {
        Edits::none().and(self.place, self.name.clone(), self.value(token.as_ref()))
    }

    /// That place, to be declared.
    pub fn places(&self) -> Places {
        Places::none().and(self.place, &self.name)
    }

    fn value(&self, token: &str) -> Secret {
        Secret::new(format!("{}{token}", self.before))
    }
}

/// `tchar` (RFC 9110 §5.6.2), of which a scheme consists.
const fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_one_word_or_none() {
        for scheme in ["two words", "a\r\nb", "Bearer:", "é", "\"a\"", "(a)"] {
            assert_eq!(TokenPlace::header("a", scheme).unwrap_err().field(), Some("scheme"), "{scheme}");
        }
        let alone = TokenPlace::header("X-Token", "").unwrap().credential("t");
        assert_eq!(
            (alone.placements()[0].name.as_str(), alone.placements()[0].value.expose().as_str()),
            ("x-token", "t")
        );
    }

    #[test]
    fn names_are_checked_where_they_stand() {
        assert_eq!(TokenPlace::header("Host", "").unwrap_err().field(), Some("header"));
        assert_eq!(TokenPlace::query("").unwrap_err().field(), Some("query"));
        assert_eq!(TokenPlace::cookie("a;b").unwrap_err().field(), Some("cookie"));
    }
}
