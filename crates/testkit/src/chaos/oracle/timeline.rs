//! The orders of an offer over time: how many units counted, and how many were unpaid, at each moment.
//!
//! The database's clock has milliseconds. When several changes share one millisecond, both questions are answered in
//! favour of the server: the most units counted, the least units unpaid.

use super::super::journal::Millis;
use super::StoredOrder;

#[derive(Debug, Clone, Copy)]
struct TimelinePoint {
    at: Millis,
    /// The most units that counted at some moment of this millisecond, and the number after it.
    most: i64,
    after: i64,
    least_unpaid: i64,
    unpaid_after: i64,
}

#[derive(Debug, Default)]
pub struct StockTimeline(Vec<TimelinePoint>);

impl StockTimeline {
    pub fn from_orders<'a>(orders: impl IntoIterator<Item = &'a StoredOrder>) -> StockTimeline {
        let mut changes: Vec<(Millis, i64, i64)> = Vec::new();
        for row in orders {
            changes.push((row.created_at, row.qty, row.qty));
            // Units are unpaid until they are paid or released.
            let ends = [row.paid_at, row.released_at()].into_iter().flatten().min();
            changes.extend(row.released_at().map(|at| (at, -row.qty, 0)));
            changes.extend(ends.map(|at| (at, 0, -row.qty)));
        }
        changes.sort_unstable();
        let mut line: Vec<TimelinePoint> = Vec::new();
        let (mut counted, mut unpaid) = (0, 0);
        for same in changes.chunk_by(|one, other| one.0 == other.0) {
            let sum = |part: fn(&(Millis, i64, i64)) -> i64| same.iter().map(part).sum::<i64>();
            let moment = TimelinePoint {
                at: same[0].0,
                most: counted + sum(|change| change.1.max(0)),
                after: counted + sum(|change| change.1),
                least_unpaid: unpaid + sum(|change| change.2.min(0)),
                unpaid_after: unpaid + sum(|change| change.2),
            };
            (counted, unpaid) = (moment.after, moment.unpaid_after);
            line.push(moment);
        }
        StockTimeline(line)
    }

    /// Every state between two times: units that counted, and units unpaid.
    pub fn states(&self, from: Millis, to: Millis) -> impl Iterator<Item = (i64, i64)> {
        let first = self.0.partition_point(|moment| moment.at < from);
        let before = first.checked_sub(1).map_or((0, 0), |at| (self.0[at].after, self.0[at].unpaid_after));
        let within = self.0[first..].iter().take_while(move |moment| moment.at <= to);
        std::iter::once(before)
            .chain(within.flat_map(|moment| [(moment.most, moment.least_unpaid), (moment.after, moment.unpaid_after)]))
    }

    /// The most units that ever counted, and when. Units that were released in the same millisecond do not count.
    pub fn fullest(&self) -> Option<(i64, Millis)> {
        self.0.iter().map(|moment| (moment.after, moment.at)).max()
    }
}
