//! Searches of people who are not of the team: few at a time, so that they leave connections for the reports and lists of the team.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::app::error::Result;
use crate::domain::Refusal;
use crate::store;

/// Searches that run at the same time on this node: fewer than there are connections for reports on either database.
const RUNNING_MAX: usize = 1;
/// Searches that wait for their turn. Others are refused at once.
const WAITING_MAX: usize = 32;
/// How long one waits for its turn, and then how long it may take.
const TURN_TIMEOUT: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(4);
const RETRY_MS: i64 = 1_000;

pub struct PublicSearches {
    places: Semaphore,
    turns: Arc<Semaphore>,
}

impl Default for PublicSearches {
    fn default() -> Self {
        Self { places: Semaphore::new(RUNNING_MAX + WAITING_MAX), turns: Arc::new(Semaphore::new(RUNNING_MAX)) }
    }
}

impl PublicSearches {
    /// Runs a search when its turn comes; refused as `busy` when too many wait or it takes too long.
    pub async fn run<T>(&self, search: impl Future<Output = store::Result<T>>) -> Result<T> {
        self.run_with_turn(async move |_turn| search.await).await
    }

    /// The same for a search that goes on when nobody waits for it any more: it keeps the turn until its work is done.
    pub async fn run_with_turn<T>(
        &self,
        search: impl AsyncFnOnce(OwnedSemaphorePermit) -> store::Result<T>,
    ) -> Result<T> {
        let busy = || Refusal::Busy { retry_ms: RETRY_MS };
        let _place = self.places.try_acquire().map_err(|_| busy())?;
        let turn = timeout(TURN_TIMEOUT, self.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(busy().into()) };
        Ok(timeout(DEADLINE, search(turn)).await.map_err(|_| busy())??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turn_of_work_that_goes_on_stays_taken_when_the_client_hangs_up() {
        let searches = Arc::new(PublicSearches::default());
        let (give, given) = tokio::sync::oneshot::channel();
        let running = searches.clone();
        let client = tokio::spawn(async move {
            let search = async move |turn| {
                let _ = give.send(turn);
                std::future::pending::<store::Result<()>>().await
            };
            running.run_with_turn(search).await
        });
        let turn = given.await.unwrap();
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        assert!(searches.run(async { Ok(1) }).await.is_err(), "the work goes on");
        drop(turn);
        assert_eq!(searches.run(async { Ok(2) }).await.ok(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn search_waits_for_its_turn_and_is_refused_when_it_does_not_come() {
        let searches = Arc::new(PublicSearches::default());
        let busy = Some(Refusal::Busy { retry_ms: RETRY_MS }.into());
        let slow = searches.clone();
        let slow = tokio::spawn(async move { slow.run(std::future::pending::<store::Result<()>>()).await });
        tokio::task::yield_now().await;
        let waiting = searches.clone();
        let waiting = tokio::spawn(async move { waiting.run(async { Ok(1) }).await });
        assert_eq!(waiting.await.unwrap().err(), busy, "its turn did not come in a second");
        assert_eq!(slow.await.unwrap().err(), busy, "it took longer than its deadline");
        assert_eq!(searches.run(async { Ok(2) }).await.ok(), Some(2), "the turn is free again");
    }

    #[tokio::test]
    async fn search_is_refused_at_once_when_too_many_wait() {
        let searches = PublicSearches::default();
        let _taken = searches.places.try_acquire_many((RUNNING_MAX + WAITING_MAX) as u32).unwrap();
        assert_eq!(searches.run(async { Ok(()) }).await.err(), Some(Refusal::Busy { retry_ms: RETRY_MS }.into()));
    }
}
