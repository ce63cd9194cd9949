//! Products and variants: list, create, restock.

use std::sync::Arc;

use serde::Serialize;

use super::{Catalogue, keyed_request};
use crate::app::error::{Error, Result, as_outcome_unknown};
use crate::domain::picture::check_new_picture;
use crate::domain::product::ProductFilter;
use crate::domain::{
    Actor, IdempotencyKey, Permission, Product, ProductId, ProductOption, ProductStatus, ProductTexts, Titles, Variant,
    VariantForm, VariantId, offer,
};
use crate::protocol::{ProductDetailView, ProductView, VariantView};

/// A new product as entered by a host.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewProduct {
    pub title: String,
    pub titles: Titles,
    pub image: Option<String>,
    pub category: Option<String>,
    pub options: Vec<ProductOption>,
    pub description: String,
    pub descriptions: Titles,
    pub delivery: String,
    pub deliveries: Titles,
    pub variants: Vec<NewVariant>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct NewVariant {
    pub name: String,
    pub names: Titles,
    pub options: Vec<String>,
    pub sku: Option<String>,
    pub barcode: Option<String>,
    pub price: i64,
    pub cost: Option<i64>,
    pub weight_g: Option<i64>,
    pub stock: i64,
}

impl From<VariantForm> for NewVariant {
    fn from(form: VariantForm) -> Self {
        let VariantForm { id: _, name, names, options, sku, barcode, price, cost, weight_g, stock } = form;
        Self { name, names, options, sku, barcode, price, cost, weight_g, stock: stock.unwrap_or(0) }
    }
}

impl NewProduct {
    fn with_ids(self) -> Product {
        let variants = self.variants.into_iter().map(|new| Variant {
            id: VariantId::new(),
            name: new.name,
            names: new.names,
            options: new.options,
            sku: new.sku,
            barcode: new.barcode,
            price: new.price,
            cost: new.cost,
            weight_g: new.weight_g,
            stock: new.stock,
        });
        let Self { description, descriptions, delivery, deliveries, .. } = self;
        Product {
            id: ProductId::new(),
            version: 1,
            status: ProductStatus::Active,
            title: self.title,
            titles: self.titles,
            image: self.image,
            category: self.category,
            options: self.options,
            texts: ProductTexts { description, descriptions, delivery, deliveries },
            variants: variants.collect(),
        }
    }
}

impl Catalogue {
    /// Products, oldest first; only those who sell see the stock pools, and products that are archived.
    pub async fn products(
        &self,
        actor: &Actor,
        filter: ProductFilter,
        after: Option<ProductId>,
        limit: i64,
    ) -> Result<(Vec<ProductView>, bool)> {
        let team = self.sees_stock(actor).await?;
        if filter.status != Some(ProductStatus::Active) && !team {
            self.authorize_catalogue(actor).await?;
        }
        if filter.search.is_some() {
            self.index_new_products().await;
        }
        let read = self.context.store.products(&filter, after, limit);
        let page = match filter.search {
            // Anybody may search, and a mistyped word costs some look-ups.
            Some(_) if !team => self.public_searches.run(read).await?,
            _ => read.await?,
        };
        let currency = &self.context.shop().currency;
        let products = page.products.iter().map(|product| ProductView::of(product, currency, team)).collect();
        Ok((products, page.is_cut))
    }

    /// Writes the words of products that were changed a moment ago, so that a search finds them. In a task of its own: a reader who goes
    /// away must not cancel a transaction. Without it the search finds what the job has written.
    async fn index_new_products(&self) {
        let context = self.context.clone();
        let index = async move { Ok(context.store.index_products().await?) };
        if let Err(error) = self.context.spawn_write(index).await {
            tracing::warn!(%error, "the search index of changed products is updated later");
        }
    }

    /// Producers and hosts see the stock pools, because they fill offers from them: those of the whole shop, and those of one
    /// show.
    pub(super) async fn sees_stock(&self, actor: &Actor) -> Result<bool> {
        if let Some(own) = actor.stream {
            return self.stream_cache.allows(actor, Permission::ManageOffers, own).await;
        }
        match self.stream_cache.authorize_in_shop(actor, Permission::ManageOffers).await {
            Ok(()) => Ok(true),
            Err(Error::Refused(_)) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    pub(super) fn product_detail_view(&self, product: &Product, for_team: bool) -> ProductDetailView {
        ProductDetailView::of(product, &self.context.shop().currency, for_team)
    }

    /// Retries with the same key give the same product.
    pub async fn create_product(
        self: &Arc<Self>,
        actor: &Actor,
        new: NewProduct,
        key: Option<IdempotencyKey>,
    ) -> Result<ProductDetailView> {
        self.authorize_catalogue(actor).await?;
        // Without a key there is no retry; the logs of prices and stock get their author all the same.
        let key = key.map_or_else(|| IdempotencyKey::parse(&uuid::Uuid::now_v7().to_string()), Ok)?;
        let request = keyed_request(actor, "create_product", key, &new);
        check_new_picture(new.image.as_deref(), None, "image")?;
        let product = new.with_ids().validated()?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let id = this.context.store.create_product(this.context.shop().id, &product, Some(&request)).await?;
                let earlier = if id == product.id { None } else { this.context.store.product(id).await? };
                Ok(this.product_detail_view(&earlier.unwrap_or(product), true))
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
        self.authorize_catalogue(actor).await?;
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
