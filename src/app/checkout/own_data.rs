//! What a user may take away: everything that is stored about them, in pages.

use serde_json::json;

use super::Checkout;
use crate::app::error::Result;
use crate::domain::{Actor, MessageId, OrderId, Permission, StreamId};
use crate::store::OwnDatum;

const PAGE: i64 = 200;

/// Where the next page begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OwnDataPlace {
    #[default]
    Start,
    Orders(Option<OrderId>),
    Messages(Option<(StreamId, MessageId)>),
}

impl Checkout {
    /// May the caller take their data away?
    pub async fn authorize_own_data(&self, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await
    }

    /// A page of what is stored about the caller, and the place of the next one; `None`: that was all.
    pub async fn own_data(&self, actor: &Actor, place: OwnDataPlace) -> Result<(Vec<OwnDatum>, Option<OwnDataPlace>)> {
        self.authorize_own_data(actor).await?;
        let store = &self.context.store;
        match place {
            OwnDataPlace::Start => Ok((store.own_data(&actor.user).await?, Some(OwnDataPlace::Orders(None)))),
            OwnDataPlace::Orders(after) => {
                let orders = store.orders_of_buyer(&actor.user, None, after, PAGE).await?;
                let ids: Vec<OrderId> = orders.iter().map(|order| order.id).collect();
                let addresses = store.addresses_of(&ids).await?;
                let mut data = Vec::with_capacity(orders.len());
                for order in &orders {
                    let view = self.catalogue.order_view(order).await;
                    let stored = json!({ "order": view, "address": addresses.get(&order.id) });
                    data.push(OwnDatum { kind: "order", at: order.created_at, data: stored });
                }
                let next = ids.last().map_or(OwnDataPlace::Messages(None), |last| OwnDataPlace::Orders(Some(*last)));
                Ok((data, Some(next)))
            }
            OwnDataPlace::Messages(after) => {
                let messages = store.messages_of_user(&actor.user, after, PAGE).await?;
                let next = messages.last().map(|(stream, id, _)| OwnDataPlace::Messages(Some((*stream, *id))));
                Ok((messages.into_iter().map(|(.., datum)| datum).collect(), next))
            }
        }
    }
}
