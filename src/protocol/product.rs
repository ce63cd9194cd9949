//! Products as JSON: in lists, whole, and the logs of their prices and stock.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::product_change::ChangeAuthor;
use crate::domain::{
    Millis, Minor, PriceChange, Product, ProductId, ProductOption, ProductStatus, StockChange, StockReason, Titles,
    UserId, Variant, VariantId, markdown,
};

/// A product with its variants.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Product)]
pub struct ProductView {
    pub id: ProductId,
    /// Increases with every change, except those of the stock.
    pub version: i64,
    pub status: ProductStatus,
    pub title: String,
    pub titles: Titles,
    pub image: Option<String>,
    pub category: Option<String>,
    /// What the variants differ in.
    pub options: Vec<ProductOption>,
    pub variants: Vec<VariantView>,
}

/// A product with its variants and texts.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = ProductDetail)]
pub struct ProductDetailView {
    #[serde(flatten)]
    pub product: ProductView,
    /// Markdown; empty: none.
    pub description: String,
    /// Translations of the description, by language.
    pub descriptions: Titles,
    /// The description as HTML that is safe to insert into a page: a fixed set of tags, and nothing that was typed as HTML.
    pub description_html: String,
    /// Translations of the description as HTML.
    pub descriptions_html: Titles,
    /// Delivery and returns, as plain text; empty: none.
    pub delivery: String,
    pub deliveries: Titles,
}

/// A variant of a product (SKU).
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Variant)]
pub struct VariantView {
    pub id: VariantId,
    pub name: String,
    pub names: Titles,
    /// One value for each option of the product.
    pub options: Vec<String>,
    pub sku: Option<String>,
    pub barcode: Option<String>,
    pub price: Minor,
    pub currency: String,
    pub weight_g: Option<i64>,
    /// What the shop pays for one unit. For the team only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Minor>,
    /// The stock pool: units that are not in any offer. For the team only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<i64>,
}

impl ProductView {
    pub fn of(product: &Product, currency: &str, for_team: bool) -> Self {
        Self {
            id: product.id,
            version: product.version,
            status: product.status,
            title: product.title.clone(),
            titles: product.titles.clone(),
            image: product.image.clone(),
            category: product.category.clone(),
            options: product.options.clone(),
            variants: product.variants.iter().map(|variant| VariantView::of(variant, currency, for_team)).collect(),
        }
    }
}

impl ProductDetailView {
    pub fn of(product: &Product, currency: &str, for_team: bool) -> Self {
        let texts = product.texts.clone();
        let html = |(language, text): (&String, &String)| (language.clone(), markdown::to_html(text));
        Self {
            product: ProductView::of(product, currency, for_team),
            description_html: markdown::to_html(&texts.description),
            descriptions_html: texts.descriptions.iter().map(html).collect(),
            description: texts.description,
            descriptions: texts.descriptions,
            delivery: texts.delivery,
            deliveries: texts.deliveries,
        }
    }
}

impl VariantView {
    pub fn of(variant: &Variant, currency: &str, for_team: bool) -> Self {
        Self {
            id: variant.id,
            name: variant.name.clone(),
            names: variant.names.clone(),
            options: variant.options.clone(),
            sku: variant.sku.clone(),
            barcode: variant.barcode.clone(),
            price: variant.price,
            currency: currency.to_owned(),
            weight_g: variant.weight_g,
            cost: variant.cost.filter(|_| for_team),
            stock: for_team.then_some(variant.stock),
        }
    }
}

/// Who changed something. The name is empty once its data was erased.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = ChangeAuthor)]
pub struct ChangeAuthorView {
    pub user: UserId,
    pub name: String,
}

impl From<ChangeAuthor> for ChangeAuthorView {
    fn from(ChangeAuthor { user, name }: ChangeAuthor) -> Self {
        Self { user, name }
    }
}

/// An entry of the stock log of a variant.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = StockChange)]
pub struct StockChangeView {
    pub id: Uuid,
    pub at: Millis,
    /// Less than 0: units were taken away.
    #[schema(minimum = -10_000_000, maximum = 10_000_000)]
    pub units: i64,
    /// The stock after the change.
    pub stock: i64,
    pub reason: StockReason,
    pub note: Option<String>,
    /// Null: the shop itself, because a sale ended.
    pub by: Option<ChangeAuthorView>,
}

impl From<StockChange> for StockChangeView {
    fn from(StockChange { id, at, units, stock, reason, note, by }: StockChange) -> Self {
        Self { id, at, units, stock, reason, note, by: by.map(ChangeAuthorView::from) }
    }
}

/// A price that a variant had from a time on.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = PriceChange)]
pub struct PriceChangeView {
    pub id: Uuid,
    pub at: Millis,
    pub price: Minor,
    pub currency: String,
    /// Null: the price is older than the log.
    pub by: Option<ChangeAuthorView>,
}

impl PriceChangeView {
    pub fn of(PriceChange { id, at, price, by }: PriceChange, currency: &str) -> Self {
        Self { id, at, price, currency: currency.to_owned(), by: by.map(ChangeAuthorView::from) }
    }
}
