use http::Request;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

use super::super::OutBody;

/// How a request's body is framed (RFC 9112 §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By its length, which the head says unless there is nothing to say it of.
    Length(u64),
    Chunked,
}

/// Writes a request's head: in origin form, with a `Host`, and a framing that is its body's whatever its fields say. A length
/// that is not the body's would make the upstream take the next request for a part of this one.
pub(super) fn write_head(request: &Request<OutBody>, framing: Framing, out: &mut Vec<u8>) {
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    if target.starts_with('?') {
        // Of `http://a?b` (RFC 9112 §3.2.1).
        out.push(b'/');
    }
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let (mut has_host, mut had_length) = (false, false);
    for (name, value) in request.headers() {
        if *name == CONTENT_LENGTH {
            had_length = true;
        } else if *name != TRANSFER_ENCODING {
            has_host |= *name == HOST;
            write_field(name.as_str(), value.as_bytes(), out);
        }
    }
    if !has_host && let Some(authority) = request.uri().authority() {
        write_field(HOST.as_str(), authority.as_str().as_bytes(), out);
    }
    match framing {
        Framing::Length(0) if !had_length => {}
        Framing::Length(length) => {
            write_field(CONTENT_LENGTH.as_str(), length.to_string().as_bytes(), out);
        }
        Framing::Chunked => write_field(TRANSFER_ENCODING.as_str(), b"chunked", out),
    }
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn head(request: http::request::Builder, framing: Framing) -> String {
        let mut out = Vec::new();
        write_head(&request.body(OutBody::Empty).unwrap(), framing, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_head_is_in_origin_form_and_says_its_bodys_length() {
        let whole = Request::put("https://api.example:8443/v1/a%20b?x=1")
            .header("x-a", "1")
            .header("x-b", "2")
            .header("x-a", HeaderValue::from_static(""));
        assert_eq!(
            head(whole, Framing::Length(12)),
            "PUT /v1/a%20b?x=1 HTTP/1.1\r\nx-a: 1\r\nx-a: \r\nx-b: 2\r\nhost: api.example:8443\r\ncontent-length: 12\r\n\r\n"
        );
        let own_host = Request::get("/").header("host", "other.example");
        assert_eq!(head(own_host, Framing::Length(0)), "GET / HTTP/1.1\r\nhost: other.example\r\n\r\n");
        assert_eq!(head(Request::options("*"), Framing::Length(0)), "OPTIONS * HTTP/1.1\r\n\r\n");
        assert_eq!(
            head(Request::get("http://a?b"), Framing::Length(0)),
            "GET /?b HTTP/1.1\r\nhost: a\r\n\r\n"
        );
    }

    #[test]
    fn what_the_fields_say_of_the_framing_does_not_count() {
        let lies = || {
            let request = Request::post("/").header("content-length", "99").header("content-length", "98");
            request.header("transfer-encoding", "gzip, chunked")
        };
        for (framing, said) in [
            (Framing::Length(0), "content-length: 0\r\n"),
            (Framing::Length(7), "content-length: 7\r\n"),
            (Framing::Chunked, "transfer-encoding: chunked\r\n"),
        ] {
            assert_eq!(head(lies(), framing), format!("POST / HTTP/1.1\r\n{said}\r\n"));
        }
    }
}
