//! The report of a stream, while it is live and after it ended.

use super::Streams;
use crate::app::error::Result;
use crate::domain::report::report_minutes;
use crate::domain::video::VideoFaultKind;
use crate::domain::{Actor, Permission, Refusal, StreamId};
use crate::protocol::{CardReach, FullStreamReport, StreamReport, VideoFaultCounts};
use crate::room::PinReach;
use crate::room::video_faults::VideoFaults;

impl Streams {
    /// The totals of a stream, for those who may see its numbers.
    pub async fn report(&self, actor: &Actor, id: StreamId) -> Result<StreamReport> {
        let likes = self.stream_cache.authorize(actor, Permission::ViewReports, id).await?.stream().likes;
        let totals = self.context.store.sales_totals(id).await?;
        let messages = self.context.store.count_messages(id).await?;
        let payments_failed = self.context.store.count_failed_payments(id).await?;
        let room = self.publisher.rooms.get(id);
        let peak = self.viewers_by_minute(id).await?.into_iter().map(|(_, viewers)| viewers.unsigned_abs()).max();
        let peak_here = room.as_ref().map_or(0, |room| room.viewers_peak() as u64);
        Ok(StreamReport {
            orders_held: totals.orders_held,
            orders_paid: totals.orders_paid,
            units_paid: totals.units_paid,
            amount_paid: totals.amount_paid,
            orders_refunded: totals.orders_refunded,
            amount_refunded: totals.amount_refunded,
            orders_expired: totals.orders_expired,
            orders_cancelled: totals.orders_cancelled,
            payments_failed,
            currency: self.context.shop().currency.clone(),
            messages,
            viewers: room.as_ref().map_or(0, |room| room.viewers_shown() as u64),
            viewers_peak: peak.unwrap_or(0).max(peak_here),
            likes,
            delivery_p99_ms: self.delivery_p99_ms(),
            video_faults: room.as_ref().map(|room| video_fault_counts(room.video_faults())).unwrap_or_default(),
            card: room.and_then(|room| room.pin_reach()).map(|PinReach { offer, asked, seen, p50_ms, p95_ms }| {
                CardReach { offer, asked, seen, p50_ms, p95_ms }
            }),
        })
    }

    /// The totals with their course: minute by minute, which offers were pinned, and the sales of each offer.
    pub async fn full_report(&self, actor: &Actor, id: StreamId) -> Result<FullStreamReport> {
        self.chat.flush().await;
        let report = self.report(actor, id).await?;
        let stream = self.context.store.stream(id).await?.ok_or(Refusal::NoSuchStream)?;
        let orders = self.context.store.orders_by_minute(id).await?;
        let messages = self.context.store.messages_by_minute(id).await?;
        let mut pins = self.context.store.pin_spans(id).await?;
        if let Some(ended_at) = stream.ended_at {
            pins.retain(|pin| pin.at < ended_at);
            pins.iter_mut().for_each(|pin| pin.until = Some(pin.until.unwrap_or(ended_at).min(ended_at)));
        }
        Ok(FullStreamReport {
            stream: self.stream_cache.stream_view(&stream),
            report,
            minutes: report_minutes(&self.viewers_by_minute(id).await?, &orders, &messages),
            pins,
            offers: self.context.store.sales_by_offer(id).await?,
        })
    }
}

fn video_fault_counts(faults: &VideoFaults) -> VideoFaultCounts {
    let mut counts = VideoFaultCounts::default();
    for (kind, number) in faults.all() {
        *match kind {
            VideoFaultKind::Playlist => &mut counts.playlist,
            VideoFaultKind::Network => &mut counts.network,
            VideoFaultKind::Media => &mut counts.media,
            VideoFaultKind::Stall => &mut counts.stall,
            VideoFaultKind::Unsupported => &mut counts.unsupported,
        } = number;
    }
    counts
}
