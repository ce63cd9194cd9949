//! Imports that two nodes have at once, and what an import may not overwrite.

use livesouk::domain::catalogue_file::{FileKind, FileProduct, FileVariant};
use livesouk::domain::catalogue_import::ImportedProduct;
use livesouk::domain::number_text::NumberLanguage;
use livesouk::domain::{Author, CatalogueImport, ImportId, ImportSource, ImportStatus, ImportedState, Refusal, Role};
use livesouk::store::{CheckedProduct, ImportWriter};

use super::builders::{refusal, user};
use super::fixture::{Fixture, facts};

facts! {
    node_that_lost_an_import_writes_nothing
}

fn author() -> Author {
    Author { id: user("mod-1"), name: "Mo".into(), role: Role::Producer }
}

/// An import of one new product, which a node has taken at `taken_at`.
async fn taken_import(shop: &Fixture, taken_at: i64) -> (ImportWriter, Vec<ImportedProduct>) {
    let import = CatalogueImport {
        id: ImportId::new(),
        at: 1_000,
        by: author(),
        source: ImportSource::File,
        file_name: "list.csv".into(),
        language: NumberLanguage::En,
        encoding: String::new(),
        kind: FileKind::Simple,
        status: ImportStatus::Receiving,
        bytes: 0,
        rows: 0,
        error: String::new(),
        counts: Vec::new(),
        pictures_left: 0,
    };
    let id = import.id;
    shop.store.begin_import(&import).await.unwrap();
    shop.store.finish_import_upload(id, "UTF-8").await.unwrap();
    let variant = FileVariant { row: 2, price: Some(500), ..FileVariant::default() };
    let data = FileProduct {
        handle: "pot".into(),
        row: 2,
        title: Some("Pot".into()),
        variants: vec![variant],
        ..FileProduct::default()
    };
    let checked = CheckedProduct {
        position: 0,
        handle: "pot".into(),
        title: "Pot".into(),
        row: 2,
        rows: 1,
        state: ImportedState::Create.name(),
        problems: Vec::new(),
        changes: Vec::new(),
        data,
    };
    shop.store.add_checked_products(id, &[checked], 2).await.unwrap();
    let taken = shop.store.take_import(taken_at, taken_at - 1_000).await.unwrap();
    assert_eq!(taken.map(|import| import.id), Some(id));
    let writer = ImportWriter {
        import: id,
        shop: shop.shop.id,
        by: author(),
        source: ImportSource::File,
        kind: FileKind::Simple,
        decimals: 2,
        fetches_pictures: false,
        taken_at,
    };
    (writer, shop.store.import_products(id, ImportedState::Create, -1, 10).await.unwrap())
}

/// A node that was frozen comes back after another one has taken its import: its writes are refused, and a product is written once.
async fn node_that_lost_an_import_writes_nothing(shop: Fixture) {
    let now = 2_000_000_000_000;
    let (first, products) = taken_import(&shop, now).await;
    let taken = shop.store.take_import(now + 2_000, now + 1_000).await.unwrap();
    assert_eq!(taken.map(|import| import.id), Some(first.import), "it was idle for too long");
    let late = shop.store.write_imported(&first, &products).await;
    assert_eq!(refusal(late), Refusal::Busy { retry_ms: 1_000 });
    assert!(!shop.store.renew_import(first.import, (now, now + 3_000)).await.unwrap());
    assert!(shop.store.products_by_handle(&["pot"]).await.unwrap().is_empty());
    let second = ImportWriter { taken_at: now + 2_000, ..first };
    shop.store.write_imported(&second, &products).await.unwrap();
    assert_eq!(shop.store.products_by_handle(&["pot"]).await.unwrap().len(), 1);
    // The first node does not give back what it no longer has.
    shop.store.leave_import(second.import, now, (ImportStatus::Checking, ImportStatus::Ready)).await.unwrap();
    assert_eq!(shop.store.import(second.import).await.unwrap().unwrap().status, ImportStatus::Checking);
}
