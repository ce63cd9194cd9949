//! Selling has a thread of its own: a batch holds the hot row, so no frame, page or hello may run before its next step.
//! On the worker threads, a step would wait for everything that is ready to run there, five times per batch.

use std::io;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Runs the futures spawned on its handle until it is dropped.
#[derive(Debug)]
pub struct SellingThread {
    handle: Handle,
    _end: DropGuard,
}

impl SellingThread {
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (handle, end) = (runtime.handle().clone(), CancellationToken::new());
        let ended = end.clone();
        std::thread::Builder::new().name("selling".into()).spawn(move || runtime.block_on(ended.cancelled()))?;
        Ok(Self { handle, _end: end.drop_guard() })
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}
