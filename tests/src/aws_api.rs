//! An API that verifies AWS Signature Version 4 by code of its own, and answers as AWS's services do.

use std::fmt::Write as _;
use std::io::{BufReader, Write};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;

use crate::http1::{Recorded, read_request};
use crate::raw::RawServer;

/// The key whose signatures are accepted.
pub const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";

/// How the API comes to see requests, and how it answers.
#[derive(Clone, Debug, Default)]
pub struct AwsApi {
    /// A gateway in front of it puts this in the place of `Host`.
    pub host: Option<String>,
    /// Its service answers in XML, as S3 does; else in JSON, as API Gateway does.
    pub xml: bool,
    /// Headers that must be signed, besides `host`.
    pub signed: Vec<String>,
}

impl AwsApi {
    /// Starts it: it accepts signatures made with that secret key.
    pub fn start(self, secret: &str) -> RawServer {
        let secret = secret.to_owned();
        RawServer::start(move |stream| {
            let mut reader = BufReader::new(&stream);
            while let Ok(Some(request)) = read_request(&mut reader) {
                let answer = self.answer(&request, &secret);
                if (&stream).write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        })
    }

    fn answer(&self, request: &Recorded, secret: &str) -> String {
        let Some(signed) = Parts::of(request) else {
            return self.refusal(403, "MissingAuthenticationToken", "Missing Authentication Token", None);
        };
        if let Some(missing) = self.signed.iter().find(|name| !signed.headers.contains(&name.as_str())) {
            let words = format!("'{missing}' must be a 'SignedHeader' in the AWS Authorization.");
            return self.refusal(403, "SignatureDoesNotMatch", &words, None);
        }
        let canonical = self.canonical(request, &signed);
        let scope = &signed.scope;
        let time = request.header("x-amz-date").unwrap_or_default();
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
            hex(digest(&SHA256, canonical.as_bytes()).as_ref())
        );
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in scope.split('/') {
            key = sign(&key, part);
        }
        if hex(&sign(&key, &to_sign)) == signed.signature {
            return reply(200, "application/json", "{\"orders\":[]}");
        }
        let words = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
        self.refusal(403, "SignatureDoesNotMatch", words, Some((&canonical, &to_sign)))
    }

    fn canonical(&self, request: &Recorded, signed: &Parts<'_>) -> String {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let mut pairs: Vec<String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
            .collect();
        pairs.sort();
        let mut headers = String::new();
        for name in &signed.headers {
            let value = match (*name, &self.host) {
                ("host", Some(host)) => host.as_str(),
                _ => request.header(name).unwrap_or_default(),
            };
            writeln!(headers, "{name}:{}", value.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap();
        }
        let payload = request.header("x-amz-content-sha256").map(str::to_owned);
        let payload = payload.unwrap_or_else(|| hex(digest(&SHA256, &request.body).as_ref()));
        format!(
            "{}\n{path}\n{}\n{headers}\n{}\n{payload}",
            request.method,
            pairs.join("&"),
            signed.headers.join(";")
        )
    }

    /// In the words of the services.
    fn refusal(&self, status: u16, code: &str, words: &str, told: Option<(&str, &str)>) -> String {
        if self.xml {
            let told = told.map_or(String::new(), |(canonical, to_sign)| {
                format!(
                    "<AWSAccessKeyId>{ACCESS_KEY_ID}</AWSAccessKeyId><StringToSign>{}</StringToSign><CanonicalRequest>{}</CanonicalRequest>",
                    escaped(to_sign),
                    escaped(canonical)
                )
            });
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{words}</Message>{told}<RequestId>4442587FB7D0A2F9</RequestId></Error>"
            );
            return reply(status, "application/xml", &body);
        }
        let told = told.map_or(String::new(), |(canonical, to_sign)| {
            format!("\n\nThe Canonical String for this request should have been\n'{canonical}'\n\nThe String-to-Sign should have been\n'{to_sign}'\n")
        });
        let body = serde_json::json!({ "message": format!("{words}{told}") }).to_string();
        reply(status, "application/json", &body)
    }
}

/// What the `Authorization` of a signed request says.
struct Parts<'r> {
    scope: String,
    headers: Vec<&'r str>,
    signature: &'r str,
}

impl<'r> Parts<'r> {
    fn of(request: &'r Recorded) -> Option<Self> {
        let parameters = request.header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let parameter = |name: &str| {
            parameters.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let (id, scope) = parameter("Credential")?.split_once('/')?;
        (id == ACCESS_KEY_ID).then_some(())?;
        let headers = parameter("SignedHeaders")?.split(';').collect();
        Some(Self { scope: scope.to_owned(), headers, signature: parameter("Signature")? })
    }
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn reply(status: u16, kind: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
