use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// Up to here, copying costs less than having the kernel gather the parts: heads, and answers of the usual size.
const SMALL: usize = 8 << 10;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Writes several parts: as one when they are few bytes, gathered by the kernel otherwise.
pub(crate) fn poll_write_joined<S: AsyncWrite>(
    io: Pin<&mut S>,
    cx: &mut Context<'_>,
    parts: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    if let [part] = parts {
        return io.poll_write(cx, part);
    }
    let length = parts.iter().map(|part| part.len()).fold(0, usize::saturating_add);
    if length > SMALL {
        return io.poll_write_vectored(cx, parts);
    }
    let mut scratch = SCRATCH.take();
    scratch.clear();
    for part in parts {
        scratch.extend_from_slice(part);
    }
    let written = io.poll_write(cx, &scratch);
    SCRATCH.set(scratch);
    written
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    #[tokio::test]
    async fn parts_arrive_in_their_order_whatever_their_size() {
        for parts in [
            vec![b"head".to_vec()],
            vec![b"head".to_vec(), b"body".to_vec()],
            vec![vec![1; 9000], vec![2; 9000]],
        ] {
            let (mut io, mut other) = duplex(64 << 10);
            let slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let written =
                std::future::poll_fn(|cx| poll_write_joined(Pin::new(&mut io), cx, &slices)).await.unwrap();
            drop(io);
            let mut arrived = Vec::new();
            other.read_to_end(&mut arrived).await.unwrap();
            assert_eq!(arrived, parts.concat()[..written]);
            assert!(written > 0);
        }
    }
}
