//! What the database has of an account at a payment provider: the newest payment by which the account is known again, and what is not
//! finished there.

use uuid::Uuid;

use super::{Result, Store};
use crate::domain::{Millis, OrderId, Payment};

/// Payments that [`Store::unanswered_payments`] reads.
const UNANSWERED_MAX: i64 = 3;

/// Payments of an account.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AccountPayments {
    /// The provider's id of the payment that began last, of those that it has answered.
    pub newest: Option<String>,
    /// Payments, refunds and owed refunds that the provider was asked for and that are not finished, at most 1,000 of each.
    pub open: i64,
    /// When the last of the open payments began. `None`: there is none, or a refund is open too, which never lapses.
    pub open_since: Option<Millis>,
}

/// Payments that the provider was asked for since $2 and that are not finished. One that waits in our queue is unknown there.
macro_rules! open_payments {
    ($columns:literal, $more:literal) => {
        concat!(
            "select ",
            $columns,
            " from payments where status in ('creating', 'needs_action', 'authorized', 'voiding') and provider = $1
                and coalesce(called_at, case when queue_number is null then created_at end) >= $2",
            $more
        )
    };
}

impl Store {
    /// What this provider has of the shop. A payment that began before `since` does not count as open: its authorization has lapsed. A payment
    /// that waits in our queue does not count either: the provider knows nothing of it. Refunds and owed money never lapse.
    pub async fn account_payments(&self, provider: &str, since: Millis) -> Result<AccountPayments> {
        let newest = "select reference from payments where provider = $1 and reference is not null
            order by created_at desc, order_id desc, attempt desc limit 1";
        let newest = self.query(newest).bind(provider).fetch_optional_value().await?;
        let payments = concat!(
            "select cast(count(*) as bigint), cast(max(p.began) as bigint) from (",
            open_payments!("coalesce(called_at, created_at) as began", " limit 1000) p")
        );
        let (payments, began): (i64, Option<i64>) = self.query(payments).bind(provider).bind(since).fetch_one().await?;
        let refunds = "select cast((select count(*) from (select 1 from refunds r join orders o on o.id = r.order_id
                join payments p on p.order_id = o.id and p.attempt = o.attempt
                where r.status = 'pending' and p.provider = $1 limit 1000) r)
            + (select count(*) from (select 1 from owed_refunds w
                join payments p on p.order_id = w.order_id and p.attempt = w.attempt
                where w.status = 'owed' and p.provider = $1 limit 1000) w) as bigint)";
        let refunds: i64 = self.query(refunds).bind(provider).fetch_value().await?;
        Ok(AccountPayments { newest, open: payments + refunds, open_since: began.filter(|_| refunds == 0) })
    }

    /// The newest payments that the provider was asked for since `since` and that it has not answered, at most three.
    pub async fn unanswered_payments(&self, provider: &str, since: Millis) -> Result<Vec<Payment>> {
        let read = open_payments!(
            "order_id, attempt",
            " and reference is null order by coalesce(called_at, created_at) desc, order_id limit $3"
        );
        let query = self.query(read).bind(provider).bind(since).bind(UNANSWERED_MAX);
        let rows: Vec<(Uuid, i64)> = query.fetch_all().await?;
        let mut payments = Vec::with_capacity(rows.len());
        for (order, attempt) in rows {
            payments.extend(self.payment(OrderId(order), attempt).await?);
        }
        Ok(payments)
    }
}
