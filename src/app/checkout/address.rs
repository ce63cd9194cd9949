//! Delivery addresses: set and erased by the buyer, read by the buyer and by those who sell, who say when an order was sent.

use std::sync::Arc;

use super::Checkout;
use crate::app::error::Result;
use crate::domain::{
    Actor, Address, AuditAction, AuditEntry, Millis, OrderId, Permission, Place, Refusal, authorize_by_role,
    order_history,
};
use crate::protocol::OrderDetail;

impl Checkout {
    /// Sets the delivery address of an order; it replaces the one before.
    pub async fn set_address(self: &Arc<Self>, actor: &Actor, id: OrderId, address: Address) -> Result<Address> {
        let order = self.own_order(actor, id).await?;
        order.status.check_address_change()?;
        let address = address.validated()?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                if !this.context.store.set_address(id, &address).await? {
                    // The order ended in the meantime.
                    this.context.store.order(id).await?.ok_or(Refusal::NotYours)?.status.check_address_change()?;
                }
                Ok(address)
            })
            .await
    }

    /// Erases the address. That of a paid order stays until the order was sent.
    pub async fn erase_address(self: &Arc<Self>, actor: &Actor, id: OrderId) -> Result<()> {
        self.own_order(actor, id).await?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                if this.context.store.erase_address(id).await? {
                    return Ok(());
                }
                Err(Refusal::WrongStatus("The order is paid: its address stays until the order was sent.").into())
            })
            .await
    }

    /// Records that a paid order was sent, for those who sell in its stream. Gives the time; the first one counts.
    pub async fn mark_sent(self: &Arc<Self>, actor: &Actor, id: OrderId) -> Result<Millis> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        let order = self.context.store.order(id).await?.ok_or(Refusal::NoSuchOrder)?;
        self.stream_cache.authorize(actor, Permission::ManageOffers, order.stream).await?;
        let (this, by) = (self.clone(), actor.user.clone());
        let entry = AuditEntry {
            subject: Some(id.to_string()),
            ..self.audit.audit_entry(actor, order.stream, AuditAction::Sent)
        };
        self.context
            .spawn_write(async move {
                let known = this.context.store.sent_at(id).await?;
                let sent_at = this.context.store.mark_sent(id, &by).await?.ok_or(Refusal::NotPaid)?;
                if known.is_none() {
                    this.audit.record_audit_entry(entry);
                }
                Ok(sent_at)
            })
            .await
    }

    /// For the buyer, and for those who sell in the order's stream.
    pub async fn address(&self, actor: &Actor, id: OrderId) -> Result<Option<Address>> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        let order = self.context.store.order(id).await?.ok_or(Refusal::NotYours)?;
        if order.buyer != actor.user && !self.stream_cache.allows(actor, Permission::ManageOffers, order.stream).await?
        {
            return Err(Refusal::NotYours.into());
        }
        Ok(self.context.store.address(id).await?)
    }

    /// One of the caller's own orders with its history and delivery address.
    pub async fn order_detail(&self, actor: &Actor, id: OrderId) -> Result<OrderDetail> {
        let order = self.own_order(actor, id).await?;
        let traces = self.context.store.order_timestamps(id).await?;
        let address = self.context.store.address(id).await?;
        Ok(OrderDetail {
            history: order_history(&order, &traces),
            order: self.catalogue.order_view(&order).await,
            address,
        })
    }
}
