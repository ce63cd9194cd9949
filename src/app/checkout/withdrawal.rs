//! A buyer withdraws from a purchase: received at once, confirmed by e-mail, and marked for the desk, which refunds.

use std::sync::Arc;

use super::Checkout;
use crate::app::error::Result;
use crate::domain::withdrawal::WithdrawalFacts;
use crate::domain::{Actor, Millis, OrderId, Refusal};

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
        self.withdrawal_and_check(actor, id).await.map(|(state, _)| state)
    }

    /// Withdraws from one of the caller's own orders. To do it again changes nothing.
    pub async fn withdraw(self: &Arc<Self>, actor: &Actor, id: OrderId) -> Result<WithdrawalState> {
        // A reservation of the order stands for the whole of it.
        let id = self.own_order(actor, id).await?.id;
        let (before, check) = self.withdrawal_and_check(actor, id).await?;
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

    async fn withdrawal_and_check(
        &self,
        actor: &Actor,
        id: OrderId,
    ) -> Result<(WithdrawalState, std::result::Result<(), Refusal>)> {
        let order = self.own_order(actor, id).await?;
        let (store, id) = (&self.context.store, order.id);
        let withdrawn_at = store.withdrawn_at(id).await?;
        let (address, profile) = (store.address(id).await?, self.context.profile());
        let facts = WithdrawalFacts {
            status: order.status,
            country: address.as_ref().map(|address| address.country.as_str()),
            shop_country: profile.country.as_deref(),
            delivered_at: store.fulfilment(id).await?.delivered_at,
        };
        let check = facts.check(self.context.now());
        let may_withdraw = withdrawn_at.is_none() && check.is_ok();
        let until = facts.until().filter(|_| facts.has_right());
        Ok((WithdrawalState { withdrawn_at, may_withdraw, until }, check))
    }
}
