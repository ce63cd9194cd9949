//! After a new link, every stream compares its position with Redis: 200 streams a call, one call after the other, and
//! only the streams that missed something read history. A call that fails is repeated until the link ends; the next link
//! begins again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::sequencer::SequencerMessage;
use super::shard::Shard;
use crate::domain::StreamId;

/// Streams whose positions one call reads.
const RESYNC_BATCH_MAX: usize = 200;
/// How long the streams of one call may read history before the next call is made; they go on reading.
const BATCH_DEADLINE: Duration = Duration::from_secs(5);
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);

/// `failed_at`: when the link before this one failed. The caller aborts it when the link ends.
pub async fn resync_all(shard: Arc<Shard>, failed_at: Instant) {
    let streams: Vec<StreamId> = shard.subscriptions.iter().map(|subscription| *subscription.key()).collect();
    for batch in streams.chunks(RESYNC_BATCH_MAX) {
        let mut pause = RETRY_PAUSE_MIN;
        let heads = loop {
            match shard.positions(batch).await {
                Ok(heads) => break heads,
                Err(_) => sleep(pause).await,
            }
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        };
        let (done, mut all) = mpsc::channel(1);
        for (stream, head) in batch.iter().zip(heads) {
            if let Some(subscription) = shard.subscriptions.get(stream) {
                subscription.receive(SequencerMessage::Resync { head, done: done.clone() });
            }
        }
        drop(done);
        // Ends when the last stream has dropped its sender.
        let _ = timeout(BATCH_DEADLINE, all.recv()).await;
    }
    shard.metrics.reconnect_time.record_duration(failed_at.elapsed());
    tracing::info!(
        shard = shard.index,
        streams = streams.len(),
        took_ms = failed_at.elapsed().as_millis() as u64,
        "the link to the broker is established"
    );
}
