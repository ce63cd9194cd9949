//! How long a client may take for the head of a request.
//!
//! hyper has one timeout for the idle time between two requests and for the head together. The idle time must be long: a proxy keeps
//! connections and sends a POST on one of them, which fails if this side closes it at that moment. The head must be short:
//! otherwise a client could keep a connection by sending one byte a minute. So hyper's timeout is the idle time, and this
//! deadline begins with the first byte of a request.

use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

/// The turn of a connection: even while it awaits the head of a request, odd while it serves one. Its service moves it on, and its
/// socket reads it.
#[derive(Clone, Debug, Default)]
pub struct Turn(Arc<AtomicUsize>);

impl Turn {
    /// The head of a request has arrived, or the request has its response.
    pub fn next(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

pub struct HeadDeadline {
    turn: Turn,
    /// The turn to which `running` belongs.
    turn_seen: usize,
    timeout: Duration,
    /// Runs from the first byte of a head, and from the start of a connection, because nobody may keep one by sending nothing.
    running: Option<Pin<Box<Sleep>>>,
}

impl HeadDeadline {
    pub fn new(timeout: Duration) -> Self {
        let running = Some(Box::pin(tokio::time::sleep(timeout)));
        Self { turn: Turn::default(), turn_seen: 0, timeout, running }
    }

    pub fn turn(&self) -> Turn {
        self.turn.clone()
    }

    /// Passes on what a read returned. A read that waits for the rest of a head fails after the timeout.
    pub fn check(&mut self, task: &mut Context<'_>, read: Poll<Result<()>>) -> Poll<Result<()>> {
        let turn = self.turn.0.load(Ordering::Acquire);
        if turn != self.turn_seen {
            (self.turn_seen, self.running) = (turn, None);
        }
        if turn % 2 == 1 {
            return read;
        }
        if read.is_ready() {
            self.running.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.timeout)));
            return read;
        }
        let Some(running) = &mut self.running else { return read };
        if running.as_mut().poll(task).is_pending() {
            return read;
        }
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the head of the request did not arrive in time")))
    }
}
