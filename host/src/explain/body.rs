use serde::Serialize;
use serde_json::Value;

use super::redact::Redactor;

/// What the body of an answer says of an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Its content type, without parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The error's code: `invalid_token`, `SignatureDoesNotMatch`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The error in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether it is a page for people.
    pub page: bool,
}

/// Where APIs put the code of an error, the likeliest first.
const CODES: [&str; 15] = [
    "/error/code",
    "/error/status",
    "/error",
    "/code",
    "/errorCode",
    "/error_code",
    "/errcode",
    "/Code",
    "/Error/Code",
    "/__type",
    "/errors/0/code",
    "/errors/0/errorCode",
    "/0/errorCode",
    "/fault/detail/errorcode",
    "/type",
];
/// And the words.
const MESSAGES: [&str; 19] = [
    "/error_description",
    "/error/message",
    "/error/message/value",
    "/message",
    "/Message",
    "/detail",
    "/msg",
    "/errmsg",
    "/error/detail",
    "/error_message",
    "/errorMessage",
    "/errors/0/message",
    "/errors/0/detail",
    "/errors/0",
    "/0/message",
    "/fault/faultstring",
    "/Error/Message",
    "/title",
    "/exp",
];
/// How much of a text without structure is looked at.
const EXCERPT: usize = 600;

impl Said {
    /// Reads a body.
    pub(crate) fn read(content_type: Option<&str>, body: &[u8], redactor: &Redactor) -> Self {
        let kind =
            content_type.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        let content_type = kind.as_deref().map(|kind| redactor.clean(kind));
        let mut said = Self { content_type, ..Self::default() };
        if let Ok(json) = serde_json::from_str::<Value>(text) {
            said.of_json(&json);
        } else if is_page(kind.as_deref(), text) {
            said.page = true;
            said.message = of_page(text);
        } else if text.starts_with('<') {
            said.code = tag(text, "Code").or_else(|| tag(text, "faultcode"));
            said.message =
                tag(text, "Message").or_else(|| tag(text, "faultstring")).or_else(|| tag(text, "message"));
        } else if kind.as_deref() == Some("application/x-www-form-urlencoded")
            || text.starts_with("oauth_problem=")
        {
            let pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
            let value = |name: &str| {
                pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string())
            };
            said.code = value("oauth_problem").or_else(|| value("error"));
            said.message = value("oauth_problem_advice").or_else(|| value("error_description"));
        } else if !text.is_empty() && !text.contains('\0') {
            said.message = Some(text.chars().take(EXCERPT).collect());
        }
        for told in [&mut said.code, &mut said.message] {
            *told = told.take().map(|text| redactor.clean(&text)).filter(|text| !text.is_empty());
        }
        said
    }

    fn of_json(&mut self, json: &Value) {
        let text = |pointer: &&str| match json.pointer(pointer)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        self.code = CODES.iter().find_map(text);
        self.message = MESSAGES.iter().find_map(text);
        // `{"error": "Bearer token missing"}`
        if self.message.is_none() && self.code.as_ref().is_some_and(|code| code.contains(' ')) {
            self.message = self.code.take();
        }
        if let Value::String(text) = json {
            self.message = Some(text.clone());
        }
    }
}

fn is_page(kind: Option<&str>, text: &str) -> bool {
    let start: String = text.chars().take(64).collect::<String>().to_lowercase();
    kind.is_some_and(|kind| kind.contains("html"))
        || start.starts_with("<!doctype html")
        || start.starts_with("<html")
}

/// A page's title and headline.
fn of_page(text: &str) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for name in ["title", "h1", "h2", "center", "p"] {
        if let Some(found) = tag(text, name)
            && !parts.contains(&found)
        {
            parts.push(found);
        }
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The text of the first element of that name, in any case, without the elements inside.
pub(crate) fn tag(text: &str, name: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let name = name.to_ascii_lowercase();
    let mut from = 0;
    loop {
        let start = from + lower.get(from..)?.find(&format!("<{name}"))?;
        let open = start + lower.get(start..)?.find('>')? + 1;
        let after = lower.as_bytes().get(start + name.len() + 1)?;
        if after.is_ascii_alphanumeric() {
            from = open;
            continue;
        }
        let end = open + lower.get(open..)?.find(&format!("</{name}"))?;
        let mut inner = String::new();
        let mut inside = false;
        for c in text.get(open..end)?.chars() {
            match c {
                '<' => inside = true,
                '>' if inside => inside = false,
                c if !inside => inner.push(c),
                _ => {}
            }
        }
        let inner = unescaped(inner.trim());
        return (!inner.is_empty()).then_some(inner);
    }
}

/// Without the five entities of XML, and line ends that are numbers.
fn unescaped(text: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#10;", "\n"),
        ("&#xA;", "\n"),
        ("&amp;", "&"),
    ];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: &str, body: &str) -> (String, String) {
        let said = Said::read(Some(kind), body.as_bytes(), &Redactor::default());
        (said.code.unwrap_or_default(), said.message.unwrap_or_default())
    }

    #[test]
    fn errors_are_read_as_apis_write_them() {
        for (kind, body, code, message) in [
            (
                "application/json",
                r#"{"error":"invalid_client","error_description":"no"}"#,
                "invalid_client",
                "no",
            ),
            (
                "application/problem+json",
                r#"{"type":"about:blank","title":"Unauthorized","detail":"aud is wrong"}"#,
                "about:blank",
                "aud is wrong",
            ),
            (
                "application/json",
                r#"{"error":{"code":401,"message":"bad","status":"UNAUTHENTICATED"}}"#,
                "401",
                "bad",
            ),
            (
                "application/json",
                r#"[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]"#,
                "INVALID_SESSION_ID",
                "Session expired or invalid",
            ),
            (
                "application/x-amz-json-1.1",
                r#"{"__type":"UnrecognizedClientException","message":"The token is invalid."}"#,
                "UnrecognizedClientException",
                "The token is invalid.",
            ),
            (
                "application/xml",
                "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>Access &amp; Denied</Message></Error>",
                "AccessDenied",
                "Access & Denied",
            ),
            (
                "text/xml",
                "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>m</Message></Error></ErrorResponse>",
                "InvalidClientTokenId",
                "m",
            ),
            (
                "text/html",
                "<html><head><title>400 No required SSL certificate was sent</title></head><body><center><h1>400 Bad Request</h1></center></body></html>",
                "",
                "400 No required SSL certificate was sent; 400 Bad Request",
            ),
            ("text/plain", "Jwt is missing", "", "Jwt is missing"),
            (
                "application/json",
                r#"{"message":"No API key found in request"}"#,
                "",
                "No API key found in request",
            ),
            (
                "application/x-www-form-urlencoded",
                "oauth_problem=timestamp_refused&oauth_problem_advice=late",
                "timestamp_refused",
                "late",
            ),
            ("application/json", r#"{"error":"Bearer token missing"}"#, "", "Bearer token missing"),
        ] {
            assert_eq!(said(kind, body), (code.to_owned(), message.to_owned()), "{body}");
        }
    }
}
