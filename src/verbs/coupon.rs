//! Verbs of coupons in a show: the team shows one, and viewers claim it.

use serde::Deserialize;
use utoipa::ToSchema;

use super::reply::{CouponReply, Done};
use super::{InputSource, Method, RestRoute, Verb, VerbContext};
use crate::app::Result;
use crate::domain::{CouponId, Role};

const PATH: &str = "/v1/streams/{stream}/coupon";

/// Shows a coupon to all viewers, who can claim it, until it is hidden, has ended or is used up.
#[derive(Deserialize, ToSchema)]
pub struct ShowCoupon {
    coupon: CouponId,
}

impl Verb for ShowCoupon {
    const NAME: &'static str = "show_coupon";
    const LEAST_ROLE: Role = Role::Producer;
    const REST: Option<RestRoute> = Some(RestRoute::new(Method::Put, PATH, "offers", InputSource::Body));
    type Reply = CouponReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<CouponReply> {
        let shown = context.app.checkout.show_coupon(context.actor, context.stream()?, self.coupon).await?;
        Ok(CouponReply { coupon: Some(shown) })
    }
}

/// Takes the coupon off the screens. Whoever has claimed it keeps the claim.
#[derive(Deserialize, ToSchema)]
pub struct HideCoupon {}

impl Verb for HideCoupon {
    const NAME: &'static str = "hide_coupon";
    const LEAST_ROLE: Role = Role::Producer;
    const REST: Option<RestRoute> = Some(RestRoute::new(Method::Delete, PATH, "offers", InputSource::Query));
    type Reply = CouponReply;

    async fn run(self, context: &VerbContext<'_>) -> Result<CouponReply> {
        context.app.checkout.hide_coupon(context.actor, context.stream()?).await?;
        Ok(CouponReply { coupon: None })
    }
}

/// Claims the coupon that is shown. It reserves nothing: the quote of my next held order that has no coupon shows it, if it fits and has
/// uses left, and the payment takes its use. To claim it again makes it the newest, also for an order from which I took it away.
#[derive(Deserialize, ToSchema)]
pub struct ClaimCoupon {
    coupon: CouponId,
}

impl Verb for ClaimCoupon {
    const NAME: &'static str = "claim_coupon";
    const LEAST_ROLE: Role = Role::Viewer;
    const REST: Option<RestRoute> =
        Some(RestRoute::new(Method::Put, "/v1/streams/{stream}/coupon-claim", "offers", InputSource::Body));
    type Reply = Done;

    async fn run(self, context: &VerbContext<'_>) -> Result<Done> {
        context.app.checkout.claim_coupon(context.actor, context.stream()?, self.coupon).await?;
        Ok(Done)
    }
}
