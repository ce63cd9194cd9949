//! The queue in front of the conversion of pictures: one is converted at a time on each processor but one, on a thread that gives way
//! to everything else, so that chat and sales do not notice it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::convert::{ConvertedPicture, convert};
use crate::app::error::{Error, Result};
use crate::domain::Refusal;
use crate::metrics::DurationHistogram;

/// Uploads on this node that are received or wait: the memory of each is at most that of its file.
pub const UPLOADS_MAX: usize = 8;
/// How long an upload waits for its turn. Each picture takes a second at most.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);
/// A refused client comes back after this time.
const RETRY_MS: i64 = 2_000;

pub struct Worker {
    uploads: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    pub duration: DurationHistogram,
}

/// A place in the queue, from the first byte of an upload to the last of its answer.
pub struct UploadSlot(#[allow(dead_code, reason = "its end frees the place")] OwnedSemaphorePermit);

impl Worker {
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (uploads, turns) = (Arc::new(Semaphore::new(UPLOADS_MAX)), Arc::new(Semaphore::new((cores - 1).max(1))));
        Self { uploads, turns, duration: DurationHistogram::default() }
    }

    /// A place for one upload; refused as `busy` when all are taken.
    pub fn take_slot(&self) -> Result<UploadSlot> {
        let slot = self.uploads.clone().try_acquire_owned().map(UploadSlot);
        slot.map_err(|_| Refusal::Busy { retry_ms: RETRY_MS }.into())
    }

    /// Uploads that are received or wait now.
    pub fn uploads(&self) -> usize {
        UPLOADS_MAX - self.uploads.available_permits()
    }

    /// Converts a file when its turn comes.
    pub async fn convert(&self, file: Bytes) -> Result<ConvertedPicture> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, self.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Refusal::Busy { retry_ms: RETRY_MS }.into()) };
        let began = Instant::now();
        let work = move || {
            let converted = convert(&file);
            drop(turn);
            converted
        };
        let converted = on_idle_thread(work).await?.unwrap_or_else(|| {
            tracing::error!("the conversion of a picture panicked");
            Err(Refusal::PictureDamaged)
        });
        self.duration.observe(began.elapsed());
        Ok(converted?)
    }
}

/// Runs work that takes milliseconds of a processor on a thread that gives way to everything else. `None`: it panicked.
pub async fn on_idle_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<Option<T>> {
    let (sender, outcome) = oneshot::channel();
    let run = move || {
        give_way();
        // Nobody waits any more when the server stops.
        let _ = sender.send(work());
    };
    if let Err(error) = std::thread::Builder::new().name("picture".to_owned()).spawn(run) {
        tracing::error!(%error, "a thread for a picture could not be started");
        return Err(Error::Unavailable);
    }
    Ok(outcome.await.ok())
}

/// Lets this thread run only when no other thread wants the processor, where the system can do that. A lower priority is not enough: the
/// others would still wait until its time slice is over.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy};
        use thread_priority::{ThreadPriority, thread_native_id};
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
            tracing::debug!(?error, "the priority of a picture thread could not be lowered");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn full_queue_refuses_and_an_ended_upload_makes_room() {
        let worker = Worker::new();
        let mut slots: Vec<_> =
            (0..UPLOADS_MAX).map(|_| worker.take_slot().unwrap_or_else(|_| panic!("a place"))).collect();
        assert_eq!(worker.uploads(), UPLOADS_MAX);
        assert_eq!(worker.take_slot().err(), Some(Refusal::Busy { retry_ms: RETRY_MS }.into()));
        slots.pop();
        assert!(worker.take_slot().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn upload_that_does_not_get_its_turn_is_refused() {
        let worker = Worker::new();
        let turns = worker.turns.available_permits();
        let taken = worker.turns.clone().acquire_many_owned(turns as u32).await.unwrap();
        let refused = worker.convert(Bytes::from_static(b"GIF89a")).await.err();
        assert_eq!(refused, Some(Refusal::Busy { retry_ms: RETRY_MS }.into()));
        drop(taken);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn work_on_a_picture_runs_only_when_nothing_else_wants_the_processor() {
        let policy = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
            // The name of the thread is in parentheses; the policy is the 41st field of proc_pid_stat(5).
            let after_name = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().nth(38).map(str::to_owned));
            after_name.flatten()
        };
        let (normal, idle) = (Some("0".to_owned()), Some("5".to_owned()));
        assert_eq!(on_idle_thread(policy).await, Ok(Some(idle)));
        assert_eq!(policy(), normal, "other threads keep their policy");
    }

    #[tokio::test]
    async fn panic_of_work_is_no_result() {
        assert_eq!(on_idle_thread(|| panic!("a file that no decoder expects")).await, Ok(None::<()>));
    }

    #[tokio::test]
    async fn refusal_of_a_file_reaches_its_sender_and_ends_the_turn() {
        let worker = Worker::new();
        let turns = worker.turns.available_permits();
        for _ in 0..turns + 1 {
            let refused = worker.convert(Bytes::from_static(b"GIF89a")).await.err();
            assert_eq!(refused, Some(Refusal::PictureKind { found: Some("GIF") }.into()));
        }
    }
}
