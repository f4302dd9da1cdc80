use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

/// The longest that a closed connection is listened to.
const MOMENT: Duration = Duration::from_secs(1);
/// Reads between two looks at the clock.
const READS: usize = 16;

/// Reads what a client still sends, to throw it away, until it ends or a moment has passed.
#[derive(Debug, Default)]
pub(super) struct Linger {
    end: Option<Pin<Box<Sleep>>>,
}

impl Linger {
    pub(super) fn poll<S: AsyncRead + Unpin>(&mut self, io: &mut S, cx: &mut Context<'_>) -> Poll<()> {
        let end = self.end.get_or_insert_with(|| Box::pin(tokio::time::sleep(MOMENT)));
        if end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut scratch = [0; 4096];
        for _ in 0..READS {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *io).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
