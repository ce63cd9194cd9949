//! The page of payments by day: sums, fees, disputes and owed refunds.

use chrono_tz::Tz;

use super::Checkout;
use super::owed_refund::RETURN_TRIES_MAX;
use crate::app::error::Result;
use crate::domain::dispute::CLOSED_SHOWN_MS;
use crate::domain::payment_day::{date_of, days, fill_days};
use crate::domain::{Actor, OpenDispute, OpenOwedRefund, Permission};
use crate::protocol::{DisputeView, OwedRefundView, PaymentDays};

/// Open disputes and owed refunds that are listed, at most.
const LISTED_MAX: i64 = 100;

impl Checkout {
    /// What came in and went out on each day from the first to the last one, the newest first, for those who see the numbers of the
    /// whole shop.
    pub async fn payment_days(
        &self,
        actor: &Actor,
        first_day: Option<&str>,
        last_day: Option<&str>,
    ) -> Result<PaymentDays> {
        self.stream_cache.authorize_in_shop(actor, Permission::ViewReports).await?;
        let zone: Tz = self.context.profile().time_zone.as_deref().unwrap_or("UTC").parse().unwrap_or(Tz::UTC);
        let store = &self.context.store;
        let now = store.now().await?;
        let spans = days(first_day, last_day, zone, now)?;
        let (mut days, totals) = fill_days(&spans, &store.payment_figures(&spans).await?);
        let date = |span: Option<&crate::domain::DaySpan>| span.map(|span| span.date.to_string()).unwrap_or_default();
        let (first_day, last_day) = (date(spans.first()), date(spans.last()));
        days.reverse();
        Ok(PaymentDays {
            time_zone: zone.name().to_owned(),
            now,
            today: date_of(now, zone).to_string(),
            first_day,
            last_day,
            currency: self.context.shop().currency.clone(),
            totals,
            days,
            disputes: store
                .open_disputes(now - CLOSED_SHOWN_MS, LISTED_MAX)
                .await?
                .into_iter()
                .map(dispute_view)
                .collect(),
            owed_refunds: store.open_owed_refunds(LISTED_MAX).await?.into_iter().map(owed_view).collect(),
        })
    }
}

pub(super) fn dispute_view(open: OpenDispute) -> DisputeView {
    let OpenDispute { order, order_number, provider, dispute, has_details, unread_since, is_given_up, closed } = open;
    DisputeView {
        order,
        order_number,
        provider,
        reference: has_details.then_some(dispute.reference),
        needs_answer: dispute.needs_answer,
        amount: dispute.amount,
        currency: dispute.currency,
        reason: dispute.reason,
        due_at: dispute.due_at,
        opened_at: dispute.opened_at,
        unread_since,
        given_up: is_given_up,
        result: closed.map(|(result, _)| result),
        closed_at: closed.map(|(_, at)| at),
    }
}

fn owed_view(owed: OpenOwedRefund) -> OwedRefundView {
    let OpenOwedRefund { order, order_number, provider, reference, amount, currency, owed_at, tries } = owed;
    let needs_person = RETURN_TRIES_MAX <= tries;
    OwedRefundView { order, order_number, provider, reference, amount, currency, owed_at, tries, needs_person }
}
