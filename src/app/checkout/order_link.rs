//! Links to one order: a guest, who has nothing to sign in with, comes back by an unguessable link.

use super::{Checkout, WithdrawalState};
use crate::app::error::Result;
use crate::domain::{Actor, Order, OrderId, Refusal, SessionSecret, order_history};
use crate::protocol::OrderDetail;

impl Checkout {
    /// Makes a link to an order of the caller. Gives its secret, once; the store keeps the hash.
    pub async fn create_order_link(&self, actor: &Actor, id: OrderId) -> Result<SessionSecret> {
        let id = self.own_order(actor, id).await?.id;
        let secret = SessionSecret::new(rand::random());
        let (context, hash) = (self.context.clone(), secret.hash());
        self.context.spawn_write(async move { Ok(context.store.create_order_link(id, &hash).await?) }).await?;
        Ok(secret)
    }

    /// The order of a link, without the address: a link may be read by others.
    pub async fn order_of_link(&self, secret: &str) -> Result<(OrderDetail, WithdrawalState)> {
        let order = self.linked_order(secret).await?;
        let timestamps = self.context.store.order_timestamps(order.id).await?;
        let history = order_history(&order, &timestamps);
        let detail = OrderDetail { order: self.quoted_view(&order).await?, history, address: None };
        Ok((detail, self.withdrawal_of(&order).await?))
    }

    /// The order of a link. An unknown secret is refused, and so is the secret of an order that no longer exists.
    pub(super) async fn linked_order(&self, secret: &str) -> Result<Order> {
        let secret = SessionSecret::parse(secret).ok_or(Refusal::NotYours)?;
        let store = &self.context.store;
        let id = store.order_of_link(&secret.hash()).await?.ok_or(Refusal::NotYours)?;
        Ok(store.order(id).await?.ok_or(Refusal::NotYours)?)
    }
}
