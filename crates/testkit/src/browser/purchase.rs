//! What a buyer does on the viewer page.

use super::person::order_is;
use super::{Browser, SOON};
use crate::shop::Shop;

impl Browser {
    /// Opens the show as this viewer, and waits until the card shows the pinned offer.
    pub async fn watch(&self, shop: &Shop, base: &str, who: &str, offer: &str) {
        let token = shop.token(who, "viewer");
        self.goto(&format!("{base}/watch?stream={}&lang=en#token={token}", shop.stream)).await;
        self.wait_until_live().await;
        self.watch_pinned(offer).await;
    }

    /// Waits until the card shows this offer.
    pub async fn watch_pinned(&self, offer: &str) {
        self.until(
            "the card",
            &format!("document.querySelector('[data-test=card]').dataset.offer === '{offer}'"),
            SOON,
        )
        .await;
    }

    /// Buys the offer on the card, and waits until its units are held.
    pub async fn reserve(&self) {
        self.press("card-buy").await;
        self.until("the hold", &order_is("held"), SOON).await;
    }

    /// Waits until this is the newest step in the history of the order.
    pub async fn wait_for_last_step(&self, last: &str) {
        let shown =
            format!("document.querySelector('[data-test=order-history] li:last-child')?.dataset.step === '{last}'");
        self.until(last, &shown, SOON).await;
    }
}
