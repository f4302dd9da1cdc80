use bytes::Bytes;
use http_body_util::{Empty, Full};

/// A body that can be looked at before it is sent: signing profiles may cover it, and a rejected call may be replayed.
pub trait ReplayableBody: Sized {
    /// The whole body, if it is in memory.
    fn in_memory(&self) -> Option<Bytes>;

    /// The same body again, if it can be sent twice.
    fn again(&self) -> Option<Self>;
}

impl ReplayableBody for Bytes {
    fn in_memory(&self) -> Option<Bytes> {
        Some(self.clone())
    }

    fn again(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl ReplayableBody for Empty<Bytes> {
    fn in_memory(&self) -> Option<Bytes> {
        Some(Bytes::new())
    }

    fn again(&self) -> Option<Self> {
        Some(Self::new())
    }
}

impl ReplayableBody for Full<Bytes> {
    fn in_memory(&self) -> Option<Bytes> {
        use http_body_util::BodyExt;
        // A `Full` has its one frame ready at once.
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        let mut frame = std::pin::pin!(self.clone().collect());
        match frame.as_mut().poll(&mut task) {
            std::task::Poll::Ready(Ok(body)) => Some(body.to_bytes()),
            _ => None,
        }
    }

    fn again(&self) -> Option<Self> {
        Some(self.clone())
    }
}
