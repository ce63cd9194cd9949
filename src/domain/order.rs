//! Orders: what is paid and shipped. The lines of an order are reservations of one buyer in one show.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{Millis, Minor, OrderId, OrderQuote, Placement, Refusal, Reservation, ReservationStatus, StreamId, UserId};

/// The status of an order follows from its lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    /// A line is held: the order can be paid.
    Held,
    Capturing,
    /// The shop receives the payment itself, later. The units are certain.
    Placed,
    Paid,
    Expired,
    Cancelled,
    /// Every line that was sold was given back.
    Refunded,
}

impl OrderStatus {
    pub const ALL: [OrderStatus; 7] = {
        use OrderStatus::*;
        [Held, Capturing, Placed, Paid, Expired, Cancelled, Refunded]
    };

    pub fn name(self) -> &'static str {
        match self {
            OrderStatus::Held => "held",
            OrderStatus::Capturing => "capturing",
            OrderStatus::Placed => "placed",
            OrderStatus::Paid => "paid",
            OrderStatus::Expired => "expired",
            OrderStatus::Cancelled => "cancelled",
            OrderStatus::Refunded => "refunded",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }

    /// The status of an order that has only this line.
    pub fn of_line(line: &Reservation) -> Self {
        match line.status {
            ReservationStatus::Held => OrderStatus::Held,
            ReservationStatus::Capturing => OrderStatus::Capturing,
            ReservationStatus::Placed => OrderStatus::Placed,
            ReservationStatus::Sold if line.returned == line.qty => OrderStatus::Refunded,
            ReservationStatus::Sold => OrderStatus::Paid,
            ReservationStatus::Expired => OrderStatus::Expired,
            ReservationStatus::Cancelled => OrderStatus::Cancelled,
        }
    }

    /// Does the order reserve units? Reserved units count against the stock and the limit per buyer.
    pub fn reserves_units(self) -> bool {
        matches!(self, OrderStatus::Held | OrderStatus::Capturing | OrderStatus::Placed | OrderStatus::Paid)
    }

    /// Refuses when the order cannot be paid. A hold that has ended but is not released yet can still be paid: the order belongs to
    /// the buyer until the background job releases it.
    pub fn check_payable(self) -> Result<(), Refusal> {
        match self {
            OrderStatus::Held => Ok(()),
            OrderStatus::Capturing => Err(Refusal::Busy { retry_ms: 1_000 }),
            OrderStatus::Placed => Err(Refusal::AlreadyPlaced),
            OrderStatus::Paid | OrderStatus::Refunded => Err(Refusal::AlreadyPaid),
            OrderStatus::Expired => Err(Refusal::HoldExpired),
            OrderStatus::Cancelled => Err(Refusal::WrongStatus("The order was cancelled.")),
        }
    }

    /// Refuses when the delivery address can no longer change.
    pub fn check_address_change(self) -> Result<(), Refusal> {
        if self.reserves_units() {
            Ok(())
        } else {
            Err(Refusal::WrongStatus("This order will not be delivered, so it takes no address."))
        }
    }

    /// Was money captured for the order, even if it was refunded later?
    pub fn is_or_was_paid(self) -> bool {
        matches!(self, OrderStatus::Paid | OrderStatus::Refunded)
    }
}

/// What the order's own row says. An order that nobody has opened yet has none.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct OrderHeader {
    pub number: Option<i64>,
    pub paid_at: Option<Millis>,
    /// What the last attempt to pay was for.
    pub quote: Option<Box<OrderQuote>>,
    pub placement: Option<Placement>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    /// The id of its first reservation.
    pub id: OrderId,
    /// The number that people say ("#1042"). `None`: it is a purchase that nobody has paid or put together with others yet.
    pub number: Option<i64>,
    pub stream: StreamId,
    pub buyer: UserId,
    pub buyer_name: String,
    pub status: OrderStatus,
    /// The units of the lines that count.
    pub qty: i64,
    /// The sum of the lines that count; what the buyer pays is [`total`](Self::total).
    pub amount: Minor,
    pub currency: String,
    pub created_at: Millis,
    /// When the first of its holds ends.
    pub hold_until: Millis,
    pub paid_at: Option<Millis>,
    /// Why the order ended: `hold_ended`, `buyer_cancel`, `shop_cancel`, `not_paid_in_time`, `capture_failed`, `card_limit`, `refunded`.
    pub reason: Option<String>,
    /// Grows with every change of a line.
    pub version: i64,
    /// What the buyer pays, paid or would have paid; `None` until a payment has won the order or it was placed, and for orders that were
    /// paid before there were quotes.
    pub quote: Option<Box<OrderQuote>>,
    /// How it was placed; `None`: it was not, so a payment provider takes its money.
    pub placement: Option<Placement>,
    /// Never empty, in the order of their ids. Lines whose hold ended stay among them, and count no more.
    pub lines: Vec<Reservation>,
}

impl From<Reservation> for Order {
    fn from(line: Reservation) -> Self {
        Self::of_lines(OrderHeader::default(), line, Vec::new())
    }
}

impl Order {
    pub fn of_lines(header: OrderHeader, first: Reservation, others: Vec<Reservation>) -> Self {
        let (id, stream, buyer, buyer_name) =
            (first.order_id(), first.stream, first.buyer.clone(), first.buyer_name.clone());
        let (currency, first_status) = (first.currency.clone(), OrderStatus::of_line(&first));
        let mut lines = vec![first];
        lines.extend(others);
        let deciding = lines.iter().max_by_key(|line| rank(line));
        let (highest, status) = deciding.map_or((0, first_status), |line| (rank(line), OrderStatus::of_line(line)));
        let counted: Vec<&Reservation> = lines.iter().filter(|line| counts(rank(line), highest)).collect();
        let hold_until = counted.iter().map(|line| line.hold_until).min().unwrap_or_default();
        // Of a placed order that was cancelled, the buyer still reads what it would have cost.
        let was_placed = status == OrderStatus::Cancelled && header.placement.is_some();
        let is_won =
            was_placed || matches!(status, OrderStatus::Capturing | OrderStatus::Placed) || status.is_or_was_paid();
        let reason = if status.reserves_units() { None } else { counted.iter().find_map(|line| line.reason.clone()) };
        Self {
            id,
            number: header.number,
            stream,
            buyer,
            buyer_name,
            status,
            qty: counted.iter().map(|line| line.qty).sum(),
            amount: counted.iter().map(|line| line.amount).sum(),
            currency,
            created_at: lines.iter().map(|line| line.created_at).min().unwrap_or_default(),
            hold_until,
            paid_at: header.paid_at,
            reason,
            quote: header.quote.filter(|_| is_won),
            placement: header.placement,
            version: lines.iter().map(|line| line.version).sum(),
            lines,
        }
    }

    /// The line that a client shows which knows only one.
    pub fn first_line(&self) -> &Reservation {
        &self.lines[0]
    }

    /// What the buyer pays or paid.
    pub fn total(&self) -> Minor {
        self.quote.as_ref().map_or(self.amount, |quote| quote.total)
    }

    /// Did a line go away because its hold ended?
    pub fn has_expired_lines(&self) -> bool {
        self.lines.iter().any(|line| line.status == ReservationStatus::Expired)
    }

    /// The lines that can still be paid.
    pub fn held_lines(&self) -> impl Iterator<Item = &Reservation> {
        self.lines.iter().filter(|line| line.status == ReservationStatus::Held)
    }

    /// The lines that are gone: their hold ended or was cancelled.
    pub fn ended_lines(&self) -> impl Iterator<Item = &Reservation> {
        let has_ended =
            |line: &&Reservation| matches!(line.status, ReservationStatus::Expired | ReservationStatus::Cancelled);
        self.lines.iter().filter(has_ended)
    }

    /// Refuses when the order cannot be paid.
    pub fn check_payable(&self) -> Result<(), Refusal> {
        self.status.check_payable()
    }
}

/// Lines that one order can have, those that ended included.
pub const LINES_PER_ORDER_MAX: usize = 50;

/// Refuses reservations that cannot be the lines of one order. Those that are in no order yet must be held.
pub fn check_joinable(lines: &[Reservation]) -> Result<(), Refusal> {
    if lines.is_empty() || lines.len() > LINES_PER_ORDER_MAX {
        return Err(Refusal::bad_field(
            "reservations",
            "must be 1 to 50 reservations, with those that are in the order.",
        ));
    }
    let of = |line: &Reservation| (line.buyer.clone(), line.stream, line.currency.clone());
    if lines.iter().any(|line| of(line) != of(&lines[0])) {
        return Err(Refusal::invalid_value("reservations", "must be of one show."));
    }
    let joining = lines.iter().filter(|line| line.order.is_none());
    let ended = |line: &&Reservation| matches!(line.status, ReservationStatus::Expired | ReservationStatus::Cancelled);
    let gone: Vec<_> = joining.filter(ended).map(|line| line.id).collect();
    if gone.is_empty() { Ok(()) } else { Err(Refusal::LinesGone(gone)) }
}

/// The rank of lines that ended with their whole order.
const ENDED_WITH_ORDER: u8 = 2;

/// Of the lines of an order, the one with the highest rank decides. The store has the same rule in SQL.
fn rank(line: &Reservation) -> u8 {
    match OrderStatus::of_line(line) {
        OrderStatus::Cancelled if line.ended_with_its_order() => ENDED_WITH_ORDER,
        OrderStatus::Cancelled => 0,
        OrderStatus::Expired => 1,
        OrderStatus::Refunded => 3,
        OrderStatus::Paid => 4,
        OrderStatus::Placed => 5,
        OrderStatus::Held => 6,
        OrderStatus::Capturing => 7,
    }
}

/// Does a line with this rank count in an order whose highest rank is that one? Lines that ended by themselves count only while no
/// other line is left, and those that ended with the order only beside others of their kind.
fn counts(line: u8, highest: u8) -> bool {
    highest < ENDED_WITH_ORDER || line >= highest.min(ENDED_WITH_ORDER + 1)
}

/// An idempotency key: 8–255 visible ASCII characters. Quotes around it are stripped.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    const LENGTH_MAX: usize = 255;

    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let text = text.trim_matches([' ', '\t']);
        let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        if bare.is_empty() {
            return Err(Refusal::KeyMissing);
        }
        if (8..=Self::LENGTH_MAX).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(bare.to_owned()))
        } else {
            Err(Refusal::KeyInvalid)
        }
    }

    /// The key of one of several changes that a request with this key makes.
    pub fn numbered(&self, number: usize) -> Self {
        let key = format!("{}-{number}", self.0);
        // A long key leaves no room for the number.
        if key.len() <= Self::LENGTH_MAX { Self(key) } else { Self(hex::encode(Sha256::digest(&key))) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The SHA-256 hash of the request that an idempotency key was used for. The same key with another body is a client's mistake.
pub type RequestHash = [u8; 32];

/// Hashes the parts of a request. The length of each part is hashed too, so that the parts cannot run together.
pub fn request_hash(parts: &[&str]) -> RequestHash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

/// Checks the units of one purchase request: 1 to 1,000.
pub fn validate_qty(given: i64) -> Result<i64, Refusal> {
    super::product::in_range(given, super::limits::QTY, "qty")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_has_8_to_255_visible_characters() {
        for (text, expected) in [
            ("", Err(Refusal::KeyMissing)),
            ("\"\"", Err(Refusal::KeyMissing)),
            ("1234567", Err(Refusal::KeyInvalid)),
            ("12345678", Ok("12345678")),
            ("\"12345678\"", Ok("12345678")),
            ("has space", Err(Refusal::KeyInvalid)),
            ("naïvekeys", Err(Refusal::KeyInvalid)),
            ("nul\0bytes", Err(Refusal::KeyInvalid)),
        ] {
            assert_eq!(IdempotencyKey::parse(text), expected.map(|k: &str| IdempotencyKey(k.into())), "{text:?}");
        }
        let longest = IdempotencyKey::parse(&"k".repeat(255)).unwrap();
        let numbered: std::collections::HashSet<_> = (0..52).map(|number| longest.numbered(number)).collect();
        assert_eq!(numbered.len(), 52);
        assert!(numbered.iter().all(|key| IdempotencyKey::parse(key.as_str()).is_ok()));
        assert!(IdempotencyKey::parse(&"k".repeat(256)).is_err());
    }

    #[test]
    fn parts_of_a_hash_do_not_run_together() {
        assert_ne!(request_hash(&["ab", "c"]), request_hash(&["a", "bc"]));
    }

    fn line(status: ReservationStatus, returned: i64, amount: Minor) -> Reservation {
        Reservation {
            id: OrderId::new(),
            stream: StreamId::new(),
            offer: super::super::OfferId::new(),
            order: None,
            buyer: UserId::parse("ann").unwrap(),
            buyer_name: "Ann".into(),
            status,
            qty: 2,
            returned,
            amount,
            currency: "SAR".into(),
            place: 1,
            created_at: 100,
            hold_until: 1_000 + amount,
            reason: (!matches!(
                status,
                ReservationStatus::Held | ReservationStatus::Capturing | ReservationStatus::Placed
            ))
            .then(|| status.name().into()),
            version: 3,
        }
    }

    #[test]
    fn order_follows_from_its_lines() {
        use ReservationStatus as R;
        for (lines, status, amount, reason) in [
            (vec![(R::Held, 0)], OrderStatus::Held, 10, None),
            (vec![(R::Held, 0), (R::Expired, 0)], OrderStatus::Held, 10, None),
            (vec![(R::Expired, 0), (R::Held, 0), (R::Held, 0)], OrderStatus::Held, 50, None),
            (vec![(R::Capturing, 0), (R::Cancelled, 0), (R::Capturing, 0)], OrderStatus::Capturing, 40, None),
            (vec![(R::Placed, 0), (R::Cancelled, 0), (R::Placed, 0)], OrderStatus::Placed, 40, None),
            (vec![(R::Sold, 0), (R::Sold, 2)], OrderStatus::Paid, 30, None),
            (vec![(R::Sold, 1)], OrderStatus::Paid, 10, None),
            (vec![(R::Sold, 2), (R::Sold, 2), (R::Expired, 0)], OrderStatus::Refunded, 30, Some("sold")),
            (vec![(R::Cancelled, 0), (R::Expired, 0)], OrderStatus::Expired, 30, Some("cancelled")),
            (vec![(R::Cancelled, 0)], OrderStatus::Cancelled, 10, Some("cancelled")),
        ] {
            let mut made = lines.iter().zip(1..).map(|((status, returned), n)| line(*status, *returned, 10 * n));
            let first = made.next().unwrap();
            let order = Order::of_lines(OrderHeader::default(), first, made.collect());
            let seen = (order.status, order.amount, order.reason.as_deref(), order.version);
            assert_eq!(seen, (status, amount, reason, 3 * lines.len() as i64), "{lines:?}");
        }
    }

    #[test]
    fn lines_that_ended_with_the_whole_order_decide() {
        use ReservationStatus as R;
        for reason in ["shop_cancel", "not_paid_in_time", "capture_failed"] {
            for other in [R::Expired, R::Cancelled] {
                let (gone, mut ended) = (line(other, 0, 10), line(R::Cancelled, 0, 20));
                ended.reason = Some(reason.into());
                for (first, second) in [(gone.clone(), ended.clone()), (ended.clone(), gone.clone())] {
                    let order = Order::of_lines(OrderHeader::default(), first, vec![second]);
                    let seen = (order.status, order.amount, order.reason.as_deref());
                    assert_eq!(seen, (OrderStatus::Cancelled, 20, Some(reason)), "beside {other:?}");
                }
                let order = Order::of_lines(OrderHeader::default(), ended, vec![line(R::Sold, 2, 40)]);
                assert_eq!((order.status, order.amount), (OrderStatus::Refunded, 40));
            }
        }
    }

    #[test]
    fn hold_that_ends_first_ends_the_time_of_the_order() {
        let (late, early) = (line(ReservationStatus::Held, 0, 50), line(ReservationStatus::Held, 0, 20));
        let gone = line(ReservationStatus::Expired, 0, 10);
        let order = Order::of_lines(OrderHeader::default(), late, vec![early, gone]);
        assert_eq!((order.hold_until, order.held_lines().count()), (1_020, 2), "the line that is gone does not count");
    }
}
