use bytes::Bytes;
use http::Request;
use http::request::Parts;

use super::generation::Served;
use super::kept_head::KeptHead;
use super::upstream::OutBody;

/// What it takes to make a call once more.
pub(super) struct Again {
    /// As it was before it got its credential.
    head: KeptHead,
    /// As it was sent, where its credential may not be had again without waiting: one that signs, or that comes with a certificate.
    sent: Option<KeptHead>,
    body: Bytes,
    pub(super) idempotent: bool,
    /// Whether the connector's rule allows a replay after a rejection.
    pub(super) replays: bool,
    /// The same after one that only demands what a signature lacked.
    pub(super) replays_demands: bool,
}

impl Again {
    /// Nothing for a call that is not to be made again, whatever comes of it, and for one whose body was not kept.
    pub(super) fn of(served: &Served, head: &Parts, body: &OutBody) -> Option<Self> {
        let body = match body {
            OutBody::Empty => Bytes::new(),
            OutBody::Bytes(bytes) => bytes.clone(),
            OutBody::Stream(..) => return None,
        };
        let idempotent = head.method.is_idempotent();
        let (connector, rule) = (&served.connector, served.connector.rejection());
        let replays = rule.allows_replay(&head.method, Some(&body), || false);
        let replays_demands = replays || rule.allows_replay(&head.method, Some(&body), || connector.learns());
        (idempotent || replays_demands).then(|| Self {
            head: KeptHead::of(head),
            sent: None,
            body,
            idempotent,
            replays,
            replays_demands,
        })
    }

    /// Keeps a request as it is sent, if it may go to another connection.
    pub(super) fn keep_sent(&mut self, head: &Parts) {
        if self.idempotent {
            self.sent = Some(KeptHead::of(head));
        }
    }

    /// The head as it was before it got its credential.
    pub(super) fn before(&self) -> Parts {
        self.head.parts()
    }

    pub(super) fn body(&self) -> OutBody {
        if self.body.is_empty() { OutBody::Empty } else { OutBody::Bytes(self.body.clone()) }
    }

    /// The same request, for another connection of the same upstream: with the credential of now where that costs no
    /// waiting, else as it was sent.
    pub(super) fn at_once(&self, served: &Served) -> Option<Request<OutBody>> {
        let head = match &self.sent {
            Some(sent) => sent.parts(),
            None => {
                let mut head = self.head.parts();
                served.connector.try_authorize(&mut head)?;
                head
            }
        };
        Some(Request::from_parts(head, self.body()))
    }
}
