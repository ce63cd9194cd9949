//! The inbox of payment webhooks: an event that is delivered twice is kept once, and a background job processes it.

use serde::Serialize;

use super::row::from_row;
use super::{Result, Store, to_json};
use crate::domain::Millis;

/// A payment provider's notice that something happened. What is true is read from the provider; the event only says that
/// there is something to read.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PaymentEvent {
    pub provider: String,
    pub event_id: String,
    pub kind: String,
    /// The provider's reference of the object that the event is about, if it is an object that we can fetch.
    pub reference: Option<String>,
}

from_row!(PaymentEvent { provider, event_id, kind, reference });

/// Keeps the events `$1` that are new.
const INSERT_ON_POSTGRES: &str = "insert into payment_events (provider, event_id, kind, reference, received_at)
    select e.provider, e.event_id, e.kind, e.reference, $2
        from json_to_recordset($1::json) as e(provider text, event_id text, kind text, reference text)
    on conflict (provider, event_id) do nothing returning event_id";
const INSERT_ON_SQLITE: &str = "insert into payment_events (provider, event_id, kind, reference, received_at)
    select value ->> 'provider', value ->> 'event_id', value ->> 'kind', value ->> 'reference', $2 from json_each($1) where true
    on conflict (provider, event_id) do nothing returning event_id";

/// Those of the references `$2` of a provider whose payment has won its order and was captured, so that there is nothing to do.
const CAPTURED_ON_POSTGRES: &str = "select p.reference from payments p join orders o on o.id = p.order_id
    where p.provider = $1 and p.reference = any (array(select json_array_elements_text($2::json)))
        and p.status = 'captured' and o.attempt = p.attempt
        and (select count(*) from owed_refunds w where w.order_id = p.order_id and w.attempt = p.attempt) = 0";
const CAPTURED_ON_SQLITE: &str = "select p.reference from payments p join orders o on o.id = p.order_id
    where p.provider = $1 and p.reference in (select value from json_each($2))
        and p.status = 'captured' and o.attempt = p.attempt
        and (select count(*) from owed_refunds w where w.order_id = p.order_id and w.attempt = p.attempt) = 0";

const FINISH_ON_POSTGRES: &str = "update payment_events set done_at = coalesce(done_at, $3)
    where provider = $1 and event_id = any (array(select json_array_elements_text($2::json)))";
const FINISH_ON_SQLITE: &str = "update payment_events set done_at = coalesce(done_at, $3)
    where provider = $1 and event_id in (select value from json_each($2))";

impl Store {
    /// Keeps events of one provider, in one transaction. Gives how many are new: the others were delivered before.
    pub async fn insert_payment_events(&self, events: &[PaymentEvent]) -> Result<usize> {
        let rows = to_json(&events)?;
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let insert = tx.choose(INSERT_ON_POSTGRES, INSERT_ON_SQLITE);
            let new: Vec<String> = tx.query(insert).bind(rows).bind(now).fetch_values().await?;
            Ok(new.len())
        })
        .await
    }

    /// Which of these references of a provider belong to payments that are captured and for which nothing is owed.
    pub async fn captured_references(&self, provider: &str, references: &[&str]) -> Result<Vec<String>> {
        let read = self.choose(CAPTURED_ON_POSTGRES, CAPTURED_ON_SQLITE);
        self.query(read).bind(provider).bind(to_json(&references)?).fetch_values().await
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

    /// Marks events of one provider as done. One that is not is tried again.
    pub async fn finish_payment_events(&self, provider: &str, events: &[&str]) -> Result<()> {
        let events = to_json(&events)?;
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let finish = tx.choose(FINISH_ON_POSTGRES, FINISH_ON_SQLITE);
            tx.query(finish).bind(provider).bind(events).bind(now).execute().await.map(drop)
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
