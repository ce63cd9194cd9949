//! A show in numbers, while it runs and after it.

use super::{App, Result};
use crate::domain::report::report_minutes;
use crate::domain::{Actor, Permission, Refusal, StreamId};
use crate::protocol::{CardReach, FullStreamReport, StreamReport};
use crate::room::PinReach;

impl App {
    /// The show in sums, for those who may see them.
    pub async fn report(&self, actor: &Actor, id: StreamId) -> Result<StreamReport> {
        let likes = self.authorize(actor, Permission::ViewReports, id).await?.stream().likes;
        let sums = self.store().sales_totals(id).await?;
        let messages = self.store().count_messages(id).await?;
        let payments_failed = self.store().count_failed_payments(id).await?;
        let room = self.rooms().get(id);
        let peak = self.viewers_by_minute(id).await?.into_iter().map(|(_, viewers)| viewers.unsigned_abs()).max();
        let peak_here = room.as_ref().map_or(0, |room| room.viewers_peak() as u64);
        Ok(StreamReport {
            orders_held: sums.orders_held,
            orders_paid: sums.orders_paid,
            units_paid: sums.units_paid,
            amount_paid: sums.amount_paid,
            orders_refunded: sums.orders_refunded,
            amount_refunded: sums.amount_refunded,
            orders_expired: sums.orders_expired,
            orders_cancelled: sums.orders_cancelled,
            payments_failed,
            currency: self.shop().currency.clone(),
            messages,
            viewers: room.as_ref().map_or(0, |room| room.viewers_shown() as u64),
            viewers_peak: peak.unwrap_or(0).max(peak_here),
            likes,
            delivery_p99_ms: self.delivery_p99_ms(),
            card: room.and_then(|room| room.pin_reach()).map(|PinReach { offer, asked, seen, p50_ms, p95_ms }| {
                CardReach { offer, asked, seen, p50_ms, p95_ms }
            }),
        })
    }

    /// The same with its course: minute by minute, what was pinned, what each offer brought.
    pub async fn full_report(&self, actor: &Actor, id: StreamId) -> Result<FullStreamReport> {
        self.flush_chat().await;
        let report = self.report(actor, id).await?;
        let stream = self.store().stream(id).await?.ok_or(Refusal::NoSuchStream)?;
        let orders = self.store().orders_by_minute(id).await?;
        let messages = self.store().messages_by_minute(id).await?;
        let mut pins = self.store().pin_spans(id).await?;
        if let Some(ended_at) = stream.ended_at {
            pins.retain(|pin| pin.at < ended_at);
            pins.iter_mut().for_each(|pin| pin.until = Some(pin.until.unwrap_or(ended_at).min(ended_at)));
        }
        Ok(FullStreamReport {
            stream: self.stream_view(&stream),
            report,
            minutes: report_minutes(&self.viewers_by_minute(id).await?, &orders, &messages),
            pins,
            offers: self.store().sales_by_offer(id).await?,
        })
    }
}
