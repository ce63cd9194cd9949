//! The inbox of payment webhooks: an event that is delivered twice is kept once, and a background job processes it.

use super::row::from_row;
use super::{Result, Store};
use crate::domain::Millis;

/// A payment provider's notice that something happened. What is true is read from the provider; the event only says that
/// there is something to read.
#[derive(Clone, PartialEq, Debug)]
pub struct PaymentEvent {
    pub provider: String,
    pub event_id: String,
    pub kind: String,
    /// The provider's reference of the object that the event is about, if it is an object that we can fetch.
    pub reference: Option<String>,
}

from_row!(PaymentEvent { provider, event_id, kind, reference });

impl Store {
    /// `false`: the event was delivered before.
    pub async fn insert_payment_event(&self, event: &PaymentEvent) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let insert = "insert into payment_events (provider, event_id, kind, reference, received_at)
                values ($1, $2, $3, $4, $5) on conflict (provider, event_id) do nothing";
            let inserted = tx
                .query(insert)
                .bind(&event.provider)
                .bind(&event.event_id)
                .bind(&event.kind)
                .bind(&event.reference)
                .bind(now)
                .execute()
                .await?;
            Ok(inserted > 0)
        })
        .await
    }

    /// Finds events that are not done and were not tried since `since`; those tried longest ago come first. Events of a payment whose
    /// reference we do not know yet are among them if they arrived before `unknown_before`: the answer that names it may be on its way.
    pub async fn pending_payment_events(
        &self,
        since: Millis,
        unknown_before: Millis,
        most: i64,
    ) -> Result<Vec<PaymentEvent>> {
        let read = "select provider, event_id, kind, reference from payment_events
            where done_at is null and tried_at <= $1 and (received_at <= $3 or reference is null
                or exists (select 1 from payments p where p.provider = payment_events.provider and p.reference = payment_events.reference))
            order by tried_at, received_at, event_id limit $2";
        self.query(read).bind(since).bind(most).bind(unknown_before).fetch_all().await
    }

    /// Claims an event, so that one node asks the provider about it. `false`: another node has it, or has done it.
    pub async fn claim_payment_event(&self, event: &PaymentEvent, since: Millis) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let mark = "update payment_events set tried_at = $3
                where provider = $1 and event_id = $2 and tried_at <= $4 and done_at is null";
            let query = tx.query(mark).bind(&event.provider).bind(&event.event_id).bind(now).bind(since);
            Ok(query.execute().await? > 0)
        })
        .await
    }

    /// Marks an event as done. One that is not is tried again.
    pub async fn finish_payment_event(&self, event: &PaymentEvent) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let mark =
                "update payment_events set done_at = coalesce(done_at, $3) where provider = $1 and event_id = $2";
            tx.query(mark).bind(&event.provider).bind(&event.event_id).bind(now).execute().await?;
            Ok(())
        })
        .await
    }

    /// Deletes events received before `before`, done or not: the reconciler finds every payment that matters. Gives how
    /// many.
    pub async fn prune_payment_events(&self, before: Millis) -> Result<u64> {
        self.transaction(async |tx| {
            tx.query("delete from payment_events where received_at < $1").bind(before).execute().await
        })
        .await
    }
}
