use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::task::{AbortHandle, spawn_local};

use super::http1::{Http1, Http1Error};

/// An exchange whose answer began before its request ended. The request goes on whether or not anybody takes the answer, for
/// there are clients that read nothing before all of theirs is out. Dropped, both end, with the connection.
#[derive(Debug)]
pub(super) struct BothWays {
    exchange: Rc<RefCell<Exchange>>,
    sender: Sender,
}

#[derive(Debug)]
struct Exchange {
    connection: Box<Http1>,
    /// What became of the request, if that is an error.
    failed: Option<Http1Error>,
    reader: Option<Waker>,
}

/// The task that sends.
#[derive(Debug)]
struct Sender(AbortHandle);

impl BothWays {
    /// Goes on with the request by itself from here on.
    pub(super) fn start(connection: Box<Http1>) -> Self {
        let exchange = Rc::new(RefCell::new(Exchange { connection, failed: None, reader: None }));
        let weak = Rc::downgrade(&exchange);
        let sending = spawn_local(poll_fn(move |cx| {
            weak.upgrade().map_or(Poll::Ready(()), |exchange| exchange.borrow_mut().poll_request(cx))
        }));
        Self { exchange, sender: Sender(sending.abort_handle()) }
    }

    /// The next piece of the answer's body; none at its end.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Http1Error>>> {
        let mut exchange = self.exchange.borrow_mut();
        if let Some(error) = exchange.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let polled = exchange.connection.poll_piece(cx);
        if polled.is_pending() {
            exchange.reader = Some(cx.waker().clone());
        }
        polled
    }

    /// Whether the answer was taken to its end.
    pub(super) fn is_through(&self) -> bool {
        self.exchange.borrow().connection.is_through()
    }

    /// How much of the answer's body is still to come, where its head said that.
    pub(super) fn left(&self) -> Option<u64> {
        self.exchange.borrow().connection.left()
    }

    /// The connection, with whatever is left on it.
    pub(super) fn into_connection(self) -> Option<Box<Http1>> {
        drop(self.sender);
        Rc::into_inner(self.exchange).map(|exchange| exchange.into_inner().connection)
    }
}

impl Exchange {
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.poll_request(cx).map(|outcome| {
            if let Err(error) = outcome {
                self.failed = Some(error);
                if let Some(reader) = self.reader.take() {
                    reader.wake();
                }
            }
        })
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Instant;

    use http::Method;
    use tokio::task::yield_now;

    use super::super::OutBody;
    use super::super::tests::stale::{connection, incoming};
    use super::super::tests::{request, run};
    use super::*;

    /// An exchange whose answer has begun, the upstream, and the client whose request is not all there.
    async fn begun() -> (BothWays, std::net::TcpStream, tokio::net::TcpStream) {
        let (body, client) = incoming().await;
        let (mut connection, mut peer) = connection().await;
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").unwrap();
        let mut request = request(Method::POST, OutBody::Stream(body, None));
        connection.send(&mut request, Instant::now()).await.unwrap();
        assert!(connection.awaits_request());
        (BothWays::start(Box::new(connection)), peer, client)
    }

    #[test]
    fn who_reads_is_told_that_the_request_failed() {
        run(async {
            let (mut exchange, _peer, client) = begun().await;
            // A task of its own, which only its own wake-ups get to run.
            let reading = spawn_local(async move { poll_fn(|cx| exchange.poll_body(cx)).await });
            yield_now().await;
            drop(client);
            let read = reading.await.unwrap();
            assert!(matches!(read, Some(Err(Http1Error::RequestBody(Some(_))))), "{read:?}");
        });
    }

    #[test]
    fn nothing_is_left_of_an_exchange_that_is_dropped() {
        run(async {
            let (exchange, _peer, _client) = begun().await;
            yield_now().await;
            let sender = exchange.sender.0.clone();
            assert!(!sender.is_finished());
            drop(exchange);
            yield_now().await;
            assert!(sender.is_finished());
        });
    }
}
