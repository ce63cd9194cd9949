//! The shop, its products, and the stock pools from which offers take their units.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::currency;
use super::limits::{self, Limit};
use super::text::{self, Titles};
use super::{Minor, ProductId, Refusal, ShopId, VariantId};

#[derive(Clone, PartialEq, Debug)]
pub struct Shop {
    pub id: ShopId,
    pub title: String,
    pub titles: Titles,
    /// The ISO 4217 code; one currency for the whole shop.
    pub currency: String,
}

/// Whether a product can get new offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProductStatus {
    #[default]
    Active,
    /// Kept for its orders: it gets no new offer, and only the team finds it.
    Archived,
}

impl ProductStatus {
    pub const ALL: [Self; 2] = [ProductStatus::Active, ProductStatus::Archived];

    pub fn name(self) -> &'static str {
        match self {
            ProductStatus::Active => "active",
            ProductStatus::Archived => "archived",
        }
    }
}

/// Which products a list has.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ProductFilter {
    /// `None`: any.
    pub status: Option<ProductStatus>,
    /// Words that the product has in its titles, category, variants, SKUs or barcodes, or the beginnings of such words.
    pub search: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Product {
    pub id: ProductId,
    /// Increases with every change of the product; the stock of its variants changes without it.
    pub version: i64,
    pub status: ProductStatus,
    pub title: String,
    pub titles: Titles,
    pub image: Option<String>,
    /// The category in the shop's own words, for example "Kitchen". The shop page filters by it.
    pub category: Option<String>,
    /// What its variants differ in. Empty: they have names of their own.
    pub options: Vec<ProductOption>,
    /// Empty in a list of products.
    pub texts: ProductTexts,
    pub variants: Vec<Variant>,
}

/// What a buyer reads before buying.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ProductTexts {
    /// Markdown; see [`markdown`](super::markdown).
    pub description: String,
    pub descriptions: Titles,
    /// Delivery and returns, as plain text.
    pub delivery: String,
    pub deliveries: Titles,
}

/// Something in which variants differ: a size, a colour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProductOption {
    pub name: String,
    pub values: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Variant {
    pub id: VariantId,
    /// Made from the values of the options, where the product has options.
    pub name: String,
    pub names: Titles,
    /// One value for each option of the product.
    pub options: Vec<String>,
    pub sku: Option<String>,
    /// What a scanner reads: an EAN or UPC.
    pub barcode: Option<String>,
    pub price: Minor,
    /// What the shop pays for one unit. For the team only.
    pub cost: Option<Minor>,
    pub weight_g: Option<i64>,
    /// The stock pool: units that are not in any offer.
    pub stock: i64,
}

impl Shop {
    /// How many decimals amounts have. A shop that was created with a currency unknown to ISO 4217 has two.
    pub fn decimals(&self) -> u8 {
        currency::decimals(&self.currency).unwrap_or(2)
    }
}

/// The highest price of one unit. It keeps `price × quantity` far from an overflow.
pub const PRICE_MAX: Minor = 100_000_000_000;
/// The maximum number of units in the stock of a variant or in an offer.
pub const UNITS_MAX: i64 = 10_000_000;

/// Checks a price: 0 to [`PRICE_MAX`].
pub fn validate_price(given: Minor) -> Result<Minor, Refusal> {
    in_range(given, limits::PRICE, "price")
}

pub(super) fn in_range(given: i64, (low, high): Limit, what: &'static str) -> Result<i64, Refusal> {
    if (low..=high).contains(&given) {
        Ok(given)
    } else {
        Err(Refusal::bad_field(what, format!("must be {low} to {high}.")))
    }
}

impl Product {
    /// Checks a product that a host typed.
    pub fn validated(mut self) -> Result<Self, Refusal> {
        self.title = text::title(&self.title)?;
        self.titles = text::titles(&self.titles)?;
        self.image =
            self.image.as_deref().map(text::media_url).transpose().map_err(|refusal| refusal.in_field("image"))?;
        self.category = self.category.filter(|text| !text.trim().is_empty());
        self.category = self.category.as_deref().map(text::category).transpose()?;
        self.texts = self.texts.validated()?;
        self.options = validated_options(self.options)?;
        if !(1..=VARIANTS_MAX).contains(&self.variants.len()) {
            return Err(Refusal::bad_field("variants", format!("must be 1 to {VARIANTS_MAX} variants.")));
        }
        let variants = std::mem::take(&mut self.variants);
        self.variants =
            variants.into_iter().enumerate().map(|(at, variant)| variant.validated(at)).collect::<Result<_, _>>()?;
        self.name_variants_by_options()?;
        Ok(self)
    }

    /// Each variant has one value for each option, and no two have the same; its name is made from them.
    fn name_variants_by_options(&mut self) -> Result<(), Refusal> {
        let refuse = |why| Err(Refusal::invalid_value("variants", why));
        let mut seen = HashSet::new();
        let values: Vec<HashSet<&String>> = self.options.iter().map(|option| option.values.iter().collect()).collect();
        for variant in &mut self.variants {
            if variant.options.len() != self.options.len() {
                return refuse("must have one value for each option of the product.");
            }
            if !variant.options.iter().zip(&values).all(|(value, known)| known.contains(value)) {
                return refuse("must have values that the options of the product have.");
            }
            if !self.options.is_empty() {
                if !seen.insert(variant.options.clone()) {
                    return refuse("must differ in the values of their options.");
                }
                variant.name = variant.options.join(" / ");
            }
        }
        Ok(())
    }
}

/// Variants of one product.
pub const VARIANTS_MAX: usize = 2_048;
/// Options of one product, and values of one option.
pub const OPTIONS_MAX: usize = 3;
pub const OPTION_VALUES_MAX: usize = 2_048;
/// In characters.
pub const OPTION_LENGTH_MAX: usize = 35;
pub const BARCODE_LENGTH_MAX: usize = 64;
pub const DESCRIPTION_LENGTH_MAX: usize = 10_000;
pub const DELIVERY_LENGTH_MAX: usize = 2_000;
/// A search in the catalogue.
pub const SEARCH_LENGTH_MAX: usize = 120;

fn validated_options(options: Vec<ProductOption>) -> Result<Vec<ProductOption>, Refusal> {
    if OPTIONS_MAX < options.len() {
        return Err(Refusal::bad_field("options", format!("must be at most {OPTIONS_MAX} options.")));
    }
    let line = |text: String, at: usize, what: &str| {
        let field = format!("options[{at}].{what}");
        text::exact_line(&text, OPTION_LENGTH_MAX)
            .map_err(|fault| fault.refusal("name", OPTION_LENGTH_MAX).in_field(field))
    };
    let mut names = HashSet::new();
    let mut checked = Vec::with_capacity(options.len());
    for (at, ProductOption { name, values }) in options.into_iter().enumerate() {
        if !(1..=OPTION_VALUES_MAX).contains(&values.len()) {
            let why = format!("must be 1 to {OPTION_VALUES_MAX} values.");
            return Err(Refusal::bad_field(format!("options[{at}].values"), why));
        }
        let name = line(name, at, "name")?;
        let values: Vec<String> =
            values.into_iter().map(|value| line(value, at, "values")).collect::<Result<_, _>>()?;
        let is_new = values.iter().collect::<HashSet<_>>().len() == values.len() && names.insert(name.clone());
        if !is_new {
            return Err(Refusal::invalid_value("options", "must have different names, and different values in each."));
        }
        checked.push(ProductOption { name, values });
    }
    Ok(checked)
}

impl ProductTexts {
    fn validated(self) -> Result<Self, Refusal> {
        let Self { description, descriptions, delivery, deliveries } = self;
        let description = text::paragraphs(&description, DESCRIPTION_LENGTH_MAX, "description")?;
        let delivery = text::paragraphs(&delivery, DELIVERY_LENGTH_MAX, "delivery")?;
        let translated = |texts: Titles, length_max, field| -> Result<Titles, Refusal> {
            text::check_languages(&texts, field)?;
            let texts = texts.into_iter().filter(|(_, text)| !text.trim().is_empty());
            texts.map(|(language, text)| Ok((language, text::paragraphs(&text, length_max, field)?))).collect()
        };
        let descriptions = translated(descriptions, DESCRIPTION_LENGTH_MAX, "descriptions")?;
        let deliveries = translated(deliveries, DELIVERY_LENGTH_MAX, "deliveries")?;
        Ok(Self { description, descriptions, delivery, deliveries })
    }
}

impl Variant {
    /// Checks the variant at this place of the list.
    fn validated(mut self, at: usize) -> Result<Self, Refusal> {
        let of = |name: &str| {
            let field = format!("variants[{at}].{name}");
            move |refusal: Refusal| refusal.in_field(field)
        };
        let optional = |given: Option<String>| given.filter(|text| !text.trim().is_empty());
        // Where the product has options, the name is made from them.
        if self.options.is_empty() {
            self.name = text::title(&self.name).map_err(of("name"))?;
        }
        self.names = text::titles(&self.names).map_err(of("names"))?;
        self.sku = self.sku.as_deref().map(text::title).transpose().map_err(of("sku"))?;
        self.barcode = optional(self.barcode).as_deref().map(barcode).transpose().map_err(of("barcode"))?;
        validate_price(self.price).map_err(of("price"))?;
        self.cost.map(validate_price).transpose().map_err(of("cost"))?;
        let weight = self.weight_g.map(|weight| in_range(weight, limits::WEIGHT_G, "weight_g"));
        weight.transpose().map_err(of("weight_g"))?;
        in_range(self.stock, limits::STOCK, "stock").map_err(of("stock"))?;
        Ok(self)
    }
}

fn barcode(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let is_valid = text.len() <= BARCODE_LENGTH_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_valid {
        Ok(text.to_owned())
    } else {
        let why = format!("must have 1 to {BARCODE_LENGTH_MAX} letters and digits without spaces.");
        Err(Refusal::bad_field("barcode", why))
    }
}
