//! Fulfilment: how an order gets to its buyer. It is separate from the order's status, which is about units and money.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ManualMethod, Millis, Order, OrderStatus, Refusal, text};

/// A step on the way to the buyer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FulfilmentStep {
    Packed,
    Sent,
    Delivered,
}

/// The last step that was done. An order that is neither paid nor placed has none: it is `unfulfilled` too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FulfilmentStatus {
    Unfulfilled,
    Packed,
    Sent,
    Delivered,
}

impl FulfilmentStatus {
    pub const ALL: [FulfilmentStatus; 4] = {
        use FulfilmentStatus::*;
        [Unfulfilled, Packed, Sent, Delivered]
    };

    pub fn name(self) -> &'static str {
        match self {
            FulfilmentStatus::Unfulfilled => "unfulfilled",
            FulfilmentStatus::Packed => "packed",
            FulfilmentStatus::Sent => "sent",
            FulfilmentStatus::Delivered => "delivered",
        }
    }
}

/// The steps of one order, with their times. `null`: not done.
#[derive(Clone, Default, PartialEq, Debug, Serialize, ToSchema)]
pub struct Fulfilment {
    pub packed_at: Option<Millis>,
    pub sent_at: Option<Millis>,
    pub delivered_at: Option<Millis>,
    /// Who carries the parcel: at most 60 characters.
    pub carrier: Option<String>,
    /// The carrier's number of the parcel: at most 80 characters.
    pub tracking: Option<String>,
}

impl Fulfilment {
    pub fn status(&self) -> FulfilmentStatus {
        match (self.packed_at, self.sent_at, self.delivered_at) {
            (_, _, Some(_)) => FulfilmentStatus::Delivered,
            (_, Some(_), None) => FulfilmentStatus::Sent,
            (Some(_), None, None) => FulfilmentStatus::Packed,
            (None, None, None) => FulfilmentStatus::Unfulfilled,
        }
    }

    /// When the step was done.
    pub fn done_at(&self, step: FulfilmentStep) -> Option<Millis> {
        match step {
            FulfilmentStep::Packed => self.packed_at,
            FulfilmentStep::Sent => self.sent_at,
            FulfilmentStep::Delivered => self.delivered_at,
        }
    }

    /// Refuses a step that cannot be done now. To do a step again is allowed: its first time stays.
    ///
    /// Packing may be skipped, because small shops pack and send at once. A refunded order can still be sent or delivered:
    /// the parcel may be on its way.
    /// What is paid in cash on delivery is sent before it is paid. `method`: how the order was placed.
    pub fn check_step(
        &self,
        step: FulfilmentStep,
        order: OrderStatus,
        method: Option<ManualMethod>,
    ) -> Result<(), Refusal> {
        let is_sent_unpaid = order == OrderStatus::Placed && method == Some(ManualMethod::CashOnDelivery);
        if !order.is_or_was_paid() && !is_sent_unpaid {
            return Err(Refusal::NotPaid);
        }
        match step {
            FulfilmentStep::Delivered if self.sent_at.is_none() => {
                Err(Refusal::WrongStatus("The order was not sent, so it cannot be delivered yet."))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to undo a step while a later step is done.
    pub fn check_undo(&self, step: FulfilmentStep) -> Result<(), Refusal> {
        let later = match step {
            FulfilmentStep::Packed => self.sent_at.or(self.delivered_at),
            FulfilmentStep::Sent => self.delivered_at,
            FulfilmentStep::Delivered => None,
        };
        match later {
            Some(_) => Err(Refusal::WrongStatus("A later step is done. Undo that step first.")),
            None => Ok(()),
        }
    }
}

/// Who carries the parcel, and its number there, as the seller gave them. What is not given stays as it is; an empty text
/// removes it.
#[derive(Clone, Default, PartialEq, Debug, Deserialize, ToSchema)]
pub struct Consignment {
    #[serde(default)]
    #[schema(max_length = 60)]
    pub carrier: Option<String>,
    #[serde(default)]
    #[schema(max_length = 80)]
    pub tracking: Option<String>,
}

impl Consignment {
    /// Each text becomes one line.
    pub fn validated(self) -> Result<Self, Refusal> {
        Ok(Self {
            carrier: line("carrier", self.carrier.as_deref(), 60)?,
            tracking: line("tracking", self.tracking.as_deref(), 80)?,
        })
    }
}

fn line(field: &'static str, given: Option<&str>, length_max: usize) -> Result<Option<String>, Refusal> {
    let Some(given) = given else { return Ok(None) };
    if given.trim().is_empty() {
        return Ok(Some(String::new()));
    }
    let line = text::single_line(given, length_max);
    line.map(Some)
        .ok_or_else(|| Refusal::bad_field(field, format!("must have at most {length_max} visible characters.")))
}

/// Orders that one parcel can have.
pub const PARCEL_ORDERS_MAX: usize = 50;

/// Refuses orders that cannot go in one parcel: it has the orders of one buyer in one show.
pub fn check_parcel(orders: &[Order]) -> Result<(), Refusal> {
    if orders.is_empty() || orders.len() > PARCEL_ORDERS_MAX {
        return Err(Refusal::bad_field("orders", "must be 1 to 50 orders."));
    }
    let is_one = orders.iter().all(|order| (&order.buyer, order.stream) == (&orders[0].buyer, orders[0].stream));
    match is_one {
        true => Ok(()),
        false => Err(Refusal::invalid_value("orders", "must be orders of one buyer in one show.")),
    }
}

/// A tag that the team puts on orders: 1 to 30 visible characters in one line.
pub fn order_tag(given: &str) -> Result<String, Refusal> {
    text::single_line(given, 30).ok_or_else(|| Refusal::bad_field("tag", "must have 1 to 30 visible characters."))
}

/// Tags that one order can have.
pub const TAGS_PER_ORDER_MAX: i64 = 10;

/// Notes that one order can have.
pub const NOTES_PER_ORDER_MAX: i64 = 100;

/// A note of the team on an order: 1 to 1,000 visible characters, with line breaks.
pub fn order_note(given: &str) -> Result<String, Refusal> {
    let lines: Vec<String> = given.lines().map(|line| text::single_line(line, 1_000).unwrap_or_default()).collect();
    let note = lines.join("\n").trim_matches('\n').to_owned();
    if (1..=1_000).contains(&note.chars().count()) {
        Ok(note)
    } else {
        Err(Refusal::bad_field("text", "must have 1 to 1,000 visible characters."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(packed: bool, sent: bool, delivered: bool) -> Fulfilment {
        let at = |done: bool| done.then_some(1);
        Fulfilment { packed_at: at(packed), sent_at: at(sent), delivered_at: at(delivered), ..Fulfilment::default() }
    }

    #[test]
    fn status_is_the_last_step_that_was_done() {
        for (fulfilment, expected) in [
            (done(false, false, false), FulfilmentStatus::Unfulfilled),
            (done(true, false, false), FulfilmentStatus::Packed),
            (done(true, true, false), FulfilmentStatus::Sent),
            (done(false, true, false), FulfilmentStatus::Sent),
            (done(false, true, true), FulfilmentStatus::Delivered),
        ] {
            assert_eq!(fulfilment.status(), expected, "{fulfilment:?}");
        }
    }

    #[test]
    fn orders_that_are_paid_or_paid_at_the_door_are_packed_and_only_sent_orders_are_delivered() {
        use FulfilmentStep::*;
        for order in OrderStatus::ALL {
            let (new, sent) = (done(false, false, false), done(false, true, false));
            let is_paid = matches!(order, OrderStatus::Paid | OrderStatus::Refunded);
            for method in [None, Some(ManualMethod::BankTransfer), Some(ManualMethod::CashOnDelivery)] {
                let is_cash = order == OrderStatus::Placed && method == Some(ManualMethod::CashOnDelivery);
                let is_allowed = is_paid || is_cash;
                for step in [Packed, Sent] {
                    let checked = new.check_step(step, order, method);
                    assert_eq!(checked.is_ok(), is_allowed, "{step:?} {order:?} {method:?}");
                }
                assert!(new.check_step(Delivered, order, method).is_err());
                assert_eq!(sent.check_step(Delivered, order, method).is_ok(), is_allowed);
            }
        }
    }

    #[test]
    fn step_is_undone_only_while_no_later_step_is_done() {
        use FulfilmentStep::*;
        for (fulfilment, step, allowed) in [
            (done(true, false, false), Packed, true),
            (done(true, true, false), Packed, false),
            (done(true, true, false), Sent, true),
            (done(true, true, true), Sent, false),
            (done(true, true, true), Delivered, true),
        ] {
            assert_eq!(fulfilment.check_undo(step).is_ok(), allowed, "{fulfilment:?} {step:?}");
        }
    }

    #[test]
    fn texts_of_the_desk_are_checked() {
        let consignment = |carrier: &str, tracking: &str| {
            Consignment { carrier: Some(carrier.into()), tracking: Some(tracking.into()) }.validated()
        };
        assert_eq!(consignment(" ", "").unwrap().carrier.as_deref(), Some(""), "it removes the carrier");
        assert_eq!(consignment("Aramex\n ", " 1Z 9").unwrap().tracking.as_deref(), Some("1Z 9"));
        assert!(consignment(&"c".repeat(61), "").is_err());
        assert!(consignment("", &"t".repeat(81)).is_err());
        assert_eq!(order_note("\n two \n\n lines \u{7}\n").as_deref(), Ok("two\n\nlines"));
        for bad in ["", " \n ", "\u{200b}", &"n".repeat(1_001)] {
            assert!(order_note(bad).is_err(), "{bad:?}");
        }
        assert_eq!(order_tag(" gift  wrap ").as_deref(), Ok("gift wrap"));
        assert!(order_tag("").is_err() && order_tag(&"t".repeat(31)).is_err());
    }
}
