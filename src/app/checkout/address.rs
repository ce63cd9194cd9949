//! Delivery addresses: set and erased by the buyer, read by the buyer and by those who sell, who say when an order was sent.

use std::sync::Arc;

use super::Checkout;
use crate::app::error::Result;
use crate::domain::{Actor, Address, AuditAction, Order, OrderId, OrderStatus, Permission, Refusal, order_history};
use crate::protocol::OrderDetail;

impl Checkout {
    /// Sets the delivery address of an order; it replaces the one before.
    pub async fn set_address(self: &Arc<Self>, actor: &Actor, id: OrderId, address: Address) -> Result<Address> {
        let order = self.own_order(actor, id).await?;
        order.status.check_address_change()?;
        let address = address.validated()?;
        self.check_country(&order, &address).await?;
        let (this, id) = (self.clone(), order.id);
        self.context
            .spawn_write(async move {
                if !this.context.store.set_address(id, &address).await? {
                    // The order ended in the meantime.
                    this.context.store.order(id).await?.ok_or(Refusal::NotYours)?.status.check_address_change()?;
                }
                if address.email.is_some() {
                    this.context.mail_queued.notify_one();
                }
                Ok(address)
            })
            .await
    }

    /// Refuses an address in a country to which the shop does not deliver.
    async fn check_country(&self, order: &Order, address: &Address) -> Result<()> {
        let profile = self.context.profile();
        // Most shops and addresses: nothing has to be read.
        if profile.market.serves(&address.country) {
            return Ok(());
        }
        let agreed = match order.status {
            OrderStatus::Held => None,
            _ => self.context.store.address(order.id).await?.map(|before| before.country),
        };
        Ok(profile.market.check(&address.country, agreed.as_deref())?)
    }

    /// Why a held order cannot be paid with the address that it has: the code of the refusal.
    pub(super) async fn delivery_problem(&self, order: &Order) -> Result<Option<&'static str>> {
        let profile = self.context.profile();
        if order.status != OrderStatus::Held || profile.market.is_everywhere() {
            return Ok(None);
        }
        let address = self.context.store.address(order.id).await?;
        let checked = address.map_or(Ok(()), |address| profile.market.check(&address.country, None));
        Ok(checked.err().map(|refusal| refusal.code()))
    }

    /// Erases the address. The address of a placed or paid order stays until the order is sent and paid and has its invoice.
    pub async fn erase_address(self: &Arc<Self>, actor: &Actor, id: OrderId) -> Result<()> {
        let id = self.own_order(actor, id).await?.id;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                if this.context.store.erase_address(id).await? {
                    return Ok(());
                }
                Err(Refusal::WrongStatus(
                    "The shop needs the address until the order is sent and paid and has its invoice.",
                )
                .into())
            })
            .await
    }

    /// For the buyer, and for those who sell in the order's stream: the audit log records that they read it.
    pub async fn address(&self, actor: &Actor, id: OrderId) -> Result<Option<Address>> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let order = self.context.store.order(id).await?.ok_or(Refusal::NotYours)?;
        let is_buyer = order.buyer == actor.user;
        if !is_buyer && !self.stream_cache.allows(actor, Permission::ManageOffers, order.stream).await? {
            return Err(Refusal::NotYours.into());
        }
        let address = self.context.store.address(order.id).await?;
        if address.is_some() && !is_buyer {
            self.record_order_action(actor, &order, AuditAction::ReadAddress, None);
        }
        Ok(address)
    }

    /// One of the caller's own orders with its history and delivery address. The quote of a held one has the coupon that the caller has
    /// claimed.
    pub async fn order_detail(&self, actor: &Actor, id: OrderId) -> Result<OrderDetail> {
        let order = self.own_order(actor, id).await?;
        let traces = self.context.store.order_timestamps(order.id).await?;
        let address = self.context.store.address(order.id).await?;
        Ok(OrderDetail { history: order_history(&order, &traces), order: self.quoted_view(&order).await?, address })
    }
}
