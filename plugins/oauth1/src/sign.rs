use std::time::SystemTime;

use countersign::{Edits, Error, Place, Places, RequestHead, Secret, SignContext, hex};

use crate::base_string::base_string;
use crate::encode::encode;
use crate::method::{SignatureMethod, Signer};
use crate::parameters::Parameters;

/// How requests are signed.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) consumer_key: String,
    pub(crate) token: Option<Secret>,
    pub(crate) method: SignatureMethod,
    pub(crate) signer: Signer,
    /// Of an RSA key, as a JSON Web Key.
    pub(crate) public_key: Option<serde_json::Value>,
    pub(crate) realm: Option<String>,
    pub(crate) in_query: bool,
    /// Whether the parameters of form bodies are signed.
    pub(crate) form_body: bool,
    /// Whether other bodies are, by `oauth_body_hash`.
    pub(crate) body_hash: bool,
    /// Whether there is an `oauth_version`.
    pub(crate) version: bool,
    /// Whether secrets may be sent over plain http to other machines.
    pub(crate) plaintext_over_http: bool,
}

/// The parameters that a request gets, in the order in which they are sent, not encoded.
type Protocol<'a> = Vec<(&'static str, &'a str)>;

impl Signature {
    pub(crate) fn reads_body(&self) -> bool {
        self.form_body || self.body_hash
    }

    /// Where parameters go, and what signatures cover: no headers, and of a password in the guise of a signature nothing.
    pub(crate) fn places(&self) -> Places {
        let places = match self.method {
            SignatureMethod::Plaintext => Places::none(),
            _ => Places::none().covers_query(),
        };
        if !self.in_query {
            return places.header("authorization");
        }
        let always = [
            "oauth_consumer_key",
            "oauth_signature_method",
            "oauth_timestamp",
            "oauth_nonce",
            "oauth_signature",
        ];
        let sometimes = [
            ("oauth_token", self.token.is_some()),
            ("oauth_version", self.version),
            ("oauth_body_hash", self.body_hash),
        ];
        let sometimes = sometimes.into_iter().filter(|(_, there)| *there).map(|(name, _)| name);
        always.into_iter().chain(sometimes).fold(places, |places, name| places.and(Place::Query, name))
    }

    /// What a request gets.
    pub(crate) fn sign(&self, request: &RequestHead<'_>, cx: &SignContext) -> Result<Edits, Error> {
        if self.method == SignatureMethod::Plaintext && !self.may_go(request) {
            return Err(Error::config(
                "the method PLAINTEXT sends the secrets themselves, and this request goes over plain http; \
                 use https, another method, or allow it by `plaintext_over_http`",
            ));
        }
        let seconds = cx.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        // As long as the library of many servers (oauthlib) wants it at most to be: 30 characters.
        let nonce = hex(&cx.random::<12>()?);
        let nonce = String::from_utf8_lossy(nonce.as_flattened());
        self.signed(request, &seconds.to_string(), &nonce)
    }

    /// The same at a time and with a nonce that are given.
    pub(crate) fn signed(
        &self,
        request: &RequestHead<'_>,
        timestamp: &str,
        nonce: &str,
    ) -> Result<Edits, Error> {
        let form = self.form(request)?;
        let hash = self.body_hash(request, form.is_some())?;
        let mut protocol: Protocol<'_> = Vec::with_capacity(8);
        protocol.push(("oauth_consumer_key", &self.consumer_key));
        if let Some(token) = &self.token {
            protocol.push(("oauth_token", token.expose()));
        }
        protocol.push(("oauth_signature_method", self.method.as_str()));
        protocol.push(("oauth_timestamp", timestamp));
        protocol.push(("oauth_nonce", nonce));
        if self.version {
            protocol.push(("oauth_version", "1.0"));
        }
        if let Some(hash) = &hash {
            protocol.push(("oauth_body_hash", hash));
        }
        let mut parameters = Parameters::new();
        for (name, value) in &protocol {
            parameters.push(name, value);
        }
        parameters.read(request.query().unwrap_or_default().as_bytes())?;
        parameters.read(form.unwrap_or_default())?;
        let signature = self.signer.sign(|| base_string(request, parameters))?;
        protocol.push(("oauth_signature", signature.expose()));
        if self.in_query {
            let none = Edits::with_capacity(protocol.len());
            return Ok(protocol
                .iter()
                .fold(none, |edits, (name, value)| edits.and(Place::Query, *name, *value)));
        }
        Ok(Edits::with_capacity(1).and_header("authorization", self.header(&protocol)?))
    }

    /// RFC 5849 §3.5.1.
    fn header(&self, protocol: &Protocol<'_>) -> Result<String, Error> {
        let mut header = Vec::with_capacity(512);
        header.extend_from_slice(b"OAuth ");
        if let Some(realm) = &self.realm {
            header.extend_from_slice(b"realm=\"");
            header.extend_from_slice(realm.as_bytes());
            header.extend_from_slice(b"\", ");
        }
        for (nth, (name, value)) in protocol.iter().enumerate() {
            if nth > 0 {
                header.extend_from_slice(b", ");
            }
            header.extend_from_slice(name.as_bytes());
            header.extend_from_slice(b"=\"");
            encode(value.as_bytes(), &mut header);
            header.push(b'"');
        }
        String::from_utf8(header).map_err(|_| Error::internal("the header is not UTF-8"))
    }

    /// The body, where it is a form and so part of what is signed (RFC 5849 §3.4.1.3.1).
    fn form<'a>(&self, request: &RequestHead<'a>) -> Result<Option<&'a [u8]>, Error> {
        let is_form = request.header("content-type").next().is_some_and(|value| {
            let kind = value.split(|byte| *byte == b';').next().unwrap_or_default();
            kind.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        });
        if !is_form || self.method == SignatureMethod::Plaintext {
            return Ok(None);
        }
        if !self.form_body {
            return Err(Error::unsupported(
                "the request's body is a form, whose fields OAuth 1.0 signs; leave out `form_body = false`",
            ));
        }
        let body = request.body().ok_or_else(|| Error::internal("the body to sign is not there"))?;
        Ok(Some(body))
    }

    /// The value of `oauth_body_hash`: of all bodies, empty ones too, but forms.
    fn body_hash(&self, request: &RequestHead<'_>, is_form: bool) -> Result<Option<String>, Error> {
        if !self.body_hash || is_form {
            return Ok(None);
        }
        let body = request.body().ok_or_else(|| Error::internal("the body to hash is not there"))?;
        Ok(Some(self.method.body_hash(body)))
    }

    /// Whether secrets may go along with the request.
    fn may_go(&self, request: &RequestHead<'_>) -> bool {
        let origin = format!("{}://{}", request.scheme(), request.authority());
        self.plaintext_over_http
            || origin
                .parse::<countersign::Origin>()
                .is_ok_and(|origin| origin.is_https() || origin.is_loopback())
    }
}
