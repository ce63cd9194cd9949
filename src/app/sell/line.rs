//! The line at an offer's row. While one batch is under way and somebody waits already, the actor stands in the database's
//! queue for the next turn: that comes with the commit, without a way here and back.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;

use super::queue::Queue;
use super::{App, Item, count};
use crate::domain::{Ask, OfferId};
use crate::metrics::SPANS;
use crate::store::{self, Sold, Turn};

/// How long a batch is sent again over lost connections before its askers are told `outcome_unknown`.
const RESEND_DEADLINE: Duration = Duration::from_secs(5);
const RESEND_PAUSE_MAX: Duration = Duration::from_millis(500);
/// The next turn came, so the batch before it has ended, whatever became of its answer: that has so long to arrive.
const ANSWER_GRACE: Duration = Duration::from_millis(200);

type Coming<'a> = Pin<Box<dyn Future<Output = store::Result<Turn<'a>>> + Send + 'a>>;

/// A turn that was asked for ahead of time.
enum Next<'a> {
    Coming(Coming<'a>),
    Here(Turn<'a>),
}

pub struct Line<'a> {
    pub app: &'a App,
    pub offer: OfferId,
    pub asked: mpsc::Receiver<Item>,
    pub waiting: Queue,
    next: Option<Next<'a>>,
}

impl<'a> Line<'a> {
    pub fn new(app: &'a App, offer: OfferId, asked: mpsc::Receiver<Item>) -> Self {
        Self { app, offer, asked, waiting: Queue::default(), next: None }
    }

    pub fn take_in(&mut self) {
        self.waiting.take_in(&mut self.asked);
    }

    /// Nobody waits here, so nobody is kept waiting elsewhere by our turn.
    pub async fn pass(&mut self) {
        if let Some(Ok(turn)) = self.next_turn().await {
            turn.pass().await;
        }
    }

    /// Waits for it: a connection that stands in the database's queue is not simply dropped.
    async fn next_turn(&mut self) -> Option<store::Result<Turn<'a>>> {
        Some(match self.next.take()? {
            Next::Coming(turn) => turn.await,
            Next::Here(turn) => Ok(turn),
        })
    }

    /// The same ids, the same keys, the same order, as often as the connection breaks.
    pub async fn send(&mut self, asks: &[Ask]) -> store::Result<Sold> {
        let give_up = Instant::now() + RESEND_DEADLINE;
        let mut pause = Duration::from_millis(10);
        loop {
            count(&self.app.selling().batches, 1);
            let began = Instant::now();
            let span = tracing::trace_span!(target: SPANS, "batch", offer.id = %self.offer, asks = asks.len());
            let sold = self.try_once(asks).instrument(span).await;
            self.app.selling().took.add(began.elapsed());
            match sold {
                Err(fault) if fault.is_transient() && Instant::now() < give_up => {
                    count(&self.app.selling().resent, 1);
                    tracing::warn!(offer.id = %self.offer, asks = asks.len(), error = %fault, "a batch is sent again");
                    // A turn that is here already holds the row.
                    if !matches!(self.next, Some(Next::Here(_))) {
                        sleep(pause).await;
                        pause = (pause * 2).min(RESEND_PAUSE_MAX);
                    }
                }
                settled => return settled,
            }
        }
    }

    async fn try_once(&mut self, asks: &[Ask]) -> store::Result<Sold> {
        let turn = match self.next_turn().await {
            Some(turn) => turn?,
            None => self.app.store().turn(self.offer).await?,
        };
        let mut sell = std::pin::pin!(turn.sell(asks));
        loop {
            match &mut self.next {
                None if self.waiting.is_empty() => tokio::select! {
                    sold = &mut sell => return sold,
                    Some(item) = self.asked.recv() => self.waiting.push(item),
                },
                None => match self.app.store().next_turn(self.offer) {
                    Some(turn) => self.next = Some(Next::Coming(Box::pin(turn))),
                    None => return sell.await,
                },
                Some(Next::Coming(coming)) => tokio::select! {
                    sold = &mut sell => return sold,
                    turn = coming => match turn {
                        Ok(turn) => self.next = Some(Next::Here(turn)),
                        Err(fault) => {
                            tracing::debug!(offer.id = %self.offer, error = %fault, "no next turn");
                            self.next = None;
                            return sell.await;
                        }
                    },
                },
                Some(Next::Here(_)) => {
                    return timeout(ANSWER_GRACE, sell).await.unwrap_or_else(|_| Err(store::Error::link_lost()));
                }
            }
        }
    }
}
