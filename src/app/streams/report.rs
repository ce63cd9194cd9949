//! The report of a stream, while it is live and after it ended.
//!
//! Every console of a show asks for the same figures again and again, so what is read from the store is remembered for five
//! seconds, and who asks meanwhile waits for the read that is under way.

use super::Streams;
use crate::app::cache::{Cache, CacheValue};
use crate::app::error::Result;
use crate::domain::report::{OfferSales, PinSpan, report_minutes, until_end};
use crate::domain::video::VideoFaultKind;
use crate::domain::{Actor, Millis, Permission, Refusal, StreamId};
use crate::protocol::{CardReach, FullStreamReport, ShowLog, StreamReport, VideoFaultCounts};
use crate::room::PinReach;
use crate::room::video_faults::VideoFaults;
use crate::store::SalesTotals;

/// For how long a report is remembered.
const REPORT_REMEMBERED_MS: Millis = 5_000;
/// Reports that are remembered. More shows than consoles are open on one node have none.
const REPORTS_MAX: usize = 256;

/// What was read lately, by stream and time.
pub struct RememberedReports {
    totals: Cache<(StreamId, Millis), ReportTotals>,
    courses: Cache<(StreamId, Millis), ReportCourse>,
    pins: Cache<(StreamId, Millis), ReportPins>,
}

/// What the store knows about a stream in a few numbers.
struct ReportTotals {
    sales: SalesTotals,
    messages: i64,
    payments_failed: i64,
    viewers: Vec<(Millis, i64)>,
}

/// The course of a stream: orders and messages by minute, pins, and the sales of each offer.
struct ReportCourse {
    orders: Vec<(Millis, i64)>,
    messages: Vec<(Millis, i64)>,
    pins: Vec<PinSpan>,
    offers: Vec<OfferSales>,
}

/// Which offers of a stream were pinned, and when.
struct ReportPins(Vec<PinSpan>);

impl CacheValue for ReportPins {}
impl CacheValue for ReportTotals {}
impl CacheValue for ReportCourse {}

impl Default for RememberedReports {
    fn default() -> Self {
        let (totals, courses) = (Cache::with_capacity(REPORTS_MAX), Cache::with_capacity(REPORTS_MAX));
        Self { totals, courses, pins: Cache::with_capacity(REPORTS_MAX) }
    }
}

impl Streams {
    /// The totals of a stream, for those who may see its numbers.
    pub async fn report(&self, actor: &Actor, id: StreamId) -> Result<StreamReport> {
        let likes = self.stream_cache.authorize(actor, Permission::ViewReports, id).await?.stream().likes;
        let read = self.reports.totals.get_or_load((id, self.report_slot()), Box::pin(self.read_totals(id))).await?;
        let ReportTotals { sales: totals, messages, payments_failed, viewers } = &*read;
        let room = self.publisher.rooms.get(id);
        let peak = viewers.iter().map(|(_, viewers)| viewers.unsigned_abs()).max();
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
            payments_failed: *payments_failed,
            currency: self.context.shop().currency.clone(),
            messages: *messages,
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
        let read = self.reports.courses.get_or_load((id, self.report_slot()), Box::pin(self.read_course(id))).await?;
        let ReportCourse { orders, messages, pins, offers } = &*read;
        let pins = until_end(pins.clone(), stream.ended_at);
        Ok(FullStreamReport {
            stream: self.stream_cache.stream_view(&stream),
            report,
            minutes: report_minutes(&self.viewers_by_minute(id).await?, orders, messages),
            pins,
            offers: offers.clone(),
        })
    }

    /// What a recording of the show needs to be shown in time: which offers were pinned when, and since when the chat is kept. For everybody.
    pub async fn show_log(&self, id: StreamId) -> Result<ShowLog> {
        let stream = self.context.store.stream(id).await?.ok_or(Refusal::NoSuchStream)?;
        let read = async { Ok(ReportPins(self.context.store.pin_spans(id).await?)) };
        let read = self.reports.pins.get_or_load((id, self.report_slot()), Box::pin(read)).await?;
        let kept_ms = self.context.chat_kept_ms();
        Ok(ShowLog {
            pins: until_end(read.0.clone(), stream.ended_at),
            messages_kept_from: kept_ms.map(|kept_ms| self.context.now() - kept_ms),
        })
    }

    /// Reports of the same five seconds share what was read.
    fn report_slot(&self) -> Millis {
        self.context.clock.now() / REPORT_REMEMBERED_MS
    }

    async fn read_totals(&self, id: StreamId) -> Result<ReportTotals> {
        let store = &self.context.store;
        Ok(ReportTotals {
            sales: store.sales_totals(id).await?,
            messages: store.count_messages(id).await?,
            payments_failed: store.count_failed_payments(id).await?,
            viewers: self.viewers_by_minute(id).await?,
        })
    }

    async fn read_course(&self, id: StreamId) -> Result<ReportCourse> {
        let store = &self.context.store;
        Ok(ReportCourse {
            orders: store.orders_by_minute(id).await?,
            messages: store.messages_by_minute(id).await?,
            pins: store.pin_spans(id).await?,
            offers: store.sales_by_offer(id).await?,
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
