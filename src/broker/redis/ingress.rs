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

use super::super::vitals::count;
use super::super::{Error, Place, Result};
use super::shard::{Batch, Shard};
use crate::domain::StreamId;

const GAP: Duration = Duration::from_millis(10);
const EVENTS_MAX: usize = 32;
const BYTES_MAX: usize = 8 * 1024;
/// What may wait for one stream.
const WAITING_MAX: usize = 1_024;
const IDLE: Duration = Duration::from_secs(30);
const GOOD_FOR: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

/// Events that go together, and who waits for their place.
pub struct Said {
    pub bodies: Vec<Bytes>,
    /// Tell it only if nothing was told under this mark before.
    pub once: Option<String>,
    /// Nobody waits for it any more after this.
    good_until: Instant,
    answer: oneshot::Sender<Result<Place>>,
}

impl Said {
    fn bytes(&self) -> usize {
        self.bodies.iter().map(Bytes::len).sum()
    }
}

/// Puts events in the stream's queue and waits for the place of the last.
pub async fn say(shard: &Arc<Shard>, stream: StreamId, bodies: Vec<Bytes>, once: Option<String>) -> Result<Place> {
    if !shard.is_up() {
        return Err(Error::Away);
    }
    let (answer, answered) = oneshot::channel();
    let mut said = Said { bodies, once, good_until: Instant::now() + GOOD_FOR, answer };
    loop {
        let queue = shard.ingress.entry(stream).or_insert_with(|| begin(shard, stream)).clone();
        match queue.try_send(said) {
            Ok(()) => break,
            Err(TrySendError::Full(_)) => return Err(Error::Full),
            // It went away for want of work: there is a new one to ask.
            Err(TrySendError::Closed(back)) => {
                shard.ingress.remove_if(&stream, |_, known| known.same_channel(&queue));
                said = back;
            }
        }
    }
    answered.await.unwrap_or(Err(Error::Stopped))
}

fn begin(shard: &Arc<Shard>, stream: StreamId) -> mpsc::Sender<Said> {
    let (queue, said) = mpsc::channel(WAITING_MAX);
    shard.tasks.spawn(run(shard.clone(), stream, said));
    queue
}

async fn run(shard: Arc<Shard>, stream: StreamId, mut said: mpsc::Receiver<Said>) {
    let mut next_at = Instant::now();
    let mut kept_over = None;
    loop {
        let first = match kept_over.take() {
            Some(first) => Some(first),
            None => tokio::select! {
                first = timeout(IDLE, said.recv()) => first.ok().flatten(),
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
        kept_over = gather(&mut together, &mut said, next_at).await;
        next_at = Instant::now() + GAP;
        // While one batch had no answer the others grew old: nobody is told minutes later what was answered with `busy`.
        let late = together.extract_if(.., |said| said.good_until <= next_at).collect::<Vec<_>>();
        late.into_iter().for_each(|said| drop(said.answer.send(Err(Error::Away))));
        if !together.is_empty() {
            tell(&shard, stream, together).await;
        }
    }
}

/// Gives what was taken and does not fit.
async fn gather(together: &mut Vec<Said>, said: &mut mpsc::Receiver<Said>, until: Instant) -> Option<Said> {
    let (mut events, mut bytes) = (together[0].bodies.len(), together[0].bytes());
    // What has a mark goes alone: it may have to be left out.
    let mut alone = together[0].once.is_some();
    loop {
        if alone || EVENTS_MAX <= events || BYTES_MAX <= bytes {
            // The pace holds for full batches too.
            tokio::time::sleep_until(until).await;
            return None;
        }
        let Ok(Some(next)) = timeout_at(until, said.recv()).await else { return None };
        alone = next.once.is_some();
        if alone || EVENTS_MAX < events + next.bodies.len() || BYTES_MAX < bytes + next.bytes() {
            tokio::time::sleep_until(until).await;
            return Some(next);
        }
        events += next.bodies.len();
        bytes += next.bytes();
        together.push(next);
    }
}

async fn tell(shard: &Arc<Shard>, stream: StreamId, together: Vec<Said>) {
    let began = Instant::now();
    let bodies: Vec<Bytes> = together.iter().flat_map(|said| said.bodies.iter().cloned()).collect();
    let once = together.iter().find_map(|said| said.once.clone());
    let events = bodies.len() as u64;
    let good_until = together.iter().map(|said| said.good_until).min().unwrap_or(began);
    let batch = Batch { number: shard.next_batch(), bodies, once, good_until };
    let told = settle(shard, stream, &batch).await;
    shard.vitals.batch_time.add_time(began.elapsed());
    match told {
        Ok(_) => {
            count(&shard.vitals.events, events);
            shard.vitals.batch_size.add(events);
        }
        Err(_) => count(&shard.vitals.given_up, 1),
    }
    // Each is told the place of its own last event.
    let mut after = told.as_ref().map_or(0, |place| place.seq.saturating_sub(events));
    for said in together {
        after += said.bodies.len() as u64;
        let _ = said.answer.send(told.clone().map(|place| Place { seq: after, ..place }));
    }
}

async fn settle(shard: &Arc<Shard>, stream: StreamId, batch: &Batch) -> Result<Place> {
    let mut tries = 0_u32;
    loop {
        let error = match shard.say(stream, batch).await {
            Ok(place) => return Ok(place),
            // Without a link there is nothing to wait for; it is built anew in its own time.
            Err(Error::Late) => return Err(Error::Away),
            Err(error) => error,
        };
        if batch.good_until <= Instant::now() + PAUSE || shard.stop.is_cancelled() {
            return Err(error);
        }
        if tries == 0 {
            count(&shard.vitals.resent, 1);
        }
        tries += 1;
        sleep(PAUSE).await;
    }
}
