//! The host's actions on offers: create, open, pause, close, restock, extend, pay later or not, pin.

use std::sync::Arc;

use super::{Catalogue, keyed_request};
use crate::app::error::{Result, as_outcome_unknown};
use crate::app::state_changes::{offer_change, pin_change};
use crate::domain::offer::{self, OfferForm};
use crate::domain::{
    Actor, AuditAction, Event, IdempotencyKey, LiveStream, ManualMethod, Offer, OfferId, OfferPayLater, OfferStage,
    Order, OrderStatus, Permission, Refusal, Reservation, StreamId,
};
use crate::protocol::{OfferView, OrderView, PinView, ReservationView};
use crate::store::KeyedRequest;

impl Catalogue {
    /// A stream's offers; drafts only for users who may sell.
    pub async fn offers(&self, actor: &Actor, stream: StreamId) -> Result<Vec<OfferView>> {
        self.stream_cache.find_stream(stream).await?;
        let drafts = self.stream_cache.allows(actor, Permission::ManageOffers, stream).await?;
        let offers = self.context.store.offers_of_stream(stream).await?;
        let shown = offers.iter().filter(|offer| drafts || offer.terms.stage != OfferStage::Draft);
        Ok(shown.map(|offer| self.offer_view(offer)).collect())
    }

    pub async fn offer(&self, actor: &Actor, id: OfferId) -> Result<OfferView> {
        let offer = self.context.store.offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        if offer.terms.stage == OfferStage::Draft
            && !self.stream_cache.allows(actor, Permission::ManageOffers, offer.stream).await?
        {
            return Err(Refusal::NoSuchOffer.into());
        }
        Ok(self.offer_view(&offer))
    }

    /// Retries with the same key give the same offer.
    pub async fn create_offer(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        form: OfferForm,
        key: IdempotencyKey,
    ) -> Result<OfferView> {
        self.stream_cache.authorize(actor, Permission::ManageOffers, stream).await?;
        let request = keyed_request(actor, "create_offer", key, &(stream, &form));
        let new = match form.validated(OfferId::new(), stream, self.context.sends_email(), self.context.now()) {
            Ok(new) => new,
            // A retry may come after the start that it asked for: its offer exists all the same.
            Err(refusal) => {
                return match self.context.store.earlier_result(&request).await? {
                    Some(earlier) => self.offer(actor, OfferId(earlier)).await,
                    None => Err(refusal.into()),
                };
            }
        };
        if new.price == 0 {
            self.stream_cache.authorize(actor, Permission::SellForFree, stream).await?;
        }
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let id = this.context.store.create_offer(&new, Some(&request)).await?;
                this.publish_changed_offer(id).await
            })
            .await
            .map_err(as_outcome_unknown)
    }

    pub async fn open_offer(self: &Arc<Self>, actor: &Actor, id: OfferId) -> Result<OfferView> {
        self.authorize_selling(actor, id).await?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.open_offer(id).await?;
                this.publish_changed_offer(id).await.map_err(as_outcome_unknown)
            })
            .await
            .inspect(|offer| self.audit.record_offer_action(actor, (offer.stream, id), AuditAction::Open, None))
    }

    pub async fn pause_offer(self: &Arc<Self>, actor: &Actor, id: OfferId) -> Result<OfferView> {
        self.authorize_selling(actor, id).await?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.pause_offer(id).await?;
                this.publish_changed_offer(id).await.map_err(as_outcome_unknown)
            })
            .await
            .inspect(|offer| self.audit.record_offer_action(actor, (offer.stream, id), AuditAction::Pause, None))
    }

    pub async fn close_offer(self: &Arc<Self>, actor: &Actor, id: OfferId) -> Result<OfferView> {
        self.authorize_selling(actor, id).await?;
        let this = self.clone();
        let closed = self.context.spawn_write(async move { this.close_offer_now(id).await }).await;
        closed.inspect(|offer| self.audit.record_offer_action(actor, (offer.stream, id), AuditAction::Close, None))
    }

    /// Retries with the same key add the units once.
    pub async fn restock_offer(
        self: &Arc<Self>,
        actor: &Actor,
        id: OfferId,
        add: i64,
        key: IdempotencyKey,
    ) -> Result<OfferView> {
        let offer = self.authorize_selling(actor, id).await?;
        if offer.terms.price == 0 {
            self.stream_cache.authorize(actor, Permission::SellForFree, offer.stream).await?;
        }
        let add = offer::restock_units(add)?;
        let detail = Some(format!("{add}"));
        let entry = self.audit.offer_entry(actor, (offer.stream, id), AuditAction::Restock, detail);
        let request = KeyedRequest { entry: Some(entry), ..keyed_request(actor, "restock", key, &(id, add)) };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.restock_offer(id, add, Some(&request)).await?;
                this.publish_changed_offer(id).await
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// Retries with the same key extend the sale once.
    pub async fn extend_offer(
        self: &Arc<Self>,
        actor: &Actor,
        id: OfferId,
        seconds: i64,
        key: IdempotencyKey,
    ) -> Result<OfferView> {
        let offer = self.authorize_selling(actor, id).await?;
        let ms = offer::extension_ms(seconds)?;
        let detail = Some(format!("{seconds} s"));
        let entry = self.audit.offer_entry(actor, (offer.stream, id), AuditAction::Extend, detail);
        let request = KeyedRequest { entry: Some(entry), ..keyed_request(actor, "extend", key, &(id, seconds)) };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.extend_offer(id, ms, Some(&request)).await?;
                this.publish_changed_offer(id).await
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// Sets whether an offer can be paid later; `None`: as the shop says. To set the same again changes nothing.
    pub async fn set_pay_later(
        self: &Arc<Self>,
        actor: &Actor,
        id: OfferId,
        choice: Option<bool>,
    ) -> Result<OfferView> {
        let offer = self.authorize_selling(actor, id).await?;
        let detail = Some(OfferPayLater::choice_name(choice).to_owned());
        let entry = self.audit.offer_entry(actor, (offer.stream, id), AuditAction::SetPayLater, detail);
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.set_pay_later(id, choice, &entry).await?;
                this.publish_changed_offer(id).await
            })
            .await
            .map_err(as_outcome_unknown)
    }

    pub async fn pin(self: &Arc<Self>, actor: &Actor, stream: StreamId, offer: OfferId) -> Result<PinView> {
        self.stream_cache.authorize(actor, Permission::ManageOffers, stream).await?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let changed = this.context.store.pin(stream, offer).await?;
                this.publisher.publish_committed_event(stream, &Event::Pinned { offer }).await;
                this.publish_pin(&changed);
                Ok(PinView { offer, v: [this.context.epoch(), changed.version] })
            })
            .await
            .inspect(|_| self.audit.record_offer_action(actor, (stream, offer), AuditAction::Pin, None))
    }

    pub async fn unpin(self: &Arc<Self>, actor: &Actor, stream: StreamId) -> Result<()> {
        self.stream_cache.authorize(actor, Permission::ManageOffers, stream).await?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let changed = this.context.store.unpin(stream).await?;
                this.publisher.publish_committed_event(stream, &Event::Unpinned {}).await;
                this.publish_pin(&changed);
                Ok(())
            })
            .await
            .inspect(|()| self.audit.record_audit_entry(self.audit.audit_entry(actor, stream, AuditAction::Unpin)))
    }

    /// Closes a sale, whether the host asked, its window ended or the stream ended.
    pub async fn close_offer_now(&self, id: OfferId) -> Result<OfferView> {
        let closed = self.context.store.close_offer(id).await?;
        let offer = self.context.store.offer(id).await.map_err(|fault| as_outcome_unknown(fault.into()))?;
        let offer = offer.ok_or(Refusal::NoSuchOffer)?;
        if closed {
            // If it fails, the alerts are found later.
            if let Err(error) = self.context.store.delete_stock_alerts(id).await {
                tracing::warn!(offer.id = %id, error = %error, "the stock alerts of a closed offer could not be deleted yet");
            }
            self.publisher.publish_committed_event(offer.stream, &Event::SaleClosed { offer: id }).await;
        }
        self.publish_offer(&offer, true);
        Ok(self.offer_view(&offer))
    }

    /// A cached offer, to be used for its title and image only: its terms are as old as the first read. After a change of its product
    /// it has the new title within two seconds.
    pub async fn offer_details(&self, id: OfferId) -> Result<Arc<Offer>> {
        let load = async { Ok(self.context.store.offer(id).await?.ok_or(Refusal::NoSuchOffer)?) };
        self.offer_cache.get_or_load(id, load).await
    }

    /// The offer, if the actor may sell in its stream.
    pub async fn authorize_selling(&self, actor: &Actor, id: OfferId) -> Result<Offer> {
        let offer = self.context.store.offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        self.stream_cache.authorize(actor, Permission::ManageOffers, offer.stream).await?;
        Ok(offer)
    }

    /// Publishes a changed offer to the room, unless it is a draft, and returns its view.
    pub async fn publish_changed_offer(&self, id: OfferId) -> Result<OfferView> {
        let offer = self.context.store.offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        self.publish_offer(&offer, true);
        self.offers_changed.notify_one();
        Ok(self.offer_view(&offer))
    }

    pub fn offer_view(&self, offer: &Offer) -> OfferView {
        OfferView::of(offer, self.context.epoch(), self.context.now())
    }

    pub fn publish_offer(&self, offer: &Offer, urgent: bool) {
        self.sold_out_caches.record_version(offer.id, offer.terms.version);
        if offer.terms.stage != OfferStage::Draft {
            self.publisher.publish_state(offer.stream, &offer_change(&self.offer_view(offer)), urgent);
        }
    }

    /// An order whose lines have the titles that their offers had then, and the images. These are decoration: the order is valid without them.
    pub async fn order_view(&self, order: &Order) -> OrderView {
        let mut lines = Vec::with_capacity(order.lines.len());
        for line in &order.lines {
            lines.push(self.reservation_view(line).await);
        }
        let view = OrderView::of(order, lines, self.context.now());
        let is_transfer = order.status == OrderStatus::Placed
            && order.placement.is_some_and(|placement| placement.method == ManualMethod::BankTransfer);
        let bank_details = is_transfer.then(|| self.context.profile().manual_payments.bank_details.clone());
        OrderView { bank_details, ..view }
    }

    /// A reservation with the title that its offer had then, and its image.
    pub async fn reservation_view(&self, reservation: &Reservation) -> ReservationView {
        let details = self.offer_named_as_at(reservation.offer, reservation.created_at).await.ok();
        ReservationView::of(reservation, details.as_deref(), self.context.now())
    }

    pub(super) fn publish_pin(&self, stream: &LiveStream) {
        self.publisher.publish_state(stream.id, &pin_change(stream, self.context.epoch()), true);
        self.stream_cache.update_stream(stream);
    }
}
