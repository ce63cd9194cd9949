//! Verbs of offers and of the pin.

use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::order::idempotency_key;
use super::reply::{NoReply, OfferReply, PinReply};
use super::{InputSource, Method, RestRoute, Verb, VerbContext};
use crate::app::Result;
use crate::domain::{OfferId, Role};

/// Confirms that the card of the pinned offer is on the screen. The server requests it from a sample of the viewers; there is no reply.
#[derive(Deserialize, ToSchema)]
pub struct Seen {
    offer: OfferId,
}

impl Verb for Seen {
    const NAME: &'static str = "seen";
    const LEAST_ROLE: Role = Role::Anonymous;
    const IS_SLOW: bool = false;
    const REST: Option<RestRoute> = None;
    type Reply = NoReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<NoReply> {
        if let Some(member) = context.member {
            member.seen(self.offer);
        }
        Ok(NoReply)
    }
}

/// Pins an offer: its card is shown to all viewers.
#[derive(Deserialize, ToSchema)]
pub struct Pin {
    offer: OfferId,
}

impl Verb for Pin {
    const NAME: &'static str = "pin";
    const LEAST_ROLE: Role = Role::Producer;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Put, "/v1/streams/{stream}/pin", "offers", InputSource::Body));
    type Reply = PinReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<PinReply> {
        let pin = context.app.catalogue.pin(context.actor, context.stream()?, self.offer).await?;
        Ok(PinReply { pin: Some(pin) })
    }
}

/// Removes the pin.
#[derive(Deserialize, ToSchema)]
pub struct Unpin {}

impl Verb for Unpin {
    const NAME: &'static str = "unpin";
    const LEAST_ROLE: Role = Role::Producer;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Delete, "/v1/streams/{stream}/pin", "offers", InputSource::Query));
    type Reply = PinReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<PinReply> {
        context.app.catalogue.unpin(context.actor, context.stream()?).await?;
        Ok(PinReply { pin: None })
    }
}

/// Starts the sale of an offer, or continues it after a pause. A flash sale counts down first.
#[derive(Deserialize, ToSchema)]
pub struct Open {
    offer: OfferId,
}

impl Verb for Open {
    const NAME: &'static str = "open";
    const LEAST_ROLE: Role = Role::Producer;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/offers/{offer}/open", "offers", InputSource::Query));
    type Reply = OfferReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<OfferReply> {
        context.app.catalogue.open_offer(context.actor, self.offer).await.map(OfferReply)
    }
}

/// Pauses the sale. The time window of a flash sale goes on.
#[derive(Deserialize, ToSchema)]
pub struct Pause {
    offer: OfferId,
}

impl Verb for Pause {
    const NAME: &'static str = "pause";
    const LEAST_ROLE: Role = Role::Producer;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/offers/{offer}/pause", "offers", InputSource::Query));
    type Reply = OfferReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<OfferReply> {
        context.app.catalogue.pause_offer(context.actor, self.offer).await.map(OfferReply)
    }
}

/// Ends the sale. Units that nobody holds return to the stock of the variant.
#[derive(Deserialize, ToSchema)]
pub struct Close {
    offer: OfferId,
}

impl Verb for Close {
    const NAME: &'static str = "close";
    const LEAST_ROLE: Role = Role::Producer;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/offers/{offer}/close", "offers", InputSource::Query));
    type Reply = OfferReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<OfferReply> {
        context.app.catalogue.close_offer(context.actor, self.offer).await.map(OfferReply)
    }
}

/// Moves more units from the stock of the variant into the offer.
#[derive(Deserialize, ToSchema)]
pub struct Restock {
    offer: OfferId,
    /// The number of units to move.
    add: i64,
    /// The idempotency key: 8 to 255 visible ASCII characters. Over REST it is the header `Idempotency-Key`.
    key: Option<String>,
}

impl Verb for Restock {
    const NAME: &'static str = "restock";
    const LEAST_ROLE: Role = Role::Producer;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/offers/{offer}/restock", "offers", InputSource::Body).with_key());
    type Reply = OfferReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<OfferReply> {
        let key = idempotency_key(self.key.as_deref())?;
        context.app.catalogue.restock_offer(context.actor, self.offer, self.add, key).await.map(OfferReply)
    }
}

/// Extends a flash sale that has started.
#[derive(Deserialize, ToSchema)]
pub struct Extend {
    offer: OfferId,
    /// 10 to 1200 seconds.
    seconds: i64,
    /// The idempotency key: 8 to 255 visible ASCII characters. Over REST it is the header `Idempotency-Key`.
    key: Option<String>,
}

impl Verb for Extend {
    const NAME: &'static str = "extend";
    const LEAST_ROLE: Role = Role::Producer;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Post, "/v1/offers/{offer}/extend", "offers", InputSource::Body).with_key());
    type Reply = OfferReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<OfferReply> {
        let key = idempotency_key(self.key.as_deref())?;
        context.app.catalogue.extend_offer(context.actor, self.offer, self.seconds, key).await.map(OfferReply)
    }
}

/// Sets whether buyers can pay an offer later (cash on delivery, bank transfer), where the shop takes such payments. It counts at once, also
/// for orders that are held; those that are placed or paid stay as they are. To set the same again changes nothing.
#[derive(Deserialize, ToSchema)]
pub struct SetPayLater {
    offer: OfferId,
    /// `true` lets also a flash sale be paid later, `false` wants the offer paid at once; null: a regular offer can be paid later, and a
    /// flash sale as the settings of the shop say.
    #[serde(deserialize_with = "choice")]
    #[schema(required)]
    pay_later: Option<bool>,
}

/// A choice that must be there, also when it is null: one that was forgotten does not undo what the host chose.
fn choice<'de, D: Deserializer<'de>>(given: D) -> std::result::Result<Option<bool>, D::Error> {
    Option::deserialize(given)
}

impl Verb for SetPayLater {
    const NAME: &'static str = "set_pay_later";
    const LEAST_ROLE: Role = Role::Producer;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Put, "/v1/offers/{offer}/pay-later", "offers", InputSource::Body));
    type Reply = OfferReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<OfferReply> {
        context.app.catalogue.set_pay_later(context.actor, self.offer, self.pay_later).await.map(OfferReply)
    }
}
