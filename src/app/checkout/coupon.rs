//! The coupons of the shop, for the team: those who sell see them, those who run shows make, change and end them.

use std::sync::Arc;

use super::Checkout;
use crate::app::error::{Result, as_outcome_unknown};
use crate::domain::order::request_hash;
use crate::domain::{
    Actor, AuditAction, AuditEntry, Coupon, CouponChange, CouponForm, CouponId, CouponProblem, IdempotencyKey,
    Permission, Refusal,
};
use crate::protocol::CouponView;
use crate::store::KeyedRequest;

impl Checkout {
    /// May the actor make, change and end coupons? They give money away, as refunds do.
    pub async fn authorize_coupons(&self, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageStreams).await
    }

    /// A page of the coupons, newest first.
    pub async fn coupons(&self, actor: &Actor, after: Option<CouponId>, limit: i64) -> Result<Vec<CouponView>> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
        let coupons = self.context.store.coupons(after, limit).await?;
        Ok(coupons.into_iter().map(|coupon| self.coupon_view(coupon)).collect())
    }

    pub async fn coupon(&self, actor: &Actor, id: CouponId) -> Result<CouponView> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
        let found = self.context.store.coupon(id).await?;
        Ok(self.coupon_view(found.ok_or(Refusal::Coupon(CouponProblem::Unknown))?))
    }

    /// Makes a coupon. Retries with the same key give the same one.
    pub async fn create_coupon(
        self: &Arc<Self>,
        actor: &Actor,
        form: CouponForm,
        key: IdempotencyKey,
    ) -> Result<CouponView> {
        self.authorize_coupons(actor).await?;
        let verb = "create_coupon";
        let input = serde_json::to_string(&form).unwrap_or_default();
        let new = form.validated(CouponId::new(), &self.context.shop().currency, self.context.now())?;
        let entry = AuditEntry {
            name: Some(new.code.text.clone()),
            subject: Some(new.id.to_string()),
            ..self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, AuditAction::CreateCoupon)
        };
        let (user, name) = (actor.user.clone(), actor.name.as_str().to_owned());
        let request = KeyedRequest { user, name, verb, key, hash: request_hash(&[verb, &input]), entry: Some(entry) };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let id = this.context.store.create_coupon(&new, &request).await?;
                let made = if id == new.id { Some(new) } else { this.context.store.coupon(id).await? };
                this.look_for_coupons().await?;
                Ok(this.coupon_view(made.ok_or(Refusal::Coupon(CouponProblem::Unknown))?))
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// Changes a coupon, or ends it. Orders that have it keep its use; what it takes off follows from what it is when they are paid.
    pub async fn change_coupon(
        self: &Arc<Self>,
        actor: &Actor,
        id: CouponId,
        change: CouponChange,
    ) -> Result<CouponView> {
        self.authorize_coupons(actor).await?;
        let kind = if change.is_ended { AuditAction::EndCoupon } else { AuditAction::ChangeCoupon };
        let entry = self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, kind);
        let entry = AuditEntry { subject: Some(id.to_string()), ..entry };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let changed = this.context.store.change_coupon(id, change, &entry).await?;
                this.look_for_coupons().await?;
                Ok(this.coupon_view(changed))
            })
            .await
            .map_err(as_outcome_unknown)
    }

    fn coupon_view(&self, coupon: Coupon) -> CouponView {
        CouponView::of(coupon, self.context.now())
    }
}
