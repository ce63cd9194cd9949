//! Changes of products: the form, the archive, the stock, and the logs of prices and stock.

use std::sync::Arc;

use uuid::Uuid;

use super::{Catalogue, keyed_request};
use crate::app::error::{Result, as_outcome_unknown};
use crate::domain::product_change::StockChangeForm;
use crate::domain::{
    Actor, AuditAction, AuditEntry, IdempotencyKey, OfferId, Permission, Product, ProductForm, ProductId,
    ProductStatus, Refusal, VariantId,
};
use crate::protocol::{PriceChangeView, ProductDetailView, StockChangeView, VariantView};

impl Catalogue {
    /// Changes a product. Its offers that are not closed follow with their title and picture, on every node within two seconds; their
    /// prices and quantities stay. Refused as [`Refusal::Outdated`] if somebody changed it meanwhile.
    pub async fn change_product(
        self: &Arc<Self>,
        actor: &Actor,
        id: ProductId,
        form: ProductForm,
    ) -> Result<ProductDetailView> {
        self.authorize_catalogue(actor).await?;
        let entry = self.product_entry(actor, id, AuditAction::ChangeProduct);
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let changed = this.context.store.change_product(id, &form, &entry).await?;
                this.publish_changed_product(id, &changed.offers).await;
                Ok(this.product_detail_view(&changed.product, true))
            })
            .await
    }

    /// Archives a product, so that it gets no new offer, or restores it. Its offers and orders stay as they are.
    pub async fn set_product_status(
        self: &Arc<Self>,
        actor: &Actor,
        id: ProductId,
        status: ProductStatus,
    ) -> Result<ProductDetailView> {
        self.authorize_catalogue(actor).await?;
        let kind = match status {
            ProductStatus::Archived => AuditAction::ArchiveProduct,
            ProductStatus::Active => AuditAction::RestoreProduct,
        };
        let entry = self.product_entry(actor, id, kind);
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let product = this.context.store.set_product_status(id, status, &entry).await?;
                Ok(this.product_detail_view(&product, true))
            })
            .await
    }

    /// Adds units to the stock of a variant or removes some. Retries with the same key change it once.
    pub async fn change_stock(
        self: &Arc<Self>,
        actor: &Actor,
        id: VariantId,
        form: StockChangeForm,
        key: IdempotencyKey,
    ) -> Result<VariantView> {
        self.authorize_catalogue(actor).await?;
        let form = form.validated()?;
        let request = keyed_request(actor, "change_stock", key, &(id, &form));
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let variant = this.context.store.change_stock(id, &form, Some(&request)).await?;
                Ok(VariantView::of(&variant, &this.context.shop().currency, true))
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// The stock log of a variant, newest first.
    pub async fn stock_changes(
        &self,
        actor: &Actor,
        id: VariantId,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<StockChangeView>> {
        self.authorize_catalogue(actor).await?;
        let changes = self.context.store.stock_changes(id, after, limit).await?;
        Ok(changes.into_iter().map(StockChangeView::from).collect())
    }

    /// The prices that a variant had, newest first.
    pub async fn price_changes(
        &self,
        actor: &Actor,
        id: VariantId,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<PriceChangeView>> {
        self.authorize_catalogue(actor).await?;
        let changes = self.context.store.price_changes(id, after, limit).await?;
        let currency = &self.context.shop().currency;
        Ok(changes.into_iter().map(|change| PriceChangeView::of(change, currency)).collect())
    }

    /// Checks that the actor may change the catalogue of the shop.
    pub async fn authorize_catalogue(&self, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await
    }

    /// After a change of a product: nobody uses its cached names and picture any more, and its offers show the new ones.
    pub async fn publish_changed_product(&self, id: ProductId, offers: &[OfferId]) {
        self.forget_products(|changed| changed == id);
        // The offers are changed. If they cannot be read now, the offer job publishes them.
        match self.context.store.offers_by_id(offers).await {
            Ok(offers) => offers.iter().for_each(|offer| self.publish_offer(offer, false)),
            Err(error) => tracing::warn!(product.id = %id, error = %error, "changed offers are published later"),
        }
    }

    pub(super) fn product_entry(&self, actor: &Actor, id: ProductId, kind: AuditAction) -> AuditEntry {
        let subject = Some(id.to_string());
        AuditEntry { subject, ..self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, kind) }
    }

    /// A product with its texts. An archived one is shown to those who sell.
    pub async fn product(&self, actor: &Actor, id: ProductId) -> Result<ProductDetailView> {
        let product = self.visible_product(actor, id).await?;
        Ok(self.product_detail_view(&product, self.sees_stock(actor).await?))
    }

    /// A product that this actor may see: those who sell also see archived ones.
    pub(super) async fn visible_product(&self, actor: &Actor, id: ProductId) -> Result<Product> {
        let product = self.context.store.product(id).await?.ok_or(Refusal::NoSuchProduct)?;
        match product.status == ProductStatus::Active || self.sees_stock(actor).await? {
            true => Ok(product),
            false => Err(Refusal::NoSuchProduct.into()),
        }
    }
}
