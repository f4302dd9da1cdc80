use aws_lc_rs::digest::{SHA256, digest};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;

use super::body::tag;
use super::redact::Redactor;

/// What a signature covers, and where the API read another request than was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// The algorithm, as it stands on the request.
    pub scheme: String,
    /// For whom it holds: date, region and service (AWS).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The headers that it covers.
    pub headers: Vec<String>,
    /// Whether the API told what it read.
    pub told: bool,
    /// The first line in which that differs from what was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

/// One line of what was signed, on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which: `method`, `path`, `query`, a header's name, `payload`, `scope`.
    pub line: String,
    /// As it was sent.
    pub sent: String,
    /// As the API read it.
    pub read: String,
}

impl Signed {
    /// Reads a signed request, and the answer to it.
    pub(crate) fn of(
        sent: &Parts,
        authority: &str,
        body: &[u8],
        answer: &str,
        redactor: &Redactor,
    ) -> Option<Self> {
        let mut signed = aws(sent).or_else(|| message_signature(sent))?;
        if let Some(canonical) = canonical_request(answer) {
            signed.told = true;
            signed.difference = difference(&canonical, sent, authority, body);
        }
        if signed.difference.is_none()
            && let (Some(theirs), Some(ours)) = (scope_of(answer), &signed.scope)
            && theirs != *ours
        {
            signed.difference = Some(Difference { line: "scope".into(), sent: ours.clone(), read: theirs });
        }
        if let Some(difference) = &mut signed.difference {
            for text in [&mut difference.sent, &mut difference.read] {
                *text = redactor.clean(text);
            }
        }
        Some(signed)
    }
}

/// AWS Signature Version 4, in a header or in the query.
fn aws(sent: &Parts) -> Option<Signed> {
    let header = sent.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (scheme, credential, headers) = if header.starts_with("AWS4-") {
        let (scheme, parameters) = header.split_once(' ')?;
        let parameter = |name: &str| {
            parameters
                .split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
                .map(str::to_owned)
        };
        (scheme.to_owned(), parameter("Credential")?, parameter("SignedHeaders")?)
    } else {
        let query = sent.uri.query()?;
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let value =
            |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string());
        (value("X-Amz-Algorithm")?, value("X-Amz-Credential")?, value("X-Amz-SignedHeaders")?)
    };
    let scope =
        credential.split_once('/').map(|(_, scope)| scope.trim_end_matches("/aws4_request").to_owned());
    let headers = headers.split(';').map(str::to_owned).collect();
    Some(Signed { scheme, scope, headers, told: false, difference: None })
}

/// HTTP Message Signatures (RFC 9421 §4.1): the covered components.
fn message_signature(sent: &Parts) -> Option<Signed> {
    let input = sent.headers.get("signature-input")?.to_str().ok()?;
    let covered = input.split_once('(')?.1.split_once(')')?.0;
    let headers = covered.split_whitespace().map(|name| name.trim_matches('"').to_owned()).collect();
    Some(Signed { scheme: "RFC 9421".into(), scope: None, headers, told: false, difference: None })
}

/// What an AWS service says that it read: S3 in XML, others in a JSON message.
fn canonical_request(answer: &str) -> Option<String> {
    if answer.trim_start().starts_with('<') {
        let told = tag(answer, "CanonicalRequest");
        if told.is_some() {
            return told;
        }
    }
    quoted_after(&message(answer), "The Canonical String for this request should have been")
}

/// Date, region and service, of the string that the API says was to be signed.
fn scope_of(answer: &str) -> Option<String> {
    let told = tag(answer, "StringToSign")
        .or_else(|| quoted_after(&message(answer), "The String-to-Sign should have been"))?;
    let scope = told.lines().nth(2)?.trim();
    scope.ends_with("/aws4_request").then(|| scope.trim_end_matches("/aws4_request").to_owned())
}

fn message(answer: &str) -> String {
    let json = serde_json::from_str::<Value>(answer).unwrap_or_default();
    let found = ["/message", "/Message"]
        .iter()
        .find_map(|pointer| json.pointer(pointer)?.as_str().map(str::to_owned));
    found.or_else(|| tag(answer, "Message")).unwrap_or_default()
}

/// What stands in apostrophes after some words.
fn quoted_after(text: &str, words: &str) -> Option<String> {
    let rest = text.split_once(words)?.1;
    let rest = rest.split_once('\'')?.1;
    // The text itself may hold an apostrophe; the one at the end stands alone on its line's end.
    let end = rest.find("'\n").or_else(|| rest.rfind('\''))?;
    rest.get(..end).map(str::to_owned)
}

/// The first line of a canonical request that is not what was sent.
fn difference(canonical: &str, sent: &Parts, authority: &str, body: &[u8]) -> Option<Difference> {
    let canonical = canonical.replace('\r', "");
    let lines: Vec<&str> = canonical.split('\n').collect();
    let differs =
        |line: &str, sent: String, read: &str| Difference { line: line.into(), sent, read: read.into() };
    let method = lines.first()?;
    if *method != sent.method.as_str() {
        return Some(differs("method", sent.method.to_string(), method));
    }
    let path = lines.get(1)?;
    if decoded(path) != decoded(sent.uri.path()) {
        return Some(differs("path", sent.uri.path().to_owned(), path));
    }
    let query = lines.get(2)?;
    if pairs(query) != pairs(sent.uri.query().unwrap_or_default()) {
        let without = |query: &str| {
            pairs(query)
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join("&")
        };
        return Some(differs("query", without(sent.uri.query().unwrap_or_default()), &without(query)));
    }
    for line in lines.iter().skip(3).take_while(|line| !line.is_empty()) {
        let Some((name, read)) = line.split_once(':') else { continue };
        let ours = if name == "host" {
            authority.to_owned()
        } else {
            let values = sent.headers.get_all(name).iter();
            values
                .map(|value| squeezed(&String::from_utf8_lossy(value.as_bytes())))
                .collect::<Vec<_>>()
                .join(",")
        };
        if squeezed(read) != ours {
            return Some(differs(name, ours, read));
        }
    }
    let payload = lines.iter().rev().find(|line| !line.is_empty())?;
    let stated = sent.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
    let hash: String = digest(&SHA256, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let ours = stated.unwrap_or(&hash);
    let is_hash = payload.len() == 64 && payload.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hash && *payload != ours).then(|| differs("payload", ours.to_owned(), payload))
}

/// A path, decoded as often as it is encoded.
fn decoded(path: &str) -> String {
    let mut path = path.to_owned();
    for _ in 0..3 {
        let once = percent_decode_str(&path).decode_utf8_lossy().into_owned();
        if once == path {
            break;
        }
        path = once;
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/".into() } else { trimmed.into() }
}

/// The parameters of a query, decoded and sorted, without the signature itself.
fn pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', "%2B")).decode_utf8_lossy().into_owned();
    let split = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<_> = split
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    pairs
}

fn squeezed(value: &str) -> String {
    value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn sent() -> Parts {
        let request = http::Request::get("https://gateway.example/a%20b?y=2&x=1")
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5d67",
            );
        request.body(()).unwrap().into_parts().0
    }

    fn canonical(host: &str, path: &str) -> String {
        format!("GET\n{path}\nx=1&y=2\nhost:{host}\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n{EMPTY}")
    }

    fn read(answer: &str) -> Option<Difference> {
        let signed = Signed::of(&sent(), "gateway.example", b"", answer, &Redactor::default()).unwrap();
        assert_eq!(signed.scope.as_deref(), Some("20150830/us-east-1/service"));
        signed.difference
    }

    #[test]
    fn the_line_is_found_that_the_api_read_otherwise() {
        let json = |canonical: &str| {
            serde_json::json!({ "message": format!(
                "The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for this request should have been\n'{canonical}'\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\nabc'\n"
            )}).to_string()
        };
        let xml = |canonical: &str| {
            format!(
                "<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>{}</CanonicalRequest></Error>",
                canonical.replace('&', "&amp;")
            )
        };
        for wrapped in
            [json(&canonical("orders.internal", "/a%20b")), xml(&canonical("orders.internal", "/a%20b"))]
        {
            let difference = read(&wrapped).unwrap();
            assert_eq!(
                (difference.line.as_str(), difference.sent.as_str(), difference.read.as_str()),
                ("host", "gateway.example", "orders.internal")
            );
        }
        assert_eq!(read(&json(&canonical("gateway.example", "/prod/a%2520b"))).unwrap().line, "path");
        assert_eq!(read(&json(&canonical("gateway.example", "/a%2520b"))), None);
        assert_eq!(read("{}"), None);
    }

    #[test]
    fn another_region_is_a_difference_of_the_scope() {
        let answer = "<Error><StringToSign>AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/eu-west-1/service/aws4_request\nabc</StringToSign></Error>";
        assert_eq!(read(answer).unwrap().line, "scope");
    }
}
