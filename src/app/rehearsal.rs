//! Rehearsing a show. Who puts nodes together says how one is played; here is who may, how often, and how it went.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::{App, ChatBudget, Result};
use crate::domain::rehearsal::{RehearsalForm, one_at_a_time, too_late};
use crate::domain::{Action, Actor, Refusal, Shop, StreamId, StreamStatus};
use crate::protocol::{RehearsalStatus, RehearsalView};

/// From the first viewer's arrival to the last answer; a rehearsal that takes longer is stopped.
const MOST: Duration = Duration::from_secs(120);

/// What a rehearsal is played from.
#[derive(Clone, Debug)]
pub struct RehearsalPlan {
    pub form: RehearsalForm,
    pub shop: Shop,
    pub chat: ChatBudget,
}

/// Plays a rehearsal to its end. `Err` says why it could not be played; the run's flag stops it.
pub type Play = Arc<
    dyn Fn(RehearsalPlan, Arc<Rehearsal>) -> Pin<Box<dyn Future<Output = std::result::Result<(), String>> + Send>>
        + Send
        + Sync,
>;

/// One rehearsal, running or over.
#[derive(Debug)]
pub struct Rehearsal {
    stream: StreamId,
    pub stop: Arc<AtomicBool>,
    told: Mutex<RehearsalView>,
}

impl Rehearsal {
    pub fn told(&self) -> RehearsalView {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn tell(&self, change: impl FnOnce(&mut RehearsalView)) {
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn is_running(&self) -> bool {
        self.told().status == RehearsalStatus::Running
    }
}

/// The last rehearsal of this node; there is at most one at a time.
#[derive(Default)]
pub struct Rehearsals {
    play: OnceLock<Play>,
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
            return Err(one_at_a_time());
        }
        *last = Some(one.clone());
        Ok(())
    }
}

impl App {
    /// Says once how rehearsals are played here; without it there are none.
    pub fn rehearse_with(&self, play: Play) {
        let _ = self.0.rehearsals.play.set(play);
    }

    /// Begins a rehearsal on this node, for a show that has not begun. Nothing of it touches the show or its pools.
    pub async fn rehearse(&self, actor: &Actor, stream: StreamId, form: RehearsalForm) -> Result<RehearsalView> {
        actor.may(Action::Run, Some(stream))?;
        let show = self.store().stream(stream).await?.ok_or(Refusal::NoSuchStream)?;
        if show.status != StreamStatus::Scheduled {
            return Err(too_late().into());
        }
        let play = self.0.rehearsals.play.get().cloned().ok_or(super::Error::Unavailable)?;
        let RehearsalForm { viewers, seconds } = form;
        let told = RehearsalView {
            status: RehearsalStatus::Running,
            viewers,
            connected: 0,
            seconds,
            passed_s: 0,
            messages: 0,
            orders_held: 0,
            delivery_p99_ms: None,
            checks: Vec::new(),
            why: None,
        };
        let one = Arc::new(Rehearsal { stream, stop: Arc::default(), told: Mutex::new(told) });
        self.0.rehearsals.begin(&one)?;
        let plan = RehearsalPlan { form, shop: self.shop().clone(), chat: self.settings().chat };
        let (run, stopping) = (one.clone(), self.0.stop.clone());
        // Among the tasks that are waited for: a node that stops leaves nothing behind.
        self.spawn_loop(async move {
            let mut playing = play(plan, run.clone());
            let played = tokio::select! {
                played = &mut playing => played,
                () = stopping.cancelled() => { run.stop.store(true, Ordering::Relaxed); playing.await }
                () = tokio::time::sleep(MOST) => { run.stop.store(true, Ordering::Relaxed); playing.await }
            };
            let stopped = run.stop.load(Ordering::Relaxed);
            run.tell(|told| {
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
        actor.may(Action::Run, Some(stream))?;
        Ok(self.0.rehearsals.last(stream).map(|one| one.told()))
    }

    /// Stops the rehearsal of this show that runs on this node, if one does.
    pub fn stop_rehearsal(&self, actor: &Actor, stream: StreamId) -> Result<()> {
        actor.may(Action::Run, Some(stream))?;
        if let Some(one) = self.0.rehearsals.last(stream) {
            one.stop.store(one.is_running(), Ordering::Relaxed);
        }
        Ok(())
    }
}
