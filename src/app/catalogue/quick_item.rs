//! Quick items: what a host holds into the camera is on sale and on the screen by one request; it is completed as a product later.

use std::sync::Arc;

use serde::Serialize;

use super::{Catalogue, keyed_request};
use crate::app::error::{Result, as_outcome_unknown};
use crate::domain::offer::OfferForm;
use crate::domain::picture::check_new_picture;
use crate::domain::product::Product;
use crate::domain::{
    Actor, AuditAction, Event, IdempotencyKey, OfferId, OfferKind, Permission, StreamId, Variant, VariantId,
};
use crate::protocol::OfferView;

/// What a host gives in a hurry.
#[derive(Clone, Debug, Serialize)]
pub struct NewQuickItem {
    pub image: Option<String>,
    pub price: i64,
    pub quantity: i64,
    /// As in `OfferForm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_later: Option<bool>,
}

impl Catalogue {
    /// Creates the product, moves its units into a regular offer, opens and pins it. Gives the offer and its number in the show. Retries
    /// with the same key give the same one.
    pub async fn create_quick_item(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        new: NewQuickItem,
        key: IdempotencyKey,
    ) -> Result<(i64, OfferView)> {
        self.stream_cache.authorize(actor, Permission::ManageOffers, stream).await?;
        if new.price == 0 {
            self.stream_cache.authorize(actor, Permission::SellForFree, stream).await?;
        }
        check_new_picture(new.image.as_deref(), None, "image")?;
        let request = keyed_request(actor, "create_quick_item", key, &(stream, &new));
        let NewQuickItem { image, price, quantity, pay_later } = new;
        // The transaction that counts the items gives the name.
        let (name, variant) = ("#".to_owned(), VariantId::new());
        let variants = vec![Variant { id: variant, name: name.clone(), price, stock: quantity, ..Variant::default() }];
        let form = OfferForm {
            variant,
            kind: OfferKind::Regular,
            price,
            old_price: None,
            quantity,
            per_buyer: None,
            countdown_s: None,
            duration_s: None,
            hold_s: None,
            starts_at: None,
            buyers: None,
            pay_later,
        };
        let offer = form.validated(OfferId::new(), stream, self.context.sends_email(), self.context.now())?;
        let product = Product { version: 1, title: name, image, variants, ..Product::default() }.validated()?;
        let (this, actor) = (self.clone(), actor.clone());
        self.context
            .spawn_write(async move {
                let shop = this.context.shop().id;
                let (id, pinned) = this.context.store.create_quick_item(shop, (&product, &offer), &request).await?;
                if let Some(show) = pinned {
                    for kind in [AuditAction::Open, AuditAction::Pin] {
                        this.audit.record_offer_action(&actor, (stream, id), kind, None);
                    }
                    let view = this.publish_changed_offer(id).await?;
                    this.publisher.publish_committed_event(stream, &Event::Pinned { offer: id }).await;
                    this.publish_pin(&show);
                    let number = this.context.store.quick_number(id).await?;
                    return Ok((number.unwrap_or_default(), view));
                }
                let number = this.context.store.quick_number(id).await?;
                Ok((number.unwrap_or_default(), this.offer(&actor, id).await?))
            })
            .await
            .map_err(as_outcome_unknown)
    }
}
