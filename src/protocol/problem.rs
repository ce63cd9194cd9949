//! The facts of a refusal, the same over REST (problem details) and on the socket (`error` of a reply).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{CouponProblem, ErrorCode, Millis, Minor, OfferId, OrderId, OrderQuote, Refusal};

/// What a client needs to act on an error, beside its code. A fact that a refusal does not have is absent.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RefusalFacts {
    /// With `bad_request`, `invalid_value`, `country_not_served` and `stripe_key_…`: the field that is at fault, if it is one: `price`, `variants[0].name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// With `buyer_limit`: the most units that one buyer can have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_buyer: Option<i64>,
    /// With `buyer_limit`: the buyer's orders that count. With `lines_gone`: the reservations that have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders: Option<Vec<OrderId>>,
    /// With `picture_kind`: the kind of the file, if it is known: `SVG`, `HEIC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_kind: Option<String>,
    /// With `too_few_left` and `not_enough_stock`: the units that are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<i64>,
    /// With `not_open`: when the sale opens, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Millis>,
    /// With `muted`: when the mute ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// With `not_open` and `muted`: the time of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Millis>,
    /// With `needs_action`: the address where the buyer confirms the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_url: Option<String>,
    /// With `payment_queued`: the place of the payment in the queue; 1 is the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<i64>,
    /// With `quote_changed`: what the order costs now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<Box<OrderQuote>>,
    /// With `coupon_minimum`: what the products that the coupon is for must cost together, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Minor>,
    /// With `method_off`: the offers that must be paid at once, because of which the order cannot be paid later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offers: Option<Vec<OfferId>>,
    /// With `country_not_served`: the countries to which the shop delivers, as codes of ISO 3166-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub countries: Option<Vec<String>>,
}

impl From<&Refusal> for RefusalFacts {
    fn from(refusal: &Refusal) -> Self {
        let none = Self::default();
        match refusal {
            Refusal::InvalidValue { field, .. } => Self { field: Some((*field).to_owned()), ..none },
            Refusal::BadField { field, .. } => Self { field: Some(field.to_string()), ..none },
            Refusal::StripeKeys(problem) => Self { field: problem.field().map(str::to_owned), ..none },
            Refusal::CountryNotServed { countries } => {
                Self { field: Some("country".to_owned()), countries: Some(countries.clone()), ..none }
            }
            Refusal::MethodOff { offers } if !offers.is_empty() => Self { offers: Some(offers.clone()), ..none },
            Refusal::BuyerLimit { per_buyer, orders } => {
                Self { per_buyer: Some(*per_buyer), orders: Some(orders.clone()), ..none }
            }
            Refusal::PictureKind { found } => Self { file_kind: found.map(str::to_owned), ..none },
            Refusal::QuoteChanged(quote) => Self { quote: Some(quote.clone()), ..none },
            Refusal::LinesGone(lines) => Self { orders: Some(lines.clone()), ..none },
            Refusal::TooFewLeft { left } | Refusal::NotEnoughStock { left } => Self { left: Some(*left), ..none },
            Refusal::NotOpen { opens_at, now } => Self { opens_at: *opens_at, now: Some(*now), ..none },
            Refusal::Muted { until, now } => Self { until: Some(*until), now: Some(*now), ..none },
            Refusal::PaymentQueued { place, .. } => Self { place: Some(*place), ..none },
            Refusal::Coupon(CouponProblem::Minimum(minimum)) => Self { minimum: Some(*minimum), ..none },
            Refusal::NeedsAction { action_url } => Self { action_url: Some(action_url.clone()), ..none },
            _ => none,
        }
    }
}

/// The address of the page that explains a code, relative to the server: the `type` of a problem.
pub fn type_uri(code: &ErrorCode) -> String {
    format!("/docs/errors/{}", code.code)
}
