//! Verbs of stock alerts: a viewer asks to be notified when units come back. An alert reserves nothing.

use serde::Deserialize;
use utoipa::ToSchema;

use super::reply::StockAlertReply;
use super::{InputSource, Method, RestRoute, Verb, VerbContext};
use crate::app::Result;
use crate::domain::{OfferId, Role};

const PATH: &str = "/v1/offers/{offer}/stock-alert";

/// Adds a stock alert: notify me when units come back. Only while no unit is left. It reserves nothing, and closing the offer
/// removes it.
#[derive(Deserialize, ToSchema)]
pub struct AddStockAlert {
    offer: OfferId,
}

impl Verb for AddStockAlert {
    const NAME: &'static str = "add_stock_alert";
    const LEAST_ROLE: Role = Role::Viewer;
    const REST: Option<RestRoute> = Some(RestRoute::new(Method::Put, PATH, "offers", InputSource::Query));
    type Reply = StockAlertReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<StockAlertReply> {
        context.app.catalogue.add_stock_alert(context.actor, self.offer).await?;
        Ok(StockAlertReply { offer: self.offer })
    }
}

/// Removes my stock alert.
#[derive(Deserialize, ToSchema)]
pub struct RemoveStockAlert {
    offer: OfferId,
}

impl Verb for RemoveStockAlert {
    const NAME: &'static str = "remove_stock_alert";
    const LEAST_ROLE: Role = Role::Viewer;
    const REST: Option<RestRoute> = Some(RestRoute::new(Method::Delete, PATH, "offers", InputSource::Query));
    type Reply = StockAlertReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<StockAlertReply> {
        context.app.catalogue.remove_stock_alert(context.actor, self.offer).await?;
        Ok(StockAlertReply { offer: self.offer })
    }
}
