//! The line at an offer's row. While one batch is under way and somebody waits already, the actor stands in the database's
//! queue for the next turn: that comes with the commit, without a way here and back.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;

use super::purchase_queue::PurchaseQueue;
use super::{App, QueuedPurchase, add_count};
use crate::domain::{OfferId, PurchaseRequest};
use crate::metrics::SPAN_TARGET;
use crate::store::{self, BatchOutcome, BatchTurn};

/// How long a batch is sent again over lost connections before its askers are told `outcome_unknown`.
const RESEND_DEADLINE: Duration = Duration::from_secs(5);
const RESEND_PAUSE_MAX: Duration = Duration::from_millis(500);
/// The next turn came, so the batch before it has ended, whatever became of its answer: that has so long to arrive.
const RESULT_GRACE: Duration = Duration::from_millis(200);

type UpcomingTurn<'a> = Pin<Box<dyn Future<Output = store::Result<BatchTurn<'a>>> + Send + 'a>>;

/// A turn that was asked for ahead of time.
enum NextTurn<'a> {
    Coming(UpcomingTurn<'a>),
    Here(BatchTurn<'a>),
}

pub struct BatchRunner<'a> {
    pub app: &'a App,
    pub offer: OfferId,
    pub asked: mpsc::Receiver<QueuedPurchase>,
    pub waiting: PurchaseQueue,
    requested_turn: Option<NextTurn<'a>>,
}

impl<'a> BatchRunner<'a> {
    pub fn new(app: &'a App, offer: OfferId, asked: mpsc::Receiver<QueuedPurchase>) -> Self {
        Self { app, offer, asked, waiting: PurchaseQueue::default(), requested_turn: None }
    }

    pub fn receive_waiting(&mut self) {
        self.waiting.fill_from(&mut self.asked);
    }

    /// Nobody waits here, so nobody is kept waiting elsewhere by our turn.
    pub async fn release_turn(&mut self) {
        if let Some(Ok(turn)) = self.take_next_turn().await {
            turn.release().await;
        }
    }

    /// Waits for it: a connection that stands in the database's queue is not simply dropped.
    async fn take_next_turn(&mut self) -> Option<store::Result<BatchTurn<'a>>> {
        Some(match self.requested_turn.take()? {
            NextTurn::Coming(turn) => turn.await,
            NextTurn::Here(turn) => Ok(turn),
        })
    }

    /// The same ids, the same keys, the same order, as often as the connection breaks.
    pub async fn run_batch(&mut self, asks: &[PurchaseRequest]) -> store::Result<BatchOutcome> {
        let give_up = Instant::now() + RESEND_DEADLINE;
        let mut pause = Duration::from_millis(10);
        loop {
            add_count(&self.app.selling_counters().batches, 1);
            let began = Instant::now();
            let span = tracing::trace_span!(target: SPAN_TARGET, "batch", offer.id = %self.offer, asks = asks.len());
            let sold = self.try_batch(asks).instrument(span).await;
            self.app.selling_counters().batch_duration.observe(began.elapsed());
            match sold {
                Err(fault) if fault.is_transient() && Instant::now() < give_up => {
                    add_count(&self.app.selling_counters().retried_batches, 1);
                    tracing::warn!(offer.id = %self.offer, asks = asks.len(), error = %fault, "a batch is sent again");
                    // A turn that is here already holds the row.
                    if !matches!(self.requested_turn, Some(NextTurn::Here(_))) {
                        sleep(pause).await;
                        pause = (pause * 2).min(RESEND_PAUSE_MAX);
                    }
                }
                settled => return settled,
            }
        }
    }

    async fn try_batch(&mut self, asks: &[PurchaseRequest]) -> store::Result<BatchOutcome> {
        let turn = match self.take_next_turn().await {
            Some(turn) => turn?,
            None => self.app.store().turn(self.offer).await?,
        };
        let mut sell = std::pin::pin!(turn.sell(asks));
        loop {
            match &mut self.requested_turn {
                None if self.waiting.is_empty() => tokio::select! {
                    sold = &mut sell => return sold,
                    Some(item) = self.asked.recv() => self.waiting.push(item),
                },
                None => match self.app.store().next_turn(self.offer) {
                    Some(turn) => self.requested_turn = Some(NextTurn::Coming(Box::pin(turn))),
                    None => return sell.await,
                },
                Some(NextTurn::Coming(coming)) => tokio::select! {
                    sold = &mut sell => return sold,
                    turn = coming => match turn {
                        Ok(turn) => self.requested_turn = Some(NextTurn::Here(turn)),
                        Err(fault) => {
                            tracing::debug!(offer.id = %self.offer, error = %fault, "no next turn");
                            self.requested_turn = None;
                            return sell.await;
                        }
                    },
                },
                Some(NextTurn::Here(_)) => {
                    return timeout(RESULT_GRACE, sell).await.unwrap_or_else(|_| Err(store::Error::connection_lost()));
                }
            }
        }
    }
}
