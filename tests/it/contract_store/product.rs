//! Products that change: their versions, what earlier orders keep, the archive, and the logs of prices and stock.

use livesouk::domain::product::{ProductFilter, VARIANTS_MAX};
use livesouk::domain::product_change::{StockChangeForm, named_as_at};
use livesouk::domain::{
    AuditAction, AuditEntry, Product, ProductForm, ProductId, ProductStatus, Refusal, StockReason, Variant,
    VariantForm, VariantId,
};
use livesouk::store::REVISIONS_READ_MAX;
use uuid::Uuid;

use super::builders::{audit_entry, refusal};
use super::fixture::{Fixture, STOCK, facts};

facts! {
    change_raises_the_version_and_an_outdated_one_changes_nothing
    offers_follow_the_title_and_keep_their_price
    earlier_orders_keep_what_was_sold
    archived_product_gets_no_new_offer_until_it_is_restored
    page_of_products_ends_before_it_has_too_many_variants
    prices_and_stock_are_logged_with_their_author
    removed_variant_keeps_its_offers_and_gets_no_new_one
    concurrent_changes_of_one_version_have_one_winner
    catalogue_is_searched_by_title_sku_and_barcode
    words_that_no_product_has_any_more_are_deleted
}

fn entry() -> AuditEntry {
    audit_entry(AuditEntry::WHOLE_SHOP, AuditAction::ChangeProduct)
}

fn titled(version: i64, title: &str) -> ProductForm {
    ProductForm { version, title: Some(title.into()), ..ProductForm::default() }
}

impl Fixture {
    /// The variant of the fixture in a form, at this price.
    fn variant_form(&self, price: i64) -> VariantForm {
        VariantForm { id: Some(self.variant), name: "One size".into(), price, ..VariantForm::default() }
    }

    async fn set_variants(&self, version: i64, variants: Vec<VariantForm>) -> Vec<VariantId> {
        let form = ProductForm { version, variants: Some(variants), ..ProductForm::default() };
        let changed = self.store.change_product(self.product, &form, &entry()).await.unwrap();
        changed.product.variants.iter().map(|variant| variant.id).collect()
    }
}

async fn change_raises_the_version_and_an_outdated_one_changes_nothing(shop: Fixture) {
    let store = &shop.store;
    let changed = store.change_product(shop.product, &titled(1, "Desk lamp"), &entry()).await.unwrap().product;
    assert_eq!((changed.version, changed.title.as_str(), changed.variants[0].stock), (2, "Desk lamp", STOCK));
    assert_eq!(refusal(store.change_product(shop.product, &titled(1, "Late"), &entry()).await), Refusal::Outdated);
    assert_eq!(store.product(shop.product).await.unwrap().unwrap(), changed);
    let same = store.change_product(shop.product, &titled(2, "Desk lamp"), &entry()).await.unwrap();
    assert_eq!((same.product.version, same.offers.len()), (2, 0), "a form that changes nothing is no change");
    let unknown = store.change_product(Default::default(), &titled(1, "X"), &entry()).await;
    assert_eq!(refusal(unknown), Refusal::NoSuchProduct);
    let logged = store.audit_entries(AuditEntry::WHOLE_SHOP, None, None, 10).await.unwrap();
    assert_eq!(logged.len(), 1, "only the change is in the audit log");
}

async fn offers_follow_the_title_and_keep_their_price(shop: Fixture) {
    let (open, closed) = (shop.offer(5, 1).await, shop.offer(5, 1).await);
    shop.store.close_offer(closed).await.unwrap();
    let (before, over) = (shop.load_offer(open).await, shop.load_offer(closed).await);
    let changed = shop.store.change_product(shop.product, &titled(1, "Desk lamp"), &entry()).await.unwrap();
    assert_eq!(changed.offers, [open]);
    let after = shop.load_offer(open).await;
    assert_eq!((after.title.as_str(), after.terms.version), ("Desk lamp", before.terms.version + 1));
    assert_eq!((after.terms.price, after.terms.quantity), (before.terms.price, before.terms.quantity));
    assert_eq!(shop.load_offer(closed).await.terms.version, over.terms.version, "a closed offer is not announced");
    shop.set_variants(2, vec![shop.variant_form(9_999)]).await;
    let repriced = shop.load_offer(open).await;
    assert_eq!((repriced.terms.price, repriced.terms.version), (before.terms.price, after.terms.version));
}

async fn earlier_orders_keep_what_was_sold(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    assert_eq!(shop.store.product_revisions(shop.product).await.unwrap(), [], "it never changed");
    let first_sale = shop.store.now().await.unwrap();
    let mut version = 1;
    let mut sales = vec![(first_sale, "Lamp")];
    for title in ["Desk lamp", "Floor lamp"] {
        // Times are whole milliseconds: the change is later than the sale before it.
        while shop.store.now().await.unwrap() <= sales.last().unwrap().0 {}
        shop.store.change_product(shop.product, &titled(version, title), &entry()).await.unwrap();
        version += 1;
        let at = shop.store.product_revisions(shop.product).await.unwrap().last().unwrap().at;
        sales.push((at, title));
    }
    let revisions = shop.store.product_revisions(shop.product).await.unwrap();
    let offer = shop.load_offer(offer).await;
    for (at, expected) in sales {
        let named = named_as_at(&offer, &revisions, at).unwrap_or_else(|| offer.clone());
        assert_eq!(named.title, expected, "{at}");
        assert_eq!(named.variant_name, "One size");
    }
    let moved = ProductForm { version, image: Some(Some("/x.png".into())), ..ProductForm::default() };
    shop.store.change_product(shop.product, &moved, &entry()).await.unwrap();
    assert_eq!(shop.load_offer(offer.id).await.image.as_deref(), Some("/x.png"));
    let described = ProductForm { version: version + 1, description: Some("Tall.".into()), ..ProductForm::default() };
    shop.store.change_product(shop.product, &described, &entry()).await.unwrap();
    assert_eq!(shop.store.product_revisions(shop.product).await.unwrap(), revisions, "it was not renamed");
    // Of a product that was renamed very often the newest names are read.
    let more = format!(
        "with recursive n(n) as (select 100 union all select n + 1 from n where n < 99 + {REVISIONS_READ_MAX})
         insert into product_revisions (product, version, at, title, titles, variants)
         select p.id, n, {}, 'Lamp', '{{}}', '[]' from n, products p",
        i64::MAX
    );
    shop.run(&more).await;
    let read = shop.store.product_revisions(shop.product).await.unwrap();
    assert_eq!((read.len() as i64, read[0].version), (REVISIONS_READ_MAX, 100));
}

async fn page_of_products_ends_before_it_has_too_many_variants(shop: Fixture) {
    let first = shop.store.product(shop.product).await.unwrap().unwrap();
    for _ in 0..3 {
        let variant =
            |n| Variant { id: VariantId(Uuid::now_v7()), name: format!("Size {n}"), ..first.variants[0].clone() };
        let many = Product {
            id: ProductId(Uuid::now_v7()),
            variants: (0..VARIANTS_MAX).map(variant).collect(),
            ..first.clone()
        };
        shop.store.create_product(shop.shop.id, &many, None).await.unwrap();
    }
    let page = async |after| {
        let page = shop.store.products(&ProductFilter::default(), after, 10).await.unwrap();
        let sizes: Vec<usize> = page.products.iter().map(|product| product.variants.len()).collect();
        (sizes, page.is_cut, page.products.last().map(|product| product.id))
    };
    let (sizes, is_cut, last) = page(None).await;
    assert_eq!((sizes, is_cut), (vec![1, VARIANTS_MAX], true));
    let (sizes, is_cut, _) = page(last).await;
    assert_eq!((sizes, is_cut), (vec![VARIANTS_MAX, VARIANTS_MAX], false));
}

async fn archived_product_gets_no_new_offer_until_it_is_restored(shop: Fixture) {
    let sold = shop.offer(5, 1).await;
    let set = async |status| shop.store.set_product_status(shop.product, status, &entry()).await.unwrap();
    let archived = set(ProductStatus::Archived).await;
    assert_eq!((archived.status, archived.version), (ProductStatus::Archived, 2));
    assert_eq!(set(ProductStatus::Archived).await.version, 2, "to archive it again changes nothing");
    let stock = shop.stock().await;
    let refused = refusal(shop.store.create_offer(&shop.new_offer(1, 1), None).await);
    assert_eq!((refused.code(), shop.stock().await), ("wrong_status", stock));
    shop.store.restock_offer(sold, 1, None).await.unwrap();
    let listed = async |status| {
        let filter = ProductFilter { status, search: None };
        shop.store.products(&filter, None, 10).await.unwrap().products.len()
    };
    assert_eq!(
        [listed(Some(ProductStatus::Active)).await, listed(Some(ProductStatus::Archived)).await, listed(None).await],
        [0, 1, 1]
    );
    assert_eq!(set(ProductStatus::Active).await.version, 3);
    shop.store.create_offer(&shop.new_offer(1, 1), None).await.unwrap();
}

async fn prices_and_stock_are_logged_with_their_author(shop: Fixture) {
    shop.set_variants(1, vec![shop.variant_form(5_900)]).await;
    shop.set_variants(2, vec![VariantForm { sku: Some("L-1".into()), ..shop.variant_form(5_900) }]).await;
    let prices = shop.store.price_changes(shop.variant, None, 10).await.unwrap();
    assert_eq!(prices.iter().map(|change| change.price).collect::<Vec<_>>(), [5_900, 4_900]);
    assert_eq!(prices[0].by.as_ref().map(|by| by.name.as_str()), Some("Mo"));
    let change = StockChangeForm { units: -3, reason: StockReason::Damaged, note: Some("Fell down".into()) };
    assert_eq!(shop.store.change_stock(shop.variant, &change, None).await.unwrap().stock, STOCK - 3);
    let too_much = StockChangeForm { units: -STOCK, ..change };
    let left = STOCK - 3;
    let refused = refusal(shop.store.change_stock(shop.variant, &too_much, None).await);
    assert_eq!(refused, Refusal::NotEnoughStock { left });
    let offer = shop.offer(10, 5).await;
    shop.store.close_offer(offer).await.unwrap();
    let log = shop.store.stock_changes(shop.variant, None, 10).await.unwrap();
    let seen: Vec<_> = log.iter().map(|change| (change.reason, change.units, change.stock)).collect();
    assert_eq!(
        seen,
        [
            (StockReason::FromOffer, 10, STOCK - 3),
            (StockReason::ToOffer, -10, STOCK - 13),
            (StockReason::Damaged, -3, STOCK - 3),
            (StockReason::Created, STOCK, STOCK),
        ]
    );
    assert_eq!(log[2].note.as_deref(), Some("Fell down"));
    let page = shop.store.stock_changes(shop.variant, Some(log[1].id), 1).await.unwrap();
    assert_eq!(page, log[2..3]);
}

async fn removed_variant_keeps_its_offers_and_gets_no_new_one(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let new = VariantForm { name: "Large".into(), price: 100, stock: Some(3), ..VariantForm::default() };
    let [large] = shop.set_variants(1, vec![new]).await[..] else { panic!("one variant") };
    assert_ne!(large, shop.variant);
    assert_eq!(shop.load_offer(offer).await.variant_name, "One size");
    let refused = refusal(shop.store.create_offer(&shop.new_offer(1, 1), None).await);
    assert_eq!(refused, Refusal::NoSuchProduct);
    assert_eq!(refusal(shop.store.restock_variant(shop.variant, 1, None).await), Refusal::NoSuchProduct);
    shop.store.close_offer(offer).await.unwrap();
}

async fn concurrent_changes_of_one_version_have_one_winner(shop: Fixture) {
    let change = |n: usize| {
        let (store, product) = (shop.store.clone(), shop.product);
        tokio::spawn(async move { store.change_product(product, &titled(1, &format!("Lamp {n}")), &entry()).await })
    };
    let tasks: Vec<_> = (0..8).map(change).collect();
    let mut winners = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => winners += 1,
            lost => assert_eq!(refusal(lost), Refusal::Outdated),
        }
    }
    assert_eq!(winners, 1);
    let last = shop.store.last_product_change().await.unwrap();
    assert_eq!(shop.store.products_changed_after(last - 1).await.unwrap(), [(shop.product, last)]);
    assert_eq!(shop.store.products_changed_after(last).await.unwrap(), []);
}

async fn catalogue_is_searched_by_title_sku_and_barcode(shop: Fixture) {
    let form =
        VariantForm { sku: Some("LAMP_50%".into()), barcode: Some("6281000000014".into()), ..shop.variant_form(100) };
    let titles = Some([("ar".to_owned(), "مصباح".to_owned())].into());
    let form = ProductForm { titles, variants: Some(vec![form]), version: 1, ..ProductForm::default() };
    shop.store.change_product(shop.product, &form, &entry()).await.unwrap();
    assert_eq!(shop.store.index_products().await.unwrap(), 1);
    for (search, expected) in [
        ("lam", 1),
        ("LAMP 50", 1),
        ("lapm", 1),
        ("مصباح", 1),
        ("المِصباح", 1),
        ("مصبح", 1),
        ("lamp_50%", 1),
        ("51", 0),
        ("٦٢٨١٠٠٠٠٠٠٠١٤", 1),
        // One digit more or less is the barcode of another product.
        ("6281000000021", 0),
        ("628100000001", 1),
        ("lamp chair", 0),
        ("chair", 0),
        ("%", 0),
        ("🎁", 0),
    ] {
        let filter = ProductFilter { status: None, search: Some(search.to_owned()) };
        assert_eq!(shop.store.products(&filter, None, 10).await.unwrap().products.len(), expected, "{search}");
    }
    // What was corrected is found by its new words only.
    let form = ProductForm { title: Some("Lantern".into()), version: 2, ..ProductForm::default() };
    shop.store.change_product(shop.product, &form, &entry()).await.unwrap();
    assert_eq!(shop.store.index_products().await.unwrap(), 1);
    for (search, expected) in [("lantern", 1), ("lanterm", 1), ("chair", 0)] {
        let filter = ProductFilter { status: Some(ProductStatus::Active), search: Some(search.to_owned()) };
        assert_eq!(shop.store.products(&filter, None, 10).await.unwrap().products.len(), expected, "{search}");
    }
    assert_eq!(shop.store.index_products().await.unwrap(), 0, "nothing is left to be done");
}

async fn words_that_no_product_has_any_more_are_deleted(shop: Fixture) {
    let prune = async || {
        let (mut reached, mut deleted) = (String::new(), 0);
        loop {
            let (next, some) = shop.store.prune_search_words(&reached).await.unwrap();
            deleted += some;
            match next {
                Some(next) => reached = next,
                None => return deleted,
            }
        }
    };
    let words: String = (0..250).map(|n| format!("word{n} ")).collect();
    shop.store.index_products().await.unwrap();
    let categories = ProductForm { category: Some(Some("Chandelier".into())), ..titled(1, "Lantern") };
    shop.store.change_product(shop.product, &categories, &entry()).await.unwrap();
    shop.store.index_products().await.unwrap();
    assert_eq!(prune().await, 1, "only the title of before: every other word has a product");
    // More words than one step looks at, that were the words of a product once.
    let insert = words.split_whitespace().map(|word| format!("('{word}')")).collect::<Vec<_>>().join(", ");
    shop.run(&format!("insert into search_words (word) values {insert}")).await;
    let plain = ProductForm { category: Some(None), ..titled(2, "Lantern") };
    shop.store.change_product(shop.product, &plain, &entry()).await.unwrap();
    shop.store.index_products().await.unwrap();
    let grams = "select count(*) from search_grams where word = 'chandelier'";
    assert!(shop.number(grams).await > 0);
    assert_eq!(prune().await, 251);
    assert_eq!(shop.number(grams).await, 0);
    assert_eq!(shop.number("select count(*) from search_words where word = 'lantern'").await, 1);
    // An archived product keeps its words: the team finds it.
    shop.store.set_product_status(shop.product, ProductStatus::Archived, &entry()).await.unwrap();
    shop.store.index_products().await.unwrap();
    assert_eq!(prune().await, 0);
    let filter = ProductFilter { status: None, search: Some("lanterm".to_owned()) };
    assert_eq!(shop.store.products(&filter, None, 10).await.unwrap().products.len(), 1);
}
