//! The coupon of a buyer's order. It reserves one of the coupon's uses; an order that ended without a payment gives it back at once,
//! and a background job finds what a node that died has left.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Checkout;
use crate::app::error::{Result, as_outcome_unknown};
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::{Actor, CouponCode, CouponProblem, Order, OrderId, OrderStatus, Refusal};

const INTERVAL: Duration = Duration::from_secs(10);

/// Returns the uses of orders that ended without a payment, and keeps those of paid orders permanently.
pub struct CouponJob(pub Arc<Checkout>);

impl BackgroundJob for CouponJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("coupons", INTERVAL, Duration::from_secs(30))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let checkout = self.0.clone();
        // In a task of its own: a transaction must not be cancelled with the job.
        self.0.context.spawn_write(async move { checkout.settle_coupons().await }).await
    }
}

impl Checkout {
    /// Sets the coupon with this code on a held order of the caller, in place of the one that it has. `None` takes it away. A refusal leaves
    /// all as it was.
    pub async fn set_coupon(self: &Arc<Self>, actor: &Actor, id: OrderId, code: Option<&str>) -> Result<()> {
        let order = self.own_order(actor, id).await?;
        self.limits.take_coupon(&actor.person(), self.context.clock.now())?;
        order.check_payable()?;
        let unknown = || Refusal::Coupon(CouponProblem::Unknown);
        let code = code.map(|code| CouponCode::parse(code).ok_or_else(unknown)).transpose()?;
        let (this, actor) = (self.clone(), actor.clone());
        self.context
            .spawn_write(async move {
                let (store, person) = (&this.context.store, actor.person());
                let Some(code) = code else { return Ok(store.remove_coupon(order.id).await?) };
                let id = store.set_coupon(&actor.user, order.id, &person, &code).await?;
                if order.first_line().order.is_none() {
                    // The purchase became a line of an order: the buyer's other pages show it there.
                    let opened = store.order(id).await?.ok_or(Refusal::NoSuchOrder)?;
                    this.notify_order_changed(&opened).await;
                }
                Ok(())
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// Gives the use of an order back if it has ended without a payment. A fault is logged, and the job tries again.
    pub(super) async fn settle_coupon_of(&self, order: &Order) {
        if !matches!(order.status, OrderStatus::Expired | OrderStatus::Cancelled) {
            return;
        }
        if let Err(fault) = self.context.store.settle_coupon(order.id).await {
            tracing::warn!(order.id = %order.id, error = %fault, "the use of a coupon could not be given back yet");
        }
    }

    /// Whether a coupon can be used, as this node knows: the pages of the others show the field some seconds later.
    pub fn has_coupons(&self) -> bool {
        self.has_coupons.load(Ordering::Relaxed)
    }

    pub(super) async fn look_for_coupons(&self) -> Result<()> {
        self.has_coupons.store(self.context.store.has_coupons().await?, Ordering::Relaxed);
        Ok(())
    }

    /// Several nodes may run it at once: each use is settled once.
    pub async fn settle_coupons(&self) -> Result<NextRun> {
        let decided = self.context.store.decided_coupon_orders().await?;
        let mut failed = false;
        for order in &decided {
            if let Err(fault) = self.context.store.settle_coupon(*order).await {
                failed = true;
                tracing::warn!(order.id = %order, error = %fault, "the use of a coupon could not be settled yet");
            }
        }
        // After the uses, which must be settled also when one of these fails.
        self.look_for_coupons().await?;
        self.hide_unusable_coupons().await?;
        self.context.store.delete_ended_claims().await?;
        let has_more = decided.len() >= crate::store::DECIDED_TOGETHER_MAX && !failed;
        Ok(if has_more { NextRun::Immediately } else { NextRun::AfterInterval })
    }
}
