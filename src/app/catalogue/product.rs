//! Products and variants: list, create, restock.

use std::sync::Arc;

use serde::Serialize;

use super::{Catalogue, keyed_request};
use crate::app::error::{Error, Result, as_outcome_unknown};
use crate::domain::{Actor, IdempotencyKey, Permission, Product, ProductId, Titles, Variant, VariantId, offer};
use crate::protocol::{ProductView, VariantView};

/// A new product as entered by a host.
#[derive(Clone, Debug, Serialize)]
pub struct NewProduct {
    pub title: String,
    pub titles: Titles,
    pub image: Option<String>,
    pub category: Option<String>,
    pub variants: Vec<NewVariant>,
}

#[derive(Clone, Debug, Serialize)]
pub struct NewVariant {
    pub name: String,
    pub names: Titles,
    pub sku: Option<String>,
    pub price: i64,
    pub stock: i64,
}

impl NewProduct {
    fn with_ids(self) -> Product {
        let variants = self.variants.into_iter().map(|new| Variant {
            id: VariantId::new(),
            name: new.name,
            names: new.names,
            sku: new.sku,
            price: new.price,
            stock: new.stock,
        });
        Product {
            id: ProductId::new(),
            title: self.title,
            titles: self.titles,
            image: self.image,
            category: self.category,
            variants: variants.collect(),
        }
    }
}

impl Catalogue {
    /// Products, oldest first; only those who sell see the stock pools.
    pub async fn products(&self, actor: &Actor, after: Option<ProductId>, limit: i64) -> Result<Vec<ProductView>> {
        let team = self.sees_stock(actor).await?;
        let products = self.context.store.products(after, limit).await?;
        Ok(products.iter().map(|product| ProductView::of(product, &self.context.shop().currency, team)).collect())
    }

    /// Producers and hosts see the stock pools, because they fill offers from them: those of the whole shop, and those of one
    /// show.
    async fn sees_stock(&self, actor: &Actor) -> Result<bool> {
        if let Some(own) = actor.stream {
            return self.stream_cache.allows(actor, Permission::ManageOffers, own).await;
        }
        match self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await {
            Ok(()) => Ok(true),
            Err(Error::Refused(_)) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Retries with the same key give the same product.
    pub async fn create_product(
        self: &Arc<Self>,
        actor: &Actor,
        new: NewProduct,
        key: Option<IdempotencyKey>,
    ) -> Result<ProductView> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
        let request = key.map(|key| keyed_request(actor, "create_product", key, &new));
        let product = new.with_ids().validated()?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let id = this.context.store.create_product(this.context.shop().id, &product, request.as_ref()).await?;
                let earlier = if id == product.id { None } else { this.context.store.product(id).await? };
                Ok(ProductView::of(&earlier.unwrap_or(product), &this.context.shop().currency, true))
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// Retries with the same key add the units once.
    pub async fn restock_variant(
        self: &Arc<Self>,
        actor: &Actor,
        id: VariantId,
        add: i64,
        key: IdempotencyKey,
    ) -> Result<VariantView> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
        let add = offer::restock_units(add)?;
        let request = keyed_request(actor, "restock_variant", key, &(id, add));
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let variant = this.context.store.restock_variant(id, add, Some(&request)).await?;
                Ok(VariantView::of(&variant, &this.context.shop().currency, true))
            })
            .await
            .map_err(as_outcome_unknown)
    }
}
