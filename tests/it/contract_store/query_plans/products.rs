//! The calls for the shop, its products and their pictures.

use livesouk::domain::product::ProductFilter;
use livesouk::domain::product_change::StockChangeForm;
use livesouk::domain::{AuditAction, AuditEntry, PictureHash, ProductForm, ProductPicture, ProductStatus, StockReason};
use livesouk::store::PictureRow;

use super::every_query::{Calls, call};
use crate::contract_store::builders::audit_entry;

pub async fn shop_and_products(c: &Calls) {
    let shop = &c.shop;
    call!(c, now());
    call!(c, epoch());
    call!(c, oldest_snapshot_ms());
    call!(c, shop());
    call!(c, create_shop(shop.shop.clone()));
    let any = ProductFilter::default();
    call!(c, products(&any, None, 50));
    call!(c, index_products());
    while c.shop.store.index_products().await.unwrap() > 0 {}
    call!(c, prune_search_words(""));
    for search in ["lamp 77", "lapm 777", "xyzzy"] {
        call!(c, products(&ProductFilter { status: None, search: Some(search.to_owned()) }, None, 50));
    }
    for status in ProductStatus::ALL {
        call!(c, products(&ProductFilter { status: Some(status), ..ProductFilter::default() }, None, 50));
    }
    let product = call!(c, products(&any, None, 1)).unwrap().products.remove(0);
    call!(c, product(product.id));
    call!(
        c,
        create_product(
            shop.shop.id,
            &livesouk::domain::Product { id: livesouk::domain::ProductId::new(), variants: vec![], ..product.clone() },
            None
        )
    );
    let picture = PictureRow { hash: PictureHash::of(b"new"), width: 1, height: 1, bytes: 1 };
    call!(c, add_picture(&picture));
    call!(c, keep_picture(picture.hash));
    call!(c, look_for_orphan_pictures(1_000, 900, 800, 100));
    call!(c, forget_picture(picture.hash, 1_000));
    call!(c, gallery(&product));
    call!(c, restock_variant(shop.variant, 100_000, None));
    let lost = StockChangeForm { units: -1, reason: StockReason::Lost, note: Some("gone".into()) };
    call!(c, change_stock(shop.variant, &lost, None));
    call!(c, stock_changes(shop.variant, None, 50));
    call!(c, price_changes(shop.variant, None, 50));
    let entry = |kind| audit_entry(AuditEntry::WHOLE_SHOP, kind);
    shop.offer(5, 5).await;
    let form = ProductForm { version: 1, title: Some("Desk lamp".into()), ..ProductForm::default() };
    call!(c, change_product(shop.product, &form, &entry(AuditAction::ChangeProduct)));
    let pictures = [ProductPicture::of_address("/a.png".to_owned())];
    call!(c, set_gallery(shop.product, (2, &pictures), &entry(AuditAction::ChangeProduct)));
    call!(c, set_product_status(shop.product, ProductStatus::Archived, &entry(AuditAction::ArchiveProduct)));
    call!(c, set_product_status(shop.product, ProductStatus::Active, &entry(AuditAction::RestoreProduct)));
    call!(c, last_product_change());
    call!(c, products_changed_after(1));
    call!(c, product_revisions(shop.product));
}
