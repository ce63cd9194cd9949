//! Rehearsals of a stream. The runner that plays one is set from outside; this file decides who may start one, how
//! often, and reports how it went.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::Streams;
use crate::app::error::{Error, Result};
use crate::app::settings::ChatRateLimit;
use crate::domain::rehearsal::{RehearsalForm, already_running, show_already_started};
use crate::domain::{Actor, Permission, Refusal, Shop, StreamId, StreamStatus};
use crate::protocol::{RehearsalStatus, RehearsalView};

/// Deadline from the first viewer's arrival to the last answer; a rehearsal that takes longer is stopped.
const REHEARSAL_DEADLINE: Duration = Duration::from_secs(120);

/// The input of a rehearsal.
#[derive(Clone, Debug)]
pub struct RehearsalPlan {
    pub form: RehearsalForm,
    pub shop: Shop,
    pub chat: ChatRateLimit,
}

/// Plays a rehearsal to its end. `Err` says why it could not be played; the `stop` flag of the rehearsal stops it.
pub type RehearsalRunner = Arc<
    dyn Fn(RehearsalPlan, Arc<Rehearsal>) -> Pin<Box<dyn Future<Output = std::result::Result<(), String>> + Send>>
        + Send
        + Sync,
>;

/// One rehearsal, running or finished.
#[derive(Debug)]
pub struct Rehearsal {
    stream: StreamId,
    pub stop: Arc<AtomicBool>,
    view: Mutex<RehearsalView>,
}

impl Rehearsal {
    pub fn view(&self) -> RehearsalView {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn update(&self, change: impl FnOnce(&mut RehearsalView)) {
        change(&mut self.view.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn is_running(&self) -> bool {
        self.view().status == RehearsalStatus::Running
    }
}

/// The last rehearsal of this node; at most one runs at a time.
#[derive(Default)]
pub struct Rehearsals {
    runner: OnceLock<RehearsalRunner>,
    last: Mutex<Option<Arc<Rehearsal>>>,
}

impl Rehearsals {
    fn last(&self, stream: StreamId) -> Option<Arc<Rehearsal>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone().filter(|rehearsal| rehearsal.stream == stream)
    }

    /// Refused while another rehearsal is running.
    fn begin(&self, rehearsal: &Arc<Rehearsal>) -> std::result::Result<(), Refusal> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|before| before.is_running()) {
            return Err(already_running());
        }
        *last = Some(rehearsal.clone());
        Ok(())
    }
}

impl Streams {
    /// Sets how rehearsals are played on this server. Without a runner there are none.
    pub fn set_rehearsal_runner(&self, runner: RehearsalRunner) {
        let _ = self.rehearsals.runner.set(runner);
    }

    /// Starts a rehearsal on this node for a stream that has not started. The rehearsal touches neither the stream nor
    /// its stock pools.
    pub async fn start_rehearsal(&self, actor: &Actor, stream: StreamId, form: RehearsalForm) -> Result<RehearsalView> {
        self.stream_cache.authorize(actor, Permission::ManageStreams, stream).await?;
        let stored = self.context.store.stream(stream).await?.ok_or(Refusal::NoSuchStream)?;
        if stored.status != StreamStatus::Scheduled {
            return Err(show_already_started().into());
        }
        let runner = self.rehearsals.runner.get().cloned().ok_or(Error::Unavailable)?;
        let RehearsalForm { viewers, seconds } = form;
        let view = RehearsalView {
            status: RehearsalStatus::Running,
            viewers,
            connected: 0,
            seconds,
            elapsed_s: 0,
            messages: 0,
            orders_held: 0,
            delivery_p99_ms: None,
            checks: Vec::new(),
            why: None,
        };
        let rehearsal = Arc::new(Rehearsal { stream, stop: Arc::default(), view: Mutex::new(view) });
        self.rehearsals.begin(&rehearsal)?;
        let plan = RehearsalPlan { form, shop: (*self.context.shop()).clone(), chat: self.context.settings.chat };
        let (run, stopping) = (rehearsal.clone(), self.context.stop.clone());
        // Tracked as a task, so that a stopping node waits for it and leaves nothing behind.
        self.context.spawn(async move {
            let mut running = runner(plan, run.clone());
            let result = tokio::select! {
                result = &mut running => result,
                () = stopping.cancelled() => { run.stop.store(true, Ordering::Relaxed); running.await }
                () = tokio::time::sleep(REHEARSAL_DEADLINE) => { run.stop.store(true, Ordering::Relaxed); running.await }
            };
            let stopped = run.stop.load(Ordering::Relaxed);
            run.update(|view| {
                if let Err(why) = result {
                    view.status = RehearsalStatus::Failed;
                    view.why = Some(why);
                }
                if stopped {
                    view.status = RehearsalStatus::Stopped;
                }
            });
        });
        Ok(rehearsal.view())
    }

    /// The state of this stream's last rehearsal on this node.
    pub async fn rehearsal(&self, actor: &Actor, stream: StreamId) -> Result<Option<RehearsalView>> {
        self.stream_cache.authorize(actor, Permission::ManageStreams, stream).await?;
        Ok(self.rehearsals.last(stream).map(|rehearsal| rehearsal.view()))
    }

    /// Stops this stream's rehearsal on this node, if one is running.
    pub async fn stop_rehearsal(&self, actor: &Actor, stream: StreamId) -> Result<()> {
        self.stream_cache.authorize(actor, Permission::ManageStreams, stream).await?;
        if let Some(rehearsal) = self.rehearsals.last(stream) {
            rehearsal.stop.store(rehearsal.is_running(), Ordering::Relaxed);
        }
        Ok(())
    }
}
