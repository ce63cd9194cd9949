//! The calls for imports of the catalogue.

use livesouk::domain::bulk_edit::{BulkEdit, ProductEdit, StockEdit, VariantEdit};
use livesouk::domain::catalogue_file::{FileKind, FileProduct, FileVariant};
use livesouk::domain::catalogue_import::ImportedRows;
use livesouk::domain::number_text::NumberLanguage;
use livesouk::domain::order::request_hash;
use livesouk::domain::{
    AuditAction, AuditEntry, Author, CatalogueImport, ImportId, ImportSource, ImportStatus, ImportedState, ProductId,
    Role, Variant,
};
use livesouk::store::{BulkOutcome, BulkWrite, CheckedProduct, ImportWriter, KeyedRequest};

use super::every_query::{Calls, call};
use super::large_tables::old_product;
use crate::contract_store::builders::{audit_entry, key, user};

pub async fn imports(c: &Calls) {
    let shop = &c.shop;
    let by = Author { id: user("mod-1"), name: "Mo".into(), role: Role::Producer };
    let import = CatalogueImport {
        id: ImportId::new(),
        at: 1_000,
        by: by.clone(),
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
    let (id, now) = (import.id, 2_000_000_000_000);
    call!(c, begin_import(&import));
    call!(c, add_import_part(id, 0, b"title\nPot\n", now));
    call!(c, finish_import_upload(id, "UTF-8"));
    call!(c, import_part(id, 0));
    call!(c, import(id));
    call!(c, imports(None, 50));
    let taken = call!(c, take_import(now, now - 1_000)).flatten();
    assert_eq!(taken.map(|import| import.id), Some(id));
    call!(c, renew_import(id, (now, now + 1)));
    call!(c, begin_import_check(id, FileKind::Simple));
    let variant = FileVariant { row: 2, price: Some(500), stock: Some(3), ..FileVariant::default() };
    let product = |handle: &str| FileProduct {
        handle: handle.into(),
        row: 2,
        title: Some("Pot".into()),
        variants: vec![variant.clone()],
        ..FileProduct::default()
    };
    let checked = |position, handle: &str| CheckedProduct {
        position,
        handle: handle.into(),
        title: "Pot".into(),
        row: 2,
        rows: 1,
        state: ImportedState::Create.name(),
        problems: Vec::new(),
        changes: Vec::new(),
        data: product(handle),
    };
    let handles: Vec<String> = (0..50).map(|n| format!("pot-{n}")).collect();
    let products: Vec<_> = (0..).zip(&handles).map(|(at, handle)| checked(at, handle)).collect();
    call!(c, add_checked_products(id, &products, 3));
    call!(c, leave_import(id, now + 1, (ImportStatus::Checking, ImportStatus::Ready)));
    call!(
        c,
        set_import_status(
            id,
            (ImportStatus::Ready, ImportStatus::Applying),
            &audit_entry(AuditEntry::WHOLE_SHOP, AuditAction::ImportProducts)
        )
    );
    call!(c, take_import(now + 2, now));
    let writer = ImportWriter {
        import: id,
        shop: shop.shop.id,
        by: by.clone(),
        source: ImportSource::File,
        kind: FileKind::Simple,
        decimals: 2,
        fetches_pictures: true,
        taken_at: now + 2,
    };
    let found = call!(c, import_products(id, ImportedState::Create, -1, 50)).unwrap();
    call!(c, list_import_products(id, None, -1, 50));
    call!(c, list_import_products(id, Some(ImportedState::Create), -1, 50));
    call!(c, products_by_handle(&["pot-1", "0190a0a000007000800000000000aaaa"]));
    call!(c, write_imported(&writer, &found));
    let mut again = found[0].clone();
    again.data.title = Some("Jug".into());
    call!(c, write_imported(&writer, std::slice::from_ref(&again)));
    let written = call!(c, import_products(id, ImportedState::Changed, -1, 50)).unwrap();
    call!(c, undo_imported(&writer, &written[0]));
    call!(c, import_pictures(id, 4));
    let picture = livesouk::domain::catalogue_import::ImportedPicture {
        position: 1,
        product: written[0].product.unwrap_or_else(ProductId::new),
        address: "https://cdn.example/a.jpg".into(),
    };
    call!(c, finish_imported_picture(&writer, &picture, Err("it is gone".into())));
    call!(c, import_backlog(now));
    call!(c, products_for_export(None, 50));
    bulk_edit(c, &import).await;
    call!(c, refuse_import(id, "It cannot be read."));
    call!(c, stop_import(id, now));
    call!(c, forget_imports(2_000, 1_500, 1_000));
}

/// An edit of the product of the fixture, and its way back.
async fn bulk_edit(c: &Calls, import: &CatalogueImport) {
    let shop = &c.shop;
    let import = CatalogueImport {
        id: ImportId::new(),
        source: ImportSource::Grid,
        status: ImportStatus::Applied,
        ..import.clone()
    };
    let product = shop.store.product(shop.product).await.unwrap().unwrap();
    let of = |variant: &Variant| VariantEdit {
        variant: variant.id,
        price: Some(variant.price + 1),
        stock: Some(StockEdit { from: variant.stock, to: variant.stock + 1 }),
    };
    let edit = ProductEdit {
        product: product.id,
        version: Some(product.version),
        category: Some(Some("Lamps".into())),
        variants: product.variants.iter().map(of).collect(),
    };
    let edit = BulkEdit { source: ImportSource::Grid, rows: ImportedRows::All, products: vec![edit] };
    let request = KeyedRequest {
        user: user("mod-1"),
        name: "Mo".into(),
        verb: "bulk_edit",
        key: key("bulk-edit-1"),
        hash: request_hash(&["bulk"]),
        entry: None,
    };
    let entry = audit_entry(AuditEntry::WHOLE_SHOP, AuditAction::BulkEdit);
    let write = BulkWrite { edit: &edit, import: &import, decimals: 2, request: &request, entry: &entry };
    let saved = call!(c, save_bulk_edit(&write)).unwrap();
    assert_eq!(saved, BulkOutcome::Saved(import.id));
    let again = KeyedRequest { key: key("bulk-edit-2"), ..request.clone() };
    let outdated = call!(c, save_bulk_edit(&BulkWrite { request: &again, ..write })).unwrap();
    assert!(matches!(outdated, BulkOutcome::Nothing(_)), "{outdated:?}");
    call!(c, products_by_id(&[shop.product]));
    call!(c, counted_variants(&["lamp-code".to_owned(), "12345678".to_owned()]));
    // Of products without offers: it reads all reservations of the others, as a stock take has to.
    call!(c, counted_variants_of(&[old_product(), ProductId::new()]));
}
