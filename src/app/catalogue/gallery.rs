//! The galleries of products.

use std::sync::Arc;

use super::Catalogue;
use crate::app::error::{Result, as_outcome_unknown};
use crate::domain::picture::validated_gallery;
use crate::domain::{Actor, AuditAction, ProductId, ProductPicture, Refusal};

impl Catalogue {
    /// The pictures of a product in their order.
    pub async fn gallery(&self, product: ProductId) -> Result<Vec<ProductPicture>> {
        Ok(self.context.store.gallery(product).await?.ok_or(Refusal::NoSuchProduct)?)
    }

    /// Replaces the pictures of a product. The first is the one that lists and offers show; its offers follow.
    pub async fn set_gallery(
        self: &Arc<Self>,
        actor: &Actor,
        id: ProductId,
        pictures: Vec<ProductPicture>,
    ) -> Result<Vec<ProductPicture>> {
        self.authorize_catalogue(actor).await?;
        let pictures = validated_gallery(pictures)?;
        let entry = self.product_entry(actor, id, AuditAction::ChangeProduct);
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let changed = this.context.store.set_gallery(id, &pictures, &entry).await?;
                this.publish_changed_product(id, &changed.offers).await;
                Ok(pictures)
            })
            .await
            .map_err(as_outcome_unknown)
    }
}
