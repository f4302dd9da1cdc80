use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use http::Request;
use http_body::Body as _;
use tokio::io::AsyncWrite as _;

use super::super::OutBody;
use super::super::io::Io;
use super::Http1Error;
use super::request::{Framing, write_head};
use crate::proxy::joined::SMALL;
use crate::proxy::scratch;

/// How many parts go into one write.
const MOST_PARTS: usize = 8;

/// A request on its way out.
#[derive(Debug, Default)]
pub(super) struct Sending {
    /// What is to be written before anything else.
    parts: VecDeque<Bytes>,
    /// What is left of the body: it, and how long it may still be; or that it is in chunks.
    body: Option<(OutBody, Framing)>,
    /// What was written may still be held back, by TLS.
    flushing: bool,
    wrote: bool,
    failure: Option<io::Error>,
    /// Nothing more can be written, and something was left.
    cut: bool,
}

impl Sending {
    /// Begins with a request, as far as that goes at once. A body that is not in memory is taken out of it.
    pub(super) fn begin(&mut self, request: &mut Request<OutBody>, io: &mut Io, cx: &mut Context<'_>) {
        *self = Self::default();
        let framing = request.body().size_hint().exact().map_or(Framing::Chunked, Framing::Length);
        scratch::to_write(|out| {
            write_head(request, framing, out);
            match request.body() {
                OutBody::Empty => {}
                OutBody::Bytes(bytes) if bytes.len() <= SMALL => out.extend_from_slice(bytes),
                OutBody::Bytes(bytes) => self.parts.push_back(bytes.clone()),
                OutBody::Stream(..) => self.body = Some((std::mem::take(request.body_mut()), framing)),
            }
            if !self.parts.is_empty() || self.body.is_some() {
                // What there is of the body at once goes out with the head.
                self.parts.push_front(Bytes::copy_from_slice(out));
                return;
            }
            match Pin::new(&mut *io).poll_write(cx, out) {
                Poll::Ready(Ok(written)) => {
                    self.wrote = written > 0;
                    self.flushing = true;
                    if written < out.len() {
                        self.parts.push_back(Bytes::copy_from_slice(&out[written..]));
                    } else {
                        self.flush(io, cx);
                    }
                }
                Poll::Ready(Err(error)) => self.fail(error),
                Poll::Pending => self.parts.push_back(Bytes::copy_from_slice(out)),
            }
        });
    }

    /// Whether all of the request is out, or no more of it can be.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.parts.is_empty() && self.body.is_none() && !self.flushing
    }

    /// Whether all of the request is out.
    pub(super) fn is_whole(&self) -> bool {
        self.is_done() && !self.cut
    }

    /// Whether the upstream may have seen something of it.
    pub(super) const fn wrote_anything(&self) -> bool {
        self.wrote
    }

    /// What the first write that failed said.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Writes as much as can be written now.
    pub(super) fn go_on(&mut self, io: &mut Io, cx: &mut Context<'_>) -> Result<(), Http1Error> {
        loop {
            self.pull(cx)?;
            if self.parts.is_empty() {
                self.flush(io, cx);
                return Ok(());
            }
            let mut slices = [IoSlice::new(&[]); MOST_PARTS];
            let count = self.parts.len().min(MOST_PARTS);
            for (slice, part) in slices.iter_mut().zip(&self.parts) {
                *slice = IoSlice::new(part);
            }
            match Pin::new(&mut *io).poll_write_vectored(cx, &slices[..count]) {
                Poll::Ready(Ok(0)) => self.fail(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    self.wrote = true;
                    self.flushing = true;
                    self.advance(written);
                }
                Poll::Ready(Err(error)) => self.fail(error),
                Poll::Pending => return Ok(()),
            }
        }
    }

    /// Takes of the body what is there, until enough is to be written.
    fn pull(&mut self, cx: &mut Context<'_>) -> Result<(), Http1Error> {
        while let Some((body, framing)) = &mut self.body {
            if self.parts.len() >= MOST_PARTS / 2 || self.parts.iter().map(Bytes::len).sum::<usize>() > SMALL
            {
                break;
            }
            let frame = match Pin::new(body).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => None,
                Poll::Ready(Some(Ok(frame))) => Some(frame),
                Poll::Ready(Some(Err(error))) => return Err(Http1Error::RequestBody(Some(error))),
            };
            let Some(frame) = frame else {
                match framing {
                    Framing::Chunked => self.parts.push_back(Bytes::from_static(b"0\r\n\r\n")),
                    Framing::Length(0) => {}
                    Framing::Length(_) => return Err(Http1Error::RequestBody(None)),
                }
                self.body = None;
                break;
            };
            let Ok(data) = frame.into_data() else { continue };
            match framing {
                _ if data.is_empty() => {}
                Framing::Chunked => {
                    self.parts.push_back(format!("{:x}\r\n", data.len()).into());
                    self.parts.push_back(data);
                    self.parts.push_back(Bytes::from_static(b"\r\n"));
                }
                Framing::Length(left) => {
                    *left = left.checked_sub(data.len() as u64).ok_or(Http1Error::RequestBody(None))?;
                    let all = *left == 0;
                    self.parts.push_back(data);
                    if all {
                        self.body = None;
                    }
                }
            }
        }
        Ok(())
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(part) = self.parts.front_mut() {
            if written < part.len() {
                part.advance(written);
                return;
            }
            written -= part.len();
            self.parts.pop_front();
        }
    }

    fn flush(&mut self, io: &mut Io, cx: &mut Context<'_>) {
        if self.flushing {
            match Pin::new(io).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.flushing = false,
                Poll::Ready(Err(error)) => self.fail(error),
                Poll::Pending => {}
            }
        }
    }

    fn fail(&mut self, error: io::Error) {
        *self = Self { wrote: self.wrote, failure: Some(error), cut: true, ..Self::default() };
    }
}
