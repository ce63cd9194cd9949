//! What differs between a product of the catalogue and what an import makes of it, column by column.

use std::collections::{HashMap, HashSet};

use super::columns::{Column, FileKind};
use super::plan::{Target, VariantRows};
use super::{CatalogueProduct, FieldChange};
use crate::domain::number_text::write_amount;
use crate::domain::product::ProductOption;
use crate::domain::{Product, ProductPicture, Titles, Variant, VariantId};

/// The most changes of one product that are listed.
const CHANGES_MAX: usize = 100;
/// A longer text is cut in the list of changes.
const SHOWN_LENGTH_MAX: usize = 200;

/// Lists what differs.
pub(super) struct Comparison {
    pub kind: FileKind,
    /// Of the currency of the shop.
    pub decimals: usize,
    /// The row of the product, and in which rows its variants are.
    pub row: u64,
    pub rows: VariantRows,
    pub changes: Vec<FieldChange>,
}

impl Comparison {
    pub fn of(mut self, current: &CatalogueProduct, target: &Target) -> Vec<FieldChange> {
        let (before, after) = (&current.product, &target.product);
        self.compare(Column::Title, &before.title, &after.title);
        self.compare_titles(Column::TitleIn, &before.titles, &after.titles);
        self.compare(Column::Description, &before.texts.description, &after.texts.description);
        self.compare_titles(Column::DescriptionIn, &before.texts.descriptions, &after.texts.descriptions);
        self.compare(Column::Delivery, &before.texts.delivery, &after.texts.delivery);
        self.compare_titles(Column::DeliveryIn, &before.texts.deliveries, &after.texts.deliveries);
        self.compare(Column::Category, text(&before.category), text(&after.category));
        self.compare(Column::Status, before.status.name(), after.status.name());
        let list = |options: &[ProductOption]| {
            let one = |option: &ProductOption| format!("{}: {}", option.name, option.values.join(", "));
            options.iter().map(one).collect::<Vec<_>>().join("; ")
        };
        self.compare(Column::OptionName(0), &list(&before.options), &list(&after.options));
        let gallery = |pictures: &[ProductPicture]| {
            let one = |picture: &ProductPicture| format!("{} {}", picture.source_address(), text(&picture.alt));
            pictures.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        self.compare(Column::Picture, &gallery(&current.pictures), &gallery(&target.pictures));
        self.compare_variants(before, target);
        self.changes
    }

    fn compare_variants(&mut self, before: &Product, target: &Target) {
        let first = self.row;
        let names = if target.product.options.is_empty() { Column::VariantName } else { Column::OptionValue(0) };
        let by_id: HashMap<VariantId, (usize, &Variant)> =
            before.variants.iter().enumerate().map(|(at, variant)| (variant.id, (at, variant))).collect();
        let mut has_moved = false;
        for (at, new) in target.product.variants.iter().enumerate() {
            self.row = self.rows.get(&new.id).copied().unwrap_or(first);
            let Some((place, old)) = by_id.get(&new.id) else {
                self.compare(names, "", &new.name);
                continue;
            };
            has_moved |= *place != at;
            self.compare(names, &old.name, &new.name);
            self.compare_titles(Column::VariantNameIn, &old.names, &new.names);
            self.compare(Column::Sku, text(&old.sku), text(&new.sku));
            self.compare(Column::Barcode, text(&old.barcode), text(&new.barcode));
            let amount = |minor: i64| write_amount(minor, self.decimals);
            let cost = |cost: Option<i64>| cost.map(amount).unwrap_or_default();
            let (prices, costs) = ((amount(old.price), amount(new.price)), (cost(old.cost), cost(new.cost)));
            self.compare(Column::Price, &prices.0, &prices.1);
            self.compare(Column::Cost, &costs.0, &costs.1);
            let weight = |weight: Option<i64>| weight.map(|weight| weight.to_string()).unwrap_or_default();
            self.compare(Column::WeightG, &weight(old.weight_g), &weight(new.weight_g));
            if let Some((_, units)) = target.stock.iter().find(|(id, _)| *id == new.id) {
                self.compare(Column::Stock, &old.stock.to_string(), &units.to_string());
            }
        }
        self.row = first;
        let kept: HashSet<VariantId> = target.product.variants.iter().map(|one| one.id).collect();
        for removed in before.variants.iter().filter(|old| !kept.contains(&old.id)) {
            self.compare(names, &removed.name, "");
        }
        if has_moved && self.changes.is_empty() {
            let list =
                |product: &Product| product.variants.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
            self.compare(names, &list(before), &list(&target.product));
        }
    }

    fn compare_titles(&mut self, column: fn(&'static str) -> Column, before: &Titles, after: &Titles) {
        for language in super::read::LANGUAGES {
            let of = |titles: &Titles| titles.get(language).cloned().unwrap_or_default();
            self.compare(column(language), &of(before), &of(after));
        }
    }

    fn compare(&mut self, column: Column, before: &str, after: &str) {
        if before != after && self.changes.len() < CHANGES_MAX {
            let shown = |text: &str| text.chars().take(SHOWN_LENGTH_MAX).collect();
            let column = column.name_in(self.kind).to_owned();
            let (before, after) = (shown(before), shown(after));
            self.changes.push(FieldChange { row: self.row, column, before, after, variant: None });
        }
    }
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}
