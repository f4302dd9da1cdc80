use std::fmt;
use std::pin::Pin;
use std::task::{Context, Waker};

use hyper::client::conn::http1::Connection;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWrite as _;
use tokio::task::{AbortHandle, spawn_local};

use super::OutBody;
use super::io::Io;

/// Who moves the bytes of an HTTP/1.1 connection.
pub(super) enum Driver {
    /// Whoever waits for an answer or reads its body: a task of its own would be woken, and would wake the other, for each of
    /// the two. Between exchanges nobody does, so that it is seen late that the peer closed: by who sends the next
    /// request, which comes back unsent, and by who looks.
    Waiter(Box<Connection<TokioIo<Io>, OutBody>>),
    /// A task: since a body went out that comes from the client. It has to go on while the answer is not read.
    Task(AbortHandle),
    /// Nobody: it is closed, or in others' hands.
    Over,
}

impl Driver {
    pub(super) fn of(connection: Connection<TokioIo<Io>, OutBody>) -> Self {
        Self::Waiter(Box::new(connection))
    }

    /// Moves what can be moved, and has the task woken when there is more; `false` when that is somebody else's business.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let Self::Waiter(connection) = self else { return false };
        // What went wrong is told to the one whose request it was.
        if Pin::new(connection).poll(cx).is_ready() {
            *self = Self::Over;
        }
        true
    }

    /// Leaves it to a task from here on.
    pub(super) fn leave(&mut self) {
        if let Self::Waiter(connection) = std::mem::replace(self, Self::Over) {
            let task = spawn_local(async move {
                let _ = connection.await;
            });
            *self = Self::Task(task.abort_handle());
        }
    }

    /// Ends a connection that has nothing to do. One with a task ends by itself when nobody can ask anything of it.
    pub(super) fn take_leave(&mut self) {
        if let Self::Waiter(connection) = std::mem::replace(self, Self::Over) {
            let mut io = connection.into_parts().io.into_inner();
            // So much as can be said at once: TLS wants a word.
            let _ = Pin::new(&mut io).poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }

    /// Ends it at once.
    pub(super) fn abort(&mut self) {
        if let Self::Task(task) = std::mem::replace(self, Self::Over) {
            task.abort();
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiter(_) => "Waiter",
            Self::Task(_) => "Task",
            Self::Over => "Over",
        })
    }
}
