//! Products and variants: list, create, restock.

use std::sync::Arc;

use super::Catalogue;
use crate::app::error::{Error, Result};
use crate::domain::{Actor, Permission, Product, ProductId, Titles, Variant, VariantId, offer};
use crate::protocol::{ProductView, VariantView};

/// A new product as entered by a host.
#[derive(Clone, Debug)]
pub struct NewProduct {
    pub title: String,
    pub titles: Titles,
    pub image: Option<String>,
    pub category: Option<String>,
    pub variants: Vec<NewVariant>,
}

#[derive(Clone, Debug)]
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
        Ok(products.iter().map(|product| ProductView::of(product, &self.context.shop.currency, team)).collect())
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

    pub async fn create_product(self: &Arc<Self>, actor: &Actor, new: NewProduct) -> Result<ProductView> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
        let product = new.with_ids().validated()?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.create_product(this.context.shop.id, &product).await?;
                Ok(ProductView::of(&product, &this.context.shop.currency, true))
            })
            .await
    }

    pub async fn restock_variant(self: &Arc<Self>, actor: &Actor, id: VariantId, add: i64) -> Result<VariantView> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await?;
        let add = offer::restock_units(add)?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let variant = this.context.store.restock_variant(id, add).await?;
                Ok(VariantView::of(&variant, &this.context.shop.currency, true))
            })
            .await
    }
}
