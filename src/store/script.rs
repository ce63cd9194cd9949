//! The book of the test provider. It stands for a system outside: only `app/script.rs` opens it, never in a
//! transaction of ours, and it outlives restarts and is shared by nodes as the real one would be.
//!
//! It remembers keys: the same key gives the same answer, and with other words it is an error.

use uuid::Uuid;

use super::{Error, Result, Store, in_transaction, known, now_in, on_reader};
use crate::domain::script::{Change, Denied, Script};
use crate::domain::{Intent, IntentStatus, Millis, OrderId, Payment};

/// An entry: the intent, and what it will do.
#[derive(Clone, PartialEq, Debug)]
pub struct Booked {
    pub intent: Intent,
    pub script: Script,
}

/// What a call was told.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// `again`: this key was told so before.
    Done {
        booked: Booked,
        again: bool,
    },
    Denied(Denied),
    /// The key was used with other words.
    KeyReused,
    NoSuchIntent,
}

#[derive(sqlx::FromRow)]
struct IntentRow {
    id: String,
    order_id: Uuid,
    attempt: i64,
    script: String,
    status: String,
    amount: i64,
    currency: String,
    livemode: i64,
    captured: i64,
    refunded: i64,
}

impl IntentRow {
    fn booked(self) -> Result<Booked> {
        let script = Script::parse(&self.script).map_err(|_| Error::Unreadable(format!("script `{}`", self.script)))?;
        let intent = Intent {
            reference: self.id,
            status: known(IntentStatus::parse(&self.status), "intent status", &self.status)?,
            amount: self.amount,
            currency: self.currency,
            order: OrderId(self.order_id),
            attempt: self.attempt,
            livemode: self.livemode == 1,
            captured: self.captured,
            refunded: self.refunded,
        };
        Ok(Booked { intent, script })
    }
}

macro_rules! intents {
    ($rest:literal) => {
        concat!(
            "select id, order_id, attempt, script, status, amount, currency, livemode, captured, refunded
            from test_intents where ",
            $rest
        )
    };
}

const BY_REFERENCE: &str = intents!("id = $1");

/// What stands in the book for a key: `ok` and the status it was told, `no` and why, or `later`.
fn answer(told: std::result::Result<IntentStatus, Denied>) -> String {
    match told {
        Ok(status) => format!("ok {}", status.name()),
        Err(Denied::Final(why)) => format!("no {why}"),
        Err(Denied::Later) => "later".to_owned(),
    }
}

impl Store {
    /// Makes the intent of a try, or tells what this key was told before.
    pub async fn book_intent(&self, payment: &Payment, script: Script) -> Result<Told> {
        let request = format!(
            "create {} {} {} {} {}",
            payment.order, payment.attempt, payment.token, payment.amount, payment.currency
        );
        let (row, known): (IntentRow, Option<(String, String)>) = in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let reference = format!("test_{}", Uuid::new_v4().simple());
            // The key first: of two calls at once with one key the second waits here, and finds it taken.
            let call = "insert into test_calls (key, request, intent, answer, created_at) values ($1, $2, $3, $4, $5)
                on conflict (key) do nothing";
            let fresh = sqlx::query(call)
                .bind(payment.create_key())
                .bind(&request)
                .bind(&reference)
                .bind(answer(Ok(script.begins())))
                .bind(now)
                .execute(&mut *tx)
                .await?
                .rows_affected()
                == 1;
            if fresh {
                let insert = "insert into test_intents (id, order_id, attempt, script, status, amount, currency,
                        created_at, changed_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $8)";
                sqlx::query(insert)
                    .bind(&reference)
                    .bind(payment.order.0)
                    .bind(payment.attempt)
                    .bind(script.name())
                    .bind(script.begins().name())
                    .bind(script.sets_aside(payment.amount))
                    .bind(&payment.currency)
                    .bind(now)
                    .execute(&mut *tx)
                    .await?;
                (sqlx::query_as(BY_REFERENCE).bind(&reference).fetch_one(&mut *tx).await?, None)
            } else {
                let read = "select request, answer, intent from test_calls where key = $1";
                let (before, answer, intent): (String, String, String) =
                    sqlx::query_as(read).bind(payment.create_key()).fetch_one(&mut *tx).await?;
                let row = sqlx::query_as(BY_REFERENCE).bind(&intent).fetch_one(&mut *tx).await?;
                (row, Some((before, answer)))
            }
        });
        let booked = row.booked()?;
        Ok(match known {
            None => Told::Done { booked, again: false },
            Some((before, _)) if before != request => Told::KeyReused,
            Some((_, answer)) => replay(booked, &answer),
        })
    }

    /// Changes an intent under a key, or tells what this key was told before.
    pub async fn book_change(&self, key: &str, reference: &str, change: Change) -> Result<Told> {
        let request = format!("{reference} {}", change.words());
        Ok(in_transaction!(self, |tx, dialect| {
            let lock = dialect.pick(intents!("id = $1 for update"), BY_REFERENCE);
            let row: Option<IntentRow> = sqlx::query_as(lock).bind(reference).fetch_optional(&mut *tx).await?;
            let read = "select request, answer from test_calls where key = $1";
            let before: Option<(String, String)> = sqlx::query_as(read).bind(key).fetch_optional(&mut *tx).await?;
            let later = before.as_ref().is_some_and(|(_, answer)| answer == "later");
            match (row, before) {
                (_, Some((before, _))) if before != request => Told::KeyReused,
                (None, _) => Told::NoSuchIntent,
                (Some(row), Some((_, answer))) if !later => replay(row.booked()?, &answer),
                (Some(row), _) => {
                    let mut booked = row.booked()?;
                    let told = booked.script.change(&mut booked.intent, change, later);
                    let now: Millis = now_in!(self, tx);
                    let write = "update test_intents set status = $2, captured = $3, refunded = $4, changed_at = $5
                        where id = $1";
                    sqlx::query(write)
                        .bind(reference)
                        .bind(booked.intent.status.name())
                        .bind(booked.intent.captured)
                        .bind(booked.intent.refunded)
                        .bind(now)
                        .execute(&mut *tx)
                        .await?;
                    let call = "insert into test_calls (key, request, intent, answer, created_at)
                        values ($1, $2, $3, $4, $5) on conflict (key) do update set answer = excluded.answer";
                    sqlx::query(call)
                        .bind(key)
                        .bind(&request)
                        .bind(reference)
                        .bind(answer(told.map(|()| booked.intent.status)))
                        .bind(now)
                        .execute(&mut *tx)
                        .await?;
                    match told {
                        Ok(()) => Told::Done { booked, again: false },
                        Err(denied) => Told::Denied(denied),
                    }
                }
            }
        }))
    }

    /// Forgets calls from before `before`, as every provider does in time; gives how many those were.
    pub async fn prune_calls(&self, before: Millis) -> Result<u64> {
        Ok(in_transaction!(self, |tx, _dialect| {
            let prune = "delete from test_calls where created_at < $1";
            sqlx::query(prune).bind(before).execute(&mut *tx).await?.rows_affected()
        }))
    }

    /// An intent by its name.
    pub async fn booked(&self, reference: &str) -> Result<Option<Booked>> {
        let row: Option<IntentRow> =
            on_reader!(self, pool => sqlx::query_as(BY_REFERENCE).bind(reference).fetch_optional(pool).await?);
        row.map(IntentRow::booked).transpose()
    }

    /// An intent by what was given along with it.
    pub async fn booked_for(&self, order: OrderId, attempt: i64) -> Result<Option<Booked>> {
        let read = intents!("order_id = $1 and attempt = $2 order by id limit 1");
        let row: Option<IntentRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(order.0).bind(attempt).fetch_optional(pool).await?);
        row.map(IntentRow::booked).transpose()
    }
}

/// The answer of before, word for word: the status is the one of then.
fn replay(mut booked: Booked, answer: &str) -> Told {
    match answer.split_once(' ') {
        Some(("ok", status)) => {
            booked.intent.status = IntentStatus::parse(status).unwrap_or(booked.intent.status);
            Told::Done { booked, again: true }
        }
        _ => Told::Denied(Denied::Final("as it was told before")),
    }
}
