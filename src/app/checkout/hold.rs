//! Holds: reservations that are neither paid nor cancelled are released when they expire.
//!
//! A run goes over the offers that have expired holds, a few at a time, and starts again at once while there is more. An
//! offer that another transaction has locked is left to a few tasks that wait for the lock, so that it delays no other.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Checkout;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::OfferId;
use crate::store::{LockWait, RELEASED_TOGETHER_MAX};

/// How late a hold is released at most when all is well; the promise is five seconds.
const HOLD_RELEASE_INTERVAL: Duration = Duration::from_millis(500);
/// Offers whose holds are released at the same time, and offers whose lock is waited for at the same time. Each takes one of
/// the sixteen general connections.
const OFFERS_TOGETHER: usize = 4;
/// Transactions for one offer before the run looks at the other offers again.
const ROUNDS_PER_OFFER: usize = 8;

/// Ends expired holds and puts their units back on sale.
pub struct HoldJob {
    checkout: Arc<Checkout>,
    /// Offers that others had locked: the next ones are tried when a waiting task ends. At most as many as a run finds.
    locked: VecDeque<OfferId>,
    /// The tasks that wait for a lock, and their offers.
    waiting: JoinSet<OfferId>,
    awaited: HashSet<OfferId>,
}

#[derive(Clone, Copy, PartialEq)]
enum Progress {
    Done,
    /// The offer has more holds than were released.
    More,
    Locked,
}

impl HoldJob {
    pub fn new(checkout: Arc<Checkout>) -> Self {
        Self { checkout, locked: VecDeque::new(), waiting: JoinSet::new(), awaited: HashSet::new() }
    }

    /// Takes note of the tasks that ended, and starts others.
    fn wait_for_locks(&mut self) {
        while let Some(ended) = self.waiting.try_join_next() {
            match ended {
                Ok(offer) => drop(self.awaited.remove(&offer)),
                Err(error) => tracing::error!(error = %error, "a release of holds panicked"),
            }
        }
        if self.waiting.is_empty() {
            self.awaited.clear();
        }
        while self.waiting.len() < OFFERS_TOGETHER
            && let Some(offer) = self.locked.pop_front()
        {
            self.awaited.insert(offer);
            let checkout = self.checkout.clone();
            self.waiting.spawn(async move {
                let progress = checkout.release_to_the_end(offer, LockWait::Second).await;
                if progress == Progress::Locked {
                    tracing::warn!(offer.id = %offer, "holds of an offer cannot be released: its row stays locked");
                }
                offer
            });
        }
        let count = (self.locked.len() + self.awaited.len()) as u64;
        self.checkout.context.counters.hold_locks_awaited.store(count, Ordering::Relaxed);
    }

    /// The offers with expired holds for which nobody waits, beginning at any of them: two nodes start at different offers.
    async fn due_offers(&self) -> Result<Vec<OfferId>> {
        let store = &self.checkout.context.store;
        let mut due = store.offers_with_expired_holds(store.now().await?).await?;
        due.retain(|offer| !self.awaited.contains(offer) && !self.locked.contains(offer));
        if !due.is_empty() {
            let start = rand::random_range(0..due.len());
            due.rotate_left(start);
        }
        Ok(due)
    }
}

impl BackgroundJob for HoldJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("holds", HOLD_RELEASE_INTERVAL, Duration::from_secs(5))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        self.wait_for_locks();
        let due = self.due_offers().await?;
        if !due.is_empty() {
            // After an outage the holds of everybody in the queue may have ended. They are not released: the release asks for the end
            // of each hold again.
            let checkout = self.checkout.clone();
            self.checkout.context.spawn_write(async move { checkout.extend_holds_in_queue().await }).await?;
        }
        let (mut due, mut running, mut has_more) = (due.into_iter(), JoinSet::new(), false);
        loop {
            while running.len() < OFFERS_TOGETHER
                && let Some(offer) = due.next()
            {
                let checkout = self.checkout.clone();
                running.spawn(async move { (offer, checkout.release_to_the_end(offer, LockWait::Skip).await) });
            }
            match running.join_next().await {
                None => break,
                Some(Ok((offer, Progress::Locked))) => self.locked.push_back(offer),
                Some(Ok((_, progress))) => has_more |= progress == Progress::More,
                Some(Err(error)) => tracing::error!(error = %error, "a release of holds panicked"),
            }
        }
        self.wait_for_locks();
        Ok(if has_more { NextRun::Immediately } else { NextRun::AfterInterval })
    }
}

impl Checkout {
    /// Releases in a task of its own, which goes on when the job ends: its transaction must not be cancelled.
    async fn release_to_the_end(self: Arc<Self>, offer: OfferId, wait: LockWait) -> Progress {
        let context = self.context.clone();
        let release = async move { Ok(self.release_holds_of(offer, wait).await) };
        context.spawn_write(release).await.unwrap_or(Progress::Done)
    }

    /// Releases the expired holds of one offer, in several transactions if there are many. A fault is logged, and the next
    /// run tries again.
    async fn release_holds_of(&self, offer: OfferId, wait: LockWait) -> Progress {
        for _ in 0..ROUNDS_PER_OFFER {
            let released = match self.context.store.release_expired_holds(offer, wait).await {
                Ok(Some(ended)) => {
                    let count = ended.len();
                    self.publish_release(offer, &ended).await.map(|()| count)
                }
                Ok(None) => return Progress::Locked,
                Err(fault) => Err(fault.into()),
            };
            match released {
                Ok(RELEASED_TOGETHER_MAX) => {}
                Ok(_) => return Progress::Done,
                Err(error) => {
                    tracing::warn!(offer.id = %offer, error = %error, "holds of an offer could not be released yet");
                    return Progress::Done;
                }
            }
        }
        Progress::More
    }
}
