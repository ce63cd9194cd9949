use super::*;
use crate::domain::Variant;

const GRID: (ImportSource, u64, usize) = (ImportSource::Grid, 1, 2);
const COUNT: (ImportSource, u64, usize) = (ImportSource::StockTake, 1, 2);

fn shirt() -> CatalogueProduct {
    let variant = |name: &str, price, stock| Variant {
        id: VariantId::new(),
        name: name.into(),
        price,
        stock,
        ..Variant::default()
    };
    let variants = vec![variant("S", 1_000, 5), variant("M", 1_200, 0)];
    let product = Product { id: ProductId::new(), version: 3, title: "Shirt".into(), variants, ..Product::default() };
    CatalogueProduct { handle: "shirt".into(), product, pictures: Vec::new() }
}

fn edit_of(shirt: &CatalogueProduct) -> ProductEdit {
    let edit = |variant: &Variant| VariantEdit { variant: variant.id, price: None, stock: None };
    let variants = shirt.product.variants.iter().map(edit).collect();
    ProductEdit { product: shirt.product.id, version: Some(3), category: None, variants }
}

fn codes(result: Result<Option<EditedProduct>, Vec<FileProblem>>) -> Vec<(u64, String, FileProblemCode)> {
    result.unwrap_err().into_iter().map(|one| (one.row, one.column, one.code)).collect()
}

#[test]
fn edit_changes_its_cells_and_can_be_planned_back() {
    let shirt = shirt();
    let mut edit = edit_of(&shirt);
    edit.category = Some(Some("Tops".into()));
    edit.variants[0].price = Some(900);
    edit.variants[1].stock = Some(StockEdit { from: 0, to: 7 });
    let edited = edit.apply(GRID, Some(&shirt)).unwrap().unwrap();
    assert_eq!((edited.target.product.version, edited.target.product.variants[0].price), (4, 900));
    assert_eq!(edited.target.stock, [(shirt.product.variants[1].id, 7)]);
    let changes: Vec<_> = edited
        .changes
        .iter()
        .map(|one| (one.row, one.column.as_str(), one.before.as_str(), one.after.as_str()))
        .collect();
    assert_eq!(changes, [(1, "category", "", "Tops"), (1, "price", "10.00", "9.00"), (2, "stock", "0", "7")]);
    assert_eq!(edited.changes[2].variant.as_deref(), Some("M"));

    let mut now = CatalogueProduct { product: edited.target.product.clone(), ..shirt.clone() };
    now.product.variants[1].stock = 9;
    // The database keeps it as JSON.
    let kept: EditBack = serde_json::from_str(&serde_json::to_string(&edited.back).unwrap()).unwrap();
    let back = kept.plan_back(&now).unwrap();
    assert_eq!((back.product.version, back.product.category), (5, None));
    assert_eq!((back.product.variants[0].price, &back.stock[..]), (1_000, &[(shirt.product.variants[1].id, 2)][..]));
    now.product.variants[1].stock = 6;
    assert!(edited.back.plan_back(&now).is_err(), "one of the added units was sold");
}

#[test]
fn nothing_new_is_no_change_and_the_stock_alone_is_no_new_version() {
    let shirt = shirt();
    let mut edit = edit_of(&shirt);
    edit.variants[0].price = Some(1_000);
    assert_eq!(edit.apply(GRID, Some(&shirt)), Ok(None));
    edit.variants[0].stock = Some(StockEdit { from: 5, to: 4 });
    assert_eq!(edit.apply(GRID, Some(&shirt)).unwrap().unwrap().target.product.version, 3);
}

#[test]
fn what_somebody_else_changed_is_a_conflict() {
    let shirt = shirt();
    let outdated = ProductEdit { version: Some(2), ..edit_of(&shirt) };
    assert_eq!(codes(outdated.apply(GRID, Some(&shirt))), [(1, String::new(), FileProblemCode::Outdated)]);
    let mut edit = edit_of(&shirt);
    edit.variants[0].stock = Some(StockEdit { from: 6, to: 8 });
    assert_eq!(codes(edit.apply(GRID, Some(&shirt))), [(1, "stock".into(), FileProblemCode::StockChanged)]);
    assert_eq!(codes(edit.apply(GRID, None)), [(1, String::new(), FileProblemCode::Gone)]);
    edit.variants[1].variant = VariantId::new();
    edit.variants[0].stock = None;
    assert_eq!(codes(edit.apply(GRID, Some(&shirt))), [(2, String::new(), FileProblemCode::Gone)]);
}

#[test]
fn each_bad_cell_is_named() {
    let shirt = shirt();
    let mut edit = edit_of(&shirt);
    edit.category = Some(Some(" ".into()));
    edit.variants[0].price = Some(-1);
    edit.variants[1].stock = Some(StockEdit { from: 0, to: -1 });
    let refused = |row, column: &str| (row, column.to_owned(), FileProblemCode::Refused);
    assert_eq!(
        codes(edit.apply(GRID, Some(&shirt))),
        [refused(1, "category"), refused(1, "price"), refused(2, "stock")]
    );
}

#[test]
fn stock_take_applies_the_difference() {
    let shirt = shirt();
    let of = |from, to| {
        let mut edit = ProductEdit { version: None, ..edit_of(&shirt) };
        edit.variants[0].stock = Some(StockEdit { from, to });
        edit.apply(COUNT, Some(&shirt)).map(|edited| edited.map(|edited| edited.target.stock[0].1))
    };
    // 12 were expected when the stock had 9 of them; since then 4 have moved into an offer.
    assert_eq!(of(12, 11), Ok(Some(4)));
    assert_eq!(of(12, 12), Ok(None));
    assert_eq!(of(12, 15), Ok(Some(8)));
    assert_eq!(of(12, 6).unwrap_err()[0].code, FileProblemCode::NotEnough);
}

#[test]
fn bulk_edit_has_some_rows_each_once_and_versions() {
    let shirt = shirt();
    let check = |products: Vec<ProductEdit>| {
        BulkEdit { source: ImportSource::Grid, rows: ImportedRows::All, products }.validated().is_ok()
    };
    let edit = edit_of(&shirt);
    assert!(check(vec![edit.clone()]) && !check(Vec::new()) && !check(vec![edit.clone(), edit.clone()]));
    let mut priced = ProductEdit { version: None, ..edit.clone() };
    assert!(check(vec![priced.clone()]), "the stock needs no version");
    priced.variants[0].price = Some(5);
    assert!(!check(vec![priced]));
    let many = |rows| {
        let row = || VariantEdit { variant: VariantId::new(), price: None, stock: None };
        vec![ProductEdit { variants: (0..rows).map(|_| row()).collect(), ..edit.clone() }]
    };
    assert!(check(many(BULK_ROWS_MAX)) && !check(many(BULK_ROWS_MAX + 1)));
    let file = BulkEdit { source: ImportSource::File, rows: ImportedRows::All, products: vec![edit] };
    assert!(file.validated().is_err());
}

#[test]
fn scanned_codes_are_found_as_they_are_printed_or_typed() {
    let of = |scanned: &str| codes_of(scanned).unwrap();
    assert_eq!(of("0012345678905"), ["0012345678905", "012345678905"]);
    assert_eq!(of("012345678905"), ["012345678905", "0012345678905"]);
    assert_eq!(of("٦٢٨١٢٣٤٥"), ["62812345"]);
    assert_eq!(of(" Mug-s "), ["Mug-s"]);
    assert_eq!(of("0012345"), ["0012345"], "only a UPC has a zero to lose");
    assert!(codes_of(" ").is_err());
}
