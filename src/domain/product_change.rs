//! Changes of a product: what a form leaves as it is, what offers follow at once, what earlier orders keep, and who changed prices
//! and stock.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::picture::check_new_picture;
use super::product::{ProductOption, in_range};
use super::{Author, Millis, Minor, Offer, Product, Refusal, Titles, UserId, Variant, VariantId, limits};

/// A change of a product. What is `None` stays; the inner `None` takes a value away.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ProductForm {
    /// The version that the author of the change has seen.
    pub version: i64,
    pub title: Option<String>,
    pub titles: Option<Titles>,
    pub image: Option<Option<String>>,
    pub category: Option<Option<String>>,
    pub description: Option<String>,
    pub descriptions: Option<Titles>,
    pub delivery: Option<String>,
    pub deliveries: Option<Titles>,
    pub options: Option<Vec<ProductOption>>,
    /// The whole list: a variant that is left out is removed.
    pub variants: Option<Vec<VariantForm>>,
}

/// A variant in a [`ProductForm`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct VariantForm {
    /// `None`: a new one.
    pub id: Option<VariantId>,
    pub name: String,
    pub names: Titles,
    pub options: Vec<String>,
    pub sku: Option<String>,
    pub barcode: Option<String>,
    pub price: Minor,
    pub cost: Option<Minor>,
    pub weight_g: Option<i64>,
    /// Of a new variant only: the stock of the others changes with every sale, so it has a request of its own.
    pub stock: Option<i64>,
}

impl ProductForm {
    /// The product after the change. Its version is the next one. Refused as [`Refusal::Outdated`] if the author of the change has not
    /// seen the newest version.
    pub fn apply(&self, product: &Product) -> Result<Product, Refusal> {
        if self.version != product.version {
            return Err(Refusal::Outdated);
        }
        check_new_picture(self.image.as_ref().and_then(Option::as_deref), product.image.as_deref(), "image")?;
        let mut changed = Product { version: product.version + 1, ..product.clone() };
        let texts = &mut changed.texts;
        set(&mut changed.title, &self.title);
        set(&mut changed.titles, &self.titles);
        set(&mut changed.image, &self.image);
        set(&mut changed.category, &self.category);
        set(&mut changed.options, &self.options);
        set(&mut texts.description, &self.description);
        set(&mut texts.descriptions, &self.descriptions);
        set(&mut texts.delivery, &self.delivery);
        set(&mut texts.deliveries, &self.deliveries);
        if let Some(forms) = &self.variants {
            changed.variants = variants_of(forms, product)?;
        }
        changed.validated()
    }
}

fn set<T: Clone>(field: &mut T, given: &Option<T>) {
    if let Some(given) = given {
        field.clone_from(given);
    }
}

fn variants_of(forms: &[VariantForm], product: &Product) -> Result<Vec<Variant>, Refusal> {
    let mut known: Vec<&Variant> = product.variants.iter().collect();
    let variant = |form: &VariantForm| {
        let (id, stock) = match form.id {
            None => (VariantId::new(), form.stock.unwrap_or(0)),
            Some(_) if form.stock.is_some() => {
                let why = "cannot have a stock if they have an id: change it by a request of its own.";
                return Err(Refusal::invalid_value("variants", why));
            }
            Some(id) => {
                let why = "must be variants of this product, each once, or have no id.";
                let at = known.iter().position(|variant| variant.id == id);
                (id, known.swap_remove(at.ok_or(Refusal::invalid_value("variants", why))?).stock)
            }
        };
        let VariantForm { name, names, options, sku, barcode, price, cost, weight_g, .. } = form.clone();
        Ok(Variant { id, name, names, options, sku, barcode, price, cost, weight_g, stock })
    };
    forms.iter().map(variant).collect()
}

/// Whether offers of the product look different after the change: they follow its title, its picture and the names of its variants.
pub fn is_seen_in_offers(before: &Product, after: &Product) -> bool {
    let names = |product: &Product| -> Vec<(VariantId, String, Titles)> {
        let variants = product.variants.iter();
        let mut names: Vec<_> = variants.map(|one| (one.id, one.name.clone(), one.names.clone())).collect();
        names.sort_unstable_by_key(|(id, ..)| *id);
        names
    };
    (&before.title, &before.titles, &before.image) != (&after.title, &after.titles, &after.image)
        || names(before) != names(after)
}

/// Whether an order from before the change must go on to show other names than those of today.
pub fn is_called_differently(before: &Product, after: &Product) -> bool {
    let names = |product: &Product| {
        let mut revision = ProductRevision { version: 0, ..ProductRevision::of(product, 0) };
        revision.variants.sort_unstable_by_key(|variant| variant.id);
        revision
    };
    names(before) != names(after)
}

/// What a product was called from a time on.
#[derive(Clone, PartialEq, Debug)]
pub struct ProductRevision {
    pub version: i64,
    pub at: Millis,
    pub title: String,
    pub titles: Titles,
    pub variants: Vec<VariantRevision>,
}

/// What a variant was called.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct VariantRevision {
    pub id: VariantId,
    pub name: String,
    pub names: Titles,
    pub sku: Option<String>,
}

impl ProductRevision {
    pub fn of(product: &Product, at: Millis) -> Self {
        let variants = product.variants.iter().map(|variant| VariantRevision {
            id: variant.id,
            name: variant.name.clone(),
            names: variant.names.clone(),
            sku: variant.sku.clone(),
        });
        let (title, titles) = (product.title.clone(), product.titles.clone());
        Self { version: product.version, at, title, titles, variants: variants.collect() }
    }
}

/// The offer under the names that it had at `at`: an order keeps what its buyer has read. `revisions`: those of its product, the oldest
/// first; a product that never changed has none. `None`: it has the same names today.
pub fn named_as_at(offer: &Offer, revisions: &[ProductRevision], at: Millis) -> Option<Offer> {
    let newer = revisions.iter().position(|revision| at < revision.at)?;
    let then = revisions.get(newer.saturating_sub(1))?;
    let variant = then.variants.iter().find(|variant| variant.id == offer.variant);
    let mut named = Offer { title: then.title.clone(), titles: then.titles.clone(), ..offer.clone() };
    if let Some(variant) = variant {
        (named.variant_name, named.variant_names) = (variant.name.clone(), variant.names.clone());
    }
    Some(named)
}

/// Why the stock of a variant changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StockReason {
    /// The variant was created with this stock.
    Created,
    Received,
    Counted,
    Damaged,
    Lost,
    Returned,
    Correction,
    /// Units moved into an offer.
    ToOffer,
    /// A sale ended, and what was not sold came back.
    FromOffer,
    /// The difference that a stock take has found.
    StockTake,
}

impl StockReason {
    pub const ALL: [Self; 10] = {
        use StockReason::*;
        [Created, Received, Counted, Damaged, Lost, Returned, Correction, ToOffer, FromOffer, StockTake]
    };

    pub fn name(self) -> &'static str {
        match self {
            StockReason::Created => "created",
            StockReason::Received => "received",
            StockReason::Counted => "counted",
            StockReason::Damaged => "damaged",
            StockReason::Lost => "lost",
            StockReason::Returned => "returned",
            StockReason::Correction => "correction",
            StockReason::ToOffer => "to_offer",
            StockReason::FromOffer => "from_offer",
            StockReason::StockTake => "stock_take",
        }
    }

    /// A person may give it; the others are set by what was done.
    pub fn can_be_given(self) -> bool {
        !matches!(self, StockReason::Created | StockReason::ToOffer | StockReason::FromOffer | StockReason::StockTake)
    }
}

/// A change of the stock of a variant, as the team typed it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct StockChangeForm {
    /// Less than 0: units are taken away.
    pub units: i64,
    pub reason: StockReason,
    pub note: Option<String>,
}

impl StockChangeForm {
    pub fn validated(mut self) -> Result<Self, Refusal> {
        in_range(self.units, limits::STOCK_CHANGE, "units")?;
        if self.units == 0 {
            return Err(Refusal::invalid_value("units", "must not be 0."));
        }
        if !self.reason.can_be_given() {
            return Err(Refusal::invalid_value("reason", "is set by the server only."));
        }
        self.note = super::audit::parse_reason(self.note.as_deref()).map_err(|refusal| refusal.in_field("note"))?;
        Ok(self)
    }
}

/// An entry of the stock log.
#[derive(Clone, PartialEq, Debug)]
pub struct StockChange {
    pub id: Uuid,
    pub at: Millis,
    pub units: i64,
    /// The stock after the change.
    pub stock: i64,
    pub reason: StockReason,
    pub note: Option<String>,
    pub by: Option<ChangeAuthor>,
}

/// A price that a variant had from a time on.
#[derive(Clone, PartialEq, Debug)]
pub struct PriceChange {
    pub id: Uuid,
    pub at: Millis,
    pub price: Minor,
    /// `None`: it is older than the log.
    pub by: Option<ChangeAuthor>,
}

/// Who changed a price or a stock. The name is empty once its data was erased.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeAuthor {
    pub user: UserId,
    pub name: String,
}

impl From<&Author> for ChangeAuthor {
    fn from(author: &Author) -> Self {
        Self { user: author.id.clone(), name: author.name.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lamp() -> Product {
        let variant = |name: &str| Variant { name: name.into(), price: 100, stock: 5, ..Variant::default() };
        let (title, variants) = ("Lamp".into(), vec![variant("Red"), variant("Blue")]);
        Product { version: 3, title, variants, category: Some("Home".into()), ..Product::default() }
    }

    fn form_of(variant: &Variant) -> VariantForm {
        VariantForm { id: Some(variant.id), name: variant.name.clone(), price: variant.price, ..VariantForm::default() }
    }

    #[test]
    fn form_changes_what_it_names_and_leaves_the_rest() {
        let lamp = lamp();
        let form = ProductForm { version: 3, title: Some("Desk lamp".into()), ..ProductForm::default() };
        let changed = form.apply(&lamp).unwrap();
        assert_eq!(changed, Product { version: 4, title: "Desk lamp".into(), ..lamp.clone() });
        let cleared = ProductForm { version: 3, category: Some(None), ..ProductForm::default() }.apply(&lamp).unwrap();
        assert_eq!((cleared.category, cleared.title.as_str()), (None, "Lamp"));
        let outdated = ProductForm { version: 2, ..form };
        assert_eq!(outdated.apply(&lamp), Err(Refusal::Outdated));
    }

    #[test]
    fn variants_of_a_form_are_known_or_new_and_keep_their_stock() {
        let lamp = lamp();
        let apply =
            |variants| ProductForm { version: 3, variants: Some(variants), ..ProductForm::default() }.apply(&lamp);
        let red = VariantForm { price: 150, ..form_of(&lamp.variants[0]) };
        let green = VariantForm { name: "Green".into(), price: 90, stock: Some(7), ..VariantForm::default() };
        let changed = apply(vec![green.clone(), red.clone()]).unwrap().variants;
        assert_eq!((changed[0].stock, changed[1].id, changed[1].stock), (7, lamp.variants[0].id, 5));
        assert_eq!((changed.len(), changed[1].price), (2, 150));
        for wrong in [
            vec![VariantForm { stock: Some(9), ..red.clone() }],
            vec![red.clone(), red.clone()],
            vec![VariantForm { id: Some(VariantId::new()), ..red }],
        ] {
            assert_eq!(apply(wrong).map_err(|refusal| refusal.code()), Err("invalid_value"));
        }
    }

    #[test]
    fn options_make_the_names_of_variants() {
        let option = |name: &str, values: &[&str]| ProductOption {
            name: name.into(),
            values: values.iter().map(|value| String::from(*value)).collect(),
        };
        let variant = |values: &[&str]| VariantForm {
            options: values.iter().map(|value| String::from(*value)).collect(),
            price: 1,
            ..VariantForm::default()
        };
        let apply = |options: Vec<ProductOption>, variants| {
            let form =
                ProductForm { version: 3, options: Some(options), variants: Some(variants), ..ProductForm::default() };
            form.apply(&lamp()).map(|product| product.variants.into_iter().map(|one| one.name).collect::<Vec<_>>())
        };
        let both = || vec![option("Size", &["S", "M"]), option("Colour", &["Red"])];
        assert_eq!(
            apply(both(), vec![variant(&["S", "Red"]), variant(&["M", "Red"])]).unwrap(),
            ["S / Red", "M / Red"]
        );
        for (options, variants) in [
            (both(), vec![variant(&["S"])]),
            (both(), vec![variant(&["S", "Blue"])]),
            (both(), vec![variant(&["S", "Red"]), variant(&["S", "Red"])]),
            (vec![option("Size", &["S", "S"])], vec![variant(&["S"])]),
            (vec![option("Size", &["S"]), option("Size", &["S"])], vec![variant(&["S", "S"])]),
        ] {
            assert_eq!(apply(options, variants).map_err(|refusal| refusal.code()), Err("invalid_value"));
        }
        assert_eq!(apply(vec![option("Size", &[])], vec![]).map_err(|refusal| refusal.code()), Err("bad_request"));
    }

    #[test]
    fn stock_change_has_units_and_a_reason_that_a_person_can_give() {
        let form = |units, reason| StockChangeForm { units, reason, note: None }.validated().is_ok();
        assert!(form(-3, StockReason::Damaged) && form(10, StockReason::Received));
        assert!(!form(0, StockReason::Damaged) && !form(1, StockReason::Created) && !form(1, StockReason::ToOffer));
    }
}
