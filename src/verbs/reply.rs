//! Replies of verbs: what they are on the socket, and what they are over REST.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::app::{OrderResult, PurchaseResult};
use crate::domain::{OfferId, ShownCoupon};
use crate::protocol::{ChatRulesView, OfferView, OrderView, PinView, SanctionView, SayReply};

/// A successful reply over REST.
#[derive(Debug)]
pub struct RestReply {
    pub status: u16,
    /// JSON; `None`: no body.
    pub body: Option<Vec<u8>>,
    /// The path of what was created.
    pub location: Option<String>,
    /// The reply repeats an earlier one with the same idempotency key.
    pub is_replay: bool,
}

impl RestReply {
    const NO_CONTENT: Self = Self { status: 204, body: None, location: None, is_replay: false };

    fn json(status: u16, body: &impl Serialize) -> Self {
        Self { status, body: Some(serde_json::to_vec(body).unwrap_or_default()), location: None, is_replay: false }
    }
}

/// A successful REST response for the OpenAPI document: status, description and the schema of the body.
pub type RestResponse = (u16, &'static str, Option<RefOr<Schema>>);

fn schema_ref<T: ToSchema>() -> Option<RefOr<Schema>> {
    Some(RefOr::Ref(utoipa::openapi::Ref::from_schema_name(T::name())))
}

fn named_schema<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

pub trait VerbReply: Send {
    /// Whether the client gets a reply at all.
    const IS_SENT: bool = true;

    /// The `ok` of the reply frame.
    fn on_socket(&self) -> Value;

    fn over_rest(self) -> RestReply;

    fn rest_responses() -> Vec<RestResponse>;

    /// The named schemas that [`rest_responses`](Self::rest_responses) refers to.
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>);
}

/// Done, and there is nothing to say about it.
pub struct Done;

impl VerbReply for Done {
    fn on_socket(&self) -> Value {
        json!({})
    }

    fn over_rest(self) -> RestReply {
        RestReply::NO_CONTENT
    }

    fn rest_responses() -> Vec<RestResponse> {
        vec![(204, "Done", None)]
    }

    fn schemas(_: &mut Vec<(String, RefOr<Schema>)>) {}
}

/// A verb without a reply.
pub struct NoReply;

impl VerbReply for NoReply {
    const IS_SENT: bool = false;

    fn on_socket(&self) -> Value {
        Value::Null
    }

    fn over_rest(self) -> RestReply {
        RestReply::NO_CONTENT
    }

    fn rest_responses() -> Vec<RestResponse> {
        Vec::new()
    }

    fn schemas(_: &mut Vec<(String, RefOr<Schema>)>) {}
}

impl VerbReply for SayReply {
    fn on_socket(&self) -> Value {
        json!(self)
    }

    fn over_rest(self) -> RestReply {
        RestReply::json(if self.pending_review { 202 } else { 201 }, &self)
    }

    fn rest_responses() -> Vec<RestResponse> {
        vec![
            (201, "The message is sent", schema_ref::<SayReply>()),
            (202, "The message waits in the review queue", schema_ref::<SayReply>()),
        ]
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        named_schema::<SayReply>(schemas);
    }
}

/// The order of a purchase: 201 over REST, or 200 if the key was used before. On the socket, its reservation is beside it.
pub struct NewOrder(pub PurchaseResult);

/// An order that exists, after a payment, a cancellation or a refund.
pub struct ChangedOrder(pub OrderResult);

fn order_on_socket(result: &OrderResult) -> Value {
    json!({ "order": result.order, "replayed": result.is_replay })
}

fn purchase_on_socket(result: &PurchaseResult) -> Value {
    let mut order = json!(result.order);
    // Of most orders the reservation is the only line, and it stands beside.
    if let (1, Some(fields)) = (result.order.lines.len(), order.as_object_mut()) {
        fields.remove("lines");
    }
    json!({ "reservation": result.reservation, "order": order, "replayed": result.is_replay })
}

fn purchase_over_rest(result: &PurchaseResult, path: String, body: &impl Serialize) -> RestReply {
    let reply = RestReply::json(if result.is_replay { 200 } else { 201 }, body);
    RestReply { location: (!result.is_replay).then_some(path), is_replay: result.is_replay, ..reply }
}

impl VerbReply for NewOrder {
    fn on_socket(&self) -> Value {
        purchase_on_socket(&self.0)
    }

    fn over_rest(self) -> RestReply {
        purchase_over_rest(&self.0, format!("/v1/orders/{}", self.0.order.id), &self.0.order)
    }

    fn rest_responses() -> Vec<RestResponse> {
        vec![
            (201, "The units are held", schema_ref::<OrderView>()),
            (200, "A retry: the order as it is now", schema_ref::<OrderView>()),
        ]
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        named_schema::<OrderView>(schemas);
    }
}

impl VerbReply for ChangedOrder {
    fn on_socket(&self) -> Value {
        order_on_socket(&self.0)
    }

    fn over_rest(self) -> RestReply {
        RestReply { is_replay: self.0.is_replay, ..RestReply::json(200, &self.0.order) }
    }

    fn rest_responses() -> Vec<RestResponse> {
        vec![(200, "The order", schema_ref::<OrderView>())]
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        named_schema::<OrderView>(schemas);
    }
}

/// The pin of a show; null: no offer is pinned.
#[derive(Serialize, ToSchema)]
pub struct PinReply {
    pub pin: Option<PinView>,
}

impl VerbReply for PinReply {
    fn on_socket(&self) -> Value {
        json!(self)
    }

    fn over_rest(self) -> RestReply {
        RestReply::json(200, &self)
    }

    fn rest_responses() -> Vec<RestResponse> {
        vec![(200, "The pin", schema_ref::<PinReply>())]
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        named_schema::<PinReply>(schemas);
    }
}

/// The coupon that a show shows; null: none.
#[derive(Serialize, ToSchema)]
pub struct CouponReply {
    pub coupon: Option<ShownCoupon>,
}

impl VerbReply for CouponReply {
    fn on_socket(&self) -> Value {
        json!(self)
    }

    fn over_rest(self) -> RestReply {
        RestReply::json(200, &self)
    }

    fn rest_responses() -> Vec<RestResponse> {
        vec![(200, "The coupon that is shown", schema_ref::<CouponReply>())]
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        named_schema::<CouponReply>(schemas);
    }
}

/// The socket's reply names the offer; REST has nothing to add to the path.
pub struct StockAlertReply {
    pub offer: OfferId,
}

impl VerbReply for StockAlertReply {
    fn on_socket(&self) -> Value {
        json!({ "offer": self.offer })
    }

    fn over_rest(self) -> RestReply {
        RestReply::NO_CONTENT
    }

    fn rest_responses() -> Vec<RestResponse> {
        Done::rest_responses()
    }

    fn schemas(_: &mut Vec<(String, RefOr<Schema>)>) {}
}

/// A reply that is one object: under a name on the socket, by itself over REST.
macro_rules! named_reply {
    ($(#[$doc:meta])* $reply:ident, $view:ty, $name:literal) => {
        $(#[$doc])*
        pub struct $reply(pub $view);

        impl VerbReply for $reply {
            fn on_socket(&self) -> Value {
                json!({ $name: self.0 })
            }

            fn over_rest(self) -> RestReply {
                RestReply::json(200, &self.0)
            }

            fn rest_responses() -> Vec<RestResponse> {
                vec![(200, "Done", schema_ref::<$view>())]
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                named_schema::<$view>(schemas);
            }
        }
    };
}

named_reply!(OfferReply, OfferView, "offer");
named_reply!(MuteReply, SanctionView, "mute");
named_reply!(BanReply, SanctionView, "ban");
named_reply!(
    /// The chat rules after a change; notices and the pinned message are among them.
    ChatRulesReply,
    ChatRulesView,
    "chat"
);
