//! Uploaded pictures, what names them, and when they are deleted.

use livesouk::domain::picture::{PictureSize, UNNAMED_PICTURES_MAX, picture_address};
use livesouk::domain::product::ProductFilter;
use livesouk::domain::{LiveStream, PictureHash, ProductId, Refusal, StreamId, VariantId};
use livesouk::store::{CONDEMNED_LEASE_MS, Error, PictureRow};

use super::builders::{refusal, stream};
use super::fixture::{Fixture, facts};

facts! {
    picture_that_nothing_names_is_condemned_after_its_time
    picture_that_something_names_stays
    picture_that_is_named_no_more_has_its_time_from_then
    condemned_picture_belongs_to_one_node_until_its_lease_is_over
    condemned_picture_cannot_be_named_or_uploaded_until_it_is_forgotten
    picture_that_the_shop_does_not_have_cannot_be_named
    too_many_unnamed_pictures_are_refused
}

const HOUR: i64 = 3_600_000;

fn picture(name: &str) -> PictureRow {
    PictureRow { hash: PictureHash::of(name.as_bytes()), width: 1_600, height: 900, bytes: 100_000 }
}

fn address(name: &str) -> String {
    picture_address(picture(name).hash, PictureSize::Medium)
}

impl Fixture {
    /// Creates a product like that of the fixture, with this picture.
    async fn product_with(&self, image: &str) -> Result<(), Error> {
        let mut product = self.store.products(&ProductFilter::default(), None, 1).await?.products.remove(0);
        (product.id, product.image) = (ProductId::new(), Some(image.to_owned()));
        product.variants.iter_mut().for_each(|variant| variant.id = VariantId::new());
        self.store.create_product(self.shop.id, &product, None).await.map(drop)
    }

    async fn show_with(&self, poster: &str) -> Result<(), Error> {
        let show = LiveStream { poster: Some(poster.to_owned()), ..stream(StreamId::new()) };
        self.store.create_stream(self.shop.id, &show).await
    }

    /// A round of the job this long after now, with a day for pictures that nothing names.
    async fn orphans_after(&self, hours: i64) -> Vec<PictureHash> {
        let now = self.after(hours).await;
        self.orphans_at(now).await
    }

    async fn orphans_at(&self, now: i64) -> Vec<PictureHash> {
        self.store.look_for_orphan_pictures(now, now, now - 24 * HOUR, 100).await.unwrap()
    }

    async fn after(&self, hours: i64) -> i64 {
        self.store.now().await.unwrap() + hours * HOUR
    }
}

async fn picture_that_nothing_names_is_condemned_after_its_time(shop: Fixture) {
    shop.store.add_picture(&picture("a")).await.unwrap();
    assert_eq!(shop.orphans_after(23).await, []);
    let then = shop.after(25).await;
    assert_eq!(shop.orphans_at(then).await, [picture("a").hash]);
    shop.store.forget_picture(picture("a").hash, then).await.unwrap();
    assert_eq!(shop.orphans_after(25).await, []);
    assert_eq!(shop.store.keep_picture(picture("a").hash).await.unwrap(), None);
}

async fn picture_that_something_names_stays(shop: Fixture) {
    for name in ["of a product", "of a show", "behind a host", "of nothing"] {
        shop.store.add_picture(&picture(name)).await.unwrap();
    }
    let focused = format!("{}#focus=1,2", address("of a product"));
    shop.product_with(&focused).await.unwrap();
    shop.show_with(&address("of a show")).await.unwrap();
    shop.product_with(&format!("https://cdn.example{}", address("behind a host"))).await.unwrap();
    assert_eq!(shop.orphans_after(25).await, [picture("of nothing").hash]);
    assert_eq!(shop.orphans_after(1_000).await, [picture("of nothing").hash]);
}

async fn condemned_picture_belongs_to_one_node_until_its_lease_is_over(shop: Fixture) {
    let a = picture("a");
    shop.store.add_picture(&a).await.unwrap();
    let begun = shop.after(25).await;
    assert_eq!(shop.orphans_at(begun).await, [a.hash], "the first node deletes it");
    assert_eq!(shop.orphans_at(begun + CONDEMNED_LEASE_MS - 1).await, [], "the second does not");
    // The first node died. The second deletes the files, and the same picture is uploaded again.
    let taken_over = begun + CONDEMNED_LEASE_MS;
    assert_eq!(shop.orphans_at(taken_over).await, [a.hash]);
    shop.store.forget_picture(a.hash, begun).await.unwrap();
    assert!(matches!(refusal(shop.store.add_picture(&a).await), Refusal::Busy { .. }), "its files are being deleted");
    shop.store.forget_picture(a.hash, taken_over).await.unwrap();
    shop.store.add_picture(&a).await.unwrap();
    shop.store.forget_picture(a.hash, begun).await.unwrap();
    assert_eq!(shop.store.keep_picture(a.hash).await.unwrap(), Some(a), "it is a new upload");
}

async fn picture_that_is_named_no_more_has_its_time_from_then(shop: Fixture) {
    shop.store.add_picture(&picture("a")).await.unwrap();
    shop.product_with(&address("a")).await.unwrap();
    assert_eq!(shop.orphans_after(100).await, []);
    shop.run("update products set image = null").await;
    assert_eq!(shop.orphans_after(200).await, [], "nothing names it since this check");
    assert_eq!(shop.orphans_after(223).await, []);
    assert_eq!(shop.orphans_after(225).await, [picture("a").hash]);
}

async fn condemned_picture_cannot_be_named_or_uploaded_until_it_is_forgotten(shop: Fixture) {
    shop.store.add_picture(&picture("a")).await.unwrap();
    let then = shop.after(25).await;
    assert_eq!(shop.orphans_at(then).await.len(), 1);
    let named = shop.product_with(&address("a")).await;
    assert!(matches!(refusal(named), Refusal::InvalidValue { field: "image", .. }));
    assert_eq!(shop.store.keep_picture(picture("a").hash).await.unwrap(), None);
    assert!(matches!(refusal(shop.store.add_picture(&picture("a")).await), Refusal::Busy { .. }));
    shop.store.forget_picture(picture("a").hash, then).await.unwrap();
    shop.store.add_picture(&picture("a")).await.unwrap();
    shop.product_with(&address("a")).await.unwrap();
}

async fn picture_that_the_shop_does_not_have_cannot_be_named(shop: Fixture) {
    let named = shop.product_with(&address("a")).await;
    assert!(matches!(refusal(named), Refusal::InvalidValue { field: "image", .. }));
    let named = shop.show_with(&address("a")).await;
    assert!(matches!(refusal(named), Refusal::InvalidValue { field: "poster", .. }));
}

async fn too_many_unnamed_pictures_are_refused(shop: Fixture) {
    shop.store.add_picture(&picture("a")).await.unwrap();
    let fill = format!(
        "with recursive n(n) as (select 2 union all select n + 1 from n where n < {UNNAMED_PICTURES_MAX})
         insert into pictures (hash, width, height, bytes, uploaded_at, unnamed_since, looked_at)
         select substr('{}' || n, 1 + length('' || n)), 1, 1, 1, 1, 1, 1 from n",
        "0".repeat(64)
    );
    shop.run(&fill).await;
    assert!(matches!(refusal(shop.store.add_picture(&picture("b")).await), Refusal::WrongStatus(_)));
    shop.store.add_picture(&picture("a")).await.unwrap();
}
