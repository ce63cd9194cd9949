//! The host's hand on the shelf: make, open, pause, close, restock, extend, pin.

use std::sync::Arc;

use bytes::Bytes;

use super::{App, Result};
use crate::domain::offer::{self, OfferForm};
use crate::domain::{
    Action, Actor, DeedKind, Event, LiveStream, Offer, OfferId, OfferStatus, Refusal, Stage, StreamId,
};
use crate::protocol::{OfferView, PinView, StateChange, json_bytes};

/// More offers than one node sells in a day; past it the memory starts anew.
pub(super) const CARDS_KEPT: usize = 20_000;

/// The form of a new offer.
pub type NewOfferForm = OfferForm;

impl App {
    /// A show's offers; drafts only for those who sell.
    pub async fn offers(&self, actor: &Actor, stream: StreamId) -> Result<Vec<OfferView>> {
        self.find_show(stream).await?;
        let drafts = actor.may(Action::Sell, Some(stream)).is_ok();
        let offers = self.store().offers_of(stream).await?;
        let shown = offers.iter().filter(|offer| drafts || offer.terms.stage != Stage::Draft);
        Ok(shown.map(|offer| self.view(offer)).collect())
    }

    pub async fn offer(&self, actor: &Actor, id: OfferId) -> Result<OfferView> {
        let offer = self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        if offer.terms.stage == Stage::Draft && actor.may(Action::Sell, Some(offer.stream)).is_err() {
            return Err(Refusal::NoSuchOffer.into());
        }
        Ok(self.view(&offer))
    }

    pub async fn create_offer(&self, actor: &Actor, stream: StreamId, form: NewOfferForm) -> Result<OfferView> {
        self.find_show_for(actor, Action::Sell, stream).await?;
        let new = form.checked(OfferId::new(), stream, self.now())?;
        let app = self.clone();
        self.write(async move {
            app.store().create_offer(&new).await?;
            app.offer_after(new.id).await
        })
        .await
    }

    pub async fn open_offer(&self, actor: &Actor, id: OfferId) -> Result<OfferView> {
        self.sells(actor, id).await?;
        let app = self.clone();
        self.write(async move {
            app.store().open_offer(id).await?;
            app.offer_after(id).await
        })
        .await
        .inspect(|offer| self.note_sale(actor, (offer.stream, id), DeedKind::Open, None))
    }

    pub async fn pause_offer(&self, actor: &Actor, id: OfferId) -> Result<OfferView> {
        self.sells(actor, id).await?;
        let app = self.clone();
        self.write(async move {
            app.store().pause_offer(id).await?;
            app.offer_after(id).await
        })
        .await
        .inspect(|offer| self.note_sale(actor, (offer.stream, id), DeedKind::Pause, None))
    }

    pub async fn close_offer(&self, actor: &Actor, id: OfferId) -> Result<OfferView> {
        self.sells(actor, id).await?;
        let app = self.clone();
        let closed = self.write(async move { app.close_now(id).await }).await;
        closed.inspect(|offer| self.note_sale(actor, (offer.stream, id), DeedKind::Close, None))
    }

    pub async fn restock_offer(&self, actor: &Actor, id: OfferId, add: i64) -> Result<OfferView> {
        self.sells(actor, id).await?;
        let add = offer::added(add)?;
        let app = self.clone();
        self.write(async move {
            app.store().restock_offer(id, add).await?;
            app.offer_after(id).await
        })
        .await
        .inspect(|offer| self.note_sale(actor, (offer.stream, id), DeedKind::Restock, Some(format!("{add}"))))
    }

    pub async fn extend_offer(&self, actor: &Actor, id: OfferId, seconds: i64) -> Result<OfferView> {
        self.sells(actor, id).await?;
        let ms = offer::extension_ms(seconds)?;
        let app = self.clone();
        self.write(async move {
            app.store().extend_offer(id, ms).await?;
            app.offer_after(id).await
        })
        .await
        .inspect(|offer| self.note_sale(actor, (offer.stream, id), DeedKind::Extend, Some(format!("{seconds} s"))))
    }

    pub async fn pin(&self, actor: &Actor, stream: StreamId, offer: OfferId) -> Result<PinView> {
        self.find_show_for(actor, Action::Sell, stream).await?;
        let app = self.clone();
        self.write(async move {
            let changed = app.store().pin(stream, offer).await?;
            app.tell(stream, &Event::Pinned { offer }).await;
            app.show_pin(&changed);
            Ok(PinView { offer, v: [app.epoch(), changed.version] })
        })
        .await
        .inspect(|_| self.note_sale(actor, (stream, offer), DeedKind::Pin, None))
    }

    pub async fn unpin(&self, actor: &Actor, stream: StreamId) -> Result<()> {
        self.find_show_for(actor, Action::Sell, stream).await?;
        let app = self.clone();
        self.write(async move {
            let changed = app.store().unpin(stream).await?;
            app.tell(stream, &Event::Unpinned {}).await;
            app.show_pin(&changed);
            Ok(())
        })
        .await
        .inspect(|()| self.note(self.deed(actor, stream, DeedKind::Unpin)))
    }

    /// Closes a sale, whoever asked: the host, the end of its window, the end of the show.
    pub(super) async fn close_now(&self, id: OfferId) -> Result<OfferView> {
        let closed = self.store().close_offer(id).await?;
        let offer = self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        if closed {
            self.tell(offer.stream, &Event::SaleClosed { offer: id }).await;
        }
        self.show_offer(&offer, true).await;
        Ok(self.view(&offer))
    }

    /// An offer for its words and picture only: its terms are as old as the first look at it.
    pub(super) async fn card(&self, id: OfferId) -> Result<Arc<Offer>> {
        let read = async { Ok(self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?) };
        self.0.cards.find(id, read).await
    }

    pub(super) async fn sells(&self, actor: &Actor, id: OfferId) -> Result<()> {
        let offer = self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        self.find_show_for(actor, Action::Sell, offer.stream).await.map(drop)
    }

    /// The offer as it is after a change, shown to the room unless it is a draft.
    pub(super) async fn offer_after(&self, id: OfferId) -> Result<OfferView> {
        let offer = self.store().offer(id).await?.ok_or(Refusal::NoSuchOffer)?;
        self.show_offer(&offer, true).await;
        self.0.offers_changed.notify_one();
        Ok(self.view(&offer))
    }

    pub(super) fn view(&self, offer: &Offer) -> OfferView {
        OfferView::of(offer, self.epoch(), self.now())
    }

    pub(super) async fn show_offer(&self, offer: &Offer, urgent: bool) {
        self.0.sellers.heed(offer.id, offer.terms.version);
        if offer.terms.stage != Stage::Draft {
            self.show(offer.stream, &offer_change(&self.view(offer)), urgent);
        }
    }

    fn show_pin(&self, stream: &LiveStream) {
        self.show(stream.id, &pin_change(stream, self.epoch()), true);
        if let Some(show) = self.known_show(stream.id) {
            show.set_stream(stream);
        }
    }
}

pub(super) fn offer_change(view: &OfferView) -> StateChange {
    let told = view;
    #[cfg(feature = "planted-fault")]
    let told = &OfferView { v: [told.v[0], crate::fault::version(told.v[1])], ..told.clone() };
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
