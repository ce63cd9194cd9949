//! The times at which an order changed, read from rows that are kept anyway.

use super::{Result, Store, require_known};
use crate::domain::{OrderId, OrderTimestamps, PaymentStatus, RefundStatus};

impl Store {
    pub async fn order_timestamps(&self, order: OrderId) -> Result<OrderTimestamps> {
        let read = "select max(changed_at) from reservations where id = $1 or order_id = $1";
        let changed_at: Option<i64> = self.query(read).bind(order.0).fetch_value().await?;
        let read = "select status, changed_at from payments where order_id = $1 order by attempt limit 100";
        let payments: Vec<(String, i64)> = self.query(read).bind(order.0).fetch_all().await?;
        let read = "select status, created_at, changed_at from refunds where order_id = $1 order by n limit 100";
        let refunds: Vec<(String, i64, i64)> = self.query(read).bind(order.0).fetch_all().await?;
        Ok(OrderTimestamps {
            sent_at: self.sent_at(order).await?,
            changed_at: changed_at.unwrap_or_default(),
            payments: payments
                .into_iter()
                .map(|(text, at)| Ok((require_known(PaymentStatus::parse(&text), "payment status", &text)?, at)))
                .collect::<Result<_>>()?,
            refunds: refunds
                .into_iter()
                .map(|(text, requested_at, at)| {
                    Ok((require_known(RefundStatus::parse(&text), "refund status", &text)?, requested_at, at))
                })
                .collect::<Result<_>>()?,
        })
    }
}
