//! Runs the batches of one offer. While one batch is in flight and requests are waiting already, the selling task
//! queues in the database for the next turn on the offer's row: that turn comes with the commit, without another round
//! trip.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;

use super::purchase_queue::{PurchaseQueue, QueuedPurchase};
use super::selling_counters::{SellingCounters, add_count};
use crate::domain::{OfferId, PurchaseRequest};
use crate::metrics::SPAN_TARGET;
use crate::store::{self, BatchOutcome, BatchTurn, Store};

/// How long a batch is retried over lost connections before its buyers get `outcome_unknown`.
const RESEND_DEADLINE: Duration = Duration::from_secs(5);
const RESEND_PAUSE_MAX: Duration = Duration::from_millis(500);
/// When the next turn arrives, the batch before it has ended; its result has this long to arrive.
const RESULT_GRACE: Duration = Duration::from_millis(200);

type UpcomingTurn<'a> = Pin<Box<dyn Future<Output = store::Result<BatchTurn<'a>>> + Send + 'a>>;

/// A turn that was requested ahead of time.
enum NextTurn<'a> {
    Requested(UpcomingTurn<'a>),
    Granted(BatchTurn<'a>),
}

pub struct BatchRunner<'a> {
    store: &'a Store,
    counters: &'a SellingCounters,
    pub offer: OfferId,
    pub incoming: mpsc::Receiver<QueuedPurchase>,
    pub waiting: PurchaseQueue,
    requested_turn: Option<NextTurn<'a>>,
}

impl<'a> BatchRunner<'a> {
    pub fn new(
        store: &'a Store,
        counters: &'a SellingCounters,
        offer: OfferId,
        incoming: mpsc::Receiver<QueuedPurchase>,
    ) -> Self {
        Self { store, counters, offer, incoming, waiting: PurchaseQueue::default(), requested_turn: None }
    }

    pub fn receive_waiting(&mut self) {
        self.waiting.fill_from(&mut self.incoming);
    }

    /// No request waits here, so give up our turn and do not delay other nodes.
    pub async fn release_turn(&mut self) {
        if let Some(Ok(turn)) = self.take_next_turn().await {
            turn.release().await;
        }
    }

    /// Waits for the turn: a connection that is queued in the database must not simply be dropped.
    async fn take_next_turn(&mut self) -> Option<store::Result<BatchTurn<'a>>> {
        Some(match self.requested_turn.take()? {
            NextTurn::Requested(turn) => turn.await,
            NextTurn::Granted(turn) => Ok(turn),
        })
    }

    /// Sends the same ids, keys and order, as often as the connection breaks.
    pub async fn run_batch(&mut self, requests: &[PurchaseRequest]) -> store::Result<BatchOutcome> {
        let give_up = Instant::now() + RESEND_DEADLINE;
        let mut pause = Duration::from_millis(10);
        loop {
            add_count(&self.counters.batches, 1);
            let began = Instant::now();
            let span =
                tracing::trace_span!(target: SPAN_TARGET, "batch", offer.id = %self.offer, requests = requests.len());
            let outcome = self.try_batch(requests).instrument(span).await;
            self.counters.batch_duration.observe(began.elapsed());
            match outcome {
                Err(fault) if fault.is_transient() && Instant::now() < give_up => {
                    add_count(&self.counters.retried_batches, 1);
                    tracing::warn!(offer.id = %self.offer, requests = requests.len(), error = %fault, "a batch is retried");
                    // A turn that was granted already holds the row.
                    if !matches!(self.requested_turn, Some(NextTurn::Granted(_))) {
                        sleep(pause).await;
                        pause = (pause * 2).min(RESEND_PAUSE_MAX);
                    }
                }
                result => return result,
            }
        }
    }

    async fn try_batch(&mut self, requests: &[PurchaseRequest]) -> store::Result<BatchOutcome> {
        let turn = match self.take_next_turn().await {
            Some(turn) => turn?,
            None => self.store.turn(self.offer).await?,
        };
        let mut sell = std::pin::pin!(turn.sell(requests));
        loop {
            match &mut self.requested_turn {
                None if self.waiting.is_empty() => tokio::select! {
                    outcome = &mut sell => return outcome,
                    Some(request) = self.incoming.recv() => self.waiting.push(request),
                },
                None => match self.store.next_turn(self.offer) {
                    Some(turn) => self.requested_turn = Some(NextTurn::Requested(Box::pin(turn))),
                    None => return sell.await,
                },
                Some(NextTurn::Requested(turn_request)) => tokio::select! {
                    outcome = &mut sell => return outcome,
                    turn = turn_request => match turn {
                        Ok(turn) => self.requested_turn = Some(NextTurn::Granted(turn)),
                        Err(fault) => {
                            tracing::debug!(offer.id = %self.offer, error = %fault, "the next turn could not be requested");
                            self.requested_turn = None;
                            return sell.await;
                        }
                    },
                },
                Some(NextTurn::Granted(_)) => {
                    return timeout(RESULT_GRACE, sell).await.unwrap_or_else(|_| Err(store::Error::connection_lost()));
                }
            }
        }
    }
}
