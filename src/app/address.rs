//! Where an order goes: said and erased by its buyer, read by the buyer and by those who sell.

use super::{App, Result};
use crate::domain::{Actor, Address, OrderId, Permission, Refusal, order_history};
use crate::protocol::OrderDetail;

impl App {
    /// Says where an order goes, instead of what was said before.
    pub async fn set_address(&self, actor: &Actor, id: OrderId, address: Address) -> Result<Address> {
        let order = self.own_order(actor, id).await?;
        order.status.check_address_change()?;
        let address = address.validated()?;
        let app = self.clone();
        self.spawn_write(async move {
            if !app.store().set_address(id, &address).await? {
                // It ended in between.
                app.store().order(id).await?.ok_or(Refusal::NotYours)?.status.check_address_change()?;
            }
            Ok(address)
        })
        .await
    }

    /// Erases it, whatever became of the order.
    pub async fn erase_address(&self, actor: &Actor, id: OrderId) -> Result<()> {
        self.own_order(actor, id).await?;
        let app = self.clone();
        self.spawn_write(async move { Ok(app.store().erase_address(id).await?) }).await
    }

    /// For the buyer, and for those who sell in the order's show.
    pub async fn address(&self, actor: &Actor, id: OrderId) -> Result<Option<Address>> {
        actor.authorize(Permission::Buy, None)?;
        let order = self.store().order(id).await?.ok_or(Refusal::NotYours)?;
        if order.buyer != actor.user && actor.authorize(Permission::ManageOffers, Some(order.stream)).is_err() {
            return Err(Refusal::NotYours.into());
        }
        Ok(self.store().address(id).await?)
    }

    /// An order of the actor's with what became of it and where it goes.
    pub async fn order_detail(&self, actor: &Actor, id: OrderId) -> Result<OrderDetail> {
        let order = self.own_order(actor, id).await?;
        let traces = self.store().order_timestamps(id).await?;
        let address = self.store().address(id).await?;
        Ok(OrderDetail { history: order_history(&order, &traces), order: self.order_view(&order).await, address })
    }
}
