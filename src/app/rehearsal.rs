//! Rehearsing a show. Who puts nodes together says how one is played; here is who may, how often, and how it went.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::{App, ChatRateLimit, Result};
use crate::domain::rehearsal::{RehearsalForm, already_running, show_already_started};
use crate::domain::{Actor, Permission, Refusal, Shop, StreamId, StreamStatus};
use crate::protocol::{RehearsalStatus, RehearsalView};

/// From the first viewer's arrival to the last answer; a rehearsal that takes longer is stopped.
const REHEARSAL_DEADLINE: Duration = Duration::from_secs(120);

/// What a rehearsal is played from.
#[derive(Clone, Debug)]
pub struct RehearsalPlan {
    pub form: RehearsalForm,
    pub shop: Shop,
    pub chat: ChatRateLimit,
}

/// Plays a rehearsal to its end. `Err` says why it could not be played; the run's flag stops it.
pub type RehearsalRunner = Arc<
    dyn Fn(RehearsalPlan, Arc<Rehearsal>) -> Pin<Box<dyn Future<Output = std::result::Result<(), String>> + Send>>
        + Send
        + Sync,
>;

/// One rehearsal, running or over.
#[derive(Debug)]
pub struct Rehearsal {
    stream: StreamId,
    pub stop: Arc<AtomicBool>,
    view: Mutex<RehearsalView>,
}

impl Rehearsal {
    pub fn told(&self) -> RehearsalView {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn update(&self, change: impl FnOnce(&mut RehearsalView)) {
        change(&mut self.view.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn is_running(&self) -> bool {
        self.told().status == RehearsalStatus::Running
    }
}

/// The last rehearsal of this node; there is at most one at a time.
#[derive(Default)]
pub struct Rehearsals {
    runner: OnceLock<RehearsalRunner>,
    last: Mutex<Option<Arc<Rehearsal>>>,
}

impl Rehearsals {
    fn last(&self, stream: StreamId) -> Option<Arc<Rehearsal>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone().filter(|one| one.stream == stream)
    }

    /// Refused while another one runs.
    fn begin(&self, one: &Arc<Rehearsal>) -> std::result::Result<(), Refusal> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|before| before.is_running()) {
            return Err(already_running());
        }
        *last = Some(one.clone());
        Ok(())
    }
}

impl App {
    /// Says once how rehearsals are played here; without it there are none.
    pub fn set_rehearsal_runner(&self, play: RehearsalRunner) {
        let _ = self.0.rehearsals.runner.set(play);
    }

    /// Begins a rehearsal on this node, for a show that has not begun. Nothing of it touches the show or its pools.
    pub async fn start_rehearsal(&self, actor: &Actor, stream: StreamId, form: RehearsalForm) -> Result<RehearsalView> {
        actor.authorize(Permission::ManageStreams, Some(stream))?;
        let show = self.store().stream(stream).await?.ok_or(Refusal::NoSuchStream)?;
        if show.status != StreamStatus::Scheduled {
            return Err(show_already_started().into());
        }
        let play = self.0.rehearsals.runner.get().cloned().ok_or(super::Error::Unavailable)?;
        let RehearsalForm { viewers, seconds } = form;
        let told = RehearsalView {
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
        let one = Arc::new(Rehearsal { stream, stop: Arc::default(), view: Mutex::new(told) });
        self.0.rehearsals.begin(&one)?;
        let plan = RehearsalPlan { form, shop: self.shop().clone(), chat: self.settings().chat };
        let (run, stopping) = (one.clone(), self.0.stop.clone());
        // Among the tasks that are waited for: a node that stops leaves nothing behind.
        self.spawn_background(async move {
            let mut playing = play(plan, run.clone());
            let played = tokio::select! {
                played = &mut playing => played,
                () = stopping.cancelled() => { run.stop.store(true, Ordering::Relaxed); playing.await }
                () = tokio::time::sleep(REHEARSAL_DEADLINE) => { run.stop.store(true, Ordering::Relaxed); playing.await }
            };
            let stopped = run.stop.load(Ordering::Relaxed);
            run.update(|told| {
                if let Err(why) = played {
                    told.status = RehearsalStatus::Failed;
                    told.why = Some(why);
                }
                if stopped {
                    told.status = RehearsalStatus::Stopped;
                }
            });
        });
        Ok(one.told())
    }

    /// How the last rehearsal of this show went on this node, or goes.
    pub fn rehearsal(&self, actor: &Actor, stream: StreamId) -> Result<Option<RehearsalView>> {
        actor.authorize(Permission::ManageStreams, Some(stream))?;
        Ok(self.0.rehearsals.last(stream).map(|one| one.told()))
    }

    /// Stops the rehearsal of this show that runs on this node, if one does.
    pub fn stop_rehearsal(&self, actor: &Actor, stream: StreamId) -> Result<()> {
        actor.authorize(Permission::ManageStreams, Some(stream))?;
        if let Some(one) = self.0.rehearsals.last(stream) {
            one.stop.store(one.is_running(), Ordering::Relaxed);
        }
        Ok(())
    }
}
