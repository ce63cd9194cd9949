//! The inbox of webhooks: told twice is kept once, and it is worked off when somebody has time.

use super::{Result, Store, in_transaction, now_in, on_reader};
use crate::domain::Millis;

/// What a provider told us of. What is true is asked of it; this only says that there is something to ask.
#[derive(Clone, PartialEq, Debug, sqlx::FromRow)]
pub struct PaymentEvent {
    pub provider: String,
    pub event_id: String,
    pub kind: String,
    /// The provider's name of what it is about, where it is about something we know how to ask for.
    pub reference: Option<String>,
}

impl Store {
    /// `false`: it was told before.
    pub async fn insert_payment_event(&self, event: &PaymentEvent) -> Result<bool> {
        let kept = in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let keep = "insert into payment_events (provider, event_id, kind, reference, received_at)
                values ($1, $2, $3, $4, $5) on conflict (provider, event_id) do nothing";
            sqlx::query(keep)
                .bind(&event.provider)
                .bind(&event.event_id)
                .bind(&event.kind)
                .bind(&event.reference)
                .bind(now)
                .execute(&mut *tx)
                .await?
                .rows_affected()
        });
        Ok(kept > 0)
    }

    /// Events not done that nobody has tried since `since`; those tried longest ago first.
    pub async fn pending_payment_events(&self, since: Millis, most: i64) -> Result<Vec<PaymentEvent>> {
        let read = "select provider, event_id, kind, reference from payment_events
            where done_at is null and tried_at <= $1 order by tried_at, received_at, event_id limit $2";
        Ok(on_reader!(self, pool => sqlx::query_as(read).bind(since).bind(most).fetch_all(pool).await?))
    }

    /// Tried, and done or to be tried again.
    pub async fn mark_payment_event(&self, event: &PaymentEvent, done: bool) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let mark = "update payment_events set tried_at = $3, done_at = coalesce(done_at, $4)
                where provider = $1 and event_id = $2";
            sqlx::query(mark)
                .bind(&event.provider)
                .bind(&event.event_id)
                .bind(now)
                .bind(done.then_some(now))
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Forgets what was received before `before`, done or not: the reconciler knows of everything that matters.
    pub async fn prune_payment_events(&self, before: Millis) -> Result<u64> {
        Ok(in_transaction!(self, |tx, _dialect| {
            let prune = "delete from payment_events where received_at < $1";
            sqlx::query(prune).bind(before).execute(&mut *tx).await?.rows_affected()
        }))
    }
}
