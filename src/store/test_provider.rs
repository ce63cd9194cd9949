//! The book of the test provider. It stands for a system outside: only `app/script.rs` opens it, never in a
//! transaction of ours, and it outlives restarts and is shared by nodes as the real one would be.
//!
//! It remembers keys: the same key gives the same answer, and with other words it is an error.

use uuid::Uuid;

use super::{Error, Result, Store, in_transaction, now_in, on_reader, require_known};
use crate::domain::test_provider::{IntentChange, IntentChangeError, TestScenario};
use crate::domain::{Millis, OrderId, Payment, PaymentIntent, PaymentIntentStatus};

/// An entry: the intent, and what it will do.
#[derive(Clone, PartialEq, Debug)]
pub struct TestIntent {
    pub intent: PaymentIntent,
    pub script: TestScenario,
}

/// What a call was told.
#[derive(Clone, PartialEq, Debug)]
pub enum TestProviderReply {
    /// `again`: this key was told so before.
    Done {
        test_intent: TestIntent,
        replayed: bool,
    },
    Denied(IntentChangeError),
    /// The key was used with other words.
    KeyReused,
    NoSuchIntent,
}

#[derive(sqlx::FromRow)]
struct IntentRow {
    id: String,
    order_id: Uuid,
    attempt: i64,
    scenario: String,
    status: String,
    amount: i64,
    currency: String,
    livemode: i64,
    captured: i64,
    refunded: i64,
}

impl IntentRow {
    fn into_test_intent(self) -> Result<TestIntent> {
        let script = TestScenario::parse(&self.scenario)
            .map_err(|_| Error::CorruptRow(format!("script `{}`", self.scenario)))?;
        let intent = PaymentIntent {
            reference: self.id,
            status: require_known(PaymentIntentStatus::parse(&self.status), "intent status", &self.status)?,
            amount: self.amount,
            currency: self.currency,
            order: OrderId(self.order_id),
            attempt: self.attempt,
            livemode: self.livemode == 1,
            captured: self.captured,
            refunded: self.refunded,
        };
        Ok(TestIntent { intent, script })
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

const SELECT_INTENT_BY_REFERENCE: &str = intents!("id = $1");

/// What stands in the book for a key: `ok` and the status it was told, `no` and why, or `later`.
fn reply_to_text(told: std::result::Result<PaymentIntentStatus, IntentChangeError>) -> String {
    match told {
        Ok(status) => format!("ok {}", status.name()),
        Err(IntentChangeError::Permanent(why)) => format!("no {why}"),
        Err(IntentChangeError::Temporary) => "later".to_owned(),
    }
}

impl Store {
    /// Makes the intent of a try, or tells what this key was told before.
    pub async fn create_test_intent(&self, payment: &Payment, script: TestScenario) -> Result<TestProviderReply> {
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
                .bind(reply_to_text(Ok(script.initial_status())))
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
                    .bind(script.initial_status().name())
                    .bind(script.authorized_amount(payment.amount))
                    .bind(&payment.currency)
                    .bind(now)
                    .execute(&mut *tx)
                    .await?;
                (sqlx::query_as(SELECT_INTENT_BY_REFERENCE).bind(&reference).fetch_one(&mut *tx).await?, None)
            } else {
                let read = "select request, answer, intent from test_calls where key = $1";
                let (before, answer, intent): (String, String, String) =
                    sqlx::query_as(read).bind(payment.create_key()).fetch_one(&mut *tx).await?;
                let row = sqlx::query_as(SELECT_INTENT_BY_REFERENCE).bind(&intent).fetch_one(&mut *tx).await?;
                (row, Some((before, answer)))
            }
        });
        let booked = row.into_test_intent()?;
        Ok(match known {
            None => TestProviderReply::Done { test_intent: booked, replayed: false },
            Some((before, _)) if before != request => TestProviderReply::KeyReused,
            Some((_, answer)) => replay_reply(booked, &answer),
        })
    }

    /// Changes an intent under a key, or tells what this key was told before.
    pub async fn change_test_intent(
        &self,
        key: &str,
        reference: &str,
        change: IntentChange,
    ) -> Result<TestProviderReply> {
        let request = format!("{reference} {}", change.describe());
        Ok(in_transaction!(self, |tx, dialect| {
            let lock = dialect.pick(intents!("id = $1 for update"), SELECT_INTENT_BY_REFERENCE);
            let row: Option<IntentRow> = sqlx::query_as(lock).bind(reference).fetch_optional(&mut *tx).await?;
            let read = "select request, answer from test_calls where key = $1";
            let before: Option<(String, String)> = sqlx::query_as(read).bind(key).fetch_optional(&mut *tx).await?;
            let later = before.as_ref().is_some_and(|(_, answer)| answer == "later");
            match (row, before) {
                (_, Some((before, _))) if before != request => TestProviderReply::KeyReused,
                (None, _) => TestProviderReply::NoSuchIntent,
                (Some(row), Some((_, answer))) if !later => replay_reply(row.into_test_intent()?, &answer),
                (Some(row), _) => {
                    let mut booked = row.into_test_intent()?;
                    let told = booked.script.apply(&mut booked.intent, change, later);
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
                        .bind(reply_to_text(told.map(|()| booked.intent.status)))
                        .bind(now)
                        .execute(&mut *tx)
                        .await?;
                    match told {
                        Ok(()) => TestProviderReply::Done { test_intent: booked, replayed: false },
                        Err(denied) => TestProviderReply::Denied(denied),
                    }
                }
            }
        }))
    }

    /// Forgets calls from before `before`, as every provider does in time; gives how many those were.
    pub async fn prune_test_calls(&self, before: Millis) -> Result<u64> {
        Ok(in_transaction!(self, |tx, _dialect| {
            let prune = "delete from test_calls where created_at < $1";
            sqlx::query(prune).bind(before).execute(&mut *tx).await?.rows_affected()
        }))
    }

    /// An intent by its name.
    pub async fn test_intent(&self, reference: &str) -> Result<Option<TestIntent>> {
        let row: Option<IntentRow> = on_reader!(self, pool => sqlx::query_as(SELECT_INTENT_BY_REFERENCE).bind(reference).fetch_optional(pool).await?);
        row.map(IntentRow::into_test_intent).transpose()
    }

    /// An intent by what was given along with it.
    pub async fn test_intent_of(&self, order: OrderId, attempt: i64) -> Result<Option<TestIntent>> {
        let read = intents!("order_id = $1 and attempt = $2 order by id limit 1");
        let row: Option<IntentRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(order.0).bind(attempt).fetch_optional(pool).await?);
        row.map(IntentRow::into_test_intent).transpose()
    }
}

/// The answer of before, word for word: the status is the one of then.
fn replay_reply(mut booked: TestIntent, answer: &str) -> TestProviderReply {
    match answer.split_once(' ') {
        Some(("ok", status)) => {
            booked.intent.status = PaymentIntentStatus::parse(status).unwrap_or(booked.intent.status);
            TestProviderReply::Done { test_intent: booked, replayed: true }
        }
        _ => TestProviderReply::Denied(IntentChangeError::Permanent("as it was told before")),
    }
}
