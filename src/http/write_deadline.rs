//! The socket of one HTTP connection, which is cut when the client does not read its data for ten seconds.
//!
//! A client that requests answers and never reads them would otherwise keep its connection and its answers for as long as it
//! likes. Two deadlines work together. This type sees that the kernel takes no more bytes from us. The kernel itself
//! (`TCP_USER_TIMEOUT`) sees that the client takes no more bytes from the kernel, also after an answer that fitted into its
//! buffers completely.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::head_deadline::{HeadDeadline, Turn};
use crate::metrics::increment;

/// How long a connection may have bytes to write and make no progress. A WebSocket has a deadline of its own in its room.
pub const WRITE_PROGRESS_TIMEOUT: Duration = Duration::from_secs(10);

pub struct WriteDeadline {
    io: TokioIo<TcpStream>,
    /// The other direction: how long the head of a request may take.
    head: HeadDeadline,
    /// Runs while a write waits; made at the first wait, because most connections never have one.
    stall: Option<Pin<Box<Sleep>>>,
    /// Counts the connections that were cut here.
    cut: Arc<AtomicU64>,
}

impl WriteDeadline {
    pub fn new(socket: TcpStream, cut: Arc<AtomicU64>, head: HeadDeadline) -> Self {
        // Not every system has it; then only our own deadline holds.
        let _ = SockRef::from(&socket).set_tcp_user_timeout(Some(WRITE_PROGRESS_TIMEOUT));
        Self { io: TokioIo::new(socket), head, stall: None, cut }
    }

    /// For the service of this connection, which knows when a request begins and ends.
    pub fn turn(&self) -> Turn {
        self.head.turn()
    }

    /// The socket without these deadlines, for a WebSocket session.
    pub fn into_socket(self) -> TcpStream {
        let socket = self.io.into_inner();
        let _ = SockRef::from(&socket).set_tcp_user_timeout(None);
        socket
    }

    /// Passes on what a write returned. A write that waits fails when it has waited too long.
    fn check_progress<T>(&mut self, task: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_PROGRESS_TIMEOUT)));
        if stall.as_mut().poll(task).is_pending() {
            return Poll::Pending;
        }
        increment(&self.cut);
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client did not read its data for ten seconds")))
    }
}

impl Read for WriteDeadline {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(task, buffer);
        self.head.check(task, read)
    }
}

impl Write for WriteDeadline {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(task, bytes);
        self.check_progress(task, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(task, slices);
        self.check_progress(task, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}
