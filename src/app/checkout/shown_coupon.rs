//! Coupons in a show: the team shows one, viewers claim it, and their next order has its discount by itself. A claim reserves nothing.

use std::sync::Arc;

use super::Checkout;
use crate::app::error::{Result, as_outcome_unknown};
use crate::app::state_changes::coupon_change;
use crate::domain::{
    Actor, AuditAction, AuditEntry, CouponId, CouponProblem, Event, LiveStream, Permission, Refusal, ShownCoupon,
    StreamId,
};

impl Checkout {
    /// Shows a coupon to the viewers of a show, in place of the one before.
    pub async fn show_coupon(self: &Arc<Self>, actor: &Actor, stream: StreamId, id: CouponId) -> Result<ShownCoupon> {
        self.stream_cache.authorize(actor, Permission::ManageOffers, stream).await?;
        let coupon = self.context.store.coupon(id).await?.ok_or(Refusal::Coupon(CouponProblem::Unknown))?;
        let shop = self.context.shop();
        let shown = coupon.shown(stream, &shop.currency, self.context.store.now().await?).map_err(Refusal::Coupon)?;
        let (subject, name) = (Some(id.to_string()), Some(shown.code.clone()));
        let entry = AuditEntry { subject, name, ..self.audit.audit_entry(actor, stream, AuditAction::ShowCoupon) };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let changed = this.context.store.show_coupon(stream, Some(&shown), &entry).await?;
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
                let changed = this.context.store.show_coupon(stream, None, &entry).await?;
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
        let shop = self.context.shop();
        coupon.shown(stream, &shop.currency, self.context.store.now().await?).map_err(Refusal::Coupon)?;
        let (context, actor) = (self.context.clone(), actor.clone());
        let claim = async move { Ok(context.store.claim_coupon(id, &actor.person(), &actor.user).await?) };
        self.context.spawn_write(claim).await.map_err(as_outcome_unknown)
    }

    /// Takes coupons off the screens that nobody can use any more. Several nodes may run it at once. One that the team shows meanwhile
    /// stays.
    pub(super) async fn hide_unusable_coupons(&self) -> Result<()> {
        let store = &self.context.store;
        let (shop, now) = (self.context.shop(), store.now().await?);
        for found in store.shown_coupons().await? {
            let coupon = store.coupon(found.coupon.id).await?;
            if coupon.is_some_and(|coupon| coupon.shown(found.stream, &shop.currency, now).is_ok()) {
                continue;
            }
            if let Some(changed) = store.hide_coupon_if_unchanged(&found).await? {
                self.publish_coupon(&changed);
            }
        }
        Ok(())
    }
}
