//! The galleries of products.

use std::sync::Arc;

use super::Catalogue;
use crate::app::error::{Result, as_outcome_unknown};
use crate::domain::picture::validated_gallery;
use crate::domain::{Actor, AuditAction, ProductId, ProductPicture};

/// The pictures of a product, and the version of the product that has them.
pub type Gallery = (i64, Vec<ProductPicture>);

impl Catalogue {
    /// The pictures of a product in their order. Those of an archived product are shown to those who sell.
    pub async fn gallery(&self, actor: &Actor, id: ProductId) -> Result<Gallery> {
        let product = self.visible_product(actor, id).await?;
        Ok((product.version, self.context.store.gallery(&product).await?))
    }

    /// Replaces the pictures of a product. The first is the one that lists and offers show; its offers follow. Refused as
    /// [`Refusal::Outdated`](crate::domain::Refusal::Outdated) if somebody changed the product since `version`.
    pub async fn set_gallery(
        self: &Arc<Self>,
        actor: &Actor,
        id: ProductId,
        (version, pictures): Gallery,
    ) -> Result<Gallery> {
        self.authorize_catalogue(actor).await?;
        let pictures = validated_gallery(pictures)?;
        let entry = self.product_entry(actor, id, AuditAction::ChangeProduct);
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let changed = this.context.store.set_gallery(id, (version, &pictures), &entry).await?;
                this.publish_changed_product(id, &changed.offers).await;
                Ok((changed.product.version, pictures))
            })
            .await
            .map_err(as_outcome_unknown)
    }
}
