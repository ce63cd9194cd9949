//! The host's order of a show's offers, and the sales that begin by themselves.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Result, Store, in_transaction, now_in, on_reader};
use crate::domain::offer::{self, SCHEDULE_LATE_MAX_MS};
use crate::domain::{Millis, OfferId, OfferStage, Refusal, StreamId};

use super::offer::{OfferTermsRow, lock_offer};

impl Store {
    /// Puts the offers of a show that are not closed into this order. Gives those whose place changed.
    pub async fn reorder_lineup(&self, stream: StreamId, order: &[OfferId]) -> Result<Vec<OfferId>> {
        let places: HashMap<Uuid, i64> = order.iter().zip(1..).map(|(id, place)| (id.0, place)).collect();
        let moved = in_transaction!(self, |tx, dialect| {
            // Two hosts who drag at once come one after the other; a sale goes on meanwhile.
            let lock = dialect
                .pick("select id from streams where id = $1 for no key update", "select id from streams where id = $1");
            sqlx::query_scalar::<_, Uuid>(lock).bind(stream.0).fetch_optional(&mut *tx).await?;
            let read = "select id, position from offers where stream = $1 and stage <> 'closed' order by id";
            let there: Vec<(Uuid, i64)> = sqlx::query_as(read).bind(stream.0).fetch_all(&mut *tx).await?;
            offer::validate_lineup(order.to_vec(), there.iter().map(|(id, _)| OfferId(*id)).collect())?;
            let mut moved = Vec::new();
            for (id, was) in there {
                let place = places.get(&id).copied().unwrap_or(was);
                if place != was {
                    let put = "update offers set position = $2, version = version + 1 where id = $1";
                    sqlx::query(put).bind(id).bind(place).execute(&mut *tx).await?;
                    moved.push(OfferId(id));
                }
            }
            moved
        });
        Ok(moved)
    }

    /// When a draft is to begin by itself; `None`: when the host starts it.
    pub async fn schedule_offer(&self, id: OfferId, starts_at: Option<Millis>) -> Result<()> {
        in_transaction!(self, |tx, dialect| {
            let terms = lock_offer!(tx, dialect, id);
            match terms.stage {
                OfferStage::Draft => {
                    let plan = "update offers set starts_at = $2, version = version + 1 where id = $1";
                    sqlx::query(plan).bind(id.0).bind(starts_at).execute(&mut *tx).await?;
                }
                OfferStage::Closed => Err(Refusal::Closed)?,
                OfferStage::Open | OfferStage::Paused => Err(Refusal::WrongStatus("only a draft can be given a time"))?,
            }
        });
        Ok(())
    }

    /// Planned drafts whose countdown is to begin, and that are not too late to begin without the host.
    pub async fn offers_due_to_start(&self, now: Millis) -> Result<Vec<OfferId>> {
        let read = "select o.id from offers o join streams s on s.id = o.stream where o.stage = 'draft'
            and o.starts_at - o.countdown_ms <= $1 and $1 - $2 < o.starts_at and s.status <> 'ended'
            order by o.starts_at, o.id limit 500";
        let ids: Vec<Uuid> = on_reader!(self, pool => sqlx::query_scalar(read).bind(now).bind(SCHEDULE_LATE_MAX_MS).fetch_all(pool).await?);
        Ok(ids.into_iter().map(OfferId).collect())
    }

    /// Opens a planned draft at its time, or with a whole countdown when that is over. `false`: somebody else did, or
    /// its plan was changed meanwhile. One update decides, so of all nodes one opens it.
    pub async fn start_scheduled_offer(&self, id: OfferId) -> Result<bool> {
        let started = in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let open = "update offers set stage = 'open', version = version + 1,
                    opens_at = case when starts_at < $2 then $2 + countdown_ms else starts_at end,
                    closes_at = case when starts_at < $2 then $2 + countdown_ms else starts_at end + duration_ms
                where id = $1 and stage = 'draft' and starts_at - countdown_ms <= $2 and $2 - $3 < starts_at
                    and exists (select 1 from streams s where s.id = offers.stream and s.status <> 'ended')";
            let opened = sqlx::query(open).bind(id.0).bind(now).bind(SCHEDULE_LATE_MAX_MS).execute(&mut *tx).await?;
            opened.rows_affected() == 1
        });
        Ok(started)
    }
}
