//! Chat: messages, reactions, the chat rules and the review queue.

mod chat_rules;
mod message;
mod reaction;
mod review;
mod writer;

use std::sync::Arc;

use super::audit::AuditLog;
use super::context::Context;
use super::publisher::Publisher;
use super::stream_cache::StreamCache;
use writer::ChatWriter;

pub use reaction::LikesJob;
pub use writer::{CHAT_BATCH_WAIT, WRITE_BEHIND_MS};

pub struct Chat {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    stream_cache: Arc<StreamCache>,
    audit: Arc<AuditLog>,
    writer: ChatWriter,
    /// Identifies this run of this node. Each node counts the emoji of its own viewers under its identifier.
    reaction_node: u64,
}

impl Chat {
    pub fn new(
        context: &Arc<Context>,
        publisher: &Arc<Publisher>,
        stream_cache: &Arc<StreamCache>,
        audit: &Arc<AuditLog>,
    ) -> Arc<Self> {
        let (context, publisher, stream_cache, audit) =
            (context.clone(), publisher.clone(), stream_cache.clone(), audit.clone());
        let writer = ChatWriter::start(context.clone());
        let reaction_node = rand::random();
        Arc::new(Self { context, publisher, stream_cache, audit, writer, reaction_node })
    }

    /// Waits until all messages posted so far are in the store, or until the deadline.
    pub async fn flush(&self) {
        self.writer.flush().await;
    }

    /// How many chat messages wait to be written, and the maximum.
    pub fn write_queue(&self) -> (usize, usize) {
        self.writer.queue_len_and_max()
    }
}
