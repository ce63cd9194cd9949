//! The run-down: its order, and the sales in it that begin by themselves.

use super::{App, Result};
use crate::domain::{Action, Actor, Millis, OfferId, Stage, StreamId, offer};
use crate::protocol::OfferView;

impl App {
    /// Puts a show's offers into this order: each that is not closed, once. Viewers' bags follow.
    pub async fn arrange(&self, actor: &Actor, stream: StreamId, order: Vec<OfferId>) -> Result<Vec<OfferView>> {
        self.find_show_for(actor, Action::Sell, stream).await?;
        let app = self.clone();
        self.write(async move {
            let moved = app.store().arrange(stream, &order).await?;
            for offer in &app.store().offers_by_id(&moved).await? {
                app.show_offer(offer, false).await;
            }
            app.0.offers_changed.notify_one();
            let offers = app.store().offers_of(stream).await?;
            Ok(offers.iter().filter(|offer| offer.terms.stage != Stage::Closed).map(|offer| app.view(offer)).collect())
        })
        .await
    }

    /// When a draft begins by itself; `None`: when the host starts it.
    pub async fn plan_offer(&self, actor: &Actor, id: OfferId, starts_at: Option<Millis>) -> Result<OfferView> {
        self.sells(actor, id).await?;
        let starts_at = starts_at.map(|at| offer::plan(at, self.now())).transpose()?;
        let app = self.clone();
        self.write(async move {
            app.store().plan_offer(id, starts_at).await?;
            app.offer_after(id).await
        })
        .await
    }

    /// Opens a planned sale whose time has come, unless another node was first.
    pub(super) async fn start_planned(&self, id: OfferId) -> Result<()> {
        if self.store().start_planned(id).await?
            && let Some(offer) = self.store().offer(id).await?
        {
            self.show_offer(&offer, true).await;
        }
        Ok(())
    }
}
