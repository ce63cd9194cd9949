//! The host's hand on the shelf: make, open, pause, close, restock, extend, pin.

use std::sync::Arc;

use bytes::Bytes;

use super::{App, Result};
use crate::domain::offer::{self, OfferForm};
use crate::domain::{
    Actor, AuditAction, Event, LiveStream, Offer, OfferId, OfferStage, OfferStatus, Permission, Refusal, StreamId,
};
use crate::protocol::{OfferView, PinView, StateChange, json_bytes};

/// More offers than one node sells in a day; past it the memory starts anew.
pub(super) const OFFER_CACHE_MAX: usize = 20_000;

/// The form of a new offer.
pub type NewOfferForm = OfferForm;

impl App {
    /// A show's offers; drafts only for those who sell.
    pub async fn offers(&self, actor: &Actor, stream: StreamId) -> Result<Vec<OfferView>> {
        self.find_stream(stream).await?;
        let drafts = actor.authorize(Permission::ManageOffers, Some(stream)).is_ok();
        let offers = self.store().offers_of_stream(stream).await?;
        let shown = offers.iter().filter(|offer| drafts || offer.terms.stage != OfferStage::Draft);
        Ok(shown.map(|offer| self.offer_view(offer)).collect())
    }

    pub async fn offer(&self, actor: &Actor, id: OfferId) -> Result<OfferView> {
        let offer = self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        if offer.terms.stage == OfferStage::Draft
            && actor.authorize(Permission::ManageOffers, Some(offer.stream)).is_err()
        {
            return Err(Refusal::NoSuchOffer.into());
        }
        Ok(self.offer_view(&offer))
    }

    pub async fn create_offer(&self, actor: &Actor, stream: StreamId, form: NewOfferForm) -> Result<OfferView> {
        self.authorize(actor, Permission::ManageOffers, stream).await?;
        let new = form.validated(OfferId::new(), stream, self.now())?;
        let app = self.clone();
        self.spawn_write(async move {
            app.store().create_offer(&new).await?;
            app.publish_changed_offer(new.id).await
        })
        .await
    }

    pub async fn open_offer(&self, actor: &Actor, id: OfferId) -> Result<OfferView> {
        self.authorize_selling(actor, id).await?;
        let app = self.clone();
        self.spawn_write(async move {
            app.store().open_offer(id).await?;
            app.publish_changed_offer(id).await
        })
        .await
        .inspect(|offer| self.record_offer_action(actor, (offer.stream, id), AuditAction::Open, None))
    }

    pub async fn pause_offer(&self, actor: &Actor, id: OfferId) -> Result<OfferView> {
        self.authorize_selling(actor, id).await?;
        let app = self.clone();
        self.spawn_write(async move {
            app.store().pause_offer(id).await?;
            app.publish_changed_offer(id).await
        })
        .await
        .inspect(|offer| self.record_offer_action(actor, (offer.stream, id), AuditAction::Pause, None))
    }

    pub async fn close_offer(&self, actor: &Actor, id: OfferId) -> Result<OfferView> {
        self.authorize_selling(actor, id).await?;
        let app = self.clone();
        let closed = self.spawn_write(async move { app.close_offer_now(id).await }).await;
        closed.inspect(|offer| self.record_offer_action(actor, (offer.stream, id), AuditAction::Close, None))
    }

    pub async fn restock_offer(&self, actor: &Actor, id: OfferId, add: i64) -> Result<OfferView> {
        self.authorize_selling(actor, id).await?;
        let add = offer::restock_units(add)?;
        let app = self.clone();
        self.spawn_write(async move {
            app.store().restock_offer(id, add).await?;
            app.publish_changed_offer(id).await
        })
        .await
        .inspect(|offer| {
            self.record_offer_action(actor, (offer.stream, id), AuditAction::Restock, Some(format!("{add}")))
        })
    }

    pub async fn extend_offer(&self, actor: &Actor, id: OfferId, seconds: i64) -> Result<OfferView> {
        self.authorize_selling(actor, id).await?;
        let ms = offer::extension_ms(seconds)?;
        let app = self.clone();
        self.spawn_write(async move {
            app.store().extend_offer(id, ms).await?;
            app.publish_changed_offer(id).await
        })
        .await
        .inspect(|offer| {
            self.record_offer_action(actor, (offer.stream, id), AuditAction::Extend, Some(format!("{seconds} s")))
        })
    }

    pub async fn pin(&self, actor: &Actor, stream: StreamId, offer: OfferId) -> Result<PinView> {
        self.authorize(actor, Permission::ManageOffers, stream).await?;
        let app = self.clone();
        self.spawn_write(async move {
            let changed = app.store().pin(stream, offer).await?;
            app.publish_committed_event(stream, &Event::Pinned { offer }).await;
            app.publish_pin(&changed);
            Ok(PinView { offer, v: [app.epoch(), changed.version] })
        })
        .await
        .inspect(|_| self.record_offer_action(actor, (stream, offer), AuditAction::Pin, None))
    }

    pub async fn unpin(&self, actor: &Actor, stream: StreamId) -> Result<()> {
        self.authorize(actor, Permission::ManageOffers, stream).await?;
        let app = self.clone();
        self.spawn_write(async move {
            let changed = app.store().unpin(stream).await?;
            app.publish_committed_event(stream, &Event::Unpinned {}).await;
            app.publish_pin(&changed);
            Ok(())
        })
        .await
        .inspect(|()| self.record_audit_entry(self.audit_entry(actor, stream, AuditAction::Unpin)))
    }

    /// Closes a sale, whoever asked: the host, the end of its window, the end of the show.
    pub(super) async fn close_offer_now(&self, id: OfferId) -> Result<OfferView> {
        let closed = self.store().close_offer(id).await?;
        let offer = self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        if closed {
            self.publish_committed_event(offer.stream, &Event::SaleClosed { offer: id }).await;
        }
        self.publish_offer(&offer, true).await;
        Ok(self.offer_view(&offer))
    }

    /// An offer for its words and picture only: its terms are as old as the first look at it.
    pub(super) async fn offer_details(&self, id: OfferId) -> Result<Arc<Offer>> {
        let read = async { Ok(self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?) };
        self.0.offer_details.find(id, read).await
    }

    pub(super) async fn authorize_selling(&self, actor: &Actor, id: OfferId) -> Result<()> {
        let offer = self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        self.authorize(actor, Permission::ManageOffers, offer.stream).await.map(drop)
    }

    /// The offer as it is after a change, shown to the room unless it is a draft.
    pub(super) async fn publish_changed_offer(&self, id: OfferId) -> Result<OfferView> {
        let offer = self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        self.publish_offer(&offer, true).await;
        self.0.offers_changed.notify_one();
        Ok(self.offer_view(&offer))
    }

    pub(super) fn offer_view(&self, offer: &Offer) -> OfferView {
        OfferView::of(offer, self.epoch(), self.now())
    }

    pub(super) async fn publish_offer(&self, offer: &Offer, urgent: bool) {
        self.0.selling_tasks.record_version(offer.id, offer.terms.version);
        if offer.terms.stage != OfferStage::Draft {
            self.publish_state(offer.stream, &offer_change(&self.offer_view(offer)), urgent);
        }
    }

    fn publish_pin(&self, stream: &LiveStream) {
        self.publish_state(stream.id, &pin_change(stream, self.epoch()), true);
        if let Some(show) = self.cached_stream(stream.id) {
            show.update_stream(stream);
        }
    }
}

pub(super) fn offer_change(view: &OfferView) -> StateChange {
    let told = view;
    #[cfg(feature = "fault-injection")]
    let told = &OfferView { v: [told.v[0], crate::fault::stale_version(told.v[1])], ..told.clone() };
    StateChange::Offer { id: view.id, v: view.v, closed: view.status == OfferStatus::Closed, json: json_bytes(told) }
}

pub(super) fn pin_change(stream: &LiveStream, epoch: i64) -> StateChange {
    let v = [epoch, stream.version];
    let json = match stream.pin {
        Some(pin) => json_bytes(&PinView { offer: pin.offer, v }),
        None => Bytes::from_static(b"null"),
    };
    StateChange::Pin { v, json }
}
