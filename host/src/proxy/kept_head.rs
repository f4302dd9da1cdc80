use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use http::{Extensions, Method, Request, Uri};

/// A copy of a request's head for the rare case that it is needed again.
///
/// Every call that may be repeated makes one and hardly any uses it: so its fields are one piece of memory, not a map, and
/// it is what making the map anew costs that is paid late.
#[derive(Debug)]
pub(crate) struct KeptHead {
    method: Method,
    uri: Uri,
    extensions: Extensions,
    /// Each field: the lengths of its name and value, whether it is sensitive, and both texts.
    fields: Vec<u8>,
}

/// What stands before a field's texts.
const PREFIX: usize = 7;

impl KeptHead {
    /// A copy of a head; its version is left out.
    pub(crate) fn of(head: &Parts) -> Self {
        let length =
            head.headers.iter().map(|(name, value)| PREFIX + name.as_str().len() + value.len()).sum();
        let mut fields = Vec::with_capacity(length);
        for (name, value) in &head.headers {
            // Neither is ever longer: `http` limits names to 64 KiB less one, and servers limit heads.
            let [n0, n1] = u16::try_from(name.as_str().len()).unwrap_or(u16::MAX).to_le_bytes();
            let [v0, v1, v2, v3] = u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes();
            let prefix: [u8; PREFIX] = [n0, n1, v0, v1, v2, v3, value.is_sensitive().into()];
            fields.extend_from_slice(&prefix);
            fields.extend_from_slice(name.as_str().as_bytes());
            fields.extend_from_slice(value.as_bytes());
        }
        let (method, uri) = (head.method.clone(), head.uri.clone());
        // Where something was taken out, an empty map is left, of which a copy is an allocation.
        let extensions = if head.extensions.is_empty() { Extensions::new() } else { head.extensions.clone() };
        Self { method, uri, extensions, fields }
    }

    /// The head.
    pub(crate) fn parts(&self) -> Parts {
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = self.method.clone();
        head.uri = self.uri.clone();
        head.extensions = self.extensions.clone();
        let mut rest = self.fields.as_slice();
        while let Some((name, value, after)) = field(rest) {
            head.headers.append(name, value);
            rest = after;
        }
        head
    }
}

/// The first field, and what comes after it.
fn field(fields: &[u8]) -> Option<(HeaderName, HeaderValue, &[u8])> {
    let ([n0, n1, v0, v1, v2, v3, sensitive], rest) = fields.split_first_chunk::<PREFIX>()?;
    let (name, rest) = rest.split_at_checked(u16::from_le_bytes([*n0, *n1]).into())?;
    let value_length = usize::try_from(u32::from_le_bytes([*v0, *v1, *v2, *v3])).ok()?;
    let (value, rest) = rest.split_at_checked(value_length)?;
    let mut value = HeaderValue::from_bytes(value).ok()?;
    value.set_sensitive(*sensitive != 0);
    Some((HeaderName::from_bytes(name).ok()?, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_as_it_was() {
        let request = Request::post("http://127.0.0.1/api?x=1")
            .header("accept", "a/b")
            .header("x-own-name", "")
            .header("accept", "c/d")
            .header("cookie", HeaderValue::from_bytes(b"caf\xe9").unwrap())
            .extension(7_u8);
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        head.headers.get_mut("cookie").unwrap().set_sensitive(true);
        let again = KeptHead::of(&head).parts();
        assert_eq!(again.headers, head.headers);
        assert!(again.headers["cookie"].is_sensitive());
        assert_eq!((&again.method, &again.uri), (&head.method, &head.uri));
        assert_eq!(again.extensions.get::<u8>(), Some(&7));
    }
}
