//! The way in: events of a stream are gathered and numbered together, so that Redis works as often as the clock says and
//! not as often as people talk.
//!
//! One task for each stream in which somebody speaks, gone after half a minute of silence. The first event after quiet goes
//! at once; after that one call every 10 ms takes whatever came in since, up to 32 events or 8 KB: with more than 3,200 a
//! second the queue fills up and the answer is `busy`. One call is under way at a time, so batches keep their order. A call
//! that fails is sent again under its number, which Redis tells once, for as long as the events are good: two seconds. Then
//! the answer is `busy` too, and the script itself refuses to number what comes later than that.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::super::metrics::count;
use super::super::{Error, Result, StreamPosition};
use super::shard::{EventBatch, Shard};
use crate::domain::StreamId;

const BATCH_INTERVAL: Duration = Duration::from_millis(10);
const BATCH_EVENTS_MAX: usize = 32;
const BATCH_BYTES_MAX: usize = 8 * 1024;
/// What may wait for one stream.
const INGRESS_QUEUE_MAX: usize = 1_024;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const PUBLISH_DEADLINE: Duration = Duration::from_secs(2);
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Events that go together, and who waits for their place.
pub struct PublishRequest {
    pub bodies: Vec<Bytes>,
    /// Tell it only if nothing was told under this mark before.
    pub idempotency_key: Option<String>,
    /// Nobody waits for it any more after this.
    deadline: Instant,
    reply: oneshot::Sender<Result<StreamPosition>>,
}

impl PublishRequest {
    fn bytes(&self) -> usize {
        self.bodies.iter().map(Bytes::len).sum()
    }
}

/// Puts events in the stream's queue and waits for the place of the last.
pub async fn say(
    shard: &Arc<Shard>,
    stream: StreamId,
    bodies: Vec<Bytes>,
    idempotency_key: Option<String>,
) -> Result<StreamPosition> {
    if !shard.is_up() {
        return Err(Error::Unavailable);
    }
    let (answer, answered) = oneshot::channel();
    let mut said =
        PublishRequest { bodies, idempotency_key, deadline: Instant::now() + PUBLISH_DEADLINE, reply: answer };
    loop {
        let queue = shard.ingress.entry(stream).or_insert_with(|| start_ingress(shard, stream)).clone();
        match queue.try_send(said) {
            Ok(()) => break,
            Err(TrySendError::Full(_)) => return Err(Error::QueueFull),
            // It went away for want of work: there is a new one to ask.
            Err(TrySendError::Closed(back)) => {
                shard.ingress.remove_if(&stream, |_, known| known.same_channel(&queue));
                said = back;
            }
        }
    }
    answered.await.unwrap_or(Err(Error::Stopped))
}

fn start_ingress(shard: &Arc<Shard>, stream: StreamId) -> mpsc::Sender<PublishRequest> {
    let (queue, said) = mpsc::channel(INGRESS_QUEUE_MAX);
    shard.tasks.spawn(run(shard.clone(), stream, said));
    queue
}

async fn run(shard: Arc<Shard>, stream: StreamId, mut said: mpsc::Receiver<PublishRequest>) {
    let mut next_at = Instant::now();
    let mut kept_over = None;
    loop {
        let first = match kept_over.take() {
            Some(first) => Some(first),
            None => tokio::select! {
                first = timeout(IDLE_TIMEOUT, said.recv()) => first.ok().flatten(),
                () = shard.stop.cancelled() => None,
            },
        };
        let Some(first) = first else {
            said.close();
            match said.recv().await {
                Some(late) => {
                    kept_over = Some(late);
                    continue;
                }
                None => {
                    shard.ingress.remove_if(&stream, |_, known| known.is_closed());
                    return;
                }
            }
        };
        let mut together = vec![first];
        kept_over = collect_batch(&mut together, &mut said, next_at).await;
        next_at = Instant::now() + BATCH_INTERVAL;
        // While one batch had no answer the others grew old: nobody is told minutes later what was answered with `busy`.
        let late = together.extract_if(.., |said| said.deadline <= next_at).collect::<Vec<_>>();
        late.into_iter().for_each(|said| drop(said.reply.send(Err(Error::Unavailable))));
        if !together.is_empty() {
            publish_batch(&shard, stream, together).await;
        }
    }
}

/// Gives what was taken and does not fit.
async fn collect_batch(
    together: &mut Vec<PublishRequest>,
    said: &mut mpsc::Receiver<PublishRequest>,
    until: Instant,
) -> Option<PublishRequest> {
    let (mut events, mut bytes) = (together[0].bodies.len(), together[0].bytes());
    // What has a mark goes alone: it may have to be left out.
    let mut alone = together[0].idempotency_key.is_some();
    loop {
        if alone || BATCH_EVENTS_MAX <= events || BATCH_BYTES_MAX <= bytes {
            // The pace holds for full batches too.
            tokio::time::sleep_until(until).await;
            return None;
        }
        let Ok(Some(next)) = timeout_at(until, said.recv()).await else { return None };
        alone = next.idempotency_key.is_some();
        if alone || BATCH_EVENTS_MAX < events + next.bodies.len() || BATCH_BYTES_MAX < bytes + next.bytes() {
            tokio::time::sleep_until(until).await;
            return Some(next);
        }
        events += next.bodies.len();
        bytes += next.bytes();
        together.push(next);
    }
}

async fn publish_batch(shard: &Arc<Shard>, stream: StreamId, together: Vec<PublishRequest>) {
    let began = Instant::now();
    let bodies: Vec<Bytes> = together.iter().flat_map(|said| said.bodies.iter().cloned()).collect();
    let idempotency_key = together.iter().find_map(|said| said.idempotency_key.clone());
    let events = bodies.len() as u64;
    let good_until = together.iter().map(|said| said.deadline).min().unwrap_or(began);
    let batch = EventBatch { number: shard.next_batch_number(), bodies, idempotency_key, deadline: good_until };
    let told = append_with_retry(shard, stream, &batch).await;
    shard.metrics.batch_time.record_duration(began.elapsed());
    match told {
        Ok(_) => {
            count(&shard.metrics.events_published, events);
            shard.metrics.batch_size.record(events);
        }
        Err(_) => count(&shard.metrics.batches_failed, 1),
    }
    // Each is told the place of its own last event.
    let mut after = told.as_ref().map_or(0, |place| place.seq.saturating_sub(events));
    for said in together {
        after += said.bodies.len() as u64;
        let _ = said.reply.send(told.clone().map(|place| StreamPosition { seq: after, ..place }));
    }
}

async fn append_with_retry(shard: &Arc<Shard>, stream: StreamId, batch: &EventBatch) -> Result<StreamPosition> {
    let mut tries = 0_u32;
    loop {
        let error = match shard.say(stream, batch).await {
            Ok(place) => return Ok(place),
            // Without a link there is nothing to wait for; it is built anew in its own time.
            Err(Error::TooLate) => return Err(Error::Unavailable),
            Err(error) => error,
        };
        if batch.deadline <= Instant::now() + RETRY_PAUSE || shard.stop.is_cancelled() {
            return Err(error);
        }
        if tries == 0 {
            count(&shard.metrics.batches_retried, 1);
        }
        tries += 1;
        sleep(RETRY_PAUSE).await;
    }
}
