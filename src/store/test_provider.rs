//! The ledger of the test provider. It stands for an external system: only the test provider in `app` uses it, never in
//! a transaction with our own tables. It survives restarts and is shared by all nodes, as a real provider's would be.
//!
//! It remembers idempotency keys: the same key gets the same reply, and with another request it is an error.

use uuid::Uuid;

use super::row::from_row;
use super::transaction::{Change, change};
use super::{Error, Result, Store, require_known};
use crate::domain::test_provider::{IntentChange, IntentChangeError, TestScenario};
use crate::domain::{
    Millis, OrderId, Payment, PaymentIntent, PaymentIntentStatus, ProviderRefund, ProviderRefundStatus,
};

/// A payment intent in the ledger, and the scenario that it follows.
#[derive(Clone, PartialEq, Debug)]
pub struct TestIntent {
    pub intent: PaymentIntent,
    pub scenario: TestScenario,
}

/// The reply to a call.
#[derive(Clone, PartialEq, Debug)]
pub enum TestProviderReply {
    Done {
        test_intent: Box<TestIntent>,
        /// The key got this reply before.
        replayed: bool,
    },
    Denied(IntentChangeError),
    /// The key was used for another request.
    KeyReused,
    NoSuchIntent,
}

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

from_row!(IntentRow { id, order_id, attempt, scenario, status, amount, currency, livemode, captured, refunded });

impl IntentRow {
    fn into_test_intent(self) -> Result<TestIntent> {
        let scenario = TestScenario::parse(&self.scenario)
            .map_err(|_| Error::CorruptRow(format!("scenario `{}`", self.scenario)))?;
        let intent = PaymentIntent {
            reference: self.id,
            status: require_known(PaymentIntentStatus::parse(&self.status), "intent status", &self.status)?,
            amount: self.amount,
            currency: self.currency,
            order: OrderId(self.order_id),
            attempt: self.attempt,
            fingerprint: None,
            method: None,
            action_url: None,
            authorises: true,
            livemode: self.livemode == 1,
            captured: self.captured,
            refunded: self.refunded,
        };
        Ok(TestIntent { intent, scenario })
    }
}

/// Every column of an intent; a condition follows.
macro_rules! intents {
    ($condition:literal) => {
        concat!(
            "select id, order_id, attempt, scenario, status, amount, currency, livemode, captured, refunded
            from test_intents where ",
            $condition
        )
    };
}

const SELECT_INTENT_BY_REFERENCE: &str = intents!("id = $1");

/// The text that is kept for a key: `ok` and the status of the reply, `no` and the reason, or `later`.
fn reply_to_text(reply: std::result::Result<PaymentIntentStatus, IntentChangeError>) -> String {
    match reply {
        Ok(status) => format!("ok {}", status.name()),
        Err(IntentChangeError::Permanent(reason)) => format!("no {reason}"),
        Err(IntentChangeError::Temporary) => "later".to_owned(),
    }
}

/// Writes the call `$1` that creates an intent, and the intent, unless the key was used before. The last statement changes one row if it was
/// not. $2: the request, $3: the reference, $4: the reply, $5: the time, and then the columns of the intent.
const CREATE: Change = Change {
    postgres: &[
        "with call as (insert into test_calls (key, request, intent, answer, created_at) values ($1, $2, $3, $4, $5)
            on conflict (key) do nothing returning intent)
        insert into test_intents (id, order_id, attempt, scenario, status, amount, currency, created_at, changed_at)
            select intent, $6, $7, $8, $9, $10, $11, $5, $5 from call",
    ],
    sqlite: &[
        "insert into test_calls (key, request, intent, answer, created_at) values ($1, $2, $3, $4, $5)
            on conflict (key) do nothing",
        "insert into test_intents (id, order_id, attempt, scenario, status, amount, currency, created_at, changed_at)
            select intent, $6, $7, $8, $9, $10, $11, $5, $5 from test_calls where key = $1 and intent = $3",
    ],
};

/// Writes the call `$1` that changes an intent, and the intent. $2: the request, $3: the reference, $4: the reply, $5: the time, $6 to $8: the
/// intent as it is now, $9: the amount that was given back, or 0.
const CHANGE: Change = change!([
    call: "insert into test_calls (key, request, intent, answer, created_at)
        values ($1, $2, $3, $4, $5) on conflict (key) do update set answer = excluded.answer",
    refund: "insert into test_refunds (key, intent, amount, created_at) select $1, $3, $9, $5 where $9 > 0"
], "update test_intents set status = $6, captured = $7, refunded = $8, changed_at = $5 where id = $3"
);

impl Store {
    /// Creates the intent of a payment attempt, or gives the reply that this key got before. `now`: by the clock of the provider.
    pub async fn create_test_intent(
        &self,
        payment: &Payment,
        scenario: TestScenario,
        now: Millis,
    ) -> Result<TestProviderReply> {
        let request = format!(
            "create {} {} {} {} {}",
            payment.order, payment.attempt, payment.token, payment.amount, payment.currency
        );
        let intent = new_intent(payment, scenario);
        self.transaction(async |tx| {
            // The key is written first: of two calls with one key, the second waits here and finds the key taken.
            let mut inserted = 0;
            for text in tx.choose_change(&CREATE) {
                let query = tx.query(text).bind(payment.create_key()).bind(&request).bind(&intent.reference);
                let query = query.bind(reply_to_text(Ok(intent.status))).bind(now);
                let query = query.bind(intent.order.0).bind(intent.attempt).bind(scenario.name());
                let query = query.bind(intent.status.name()).bind(intent.amount).bind(&intent.currency);
                inserted = query.execute().await?;
            }
            if inserted == 1 {
                let test_intent = Box::new(TestIntent { intent, scenario });
                return Ok(TestProviderReply::Done { test_intent, replayed: false });
            }
            let read = "select request, answer, intent from test_calls where key = $1";
            let (before, reply, intent): (String, String, String) =
                tx.query(read).bind(payment.create_key()).fetch_one().await?;
            if before != request {
                return Ok(TestProviderReply::KeyReused);
            }
            let row: IntentRow = tx.query(SELECT_INTENT_BY_REFERENCE).bind(&intent).fetch_one().await?;
            Ok(replay_reply(row.into_test_intent()?, &reply))
        })
        .await
    }

    /// Changes an intent under a key, or gives the reply that this key got before. `now`: by the clock of the provider.
    pub async fn change_test_intent(
        &self,
        key: &str,
        reference: &str,
        change: IntentChange,
        now: Millis,
    ) -> Result<TestProviderReply> {
        let request = format!("{reference} {}", change.describe());
        self.transaction(async |tx| {
            let lock = tx.choose(intents!("id = $1 for update"), SELECT_INTENT_BY_REFERENCE);
            let row: Option<IntentRow> = tx.query(lock).bind(reference).fetch_optional().await?;
            let read = "select request, answer from test_calls where key = $1";
            let before: Option<(String, String)> = tx.query(read).bind(key).fetch_optional().await?;
            let is_retry = before.as_ref().is_some_and(|(_, reply)| reply == "later");
            let row = match (row, before) {
                (_, Some((before, _))) if before != request => return Ok(TestProviderReply::KeyReused),
                (None, _) => return Ok(TestProviderReply::NoSuchIntent),
                (Some(row), Some((_, reply))) if !is_retry => return Ok(replay_reply(row.into_test_intent()?, &reply)),
                (Some(row), _) => row,
            };
            let TestIntent { mut intent, scenario } = row.into_test_intent()?;
            let reply = scenario.apply(&mut intent, change, is_retry);
            let returned = match change {
                IntentChange::Refund(amount) if reply.is_ok() => amount,
                _ => 0,
            };
            for text in tx.choose_change(&CHANGE) {
                let query = tx.query(text).bind(key).bind(&request).bind(reference);
                let query = query.bind(reply_to_text(reply.map(|()| intent.status))).bind(now);
                let query = query.bind(intent.status.name()).bind(intent.captured).bind(intent.refunded);
                query.bind(returned).execute().await?;
            }
            Ok(match reply {
                Ok(()) => {
                    let test_intent = Box::new(TestIntent { intent, scenario });
                    TestProviderReply::Done { test_intent, replayed: false }
                }
                Err(denied) => TestProviderReply::Denied(denied),
            })
        })
        .await
    }

    /// Finds the refund that was made under a key; the ledger keeps it after the key is forgotten.
    pub async fn test_refund(&self, key: &str) -> Result<Option<ProviderRefund>> {
        let read = "select amount from test_refunds where key = $1";
        let amount: Option<i64> = self.query(read).bind(key).fetch_optional_value().await?;
        Ok(amount.map(|amount| ProviderRefund {
            reference: key.to_owned(),
            status: ProviderRefundStatus::Done,
            amount,
            key: Some(key.to_owned()),
        }))
    }

    /// Forgets the keys of calls before `before`, as every provider does in time. Gives how many.
    pub async fn prune_test_calls(&self, before: Millis) -> Result<u64> {
        self.transaction(async |tx| {
            tx.query("delete from test_calls where created_at < $1").bind(before).execute().await
        })
        .await
    }

    /// Finds an intent by its reference.
    pub async fn test_intent(&self, reference: &str) -> Result<Option<TestIntent>> {
        let row: Option<IntentRow> = self.query(SELECT_INTENT_BY_REFERENCE).bind(reference).fetch_optional().await?;
        row.map(IntentRow::into_test_intent).transpose()
    }

    /// Finds the intent of a payment attempt.
    pub async fn test_intent_of(&self, order: OrderId, attempt: i64) -> Result<Option<TestIntent>> {
        let read = intents!("order_id = $1 and attempt = $2 order by id limit 1");
        let row: Option<IntentRow> = self.query(read).bind(order.0).bind(attempt).fetch_optional().await?;
        row.map(IntentRow::into_test_intent).transpose()
    }
}

fn new_intent(payment: &Payment, scenario: TestScenario) -> PaymentIntent {
    PaymentIntent {
        reference: format!("test_{}", Uuid::new_v4().simple()),
        status: scenario.initial_status(),
        amount: scenario.authorized_amount(payment.amount),
        currency: payment.currency.clone(),
        order: payment.order,
        attempt: payment.attempt,
        livemode: false,
        captured: 0,
        refunded: 0,
        fingerprint: None,
        method: None,
        action_url: None,
        authorises: true,
    }
}

/// Gives the earlier reply again, with the status that it had then.
fn replay_reply(mut test_intent: TestIntent, reply: &str) -> TestProviderReply {
    match reply.split_once(' ') {
        Some(("ok", status)) => {
            test_intent.intent.status = PaymentIntentStatus::parse(status).unwrap_or(test_intent.intent.status);
            TestProviderReply::Done { test_intent: Box::new(test_intent), replayed: true }
        }
        _ => TestProviderReply::Denied(IntentChangeError::Permanent("the same reply as before")),
    }
}
