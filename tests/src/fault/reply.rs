use std::time::Duration;

use super::Hold;

/// What is done with one request, or with one connection before any request.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) fault: Fault,
    pub(super) hold: Option<Hold>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    ResetOnAccept,
    ResetAfterRequest,
    CloseInHeaders,
    Truncate(usize),
    Drip(Duration),
    Endless,
    Silent,
    Raw,
}

impl Reply {
    /// An answer without headers or body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), fault: Fault::None, hold: None }
    }

    /// A 200 with this JSON text, which need not be JSON at all.
    pub fn json(body: impl Into<String>) -> Self {
        Self::status(200).header("Content-Type", "application/json").body(body.into())
    }

    /// A 200 with a page, as a proxy in the way answers.
    pub fn html(body: impl Into<String>) -> Self {
        Self::status(200).header("Content-Type", "text/html").body(body.into())
    }

    /// A 302 to elsewhere.
    pub fn redirect(location: impl Into<String>) -> Self {
        Self::status(302).header("Location", location)
    }

    /// These bytes and no other, and then the connection is closed: for answers that are not HTTP.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { fault: Fault::Raw, ..Self::status(0).body(bytes) }
    }

    /// The connection is reset as soon as it is accepted, before TLS.
    pub fn reset_on_accept() -> Self {
        Self { fault: Fault::ResetOnAccept, ..Self::status(0) }
    }

    /// The request is read, and the connection is reset.
    pub fn reset_after_request() -> Self {
        Self { fault: Fault::ResetAfterRequest, ..Self::status(0) }
    }

    /// The request is read, and nothing ever comes back.
    pub fn silent() -> Self {
        Self { fault: Fault::Silent, ..Self::status(0) }
    }

    /// Another status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// One more header; nothing is checked.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Closes in the middle of the headers.
    #[must_use]
    pub fn closing_in_headers(self) -> Self {
        Self { fault: Fault::CloseInHeaders, ..self }
    }

    /// Announces the whole body and closes after so many bytes of it.
    #[must_use]
    pub fn truncated_at(self, bytes: usize) -> Self {
        Self { fault: Fault::Truncate(bytes), ..self }
    }

    /// Sends the body a byte at a time, this far apart.
    #[must_use]
    pub fn dripping(self, every: Duration) -> Self {
        Self { fault: Fault::Drip(every), ..self }
    }

    /// Repeats the body without end (until the client is gone, or 1 GiB).
    #[must_use]
    pub fn endless(self) -> Self {
        Self { fault: Fault::Endless, ..self }
    }

    /// Waits, with the request read and recorded, until the hold is released.
    #[must_use]
    pub fn held(self, hold: &Hold) -> Self {
        Self { hold: Some(hold.clone()), ..self }
    }

    /// True if the connection can carry another request afterwards.
    pub(super) fn keeps_alive(&self) -> bool {
        self.fault == Fault::None
    }

    /// Status line and headers, with the framing that the fault asks for.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.fault {
            Fault::Endless => head.push_str("Connection: close\r\n"),
            _ if self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) => {}
            _ => head.push_str(&format!("Content-Length: {}\r\n", self.body.len())),
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}
