use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

use super::scratch;

/// Up to here, copying costs less than having the kernel gather the parts: heads, and answers of the usual size.
pub(crate) const SMALL: usize = 8 << 10;

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
    scratch::to_write(|joined| {
        for part in parts {
            joined.extend_from_slice(part);
        }
        io.poll_write(cx, joined)
    })
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
