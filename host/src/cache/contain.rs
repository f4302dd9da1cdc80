use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use countersign::Error;

/// Runs a future; a panic in it becomes an [`Internal`](countersign::ErrorKind::Internal) error.
pub(crate) struct Contained<F>(Pin<Box<F>>);

impl<F> Contained<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<T, F: Future<Output = Result<T, Error>>> Future for Contained<F> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Whatever is torn after a panic is dropped with the future, which is not polled again.
        catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))).unwrap_or_else(|payload| {
            // It may hold a secret, and dropping it may panic in turn.
            std::mem::forget(payload);
            Poll::Ready(Err(Error::internal("the profile panicked; tell its author")))
        })
    }
}
