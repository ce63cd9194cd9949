//! Writes chat messages to the store in batches, behind their broadcast.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::app::context::Context;
use crate::domain::{ChatMessage, Refusal};

/// Chat messages that may wait to be written. When the queue is full (the database is unavailable), new messages are
/// refused as `busy`.
const CHAT_WRITE_QUEUE_MAX: usize = 8_192;
const CHAT_BATCH_MAX: usize = 500;
/// How long the writer waits for more messages before it writes a batch.
pub const CHAT_BATCH_WAIT: Duration = Duration::from_millis(200);
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// A message is in the store within a second of its broadcast: after [`CHAT_BATCH_WAIT`] and the time of one batch. Whoever changes a
/// message that is not in the store yet waits twice that long for it.
pub const WRITE_BEHIND_MS: i64 = 2_000;
const FLUSH_DEADLINE: Duration = Duration::from_secs(3);

/// A command to the chat writer.
#[derive(Debug)]
enum ChatWriterCommand {
    Message(ChatMessage),
    /// Answered when everything before it is in the store.
    Flush(oneshot::Sender<()>),
}

/// The queue in front of the task that writes.
pub struct ChatWriter(mpsc::Sender<ChatWriterCommand>);

/// A place in the queue: a message that was published can always be written.
pub struct WriterSlot(mpsc::OwnedPermit<ChatWriterCommand>);

impl WriterSlot {
    pub fn write(self, message: ChatMessage) {
        self.0.send(ChatWriterCommand::Message(message));
    }
}

impl ChatWriter {
    /// Starts the task that writes. It ends when the server stops, after all messages are written.
    pub fn start(context: Arc<Context>) -> Self {
        let (sender, commands) = mpsc::channel(CHAT_WRITE_QUEUE_MAX);
        context.clone().spawn(run_chat_writer(context, commands));
        Self(sender)
    }

    pub fn reserve(&self) -> Result<WriterSlot, Refusal> {
        self.0.clone().try_reserve_owned().map(WriterSlot).map_err(|_| Refusal::Busy { retry_ms: 1_000 })
    }

    /// Waits until all messages posted so far are in the store, or until the deadline.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let request = async {
            if self.0.send(ChatWriterCommand::Flush(done)).await.is_ok() {
                let _ = flushed.await;
            }
        };
        let _ = timeout(FLUSH_DEADLINE, request).await;
    }

    /// How many chat messages wait to be written, and the maximum.
    pub fn queue_len_and_max(&self) -> (usize, usize) {
        let max = self.0.max_capacity();
        (max - self.0.capacity(), max)
    }
}

/// The chat writer: collects messages for a moment and writes them in one batch. At shutdown it writes everything that
/// is left.
async fn run_chat_writer(context: Arc<Context>, mut commands: mpsc::Receiver<ChatWriterCommand>) {
    loop {
        let first = tokio::select! {
            first = commands.recv() => first,
            () = context.stop.cancelled() => {
                commands.close();
                commands.recv().await
            }
        };
        let Some(first) = first else { return };
        let (batch, flushes) = collect_batch(first, &mut commands).await;
        while let Err(error) = context.store.insert_messages(&batch).await {
            tracing::error!(error = %error, messages = batch.len(), "chat messages could not be written yet");
            if context.stop.is_cancelled() {
                tracing::error!(
                    messages = batch.len(),
                    "chat messages were lost: the store is unavailable and the server is stopping"
                );
                break;
            }
            sleep(RETRY_PAUSE).await;
        }
        for done in flushes {
            let _ = done.send(());
        }
    }
}

async fn collect_batch(
    first: ChatWriterCommand,
    commands: &mut mpsc::Receiver<ChatWriterCommand>,
) -> (Vec<ChatMessage>, Vec<oneshot::Sender<()>>) {
    let (mut batch, mut flushes) = (Vec::new(), Vec::new());
    let end = Instant::now() + CHAT_BATCH_WAIT;
    let mut next = Some(first);
    while let Some(command) = next {
        match command {
            ChatWriterCommand::Message(message) => batch.push(message),
            ChatWriterCommand::Flush(done) => flushes.push(done),
        }
        if batch.len() >= CHAT_BATCH_MAX {
            break;
        }
        // A request waits for this flush: take what is here and write.
        next = if flushes.is_empty() {
            timeout_at(end, commands.recv()).await.ok().flatten()
        } else {
            commands.try_recv().ok()
        };
    }
    (batch, flushes)
}
