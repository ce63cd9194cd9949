//! Background jobs: what happens without anyone asking. One runner repeats each job at its interval, watches its deadline,
//! and counts its runs for the metrics page.
//!
//! Every job is harmless when several nodes run it at once: the store decides which node was first.

use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::error::Result;
use crate::domain::Millis;
use crate::metrics::increment;

/// What the runner must know about a job.
#[derive(Clone, Copy, Debug)]
pub struct JobSpec {
    /// The label of its metrics.
    pub name: &'static str,
    /// Pause between the end of a run and the start of the next.
    pub interval: Duration,
    /// A run that takes longer is logged and counted as overdue. It is not cancelled: a cancelled transaction could stay
    /// open on its connection.
    pub deadline: Duration,
    /// Runs once more when the server stops, after the request to stop.
    pub runs_at_stop: bool,
}

impl JobSpec {
    pub const fn new(name: &'static str, interval: Duration, deadline: Duration) -> Self {
        Self { name, interval, deadline, runs_at_stop: false }
    }

    pub const fn with_run_at_stop(self) -> Self {
        Self { runs_at_stop: true, ..self }
    }
}

/// When a job wants to run again.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum NextRun {
    AfterInterval,
    /// Sooner than after the interval.
    After(Duration),
    Immediately,
}

/// A job that is repeated until the server stops.
pub trait BackgroundJob: Send + 'static {
    fn spec(&self) -> JobSpec;

    /// Starts the next run early when it is notified.
    fn wake(&self) -> Option<Arc<Notify>> {
        None
    }

    /// One run. `is_last` is true for the run at the stop of the server.
    fn run(&mut self, is_last: bool) -> impl Future<Output = Result<NextRun>> + Send;
}

/// A job without its type: its future is boxed.
trait ErasedJob: Send {
    fn wake(&self) -> Option<Arc<Notify>>;
    fn run(&mut self, is_last: bool) -> Pin<Box<dyn Future<Output = Result<NextRun>> + Send + '_>>;
}

impl<J: BackgroundJob> ErasedJob for J {
    fn wake(&self) -> Option<Arc<Notify>> {
        BackgroundJob::wake(self)
    }

    fn run(&mut self, is_last: bool) -> Pin<Box<dyn Future<Output = Result<NextRun>> + Send + '_>> {
        Box::pin(BackgroundJob::run(self, is_last))
    }
}

/// The runs of one job on this node.
#[derive(Debug)]
pub struct JobStatus {
    pub spec: JobSpec,
    pub succeeded: AtomicU64,
    pub failed: AtomicU64,
    /// Runs that took longer than the deadline.
    pub overdue: AtomicU64,
    /// When the last run succeeded, in epoch milliseconds; 0 means never.
    pub last_success_at: AtomicI64,
}

impl JobStatus {
    fn new(spec: JobSpec) -> Self {
        let (succeeded, failed, overdue) = Default::default();
        Self { spec, succeeded, failed, overdue, last_success_at: AtomicI64::new(0) }
    }

    fn record<T>(&self, outcome: &Result<T>, now: Millis) {
        match outcome {
            Ok(_) => {
                increment(&self.succeeded);
                self.last_success_at.store(now, Ordering::Relaxed);
            }
            Err(_) => increment(&self.failed),
        }
    }
}

/// Starts the jobs, and knows how each of them goes.
#[derive(Debug, Default)]
pub struct JobRunner {
    jobs: Mutex<Vec<Arc<JobStatus>>>,
}

impl JobRunner {
    /// The status of every job that was started on this node.
    pub fn jobs(&self) -> Vec<Arc<JobStatus>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts a job. Its first run begins at once.
    pub fn start(&self, context: &Arc<Context>, job: impl BackgroundJob) {
        let status = Arc::new(JobStatus::new(job.spec()));
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).push(status.clone());
        let context = context.clone();
        context.clone().spawn(async move {
            repeat(&context.stop, &|| context.now(), Box::new(job), &status).await;
        });
    }
}

/// The type of the job is erased, so that this is compiled once and not for each job.
async fn repeat(
    stop: &CancellationToken,
    now: &(dyn Fn() -> Millis + Send + Sync),
    mut job: Box<dyn ErasedJob>,
    status: &JobStatus,
) {
    let (spec, wake) = (status.spec, job.wake());
    loop {
        let is_last = stop.is_cancelled();
        if is_last && !spec.runs_at_stop {
            return;
        }
        let outcome = watch(job.run(is_last), status).await;
        status.record(&outcome, now());
        if let Err(error) = &outcome {
            tracing::warn!(job = spec.name, error = %error, "a background job failed");
        }
        if is_last {
            return;
        }
        let pause = match outcome {
            Ok(NextRun::Immediately) => continue,
            Ok(NextRun::After(pause)) => pause,
            Ok(NextRun::AfterInterval) | Err(_) => spec.interval,
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = notified(wake.as_deref()) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Waits for the run to end, and reports it once when it exceeds its deadline.
async fn watch<T>(run: impl Future<Output = T>, status: &JobStatus) -> T {
    let mut run = std::pin::pin!(run);
    let deadline = Instant::now() + status.spec.deadline;
    tokio::select! {
        outcome = &mut run => outcome,
        () = sleep_until(deadline) => {
            increment(&status.overdue);
            tracing::warn!(job = status.spec.name, deadline = ?status.spec.deadline, "a background job exceeds its deadline");
            run.await
        }
    }
}

async fn notified(wake: Option<&Notify>) {
    match wake {
        Some(wake) => wake.notified().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Error;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Takes the given time for each run, and records whether the run was the last.
    struct TestJob {
        spec: JobSpec,
        wake: Arc<Notify>,
        results: std::vec::IntoIter<(Duration, Result<NextRun>)>,
        runs: Arc<Mutex<Vec<bool>>>,
    }

    impl BackgroundJob for TestJob {
        fn spec(&self) -> JobSpec {
            self.spec
        }

        fn wake(&self) -> Option<Arc<Notify>> {
            Some(self.wake.clone())
        }

        async fn run(&mut self, is_last: bool) -> Result<NextRun> {
            let (duration, result) = self.results.next().unwrap_or((Duration::ZERO, Ok(NextRun::AfterInterval)));
            sleep(duration).await;
            self.runs.lock().unwrap().push(is_last);
            result
        }
    }

    struct Running {
        stop: CancellationToken,
        wake: Arc<Notify>,
        runs: Arc<Mutex<Vec<bool>>>,
        status: Arc<JobStatus>,
        task: tokio::task::JoinHandle<()>,
    }

    fn start(spec: JobSpec, results: Vec<(Duration, Result<NextRun>)>) -> Running {
        let (wake, runs) = (Arc::<Notify>::default(), Arc::<Mutex<Vec<bool>>>::default());
        let job = TestJob { spec, wake: wake.clone(), results: results.into_iter(), runs: runs.clone() };
        let (stop, status) = (CancellationToken::new(), Arc::new(JobStatus::new(spec)));
        let (stopped, of_task) = (stop.clone(), status.clone());
        let task = tokio::spawn(async move { repeat(&stopped, &|| 7, Box::new(job), &of_task).await });
        Running { stop, wake, runs, status, task }
    }

    impl Running {
        fn counts(&self) -> [u64; 3] {
            let JobStatus { succeeded, failed, overdue, .. } = &*self.status;
            [succeeded, failed, overdue].map(|counter| counter.load(Ordering::Relaxed))
        }

        fn runs(&self) -> usize {
            self.runs.lock().unwrap().len()
        }

        async fn end(self) -> Vec<bool> {
            self.stop.cancel();
            self.task.await.unwrap();
            self.runs.lock().unwrap().clone()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn job_runs_at_start_after_its_interval_when_woken_and_at_stop() {
        let spec = JobSpec::new("test", HOUR, HOUR).with_run_at_stop();
        let soon = Duration::from_secs(1);
        let job = start(spec, vec![(soon, Ok(NextRun::Immediately)), (soon, Ok(NextRun::After(soon)))]);
        sleep(Duration::from_millis(2_500)).await;
        assert_eq!(job.runs(), 2, "the second run followed immediately");
        sleep(soon).await;
        assert_eq!(job.runs(), 3);
        job.wake.notify_one();
        sleep(soon).await;
        assert_eq!(job.runs(), 4, "woken before the interval was over");
        sleep(HOUR).await;
        assert_eq!(job.runs(), 5);
        assert_eq!(job.end().await, [false, false, false, false, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn job_without_a_run_at_stop_ends_with_the_request_to_stop() {
        let job = start(JobSpec::new("test", HOUR, HOUR), vec![]);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(job.end().await, [false]);
    }

    #[tokio::test(start_paused = true)]
    async fn failed_run_is_counted_and_repeated_after_the_interval() {
        let job = start(JobSpec::new("test", HOUR, HOUR), vec![(Duration::ZERO, Err(Error::Unavailable))]);
        sleep(HOUR / 2).await;
        assert_eq!((job.counts(), job.status.last_success_at.load(Ordering::Relaxed)), ([0, 1, 0], 0));
        sleep(HOUR).await;
        assert_eq!((job.counts(), job.status.last_success_at.load(Ordering::Relaxed)), ([1, 1, 0], 7));
    }

    #[tokio::test(start_paused = true)]
    async fn overdue_run_is_counted_and_not_cancelled() {
        let spec = JobSpec::new("test", HOUR, Duration::from_secs(1));
        let job = start(spec, vec![(Duration::from_secs(60), Ok(NextRun::AfterInterval))]);
        sleep(Duration::from_secs(2)).await;
        assert_eq!((job.counts(), job.runs()), ([0, 0, 1], 0));
        sleep(Duration::from_secs(60)).await;
        assert_eq!((job.counts(), job.runs()), ([1, 0, 1], 1));
    }
}
