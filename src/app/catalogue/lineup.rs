//! The line-up: the order of a stream's offers, and scheduled sales that start by themselves.

use std::sync::Arc;

use super::Catalogue;
use crate::app::error::Result;
use crate::domain::{Actor, Millis, OfferId, OfferStage, Permission, StreamId, offer};
use crate::protocol::OfferView;

impl Catalogue {
    /// Sets the order of a stream's offers; each offer that is not closed must be listed once. The viewers' product
    /// lists follow.
    pub async fn set_lineup(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        order: Vec<OfferId>,
    ) -> Result<Vec<OfferView>> {
        self.stream_cache.authorize(actor, Permission::ManageOffers, stream).await?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let moved = this.context.store.reorder_lineup(stream, &order).await?;
                for offer in &this.context.store.offers_by_id(&moved).await? {
                    this.publish_offer(offer, false);
                }
                this.offers_changed.notify_one();
                let offers = this.context.store.offers_of_stream(stream).await?;
                Ok(offers
                    .iter()
                    .filter(|offer| offer.terms.stage != OfferStage::Closed)
                    .map(|offer| this.offer_view(offer))
                    .collect())
            })
            .await
    }

    /// Schedules when a draft opens by itself; `None` means that the host opens it.
    pub async fn schedule_offer(
        self: &Arc<Self>,
        actor: &Actor,
        id: OfferId,
        starts_at: Option<Millis>,
    ) -> Result<OfferView> {
        self.authorize_selling(actor, id).await?;
        let starts_at = starts_at.map(|at| offer::validate_starts_at(at, self.context.now())).transpose()?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.schedule_offer(id, starts_at).await?;
                this.publish_changed_offer(id).await
            })
            .await
    }

    /// Opens a scheduled sale whose time has come, unless another node was first.
    pub async fn start_scheduled_offer(&self, id: OfferId) -> Result<()> {
        if self.context.store.start_scheduled_offer(id).await?
            && let Some(offer) = self.context.store.offer(id).await?
        {
            self.publish_offer(&offer, true);
        }
        Ok(())
    }
}
