//! Receipts: how many viewers have seen the pinned offer. A sample of the viewers is asked, in their hello, to report
//! once its pin has arrived; the result is a share and a time. Memory is bounded by the sample, and nobody can answer
//! for others or twice.

use crate::domain::{Millis, OfferId};

/// The number of viewers of a room that are asked: the share is accurate within two percentage points, and the load is negligible.
pub const SAMPLE_MAX: usize = 500;
/// Times kept for one pinned offer: there are more only when the sample was replaced many times.
const TIMES_MAX: usize = 8 * SAMPLE_MAX;

#[derive(Default)]
pub struct Receipts {
    current: Option<PinReceipts>,
    /// Pins so far; a member who is asked holds the number of the pin.
    pins: u64,
}

struct PinReceipts {
    offer: OfferId,
    number: u64,
    asked: usize,
    seen: usize,
    times: Vec<Millis>,
}

/// How far a pinned offer has got: counts those who were asked and are still connected, or have seen it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PinReach {
    pub offer: OfferId,
    pub asked: usize,
    pub seen: usize,
    /// From the moment the pin was sent until half of those who answered had done so, and until 95 of 100 had.
    pub p50_ms: Option<Millis>,
    pub p95_ms: Option<Millis>,
}

/// The request that a member holds: for which pin, and since when. Kept by the member, changed only here.
#[derive(Clone, Copy, Default, Debug)]
pub struct ReceiptRequest {
    pin_number: u64,
    requested_at: Millis,
}

impl Receipts {
    /// Another offer is pinned, or none.
    pub fn set_pinned(&mut self, offer: Option<OfferId>) {
        self.current = offer.map(|offer| {
            self.pins += 1;
            PinReceipts { offer, number: self.pins, asked: 0, seen: 0, times: Vec::new() }
        });
    }

    pub fn offer(&self) -> Option<OfferId> {
        self.current.as_ref().map(|pin| pin.offer)
    }

    /// The pinned offer is sent to a viewer of the sample now.
    pub fn request(&mut self, request: &mut ReceiptRequest, now: Millis) {
        if let Some(pin) = &mut self.current {
            pin.asked += 1;
            *request = ReceiptRequest { pin_number: pin.number, requested_at: now };
        }
    }

    /// A viewer of the sample has seen `offer`. An answer that was not requested, or is about another pin, is ignored.
    pub fn record(&mut self, request: &mut ReceiptRequest, offer: OfferId, now: Millis) -> bool {
        let Some(pin) = self.current.as_mut().filter(|pin| pin.number == request.pin_number && pin.offer == offer)
        else {
            return false;
        };
        pin.seen += 1;
        if pin.times.len() < TIMES_MAX {
            pin.times.push((now - request.requested_at).max(0));
        }
        *request = ReceiptRequest::default();
        true
    }

    /// A viewer of the sample left: its missing answer is not waited for.
    pub fn withdraw(&mut self, request: &mut ReceiptRequest) {
        if let Some(pin) = self.current.as_mut().filter(|pin| pin.number == request.pin_number) {
            pin.asked -= 1;
        }
        *request = ReceiptRequest::default();
    }

    pub fn reach(&self) -> Option<PinReach> {
        let pin = self.current.as_ref()?;
        let mut times = pin.times.clone();
        times.sort_unstable();
        let share = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(PinReach { offer: pin.offer, asked: pin.asked, seen: pin.seen, p50_ms: share(50), p95_ms: share(95) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_counts_only_viewers_who_were_asked() {
        let (offer, other) = (OfferId::new(), OfferId::new());
        let mut receipts = Receipts::default();
        assert_eq!(receipts.reach(), None);
        receipts.set_pinned(Some(offer));
        let mut asked = [ReceiptRequest::default(); 20];
        asked.iter_mut().for_each(|request| receipts.request(request, 1_000));
        for (index, request) in asked.iter_mut().take(18).enumerate() {
            assert!(!receipts.record(request, other, 1_000), "another offer");
            assert!(receipts.record(request, offer, 1_000 + 10 * (index as Millis + 1)));
            assert!(!receipts.record(request, offer, 5_000), "once only");
        }
        assert!(!receipts.record(&mut ReceiptRequest::default(), offer, 1_000), "was not asked");
        let reach = |asked, seen| Some(PinReach { offer, asked, seen, p50_ms: Some(90), p95_ms: Some(180) });
        assert_eq!(receipts.reach(), reach(20, 18));
        receipts.withdraw(&mut asked[19]);
        receipts.withdraw(&mut asked[0]);
        assert_eq!(receipts.reach(), reach(19, 18), "a viewer who left without an answer does not count");
    }

    #[test]
    fn answer_about_an_earlier_pin_is_ignored() {
        let (first, second) = (OfferId::new(), OfferId::new());
        let mut receipts = Receipts::default();
        let mut request = ReceiptRequest::default();
        receipts.set_pinned(Some(first));
        receipts.request(&mut request, 0);
        receipts.set_pinned(Some(second));
        let mut late = request;
        assert!(!receipts.record(&mut late, first, 10));
        receipts.withdraw(&mut late);
        receipts.request(&mut request, 20);
        assert!(!receipts.record(&mut request, first, 30), "still on its way when the pin changed");
        assert!(receipts.record(&mut request, second, 40));
        let reach = PinReach { offer: second, asked: 1, seen: 1, p50_ms: Some(20), p95_ms: Some(20) };
        assert_eq!(receipts.reach(), Some(reach));
        receipts.set_pinned(None);
        assert_eq!(receipts.reach(), None);
    }
}
