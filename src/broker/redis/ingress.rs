//! Ingress: the events of a stream are collected into batches and numbered together, so that the number of Redis calls
//! depends on time and not on how many people chat.
//!
//! One task per stream with messages to publish, which ends after 30 s without any. The first event after a quiet
//! period is published at once; after that one call every 10 ms takes whatever was queued since, up to 32 events or 8
//! KB. Above 3,200 events a second the queue fills and the answer is `busy`. Only one call is in flight at a time, so
//! batches keep their order. A call that fails is retried under the same batch number, which Redis publishes only once,
//! until the deadline of its events: two seconds. After that the answer is `busy` too, and the script itself refuses to
//! number a batch that arrives later.

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
/// Requests that may wait for one stream.
const INGRESS_QUEUE_MAX: usize = 1_024;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const PUBLISH_DEADLINE: Duration = Duration::from_secs(2);
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Events that belong together, and the caller that waits for their position.
pub struct PublishRequest {
    pub bodies: Vec<Bytes>,
    /// Publish only if nothing was published under this key before.
    pub idempotency_key: Option<String>,
    /// The caller stops waiting after this.
    deadline: Instant,
    reply: oneshot::Sender<Result<StreamPosition>>,
}

impl PublishRequest {
    fn bytes(&self) -> usize {
        self.bodies.iter().map(Bytes::len).sum()
    }
}

/// Puts events into the stream's queue and waits for the position of the last one.
pub async fn publish(
    shard: &Arc<Shard>,
    stream: StreamId,
    bodies: Vec<Bytes>,
    idempotency_key: Option<String>,
) -> Result<StreamPosition> {
    if !shard.is_up() {
        return Err(Error::Unavailable);
    }
    let (reply, response) = oneshot::channel();
    let mut request = PublishRequest { bodies, idempotency_key, deadline: Instant::now() + PUBLISH_DEADLINE, reply };
    loop {
        let queue = shard.ingress.entry(stream).or_insert_with(|| start_ingress(shard, stream)).clone();
        match queue.try_send(request) {
            Ok(()) => break,
            Err(TrySendError::Full(_)) => return Err(Error::QueueFull),
            // The task ended because it was idle: start a new one.
            Err(TrySendError::Closed(back)) => {
                shard.ingress.remove_if(&stream, |_, known| known.same_channel(&queue));
                request = back;
            }
        }
    }
    response.await.unwrap_or(Err(Error::Stopped))
}

fn start_ingress(shard: &Arc<Shard>, stream: StreamId) -> mpsc::Sender<PublishRequest> {
    let (queue, incoming) = mpsc::channel(INGRESS_QUEUE_MAX);
    shard.tasks.spawn(run(shard.clone(), stream, incoming));
    queue
}

async fn run(shard: Arc<Shard>, stream: StreamId, mut incoming: mpsc::Receiver<PublishRequest>) {
    let mut next_at = Instant::now();
    let mut carried_over = None;
    loop {
        let first = match carried_over.take() {
            Some(first) => Some(first),
            None => tokio::select! {
                first = timeout(IDLE_TIMEOUT, incoming.recv()) => first.ok().flatten(),
                () = shard.stop.cancelled() => None,
            },
        };
        let Some(first) = first else {
            incoming.close();
            match incoming.recv().await {
                Some(late) => {
                    carried_over = Some(late);
                    continue;
                }
                None => {
                    shard.ingress.remove_if(&stream, |_, known| known.is_closed());
                    return;
                }
            }
        };
        let mut requests = vec![first];
        carried_over = collect_batch(&mut requests, &mut incoming, next_at).await;
        next_at = Instant::now() + BATCH_INTERVAL;
        // While one batch had no answer, the other requests grew old. A request that was answered with `busy` must not
        // be published minutes later.
        let late = requests.extract_if(.., |request| request.deadline <= next_at).collect::<Vec<_>>();
        late.into_iter().for_each(|request| drop(request.reply.send(Err(Error::Unavailable))));
        if !requests.is_empty() {
            publish_batch(&shard, stream, requests).await;
        }
    }
}

/// Returns the request that was taken from the queue and does not fit into this batch.
async fn collect_batch(
    requests: &mut Vec<PublishRequest>,
    incoming: &mut mpsc::Receiver<PublishRequest>,
    until: Instant,
) -> Option<PublishRequest> {
    let (mut events, mut bytes) = (requests[0].bodies.len(), requests[0].bytes());
    // A request with an idempotency key is sent alone: the script may have to skip it.
    let mut is_alone = requests[0].idempotency_key.is_some();
    loop {
        if is_alone || BATCH_EVENTS_MAX <= events || BATCH_BYTES_MAX <= bytes {
            // The interval holds for full batches too.
            tokio::time::sleep_until(until).await;
            return None;
        }
        let Ok(Some(next)) = timeout_at(until, incoming.recv()).await else { return None };
        is_alone = next.idempotency_key.is_some();
        if is_alone || BATCH_EVENTS_MAX < events + next.bodies.len() || BATCH_BYTES_MAX < bytes + next.bytes() {
            tokio::time::sleep_until(until).await;
            return Some(next);
        }
        events += next.bodies.len();
        bytes += next.bytes();
        requests.push(next);
    }
}

async fn publish_batch(shard: &Arc<Shard>, stream: StreamId, requests: Vec<PublishRequest>) {
    let started_at = Instant::now();
    let bodies: Vec<Bytes> = requests.iter().flat_map(|request| request.bodies.iter().cloned()).collect();
    let idempotency_key = requests.iter().find_map(|request| request.idempotency_key.clone());
    let events = bodies.len() as u64;
    let deadline = requests.iter().map(|request| request.deadline).min().unwrap_or(started_at);
    let batch = EventBatch { number: shard.next_batch_number(), bodies, idempotency_key, deadline };
    let result = append_with_retry(shard, stream, &batch).await;
    shard.metrics.batch_time.record_duration(started_at.elapsed());
    match result {
        Ok(_) => {
            count(&shard.metrics.events_published, events);
            shard.metrics.batch_size.record(events);
        }
        Err(_) => count(&shard.metrics.batches_failed, 1),
    }
    // Each caller receives the position of its own last event.
    let mut seq = result.as_ref().map_or(0, |position| position.seq.saturating_sub(events));
    for request in requests {
        seq += request.bodies.len() as u64;
        let _ = request.reply.send(result.clone().map(|position| StreamPosition { seq, ..position }));
    }
}

async fn append_with_retry(shard: &Arc<Shard>, stream: StreamId, batch: &EventBatch) -> Result<StreamPosition> {
    let mut tries = 0_u32;
    loop {
        let error = match shard.append(stream, batch).await {
            Ok(position) => return Ok(position),
            // Without a link, waiting does not help; the link reconnects at its own pace.
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
