//! Coupons in a show: the team shows one, viewers claim it, and it is set on their next order by itself. A claim reserves nothing.

use std::sync::Arc;

use super::Checkout;
use crate::app::error::{Error, Result, as_outcome_unknown};
use crate::app::state_changes::coupon_change;
use crate::domain::{
    Actor, AuditAction, AuditEntry, CouponId, CouponProblem, Event, LiveStream, Order, OrderId, OrderStatus,
    Permission, Refusal, ShownCoupon, StreamId,
};
use crate::store::{self, CouponChoice};

impl Checkout {
    /// Shows a coupon to the viewers of a show, in place of the one before.
    pub async fn show_coupon(self: &Arc<Self>, actor: &Actor, stream: StreamId, id: CouponId) -> Result<ShownCoupon> {
        self.stream_cache.authorize(actor, Permission::ManageOffers, stream).await?;
        let coupon = self.context.store.coupon(id).await?.ok_or(Refusal::Coupon(CouponProblem::Unknown))?;
        let shown = coupon.shown(stream, self.context.store.now().await?).map_err(Refusal::Coupon)?;
        let (subject, name) = (Some(id.to_string()), Some(shown.code.clone()));
        let entry = AuditEntry { subject, name, ..self.audit.audit_entry(actor, stream, AuditAction::ShowCoupon) };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let changed = this.context.store.show_coupon(stream, Some(&shown), Some(&entry)).await?;
                let event = Event::CouponShown { coupon: id, code: shown.code.clone() };
                this.publisher.publish_committed_event(stream, &event).await;
                this.publish_coupon(&changed);
                Ok(shown)
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// Takes the coupon away from the screens. What viewers have claimed stays theirs.
    pub async fn hide_coupon(self: &Arc<Self>, actor: &Actor, stream: StreamId) -> Result<()> {
        self.stream_cache.authorize(actor, Permission::ManageOffers, stream).await?;
        let entry = self.audit.audit_entry(actor, stream, AuditAction::HideCoupon);
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let changed = this.context.store.show_coupon(stream, None, Some(&entry)).await?;
                this.publish_coupon(&changed);
                Ok(())
            })
            .await
            .map_err(as_outcome_unknown)
    }

    fn publish_coupon(&self, stream: &LiveStream) {
        self.stream_cache.update_stream(stream);
        self.publisher.publish_state(stream.id, &coupon_change(stream, self.context.epoch()), true);
    }

    /// Keeps the coupon that a show shows for this person. Refused when it is not shown there, or cannot be used any more.
    pub async fn claim_coupon(self: &Arc<Self>, actor: &Actor, stream: StreamId, id: CouponId) -> Result<()> {
        self.stream_cache.authorize(actor, Permission::Buy, stream).await?;
        self.limits.take_coupon(&actor.person(), self.context.clock.now())?;
        let unknown = Refusal::Coupon(CouponProblem::Unknown);
        let show = self.context.store.stream(stream).await?.ok_or(Refusal::NoSuchStream)?;
        show.coupon.filter(|shown| shown.id == id).ok_or_else(|| unknown.clone())?;
        let coupon = self.context.store.coupon(id).await?.ok_or(unknown)?;
        coupon.shown(stream, self.context.store.now().await?).map_err(Refusal::Coupon)?;
        let (context, actor) = (self.context.clone(), actor.clone());
        let claim = async move { Ok(context.store.claim_coupon(id, &actor.person(), &actor.user).await?) };
        self.context.spawn_write(claim).await.map_err(as_outcome_unknown)
    }

    /// Sets a coupon that the buyer has claimed on a held order that has none. Gives the id of the order, which a purchase by itself gets
    /// with it. A fault is logged: the order can be read and paid without a coupon.
    pub(super) async fn apply_claim(self: &Arc<Self>, actor: &Actor, order: &Order) -> Option<OrderId> {
        let (this, actor, order) = (self.clone(), actor.clone(), order.clone());
        let applied = self.context.spawn_write(async move { Ok(this.try_claims(&actor, &order).await?) }).await;
        applied.unwrap_or_else(|error: Error| {
            tracing::warn!(error = %error, "a claimed coupon could not be set on an order");
            None
        })
    }

    async fn try_claims(&self, actor: &Actor, order: &Order) -> store::Result<Option<OrderId>> {
        let (store, person) = (&self.context.store, actor.person());
        if order.status != OrderStatus::Held {
            return Ok(None);
        }
        let claims = store.claims_of(&person).await?;
        if claims.is_empty() || store.has_coupon(order.id).await? {
            return Ok(None);
        }
        let id = match order.first_line().order {
            Some(opened) => opened,
            // It must not become a line of another order only because it was looked at.
            None if store.has_open_order(&actor.user, order.stream).await? => return Ok(None),
            None => store.open_order(&actor.user, &[order.id]).await?.id,
        };
        for coupon in claims {
            match store.set_coupon(id, &person, &CouponChoice::Id(coupon)).await {
                Ok(()) => {
                    store.forget_claim(coupon, &person).await?;
                    return Ok(Some(id));
                }
                Err(store::Error::Refused(Refusal::Coupon(problem))) if problem.is_final() => {
                    store.forget_claim(coupon, &person).await?;
                }
                Err(store::Error::Refused(Refusal::Coupon(_))) => {}
                // A payment is under way, or the order has ended.
                Err(store::Error::Refused(_)) => return Ok(None),
                Err(fault) => return Err(fault),
            }
        }
        Ok(None)
    }

    /// Takes coupons off the screens that nobody can use any more. Several nodes may run it at once.
    pub(super) async fn hide_unusable_coupons(&self) -> Result<()> {
        let store = &self.context.store;
        let now = store.now().await?;
        for (stream, shown) in store.shown_coupons().await? {
            let coupon = store.coupon(shown.id).await?;
            if coupon.is_none_or(|coupon| coupon.shown(stream, now).is_err()) {
                let changed = store.show_coupon(stream, None, None).await?;
                self.publish_coupon(&changed);
            }
        }
        Ok(())
    }
}
