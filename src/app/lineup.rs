//! The run-down: its order, and the sales in it that begin by themselves.

use super::{App, Result};
use crate::domain::{Actor, Millis, OfferId, OfferStage, Permission, StreamId, offer};
use crate::protocol::OfferView;

impl App {
    /// Puts a show's offers into this order: each that is not closed, once. Viewers' bags follow.
    pub async fn set_lineup(&self, actor: &Actor, stream: StreamId, order: Vec<OfferId>) -> Result<Vec<OfferView>> {
        self.authorize(actor, Permission::ManageOffers, stream).await?;
        let app = self.clone();
        self.spawn_write(async move {
            let moved = app.store().reorder_lineup(stream, &order).await?;
            for offer in &app.store().offers_by_id(&moved).await? {
                app.publish_offer(offer, false).await;
            }
            app.0.offers_changed.notify_one();
            let offers = app.store().offers_of_stream(stream).await?;
            Ok(offers
                .iter()
                .filter(|offer| offer.terms.stage != OfferStage::Closed)
                .map(|offer| app.offer_view(offer))
                .collect())
        })
        .await
    }

    /// When a draft begins by itself; `None`: when the host starts it.
    pub async fn schedule_offer(&self, actor: &Actor, id: OfferId, starts_at: Option<Millis>) -> Result<OfferView> {
        self.authorize_selling(actor, id).await?;
        let starts_at = starts_at.map(|at| offer::validate_starts_at(at, self.now())).transpose()?;
        let app = self.clone();
        self.spawn_write(async move {
            app.store().schedule_offer(id, starts_at).await?;
            app.publish_changed_offer(id).await
        })
        .await
    }

    /// Opens a planned sale whose time has come, unless another node was first.
    pub(super) async fn start_scheduled_offer(&self, id: OfferId) -> Result<()> {
        if self.store().start_scheduled_offer(id).await?
            && let Some(offer) = self.store().offer(id).await?
        {
            self.publish_offer(&offer, true).await;
        }
        Ok(())
    }
}
