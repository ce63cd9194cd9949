//! The columns of a file: which names they have, and what is in them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which columns a file has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// Those of a product export of Shopify.
    Shopify,
    /// Our own.
    #[default]
    Simple,
}

impl FileKind {
    pub const ALL: [Self; 2] = [FileKind::Shopify, FileKind::Simple];

    pub fn name(self) -> &'static str {
        match self {
            FileKind::Shopify => "shopify",
            FileKind::Simple => "simple",
        }
    }
}

/// What a column has. The number of an option is 0 to 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Column {
    Handle,
    Title,
    TitleIn(&'static str),
    Description,
    DescriptionIn(&'static str),
    Delivery,
    DeliveryIn(&'static str),
    Category,
    Status,
    OptionName(usize),
    OptionValue(usize),
    VariantName,
    VariantNameIn(&'static str),
    Sku,
    Barcode,
    Price,
    Cost,
    WeightG,
    Stock,
    Picture,
    PictureAlt,
}

use Column::*;

/// Each column with its name in Shopify's files and in ours, in the order in which they are written. An empty name: the file has no
/// such column.
const COLUMNS: [(Column, &str, &str); 33] = [
    (Handle, "Handle", "handle"),
    (Title, "Title", "title"),
    (TitleIn("ar"), "", "title_ar"),
    (TitleIn("en"), "", "title_en"),
    (TitleIn("id"), "", "title_id"),
    (Description, "Body (HTML)", "description"),
    (DescriptionIn("ar"), "", "description_ar"),
    (DescriptionIn("en"), "", "description_en"),
    (DescriptionIn("id"), "", "description_id"),
    (Delivery, "", "delivery"),
    (DeliveryIn("ar"), "", "delivery_ar"),
    (DeliveryIn("en"), "", "delivery_en"),
    (DeliveryIn("id"), "", "delivery_id"),
    (Category, "Type", "category"),
    (OptionName(0), "Option1 Name", "option1_name"),
    (OptionValue(0), "Option1 Value", "option1_value"),
    (OptionName(1), "Option2 Name", "option2_name"),
    (OptionValue(1), "Option2 Value", "option2_value"),
    (OptionName(2), "Option3 Name", "option3_name"),
    (OptionValue(2), "Option3 Value", "option3_value"),
    (VariantName, "", "variant"),
    (VariantNameIn("ar"), "", "variant_ar"),
    (VariantNameIn("en"), "", "variant_en"),
    (VariantNameIn("id"), "", "variant_id"),
    (Sku, "Variant SKU", "sku"),
    (WeightG, "Variant Grams", "weight_g"),
    (Stock, "Variant Inventory Qty", "stock"),
    (Price, "Variant Price", "price"),
    (Barcode, "Variant Barcode", "barcode"),
    (Picture, "Image Src", "picture"),
    (PictureAlt, "Image Alt Text", "picture_alt"),
    (Cost, "Cost per item", "cost"),
    (Status, "Status", "status"),
];

/// Other names: those of Shopify's newer files, and what people write by hand.
const OTHER_NAMES: [(&str, Column); 17] = [
    ("url handle", Handle),
    ("name", Title),
    ("product", Title),
    ("body html", Description),
    ("product type", Category),
    ("inventory quantity", Stock),
    ("quantity", Stock),
    ("weight value (grams)", WeightG),
    ("cost price", Cost),
    ("product image url", Picture),
    ("image", Picture),
    ("image alt", PictureAlt),
    ("option1", OptionValue(0)),
    ("option2", OptionValue(1)),
    ("option3", OptionValue(2)),
    ("ean", Barcode),
    ("gtin", Barcode),
];

impl Column {
    /// The columns of a file in their order, with their names.
    pub fn of_kind(kind: FileKind) -> impl Iterator<Item = (Column, &'static str)> {
        COLUMNS
            .into_iter()
            .map(move |(column, shopify, simple)| (column, pick(kind, shopify, simple)))
            .filter(|(_, name)| !name.is_empty())
    }

    /// Its name in files of this kind; the other kind's where this has none.
    pub fn name_in(self, kind: FileKind) -> &'static str {
        let found = COLUMNS.into_iter().find(|(column, ..)| *column == self);
        let (_, shopify, simple) = found.unwrap_or((self, "", ""));
        match pick(kind, shopify, simple) {
            "" => simple,
            name => name,
        }
    }

    /// The column with this name, and whether it is a name of our own files.
    fn named(given: &str) -> Option<(Column, FileKind)> {
        let given = plain(given.trim_start_matches('\u{feff}'));
        if given.is_empty() {
            return None;
        }
        let own = COLUMNS.into_iter().find(|(_, _, simple)| plain(simple) == given);
        let shopify = COLUMNS.into_iter().find(|(_, shopify, _)| plain(shopify) == given);
        let other = || OTHER_NAMES.into_iter().find(|(name, _)| *name == given);
        match (shopify, own) {
            (Some((column, ..)), None) => Some((column, FileKind::Shopify)),
            (_, Some((column, ..))) => Some((column, FileKind::Simple)),
            (None, None) => other().map(|(_, column)| (column, FileKind::Shopify)),
        }
    }
}

/// A name without what people write differently.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', '-'], " ")
}

fn pick(kind: FileKind, shopify: &'static str, simple: &'static str) -> &'static str {
    match kind {
        FileKind::Shopify => shopify,
        FileKind::Simple => simple,
    }
}

/// What is in each column of a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableHead {
    pub kind: FileKind,
    /// `None`: a column that is not read.
    pub columns: Vec<Option<Column>>,
}

impl TableHead {
    /// Recognises the first row of a file. A name that stands there twice counts once.
    pub fn recognise<'a>(cells: impl Iterator<Item = &'a str>) -> Self {
        let mut head = TableHead::default();
        let mut are_of_shopify = 0;
        for cell in cells {
            let found = Column::named(cell).filter(|(column, _)| !head.columns.contains(&Some(*column)));
            // A name like `title` is in both kinds of files.
            let is_in_both = found.is_some_and(|(column, _)| {
                COLUMNS.iter().any(|(one, shopify, simple)| *one == column && plain(shopify) == plain(simple))
            });
            if !is_in_both {
                are_of_shopify += match found {
                    Some((_, FileKind::Shopify)) => 1,
                    Some((_, FileKind::Simple)) => -1,
                    None => 0,
                };
            }
            head.columns.push(found.map(|(column, _)| column));
        }
        head.kind = if are_of_shopify > 0 { FileKind::Shopify } else { FileKind::Simple };
        head
    }

    /// How many columns are known: by this the right separator is found.
    pub fn known(&self) -> usize {
        self.columns.iter().flatten().count()
    }

    /// A file needs at least the title or the handle of its products.
    pub fn is_usable(&self) -> bool {
        [Title, Handle].iter().any(|column| self.has(*column))
    }

    pub fn has(&self, column: Column) -> bool {
        self.columns.contains(&Some(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_kinds_are_recognised_in_any_case() {
        let head = TableHead::recognise(["\u{feff}HANDLE", "Title", "Variant Price", "Vendor", "title"].into_iter());
        assert_eq!(head.columns, [Some(Handle), Some(Title), Some(Price), None, None]);
        assert_eq!((head.kind, head.known(), head.is_usable()), (FileKind::Shopify, 3, true));
        let head = TableHead::recognise(["Title", "Price", "stock", "title ar"].into_iter());
        assert_eq!(head.columns, [Some(Title), Some(Price), Some(Stock), Some(TitleIn("ar"))]);
        assert_eq!(head.kind, FileKind::Simple);
        assert!(!TableHead::recognise(["a", "b", ""].into_iter()).is_usable());
    }

    #[test]
    fn written_names_are_read_as_the_columns_they_are() {
        for kind in FileKind::ALL {
            let head = TableHead::recognise(Column::of_kind(kind).map(|(_, name)| name));
            let expected: Vec<_> = Column::of_kind(kind).map(|(column, _)| Some(column)).collect();
            assert_eq!((head.kind, head.columns), (kind, expected));
        }
    }
}
