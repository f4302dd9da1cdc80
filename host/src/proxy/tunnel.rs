use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use super::answer::AnswerBody;
use super::call::Call;
use super::client::Client;
use super::inbound::strip_answer;
use super::upstream::InBody;

/// Both sides agreed to go on with another protocol (RFC 9110 §7.8): from here on bytes pass both ways, unseen, until one
/// side ends or nothing moves for the connector's idle timeout.
pub(crate) fn open(
    client: &Client,
    ours: OnUpgrade,
    mut answer: Response<InBody>,
    protocol: HeaderValue,
    call: Call,
) -> Response<AnswerBody> {
    let theirs = hyper::upgrade::on(&mut answer);
    client.wire.release();
    let (mut head, _) = answer.into_parts();
    let protocol = head.headers.remove(UPGRADE).unwrap_or(protocol);
    strip_answer(&mut head.headers);
    head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    head.headers.insert(UPGRADE, protocol);
    spawn_local(async move {
        let (Ok(ours), Ok(theirs)) = (ours.await, theirs.await) else {
            tracing::debug!(connector = call.connector(), "an upgrade did not come about");
            return;
        };
        pass(TokioIo::new(ours), TokioIo::new(theirs), &call).await;
    });
    Response::from_parts(head, AnswerBody::own(bytes::Bytes::new()))
}

async fn pass<A, B>(client: A, upstream: B, call: &Call)
where
    A: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    B: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let idle = call.served().connector.serve().idle_timeout;
    let limit = call.local().deadlines().limit(idle);
    let (mut client, mut upstream) =
        (Moving { io: client, limit: &limit, idle }, Moving { io: upstream, limit: &limit, idle });
    // However it ends, both connections are over.
    let _ = limit.bound(tokio::io::copy_bidirectional(&mut client, &mut upstream)).await;
}

/// A stream on which whatever is read gives the limit another while.
struct Moving<'a, S> {
    io: S,
    limit: &'a super::deadline::Limit,
    idle: std::time::Duration,
}

impl<S: tokio::io::AsyncRead + Unpin> tokio::io::AsyncRead for Moving<'_, S> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let poll = std::pin::Pin::new(&mut self.io).poll_read(cx, buf);
        if poll.is_ready() {
            self.limit.restart(self.idle);
        }
        poll
    }
}

impl<S: tokio::io::AsyncWrite + Unpin> tokio::io::AsyncWrite for Moving<'_, S> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
