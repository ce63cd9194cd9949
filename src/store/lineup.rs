//! The line-up of a show (the host's order of its offers), and sales that are scheduled to start at a time.

use std::collections::HashMap;

use uuid::Uuid;

use super::offer::lock_offer;
use super::{Result, Store};
use crate::domain::offer::{SCHEDULE_LATE_MAX_MS, validate_lineup};
use crate::domain::{Millis, OfferId, OfferStage, Refusal, StreamId};

impl Store {
    /// Puts the offers of a show that are not closed into this order. Returns the offers whose position changed.
    pub async fn reorder_lineup(&self, stream: StreamId, order: &[OfferId]) -> Result<Vec<OfferId>> {
        let positions: HashMap<Uuid, i64> = order.iter().zip(1..).map(|(id, position)| (id.0, position)).collect();
        self.transaction(async |tx| {
            // If two hosts reorder together, one waits for the other. Selling goes on meanwhile.
            let lock = tx.choose(
                "select id from streams where id = $1 for no key update",
                "select id from streams where id = $1",
            );
            tx.query(lock).bind(stream.0).fetch_optional_value::<Uuid>().await?;
            let read = "select id, position from offers where stream = $1 and stage <> 'closed' order by id";
            let current: Vec<(Uuid, i64)> = tx.query(read).bind(stream.0).fetch_all().await?;
            validate_lineup(order.to_vec(), current.iter().map(|(id, _)| OfferId(*id)).collect())?;
            let mut moved = Vec::new();
            for (id, before) in current {
                let position = positions.get(&id).copied().unwrap_or(before);
                if position != before {
                    let set = "update offers set position = $2, version = version + 1 where id = $1";
                    tx.query(set).bind(id).bind(position).execute().await?;
                    moved.push(OfferId(id));
                }
            }
            Ok(moved)
        })
        .await
    }

    /// Sets when a draft starts. `None`: the host starts it.
    pub async fn schedule_offer(&self, id: OfferId, starts_at: Option<Millis>) -> Result<()> {
        self.transaction(async |tx| match lock_offer(tx, id).await?.stage {
            OfferStage::Draft => {
                let schedule = "update offers set starts_at = $2, version = version + 1 where id = $1";
                tx.query(schedule).bind(id.0).bind(starts_at).execute().await?;
                Ok(())
            }
            OfferStage::Closed => Err(Refusal::Closed.into()),
            OfferStage::Open | OfferStage::Paused => {
                Err(Refusal::WrongStatus("Only a draft can be given a start time.").into())
            }
        })
        .await
    }

    /// Finds scheduled drafts whose countdown has to start. Drafts that are more than 15 minutes late are left out:
    /// they do not start without the host.
    pub async fn offers_due_to_start(&self, now: Millis) -> Result<Vec<OfferId>> {
        let read = "select o.id from offers o join streams s on s.id = o.stream where o.stage = 'draft'
            and o.starts_at - o.countdown_ms <= $1 and $1 - $2 < o.starts_at
            and (s.status <> 'ended' or s.replay is not null)
            order by o.starts_at, o.id limit 500";
        let ids: Vec<Uuid> = self.query(read).bind(now).bind(SCHEDULE_LATE_MAX_MS).fetch_values().await?;
        Ok(ids.into_iter().map(OfferId).collect())
    }

    /// Opens a scheduled draft at its time; if that time is over, it opens after a whole countdown. `false`: another
    /// node opened it, or its schedule has changed. One update decides, so exactly one node opens it.
    pub async fn start_scheduled_offer(&self, id: OfferId) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let open = "update offers set stage = 'open', version = version + 1,
                    opens_at = case when starts_at < $2 then $2 + countdown_ms else starts_at end,
                    closes_at = case when starts_at < $2 then $2 + countdown_ms else starts_at end + duration_ms
                where id = $1 and stage = 'draft' and starts_at - countdown_ms <= $2 and $2 - $3 < starts_at
                    and exists (select 1 from streams s
                        where s.id = offers.stream and (s.status <> 'ended' or s.replay is not null))";
            Ok(tx.query(open).bind(id.0).bind(now).bind(SCHEDULE_LATE_MAX_MS).execute().await? == 1)
        })
        .await
    }
}
