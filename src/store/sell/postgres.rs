//! A batch on Postgres: its row is locked by name, its look-ups and inserts go as arrays.

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::super::offer::{LOCK_TERMS, TermsRow};
use super::super::postgres::Postgres;
use super::super::{Error, Result, order};
use super::{Decided, PriorRow, Shared, Sold, UNPAID, answer, replays, settle};
use crate::domain::{Ask, Millis, OfferId, Prior, Refusal, Verdict};

/// How often a batch is decided anew because a key was used for another offer at the same moment.
const KEY_RACES_MAX: usize = 3;

pub async fn sell(db: &Postgres, offer: OfferId, asks: &[Ask]) -> Result<Sold> {
    for _ in 0..KEY_RACES_MAX {
        match sell_once(db, offer, asks).await {
            // Another offer's batch, under another lock, used one of our keys between our look and our insert. It
            // is committed, so the next look finds it.
            Err(fault) if is_key_taken(&fault) => {}
            settled => return settled,
        }
    }
    sell_once(db, offer, asks).await
}

fn is_key_taken(fault: &Error) -> bool {
    matches!(fault, Error::Database(sqlx::Error::Database(db)) if db.constraint() == Some("one_order_per_key"))
}

async fn sell_once(db: &Postgres, offer: OfferId, asks: &[Ask]) -> Result<Sold> {
    db.selling().run(async |connection| batch(connection, offer, asks).await).await
}

async fn batch(connection: &mut PgConnection, offer: OfferId, asks: &[Ask]) -> Result<Sold> {
    let mut tx = connection.begin().await?;
    let Some(row) = sqlx::query_as::<_, TermsRow>(LOCK_TERMS).bind(offer.0).fetch_optional(&mut *tx).await? else {
        tx.rollback().await?;
        return Err(Refusal::NoSuchOffer.into());
    };
    let (shared, terms) = (Shared { offer, stream: row.stream, currency: row.currency.clone() }, row.terms()?);
    let (now, priors) = priors_of(&mut tx, offer, asks).await?;
    let unpaid =
        if terms.left() > 0 { 0 } else { sqlx::query_scalar(UNPAID).bind(offer.0).fetch_one(&mut *tx).await? };
    let decided = settle(&shared, terms, now, unpaid, asks, &priors)?;
    if !decided.held.is_empty() {
        insert(&mut tx, asks, &decided).await?;
        let take = "update offers set reserved = $2, next_place = $3, version = $4 where id = $1";
        sqlx::query(take)
            .bind(offer.0)
            .bind(decided.terms.reserved)
            .bind(decided.terms.next_place)
            .bind(decided.terms.version)
            .execute(&mut *tx)
            .await?;
    }
    let replays: Vec<Uuid> = replays(&decided.verdicts).into_iter().map(|id| id.0).collect();
    let mut replayed: Vec<order::OrderRow> = Vec::new();
    if !replays.is_empty() {
        // One round trip, however many retry: this is under the lock.
        replayed = sqlx::query_as(order::BY_IDS_ON_POSTGRES).bind(replays).fetch_all(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(answer(decided, replayed.into_iter().map(order::OrderRow::order).collect::<Result<_>>()?))
}

async fn priors_of(tx: &mut PgConnection, offer: OfferId, asks: &[Ask]) -> Result<(Millis, Vec<Prior>)> {
    #[derive(sqlx::FromRow)]
    struct Row {
        now: i64,
        #[sqlx(flatten)]
        prior: PriorRow,
    }
    let read = "select (extract(epoch from clock_timestamp()) * 1000)::bigint as now,
        (select o.id from orders o where o.buyer = r.buyer and o.key = r.key) as order_id,
        (select o.hash from orders o where o.buyer = r.buyer and o.key = r.key) as hash,
        coalesce((select sum(o.qty) from orders o where o.offer = $1 and o.buyer = r.buyer
            and o.status in ('held', 'capturing', 'paid')), 0)::bigint as owned
        from unnest($2::text[], $3::text[]) with ordinality r (buyer, key, place) order by r.place";
    let rows: Vec<Row> = sqlx::query_as(read)
        .bind(offer.0)
        .bind(asks.iter().map(|ask| ask.buyer.as_str()).collect::<Vec<_>>())
        .bind(asks.iter().map(|ask| ask.key.as_str()).collect::<Vec<_>>())
        .fetch_all(tx)
        .await?;
    let now = rows.first().map_or(0, |row| row.now);
    Ok((now, rows.into_iter().map(|row| row.prior.prior()).collect()))
}

async fn insert(tx: &mut PgConnection, asks: &[Ask], decided: &Decided) -> Result<()> {
    let Some(first) = decided.held.first() else { return Ok(()) };
    let winners =
        || asks.iter().zip(&decided.verdicts).filter(|(_, v)| matches!(v, Verdict::Held { .. })).map(|(a, _)| a);
    let insert = "insert into orders (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency,
            place, created_at, hold_until, changed_at)
        select r.id, $1, $2, r.buyer, r.name, r.key, r.hash, 'held', r.qty, r.qty * $3, $4, $5 + r.place - 1, $6, $7, $6
        from unnest($8::uuid[], $9::text[], $10::text[], $11::text[], $12::bytea[], $13::bigint[])
            with ordinality r (id, buyer, name, key, hash, qty, place)
        order by r.buyer, r.key"; // so that batches of two offers with the same keys wait for, not on, each other
    sqlx::query(insert)
        .bind(first.stream.0)
        .bind(first.offer.0)
        .bind(decided.terms.price)
        .bind(&first.currency)
        .bind(first.place)
        .bind(decided.now)
        .bind(first.hold_until)
        .bind(winners().map(|ask| ask.order.0).collect::<Vec<_>>())
        .bind(winners().map(|ask| ask.buyer.as_str()).collect::<Vec<_>>())
        .bind(winners().map(|ask| ask.buyer_name.as_str()).collect::<Vec<_>>())
        .bind(winners().map(|ask| ask.key.as_str()).collect::<Vec<_>>())
        .bind(winners().map(|ask| &ask.hash[..]).collect::<Vec<_>>())
        .bind(winners().map(|ask| ask.qty).collect::<Vec<_>>())
        .execute(tx)
        .await?;
    Ok(())
}
