//! Withdrawals from purchases. The receipt by e-mail and the tag for the desk are written in the same transaction.

use super::mail::queue_order_mail;
use super::{Result, Store};
use crate::domain::withdrawal::WITHDRAWAL_TAG;
use crate::domain::{MailContent, Millis, OrderId};

impl Store {
    /// When the buyer withdrew from this purchase; `None`: not at all.
    pub async fn withdrawn_at(&self, order: OrderId) -> Result<Option<Millis>> {
        let read = "select created_at from withdrawals where order_id = $1";
        self.query(read).bind(order.0).fetch_optional_value().await
    }

    /// The country to which the order went when it was paid; `None`: no address was given.
    pub async fn country_of_order(&self, order: OrderId) -> Result<Option<String>> {
        let read = "select country from order_countries where order_id = $1";
        self.query(read).bind(order.0).fetch_optional_value().await
    }

    /// Writes a withdrawal, and gives its time. A second one changes nothing and gives the time of the first.
    pub async fn withdraw(&self, order: OrderId) -> Result<Millis> {
        self.transaction(async |tx| {
            let now = tx.time_of_day().await?;
            let insert =
                "insert into withdrawals (order_id, created_at) values ($1, $2) on conflict (order_id) do nothing";
            if tx.query(insert).bind(order.0).bind(now).execute().await? > 0 {
                queue_order_mail(tx, order, MailContent::Withdrawal { order }).await?;
                // Beside the ten tags that people may set.
                let tag =
                    "insert into order_tags (order_id, tag) values ($1, $2) on conflict (order_id, tag) do nothing";
                tx.query(tag).bind(order.0).bind(WITHDRAWAL_TAG).execute().await?;
                return Ok(now);
            }
            tx.query("select created_at from withdrawals where order_id = $1").bind(order.0).fetch_value().await
        })
        .await
    }
}
