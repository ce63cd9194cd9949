//! Compares a product of a file with the one of the catalogue, and says what an import would do.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::columns::{Column, FileKind};
use super::compare::Comparison;
use super::write::{NO_OPTION, NO_VALUE};
use super::{CatalogueProduct, FieldChange, FileProblem, FileProblemCode, FileProduct, FileVariant};
use crate::domain::picture::validated_gallery;
use crate::domain::product::ProductOption;
use crate::domain::{Product, ProductId, ProductPicture, Refusal, Titles, Variant, VariantId};

/// A product as it is after an import.
#[derive(Clone, PartialEq, Debug)]
pub struct Target {
    /// The stock of a variant that was there before is that of before: it is in `stock`.
    pub product: Product,
    pub pictures: Vec<ProductPicture>,
    /// The new stock of variants that were there before.
    pub stock: Vec<(VariantId, i64)>,
}

/// What an import does with a product.
#[derive(Clone, PartialEq, Debug)]
pub enum Plan {
    Create(Target),
    Change(Target, Vec<FieldChange>),
    Same,
}

/// Says what the import of `file` does to the product with its handle; `None`: there is none. `decimals` are those of the currency.
pub fn plan(
    kind: FileKind,
    file: &FileProduct,
    current: Option<&CatalogueProduct>,
    decimals: usize,
) -> Result<Plan, Box<FileProblem>> {
    let (target, rows) = target_of(kind, file, current)?;
    let Some(current) = current else { return Ok(Plan::Create(target)) };
    let changes = Comparison { kind, decimals, row: file.row, rows, changes: Vec::new() }.of(current, &target);
    Ok(if changes.is_empty() { Plan::Same } else { Plan::Change(target, changes) })
}

/// What an undo needs to know about a product that an import changed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WayBack {
    pub before: CatalogueProduct,
    /// The units that the import added to variants; less than 0: it took them away.
    pub stock: Vec<(VariantId, i64)>,
}

impl WayBack {
    pub fn new(before: CatalogueProduct, target: &Target) -> Self {
        let added = |(id, units): &(VariantId, i64)| {
            let old = before.product.variants.iter().find(|one| one.id == *id)?;
            Some((*id, units - old.stock))
        };
        let stock = target.stock.iter().filter_map(added).collect();
        Self { before, stock }
    }
}

/// What the undo of an import does to a product that it changed: everything is as it was before, and the units that the import added are
/// taken away again. Units that were sold or moved since are not touched.
pub fn plan_back(back: &WayBack, current: &CatalogueProduct) -> Target {
    let now: HashMap<VariantId, i64> = current.product.variants.iter().map(|one| (one.id, one.stock)).collect();
    let mut product = Product { version: current.product.version + 1, ..back.before.product.clone() };
    for variant in &mut product.variants {
        variant.stock = now.get(&variant.id).copied().unwrap_or(variant.stock);
    }
    let left = |(id, added): &(VariantId, i64)| now.get(id).map(|units| (*id, (units - added).max(0)));
    let stock = back.stock.iter().filter_map(left).filter(|(id, units)| now.get(id) != Some(units)).collect();
    Target { product, pictures: back.before.pictures.clone(), stock }
}

fn problem(row: u64, column: &str, code: FileProblemCode, message: String) -> Box<FileProblem> {
    Box::new(FileProblem { row, column: column.to_owned(), code, message })
}

fn target_of(
    kind: FileKind,
    file: &FileProduct,
    current: Option<&CatalogueProduct>,
) -> Result<(Target, VariantRows), Box<FileProblem>> {
    let mut product = match current {
        Some(current) => Product { version: current.product.version + 1, ..current.product.clone() },
        None => Product { id: ProductId::new(), version: 1, ..Product::default() },
    };
    let set = |field: &mut String, given: &Option<String>| {
        if let Some(given) = given {
            field.clone_from(given);
        }
    };
    let add = |field: &mut Titles, given: &Titles| field.extend(given.clone());
    set(&mut product.title, &file.title);
    set(&mut product.texts.description, &file.description);
    set(&mut product.texts.delivery, &file.delivery);
    add(&mut product.titles, &file.titles);
    add(&mut product.texts.descriptions, &file.descriptions);
    add(&mut product.texts.deliveries, &file.deliveries);
    product.category = file.category.clone().or(product.category);
    product.status = file.status.unwrap_or(product.status);
    let name_before = current.map_or("", |current| current.product.title.as_str());
    let VariantsOfFile { rows, stock } = set_variants(&mut product, (kind, file), name_before)?;
    let mut pictures = current.map(|current| current.pictures.clone()).unwrap_or_default();
    if !file.pictures.is_empty() {
        let refused = |refusal| refused(kind, file, refusal);
        pictures =
            validated_gallery(file.pictures.iter().map(|one| picture_of(one, &pictures)).collect()).map_err(refused)?;
    }
    product.image =
        pictures.first().map(ProductPicture::shown_address).or(product.image).filter(|_| !pictures.is_empty());
    let product = product.validated().map_err(|refusal| refused(kind, file, refusal))?;
    Ok((Target { product, pictures, stock }, rows))
}

/// A picture that the product has already keeps its place in our storage.
fn picture_of(file: &super::FilePicture, current: &[ProductPicture]) -> ProductPicture {
    let given = ProductPicture { alt: file.alt.clone(), ..ProductPicture::of_address(file.address.clone()) };
    let known = current.iter().find(|one| one.source.as_deref() == Some(given.address.as_str()));
    match known {
        Some(known) => ProductPicture { address: known.address.clone(), source: known.source.clone(), ..given },
        None => given,
    }
}

/// In which row of the file a variant is.
pub(super) type VariantRows = HashMap<VariantId, u64>;

struct VariantsOfFile {
    rows: VariantRows,
    /// The new stock of variants that were there before.
    stock: Vec<(VariantId, i64)>,
}

/// A file that names variants has all of its product: others are removed. One that does not name them changes those that it has.
fn set_variants(
    product: &mut Product,
    (kind, file): (FileKind, &FileProduct),
    title_before: &str,
) -> Result<VariantsOfFile, Box<FileProblem>> {
    let before = std::mem::take(&mut product.variants);
    let are_named = file.variants.iter().any(|variant| !variant.values.is_empty());
    if let ([_, second, ..], false, true) = (&file.variants[..], are_named, before.is_empty()) {
        let column = Column::VariantName.name_in(kind);
        return Err(problem(second.row, column, FileProblemCode::Missing, "Several variants need names.".into()));
    }
    let has_options = has_options(kind, file, product);
    let keys = names_of(kind, (product, has_options), file, &before);
    let matched = match are_named || before.is_empty() {
        true => match_by_name(&before, !product.options.is_empty(), file, &keys),
        false => match_without_names(&before, kind, file)?,
    };
    let mut found = VariantsOfFile { rows: HashMap::new(), stock: Vec::new() };
    let mut written = Vec::with_capacity(file.variants.len());
    for ((at, given), key) in matched.iter().zip(&file.variants).zip(keys) {
        let old = at.map(|at| before[at].clone());
        if old.is_none() && given.price.is_none() {
            let column = Column::Price.name_in(kind);
            return Err(problem(given.row, column, FileProblemCode::Missing, "A new variant needs a price.".into()));
        }
        let is_new = old.is_none();
        let mut variant = old.unwrap_or_else(|| Variant { id: VariantId::new(), ..Variant::default() });
        if are_named || is_new {
            match has_options {
                true => variant.options = key,
                false => (variant.options, variant.name) = (Vec::new(), key.into_iter().next().unwrap_or_default()),
            }
        } else if product.options.is_empty() && variant.name == title_before {
            // It was called like its product, and still is.
            variant.name.clone_from(&product.title);
        }
        change_variant(&mut variant, given);
        match given.stock {
            Some(units) if is_new => variant.stock = units,
            Some(units) if units != variant.stock => found.stock.push((variant.id, units)),
            _ => {}
        }
        found.rows.insert(variant.id, given.row);
        written.push(variant);
    }
    product.variants = match are_named || before.is_empty() {
        true => written,
        false => {
            let mut by_id: HashMap<VariantId, Variant> = written.into_iter().map(|one| (one.id, one)).collect();
            before.into_iter().map(|old| by_id.remove(&old.id).unwrap_or(old)).collect()
        }
    };
    if are_named || product.options.is_empty() {
        product.options = if has_options { options_of(product, &file.options) } else { Vec::new() };
    }
    Ok(found)
}

fn change_variant(variant: &mut Variant, given: &FileVariant) {
    variant.names.extend(given.names.clone());
    variant.sku = given.sku.clone().or(variant.sku.take());
    variant.barcode = given.barcode.clone().or(variant.barcode.take());
    variant.price = given.price.unwrap_or(variant.price);
    variant.cost = given.cost.or(variant.cost);
    variant.weight_g = given.weight_g.or(variant.weight_g);
}

/// Shopify writes an option `Title` for a product that has none.
fn has_options(kind: FileKind, file: &FileProduct, product: &Product) -> bool {
    let is_shopifys = kind == FileKind::Shopify && file.options.len() == 1 && file.options[0] == NO_OPTION;
    let is_ours = product.options.len() == 1 && product.options[0].name == NO_OPTION;
    !file.options.is_empty() && (!is_shopifys || is_ours)
}

/// What the variants of a file are called: by the values of their options, or by one name.
fn names_of(
    kind: FileKind,
    (product, has_options): (&Product, bool),
    file: &FileProduct,
    before: &[Variant],
) -> Vec<Vec<String>> {
    // Shopify calls the only variant of a product so; here it is called like its product, unless somebody called it so.
    let is_nameless =
        kind == FileKind::Shopify && file.variants.len() == 1 && !matches!(before, [one] if one.name == NO_VALUE);
    let name = |variant: &FileVariant| match variant.values.first() {
        Some(value) if !(is_nameless && value == NO_VALUE) => value.clone(),
        _ => product.title.clone(),
    };
    let key = |variant: &FileVariant| if has_options { variant.values.clone() } else { vec![name(variant)] };
    file.variants.iter().map(key).collect()
}

/// Finds the variants of a file among those of the product: by what they are called, then by SKU. A product that has
/// one variant, before and after, has the same one.
fn match_by_name(
    before: &[Variant],
    had_options: bool,
    file: &FileProduct,
    keys: &[Vec<String>],
) -> Vec<Option<usize>> {
    let mut left: Vec<usize> = (0..before.len()).collect();
    let mut take = |is_it: &dyn Fn(&Variant) -> bool| {
        let place = left.iter().position(|at| is_it(&before[*at]))?;
        Some(left.remove(place))
    };
    let is_called = |old: &Variant, key: &Vec<String>| {
        if had_options { old.options == *key } else { [old.name.as_str()] == key[..] }
    };
    let mut matched: Vec<Option<usize>> = keys.iter().map(|key| take(&|old| is_called(old, key))).collect();
    for (at, given) in matched.iter_mut().zip(&file.variants).filter(|(at, given)| at.is_none() && given.sku.is_some())
    {
        *at = take(&|old| old.sku == given.sku);
    }
    if let ([only @ None], [_]) = (&mut matched[..], before) {
        *only = Some(0);
    }
    matched
}

/// Finds the variants of a file that does not name them: by SKU, else in their order if it has as many as the product.
fn match_without_names(
    before: &[Variant],
    kind: FileKind,
    file: &FileProduct,
) -> Result<Vec<Option<usize>>, Box<FileProblem>> {
    let has_all = before.len() == file.variants.len();
    let find = |(at, given): (usize, &FileVariant)| {
        let by_sku = given.sku.as_ref().and_then(|sku| before.iter().position(|old| old.sku.as_ref() == Some(sku)));
        match by_sku.or(has_all.then_some(at)) {
            Some(at) => Ok(Some(at)),
            None => {
                let why = "Which variant is it? The file has neither its name nor a known SKU.".to_owned();
                Err(problem(given.row, Column::VariantName.name_in(kind), FileProblemCode::Missing, why))
            }
        }
    };
    let matched: Vec<Option<usize>> = file.variants.iter().enumerate().map(find).collect::<Result<_, _>>()?;
    let mut seen = std::collections::HashSet::new();
    match matched.iter().position(|at| !seen.insert(*at)) {
        None => Ok(matched),
        Some(twice) => {
            let row = file.variants[twice].row;
            Err(problem(
                row,
                Column::Sku.name_in(kind),
                FileProblemCode::Refused,
                "Two rows are the same variant.".into(),
            ))
        }
    }
}

/// The options of a product with the values of its variants. Values that were there keep their order.
fn options_of(product: &Product, names: &[String]) -> Vec<ProductOption> {
    let option = |(at, name): (usize, &String)| {
        let before = product.options.get(at).filter(|option| option.name == *name);
        let mut values = before.map(|option| option.values.clone()).unwrap_or_default();
        let mut seen: std::collections::HashSet<String> = values.iter().cloned().collect();
        for variant in &product.variants {
            if let Some(value) = variant.options.get(at).filter(|value| seen.insert((*value).clone())) {
                values.push(value.clone());
            }
        }
        ProductOption { name: name.clone(), values }
    };
    names.iter().enumerate().map(option).collect()
}

/// A rule of products that is broken, with the row and the column where it is.
fn refused(kind: FileKind, file: &FileProduct, refusal: Refusal) -> Box<FileProblem> {
    let field = refusal.field().unwrap_or_default();
    let name = |column: Column| column.name_in(kind);
    let at = |list: &str| -> Option<usize> {
        field.strip_prefix(list)?.strip_prefix('[')?.split_once(']').and_then(|(at, _)| at.parse().ok())
    };
    let part = field.rsplit('.').next().unwrap_or_default();
    let (row, column) = if let Some(variant) = at("variants").and_then(|at| file.variants.get(at)) {
        let column = match part {
            "price" => name(Column::Price),
            "cost" => name(Column::Cost),
            "stock" => name(Column::Stock),
            "sku" => name(Column::Sku),
            "barcode" => name(Column::Barcode),
            "weight_g" => name(Column::WeightG),
            _ if file.options.is_empty() => name(Column::VariantName),
            _ => name(Column::OptionValue(0)),
        };
        (variant.row, column)
    } else if let Some(picture) = at("pictures").and_then(|at| file.pictures.get(at)) {
        (picture.row, if part == "alt" { name(Column::PictureAlt) } else { name(Column::Picture) })
    } else {
        let column = match part {
            "title" | "titles" => name(Column::Title),
            "category" => name(Column::Category),
            "description" | "descriptions" => name(Column::Description),
            "delivery" | "deliveries" => name(Column::Delivery),
            "image" | "pictures" => name(Column::Picture),
            _ if field.starts_with("options") => name(Column::OptionName(0)),
            _ => "",
        };
        (file.row, column)
    };
    let is_missing = file.title.is_none() && column == name(Column::Title);
    let code = if is_missing { FileProblemCode::Missing } else { FileProblemCode::Refused };
    problem(row, column, code, refusal.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shirt() -> CatalogueProduct {
        let variant = |size: &str, price| Variant {
            name: size.into(),
            options: vec![size.into()],
            sku: Some(format!("S-{size}")),
            price,
            stock: 5,
            ..Variant::default()
        };
        let option = ProductOption { name: "Size".into(), values: vec!["S".into(), "M".into()] };
        let product = Product {
            title: "Shirt".into(),
            options: vec![option],
            variants: vec![variant("M", 100), variant("S", 100)],
            ..Product::default()
        };
        CatalogueProduct { handle: "shirt".into(), product, pictures: Vec::new() }
    }

    fn row(values: &[&str], price: Option<i64>) -> FileVariant {
        let values = values.iter().map(|value| String::from(*value)).collect();
        FileVariant { row: 2, values, price, ..FileVariant::default() }
    }

    fn file(options: &[&str], variants: Vec<FileVariant>) -> FileProduct {
        let options = options.iter().map(|name| String::from(*name)).collect();
        FileProduct { handle: "shirt".into(), row: 2, options, variants, ..FileProduct::default() }
    }

    fn changed(file: &FileProduct, current: &CatalogueProduct) -> (Target, Vec<FieldChange>) {
        match plan(FileKind::Simple, file, Some(current), 2) {
            Ok(Plan::Change(target, changes)) => (target, changes),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn file_without_names_changes_the_variants_that_it_has_and_keeps_the_rest() {
        let shirt = shirt();
        let by_sku = FileVariant { sku: Some("S-S".into()), ..row(&[], Some(150)) };
        let (target, changes) = changed(&file(&[], vec![by_sku]), &shirt);
        let prices: Vec<_> = target.product.variants.iter().map(|one| (one.name.as_str(), one.price)).collect();
        assert_eq!((prices, &target.product.options), (vec![("M", 100), ("S", 150)], &shirt.product.options));
        assert_eq!((changes.len(), changes[0].column.as_str(), changes[0].after.as_str()), (1, "price", "1.50"));
        let unknown = file(&[], vec![FileVariant { sku: Some("X".into()), ..row(&[], Some(1)) }]);
        let refused = plan(FileKind::Simple, &unknown, Some(&shirt), 2).unwrap_err();
        assert_eq!((refused.code, refused.column.as_str()), (FileProblemCode::Missing, "variant"));
        // As many rows as variants: they are in their order.
        let (target, _) = changed(&file(&[], vec![row(&[], Some(7)), row(&[], Some(8))]), &shirt);
        assert_eq!(target.product.variants.iter().map(|one| one.price).collect::<Vec<_>>(), [7, 8]);
    }

    #[test]
    fn file_with_names_has_all_variants_of_a_product() {
        let shirt = shirt();
        let (target, changes) = changed(&file(&["Size"], vec![row(&["S"], None), row(&["XL"], Some(200))]), &shirt);
        let names: Vec<_> = target.product.variants.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["S", "XL"]);
        assert_eq!(target.product.options[0].values, ["S", "M", "XL"]);
        assert_eq!(target.product.variants[0].id, shirt.product.variants[1].id);
        let removed = changes.iter().find(|one| one.before == "M").map(|one| one.after.as_str());
        assert_eq!(removed, Some(""), "its stock is not that of another size");
        let two = file(&["Size"], vec![row(&["L"], Some(1)), row(&["XL"], None)]);
        let refused = plan(FileKind::Simple, &two, Some(&shirt), 2).unwrap_err();
        assert_eq!((refused.code, refused.column.as_str()), (FileProblemCode::Missing, "price"));
        let same = file(&["Size"], vec![row(&["M"], Some(100)), row(&["S"], None)]);
        assert_eq!(plan(FileKind::Simple, &same, Some(&shirt), 2), Ok(Plan::Same));
    }

    #[test]
    fn only_variant_is_called_like_its_product_and_keeps_its_stock_when_that_is_renamed() {
        let new = FileProduct { title: Some("Mug".into()), ..file(&[], vec![row(&[], Some(5))]) };
        let Ok(Plan::Create(Target { product, .. })) = plan(FileKind::Simple, &new, None, 2) else { panic!("new") };
        assert_eq!(product.variants[0].name, "Mug");
        let mug = CatalogueProduct { handle: "mug".into(), product, pictures: Vec::new() };
        let renamed = FileProduct { title: Some("Cup".into()), ..file(&[], vec![row(&[], None)]) };
        let (target, _) = changed(&renamed, &mug);
        assert_eq!(
            (target.product.variants[0].id, target.product.variants[0].name.as_str()),
            (mug.product.variants[0].id, "Cup")
        );
        // What Shopify writes for a product without options.
        let shopifys =
            FileProduct { title: Some("Mug".into()), ..file(&["Title"], vec![row(&["Default Title"], Some(5))]) };
        assert_eq!(plan(FileKind::Shopify, &shopifys, Some(&mug), 2), Ok(Plan::Same));
        let nameless = file(&[], vec![row(&[], Some(5)), row(&[], Some(6))]);
        let refused =
            plan(FileKind::Simple, &FileProduct { title: Some("Pot".into()), ..nameless }, None, 2).unwrap_err();
        assert_eq!(refused.code, FileProblemCode::Missing);
    }

    #[test]
    fn way_back_takes_away_what_the_import_added_and_leaves_what_was_sold_since() {
        let before = shirt();
        let [m, s] = [before.product.variants[0].id, before.product.variants[1].id];
        let recounted = FileVariant { stock: Some(20), ..row(&["M"], None) };
        let (target, _) = changed(&file(&["Size"], vec![recounted, row(&["S"], Some(90))]), &before);
        let back = WayBack::new(before.clone(), &target);
        assert_eq!(back.stock, [(m, 15)]);
        // Since then six units were sold of each.
        let mut now = CatalogueProduct { product: target.product, ..before.clone() };
        (now.product.version, now.product.variants[0].stock, now.product.variants[1].stock) = (4, 14, 0);
        let target = plan_back(&back, &now);
        assert_eq!((target.product.version, target.product.variants[1].price), (5, 100));
        assert_eq!(target.stock, [(m, 0)], "never below zero");
        assert_eq!(target.product.variants.iter().find(|one| one.id == s).map(|one| one.stock), Some(0));
    }

    #[test]
    fn what_a_file_leaves_unclear_is_refused_with_its_row_and_column() {
        let code = |file: &FileProduct, current: Option<&CatalogueProduct>| {
            let problem = plan(FileKind::Simple, file, current, 2).unwrap_err();
            (problem.row, problem.column, problem.code)
        };
        let at = |n: u64, variant: FileVariant| FileVariant { row: n, ..variant };
        let is = |row: u64, column: &str, code| (row, column.to_owned(), code);
        let titled = |variants| FileProduct { title: Some("Shirt".into()), ..file(&[], variants) };
        let (shirt, unnamed) = (shirt(), || row(&[], Some(5)));
        let several = titled(vec![unnamed(), at(3, unnamed())]);
        assert_eq!(code(&several, None), is(3, "variant", FileProblemCode::Missing));
        assert_eq!(code(&titled(vec![unnamed()]), Some(&shirt)), is(2, "variant", FileProblemCode::Missing));
        let small = |n| at(n, FileVariant { sku: Some("S-S".into()), ..unnamed() });
        let twice = titled(vec![small(2), small(3)]);
        assert_eq!(code(&twice, Some(&shirt)), is(3, "sku", FileProblemCode::Refused));
        assert_eq!(code(&titled(vec![row(&[], None)]), None), is(2, "price", FileProblemCode::Missing));
        let dear = titled(vec![row(&[], Some(crate::domain::product::PRICE_MAX + 1))]);
        assert_eq!(code(&dear, None), is(2, "price", FileProblemCode::Refused));
        assert_eq!(code(&file(&[], vec![unnamed()]), None).2, FileProblemCode::Missing, "a new product needs a title");
    }
}
