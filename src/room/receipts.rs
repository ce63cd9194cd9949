//! How far the pinned card has got. A sample of the viewers is asked, in their hello, to say when it is on the screen;
//! what they answer is a share and a time. Bounded by the sample, and nobody can answer for others or twice.

use crate::domain::{Millis, OfferId};

/// So many viewers of a room are asked: a share of them is right within two in a hundred, and they are no load.
pub const SAMPLE_MAX: usize = 500;
/// Times kept for one card: more come only when the sample is exchanged many times over.
const TIMES_MAX: usize = 8 * SAMPLE_MAX;

#[derive(Default)]
pub struct Receipts {
    current: Option<PinReceipts>,
    /// Cards so far; a member who is asked holds the number of the card.
    pins: u64,
}

struct PinReceipts {
    offer: OfferId,
    number: u64,
    asked: usize,
    seen: usize,
    times: Vec<Millis>,
}

/// How far a card has got among those who were asked and are still here, or have seen it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PinReach {
    pub offer: OfferId,
    pub asked: usize,
    pub seen: usize,
    /// From the moment the card was sent to the moment half of those who answered had done so, and 95 of 100.
    pub p50_ms: Option<Millis>,
    pub p95_ms: Option<Millis>,
}

/// The question a member holds: which card, and since when. Kept by the member, changed only here.
#[derive(Clone, Copy, Default, Debug)]
pub struct ReceiptRequest {
    pin_number: u64,
    requested_at: Millis,
}

impl Receipts {
    /// Another card is shown, or none.
    pub fn set_pinned(&mut self, offer: Option<OfferId>) {
        self.current = offer.map(|offer| {
            self.pins += 1;
            PinReceipts { offer, number: self.pins, asked: 0, seen: 0, times: Vec::new() }
        });
    }

    pub fn offer(&self) -> Option<OfferId> {
        self.current.as_ref().map(|card| card.offer)
    }

    /// The card goes out to one of the sample now.
    pub fn ask(&mut self, question: &mut ReceiptRequest, now: Millis) {
        if let Some(card) = &mut self.current {
            card.asked += 1;
            *question = ReceiptRequest { pin_number: card.number, requested_at: now };
        }
    }

    /// One of the sample says it has seen `offer`. What was not asked, or is about another card, counts for nothing.
    pub fn record(&mut self, question: &mut ReceiptRequest, offer: OfferId, now: Millis) -> bool {
        let Some(card) = self.current.as_mut().filter(|card| card.number == question.pin_number && card.offer == offer)
        else {
            return false;
        };
        card.seen += 1;
        if card.times.len() < TIMES_MAX {
            card.times.push((now - question.requested_at).max(0));
        }
        *question = ReceiptRequest::default();
        true
    }

    /// One of the sample left; what was not answered is not waited for.
    pub fn withdraw(&mut self, question: &mut ReceiptRequest) {
        if let Some(card) = self.current.as_mut().filter(|card| card.number == question.pin_number) {
            card.asked -= 1;
        }
        *question = ReceiptRequest::default();
    }

    pub fn reach(&self) -> Option<PinReach> {
        let card = self.current.as_ref()?;
        let mut times = card.times.clone();
        times.sort_unstable();
        let share = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(PinReach { offer: card.offer, asked: card.asked, seen: card.seen, p50_ms: share(50), p95_ms: share(95) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_and_a_time_come_from_those_who_were_asked() {
        let (offer, other) = (OfferId::new(), OfferId::new());
        let mut receipts = Receipts::default();
        assert_eq!(receipts.reach(), None);
        receipts.set_pinned(Some(offer));
        let mut asked = [ReceiptRequest::default(); 20];
        asked.iter_mut().for_each(|question| receipts.ask(question, 1_000));
        for (place, question) in asked.iter_mut().take(18).enumerate() {
            assert!(!receipts.record(question, other, 1_000), "another card");
            assert!(receipts.record(question, offer, 1_000 + 10 * (place as Millis + 1)));
            assert!(!receipts.record(question, offer, 5_000), "once only");
        }
        assert!(!receipts.record(&mut ReceiptRequest::default(), offer, 1_000), "was not asked");
        let reach = |asked, seen| Some(PinReach { offer, asked, seen, p50_ms: Some(90), p95_ms: Some(180) });
        assert_eq!(receipts.reach(), reach(20, 18));
        receipts.withdraw(&mut asked[19]);
        receipts.withdraw(&mut asked[0]);
        assert_eq!(receipts.reach(), reach(19, 18), "who left without an answer is not waited for");
    }

    #[test]
    fn an_answer_about_the_card_before_counts_for_nothing() {
        let (first, second) = (OfferId::new(), OfferId::new());
        let mut receipts = Receipts::default();
        let mut question = ReceiptRequest::default();
        receipts.set_pinned(Some(first));
        receipts.ask(&mut question, 0);
        receipts.set_pinned(Some(second));
        let mut late = question;
        assert!(!receipts.record(&mut late, first, 10));
        receipts.withdraw(&mut late);
        receipts.ask(&mut question, 20);
        assert!(!receipts.record(&mut question, first, 30), "still under way when the card changed");
        assert!(receipts.record(&mut question, second, 40));
        let reach = PinReach { offer: second, asked: 1, seen: 1, p50_ms: Some(20), p95_ms: Some(20) };
        assert_eq!(receipts.reach(), Some(reach));
        receipts.set_pinned(None);
        assert_eq!(receipts.reach(), None);
    }
}
