//! What the database has of an account at a payment provider: the newest payment by which the account is known again, and what is not
//! finished there.

use super::{Result, Store};
use crate::domain::Millis;

/// Payments of an account.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AccountPayments {
    /// The provider's id of the payment that began last, of those that it has answered.
    pub newest: Option<String>,
    /// Payments, refunds and owed refunds that the provider was asked for and that are not finished, at most 1,000 of each.
    pub open: i64,
}

impl Store {
    /// What this provider has of the shop. A payment that began before `since` does not count as open: its authorization has lapsed. A payment
    /// that waits in our queue does not count either: the provider knows nothing of it. Refunds and owed money never lapse.
    pub async fn account_payments(&self, provider: &str, since: Millis) -> Result<AccountPayments> {
        let newest = "select reference from payments where provider = $1 and reference is not null
            order by created_at desc, order_id desc, attempt desc limit 1";
        let newest = self.query(newest).bind(provider).fetch_optional_value().await?;
        let open = "select cast((select count(*) from (select 1 from payments
                where status in ('creating', 'needs_action', 'authorized', 'voiding') and provider = $1
                    and coalesce(called_at, case when queue_number is null then created_at end) >= $2 limit 1000) p)
            + (select count(*) from (select 1 from refunds r join orders o on o.id = r.order_id
                join payments p on p.order_id = o.id and p.attempt = o.attempt
                where r.status = 'pending' and p.provider = $1 limit 1000) r)
            + (select count(*) from (select 1 from owed_refunds w
                join payments p on p.order_id = w.order_id and p.attempt = w.attempt
                where w.status = 'owed' and p.provider = $1 limit 1000) w) as bigint)";
        let open = self.query(open).bind(provider).bind(since).fetch_value().await?;
        Ok(AccountPayments { newest, open })
    }
}
