use std::sync::Arc;

use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, ORIGIN, PROXY_AUTHORIZATION};

use super::problem::Problem;
use super::stats::Refusal;
use super::token::Token;

/// What a client has to show before anything is done for it.
#[derive(Debug, Clone)]
pub(crate) enum Access {
    /// The bearer of the token file, in `Authorization` or `Proxy-Authorization`.
    Token(Arc<Token>),
    /// Nothing: who reaches the listener may use it. A unix socket lets in only its users; a loopback address every process.
    Reachable,
}

impl Access {
    /// Whether the client may come in.
    ///
    /// # Errors
    /// The refusal: a token that is missing or wrong.
    #[inline]
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Self::Token(token) = self else { return Ok(()) };
        let shown = [AUTHORIZATION, PROXY_AUTHORIZATION];
        if shown
            .iter()
            .any(|name| headers.get_all(name).iter().any(|value| token.is_shown_by(value.as_bytes())))
        {
            return Ok(());
        }
        let detail =
            "this proxy wants its token: send `Authorization: Bearer …` with what its token file holds";
        // Who may not come in keeps no connection that others could have.
        Err(Problem::refused(Refusal::Access, StatusCode::UNAUTHORIZED, detail).and_close())
    }
}

/// A web page in a browser on this machine could reach us, too, and make calls with our credentials: nothing that a
/// browser sends for a page is let through.
///
/// # Errors
/// The refusal.
#[inline]
pub(crate) fn refuse_web_pages(headers: &HeaderMap) -> Result<(), Problem> {
    const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    if headers.contains_key(ORIGIN) || headers.contains_key(SITE) {
        let detail = "the request comes from a web page (`Origin` or `Sec-Fetch-Site`), and those may not use this proxy";
        return Err(Problem::refused(Refusal::Origin, StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = Token::of(b"0123456789abcdef0123456789abcdef");
        let access = Access::Token(Arc::new(token));
        let check = |name: &'static str, value: &'static str| {
            access
                .check(&HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())]))
                .is_ok()
        };
        assert!(check("authorization", "Bearer 0123456789abcdef0123456789abcdef"));
        assert!(check("proxy-authorization", "bearer 0123456789abcdef0123456789abcdef"));
        for wrong in
            ["Bearer 0123456789abcdef0123456789abcde", "Bearer ", "0123456789abcdef0123456789abcdef", ""]
        {
            assert!(!check("authorization", wrong), "{wrong}");
        }
        assert!(!check("x-token", "Bearer 0123456789abcdef0123456789abcdef"));
        let refused = access.check(&HeaderMap::new()).unwrap_err().answer(None);
        assert_eq!(refused.headers()["connection"], "close");
        assert!(Access::Reachable.check(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn what_a_browser_sends_for_a_page_is_refused() {
        for name in ["origin", "sec-fetch-site"] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), "null".parse().unwrap())]);
            assert!(refuse_web_pages(&headers).is_err());
        }
        assert!(refuse_web_pages(&HeaderMap::new()).is_ok());
    }
}
