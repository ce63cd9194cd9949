//! A buyer withdraws from a purchase: received at once, confirmed by e-mail, and marked for the desk, which refunds.

use std::sync::Arc;

use super::Checkout;
use crate::app::error::Result;
use crate::domain::withdrawal::WithdrawalFacts;
use crate::domain::{Actor, Millis, Order, OrderId, Refusal};

/// Whether a buyer may withdraw, and whether they did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WithdrawalState {
    pub withdrawn_at: Option<Millis>,
    pub may_withdraw: bool,
    /// The end of the time; `None`: it has not begun.
    pub until: Option<Millis>,
}

impl Checkout {
    /// The withdrawal from one of the caller's own orders.
    pub async fn withdrawal(&self, actor: &Actor, id: OrderId) -> Result<WithdrawalState> {
        let order = self.own_order(actor, id).await?;
        self.withdrawal_and_check(&order).await.map(|(state, _)| state)
    }

    /// The withdrawal from an order of which the caller knows the link.
    pub(super) async fn withdrawal_of(&self, order: &Order) -> Result<WithdrawalState> {
        self.withdrawal_and_check(order).await.map(|(state, _)| state)
    }

    /// Withdraws from one of the caller's own orders. To do it again changes nothing.
    pub async fn withdraw(self: &Arc<Self>, actor: &Actor, id: OrderId) -> Result<WithdrawalState> {
        // The id of a reservation of the order represents the whole order.
        let order = self.own_order(actor, id).await?;
        self.withdraw_order(&order).await
    }

    /// Withdraws from the order of a link. A guest may have nothing else to come back with.
    pub async fn withdraw_by_link(self: &Arc<Self>, secret: &str) -> Result<WithdrawalState> {
        let order = self.linked_order(secret).await?;
        self.withdraw_order(&order).await
    }

    async fn withdraw_order(self: &Arc<Self>, order: &Order) -> Result<WithdrawalState> {
        let id = order.id;
        let (before, check) = self.withdrawal_and_check(order).await?;
        if before.withdrawn_at.is_some() {
            return Ok(before);
        }
        check?;
        let context = self.context.clone();
        let withdrawn_at = self
            .context
            .spawn_write(async move {
                let at = context.store.withdraw(id).await?;
                context.mail_queued.notify_one();
                Ok(at)
            })
            .await?;
        Ok(WithdrawalState { withdrawn_at: Some(withdrawn_at), may_withdraw: false, ..before })
    }

    async fn withdrawal_and_check(&self, order: &Order) -> Result<(WithdrawalState, std::result::Result<(), Refusal>)> {
        let (store, id) = (&self.context.store, order.id);
        let withdrawn_at = store.withdrawn_at(id).await?;
        // An address that a node of the former version wrote has no country beside it.
        let country = match store.country_of_order(id).await? {
            Some(country) => Some(country),
            None => store.address(id).await?.map(|address| address.country),
        };
        let profile = self.context.profile();
        let facts = WithdrawalFacts {
            status: order.status,
            country: country.as_deref(),
            shop_country: profile.country.as_deref(),
            delivered_at: store.fulfilment(id).await?.delivered_at,
        };
        let check = facts.check(self.context.now());
        let may_withdraw = withdrawn_at.is_none() && check.is_ok();
        let until = facts.until().filter(|_| facts.has_right());
        Ok((WithdrawalState { withdrawn_at, may_withdraw, until }, check))
    }
}
