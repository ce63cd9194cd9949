//! Uploaded pictures, and which of them nothing names any more; the galleries of products.

use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store};
use crate::domain::picture::{UNNAMED_PICTURES_MAX, uploaded_picture};
use crate::domain::{Millis, PictureFocus, PictureHash, Product, ProductId, ProductPicture, Refusal};

/// How long a picture belongs to the node that deletes it. Then another one takes it over: the first has died.
pub const CONDEMNED_LEASE_MS: Millis = 30 * 60 * 1_000;

/// An uploaded picture.
#[derive(Clone, PartialEq, Debug)]
pub struct PictureRow {
    pub hash: PictureHash,
    /// Of the largest file, in pixels.
    pub width: i64,
    pub height: i64,
    /// Of all its files together.
    pub bytes: i64,
}

struct GalleryRow {
    address: String,
    alt: Option<String>,
    focus_x: Option<i64>,
    focus_y: Option<i64>,
    source: Option<String>,
}

from_row!(GalleryRow { address, alt, focus_x, focus_y, source });

/// Whether the picture in the row `p` is named by a product, a gallery, a show, or the undo of an import. An address may have a host in front of it. The two
/// databases have different names for the place of a text in another one; there is an index on each of these expressions.
macro_rules! is_named {
    ($place:literal) => {
        concat!(
            "(exists (select 1 from products n where substr(n.image, ",
            $place,
            "(n.image, '/pictures/') + 10, 64) = p.hash)
              or exists (select 1 from product_pictures n where substr(n.address, ",
            $place,
            "(n.address, '/pictures/') + 10, 64) = p.hash)
              or exists (select 1 from streams n where substr(n.poster, ",
            $place,
            "(n.poster, '/pictures/') + 10, 64) = p.hash)
              or exists (select 1 from catalogue_import_kept n where n.hash = p.hash))"
        )
    };
}

macro_rules! look {
    ($place:literal) => {
        concat!(
            "select p.hash, cast(case when ",
            is_named!($place),
            " then 1 else 0 end as bigint) from pictures p
                where p.condemned_at is null and p.looked_at <= $1 order by p.looked_at limit $2"
        )
    };
}

macro_rules! condemn {
    ($place:literal) => {
        concat!(
            "update pictures as p set condemned_at = $2
                where p.hash = $1 and p.condemned_at is null and p.unnamed_since <= $3 and not ",
            is_named!($place)
        )
    };
}

impl Store {
    /// Remembers a picture before its files are written. Until something names it, it is an orphan that is deleted after a day.
    pub async fn add_picture(&self, picture: &PictureRow) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let count = "select cast(count(*) as bigint) from pictures where unnamed_since is not null and hash <> $1";
            let unnamed: i64 = tx.query(count).bind(picture.hash.to_string()).fetch_value().await?;
            if unnamed >= UNNAMED_PICTURES_MAX {
                let why = "Too many uploaded pictures belong to no product or show; they are deleted after a day.";
                return Err(Refusal::WrongStatus(why).into());
            }
            let insert = "insert into pictures (hash, width, height, bytes, uploaded_at, unnamed_since, looked_at)
                values ($1, $2, $3, $4, $5, $5, $5)
                on conflict (hash) do update set looked_at = excluded.looked_at where pictures.condemned_at is null";
            let query = tx.query(insert).bind(picture.hash.to_string()).bind(picture.width).bind(picture.height);
            match query.bind(picture.bytes).bind(now).execute().await? {
                // It is being deleted at this moment.
                0 => Err(Refusal::Busy { retry_ms: 2_000 }.into()),
                _ => Ok(()),
            }
        })
        .await
    }

    /// A picture that was uploaded before. If nothing names it, it begins its day again.
    pub async fn keep_picture(&self, hash: PictureHash) -> Result<Option<PictureRow>> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let keep = "update pictures set looked_at = $2,
                    unnamed_since = case when unnamed_since is null then null else $2 end
                where hash = $1 and condemned_at is null returning width, height, bytes";
            let row: Option<(i64, i64, i64)> = tx.query(keep).bind(hash.to_string()).bind(now).fetch_optional().await?;
            Ok(row.map(|(width, height, bytes)| PictureRow { hash, width, height, bytes }))
        })
        .await
    }

    /// Looks at the pictures that were not looked at since `looked_before`, at most `limit`. Gives those that the caller is to delete:
    /// nothing has named them since `unnamed_before`. From then on nothing can name them any more, and nobody can upload them again
    /// before they are forgotten. No other node is given them until [`CONDEMNED_LEASE_MS`] later: otherwise it could delete the files
    /// of a picture that was deleted here and uploaded again meanwhile.
    pub async fn look_for_orphan_pictures(
        &self,
        now: Millis,
        looked_before: Millis,
        unnamed_before: Millis,
        limit: i64,
    ) -> Result<Vec<PictureHash>> {
        let read = self.choose(look!("strpos"), look!("instr"));
        let found: Vec<(String, i64)> = self.query(read).bind(looked_before).bind(limit).fetch_all().await?;
        self.transaction(async |tx| {
            for (hash, is_named) in &found {
                let note = "update pictures set looked_at = $2,
                        unnamed_since = case when $3 = 1 then null else coalesce(unnamed_since, $2) end
                    where hash = $1 and condemned_at is null";
                tx.query(note).bind(hash).bind(now).bind(*is_named).execute().await?;
            }
            Ok(())
        })
        .await?;
        // Another node may have begun to delete these, and ended without having done it.
        let read = "select hash from pictures where condemned_at <= $1 order by condemned_at limit $2";
        let left: Vec<String> = self.query(read).bind(now - CONDEMNED_LEASE_MS).bind(limit).fetch_values().await?;
        let mine: Vec<String> = self
            .transaction(async |tx| {
                let mut mine = Vec::new();
                for (hash, _) in found.iter().filter(|(_, is_named)| *is_named == 0) {
                    // Looked at again under the lock of the row, which a product that names the picture needs too.
                    let condemn = tx.choose(condemn!("strpos"), condemn!("instr"));
                    if tx.query(condemn).bind(hash).bind(now).bind(unnamed_before).execute().await? > 0 {
                        mine.push(hash.clone());
                    }
                }
                for hash in left {
                    let take = "update pictures set condemned_at = $2 where hash = $1 and condemned_at <= $3";
                    if tx.query(take).bind(&hash).bind(now).bind(now - CONDEMNED_LEASE_MS).execute().await? > 0 {
                        mine.push(hash);
                    }
                }
                Ok(mine)
            })
            .await?;
        mine.iter().map(|hash| parse_hash(hash)).collect()
    }

    /// The files of a picture are gone that was given to the caller at `condemned_at`, to be deleted. If another node took it over, or if
    /// it is uploaded again, this changes nothing.
    pub async fn forget_picture(&self, hash: PictureHash, condemned_at: Millis) -> Result<()> {
        let delete = "delete from pictures where hash = $1 and condemned_at = $2";
        self.transaction(async |tx| tx.query(delete).bind(hash.to_string()).bind(condemned_at).execute().await).await?;
        Ok(())
    }

    /// The gallery of a product in its order. A product without a gallery has the one picture of its own row, or none.
    pub async fn gallery(&self, product: &Product) -> Result<Vec<ProductPicture>> {
        Ok(pictures_of(product, self.query(READ_GALLERY).bind(product.id.0).fetch_all().await?))
    }
}

const READ_GALLERY: &str =
    "select address, alt, focus_x, focus_y, source from product_pictures where product = $1 order by position";

fn pictures_of(product: &Product, rows: Vec<GalleryRow>) -> Vec<ProductPicture> {
    if rows.is_empty() {
        return product.image.clone().map(ProductPicture::of_address).into_iter().collect();
    }
    rows.into_iter().map(GalleryRow::into_picture).collect()
}

/// Part of a transaction: the gallery of a product.
pub(super) async fn read_gallery(tx: &mut Transaction<'_>, product: &Product) -> Result<Vec<ProductPicture>> {
    Ok(pictures_of(product, tx.query(READ_GALLERY).bind(product.id.0).fetch_all().await?))
}

fn parse_hash(digits: &str) -> Result<PictureHash> {
    PictureHash::parse(digits).ok_or_else(|| Error::CorruptRow(format!("picture `{digits}`")))
}

impl GalleryRow {
    fn into_picture(self) -> ProductPicture {
        let focus = self.focus_x.zip(self.focus_y).map(|(x, y)| PictureFocus { x, y });
        ProductPicture { address: self.address, alt: self.alt, focus, source: self.source }
    }
}

/// Part of a transaction that writes an address: an uploaded picture that it names stays. Refused if this shop has no such picture.
pub(super) async fn claim_picture(tx: &mut Transaction<'_>, address: &str, field: &'static str) -> Result<()> {
    let Some(hash) = uploaded_picture(address) else { return Ok(()) };
    let claim = "update pictures set unnamed_since = null where hash = $1 and condemned_at is null";
    match tx.query(claim).bind(hash.to_string()).execute().await? {
        0 => {
            Err(Refusal::InvalidValue { field, why: "names an uploaded picture that this shop does not have." }.into())
        }
        _ => Ok(()),
    }
}

/// Part of a transaction: writes the gallery of a product.
pub(super) async fn write_gallery(
    tx: &mut Transaction<'_>,
    product: ProductId,
    pictures: &[ProductPicture],
) -> Result<()> {
    // A form does not know from where a picture was fetched.
    let read = "select address, source from product_pictures where product = $1 and source is not null";
    let sources: Vec<(String, String)> = tx.query(read).bind(product.0).fetch_all().await?;
    let known = |address: &str| sources.iter().find(|(one, _)| one == address).map(|(_, source)| source.clone());
    tx.query("delete from product_pictures where product = $1").bind(product.0).execute().await?;
    for (position, picture) in pictures.iter().enumerate() {
        claim_picture(tx, &picture.address, "pictures").await?;
        let insert = "insert into product_pictures (product, position, address, alt, focus_x, focus_y, source)
            values ($1, $2, $3, $4, $5, $6, $7)";
        let query = tx.query(insert).bind(product.0).bind(position as i64).bind(&picture.address).bind(&picture.alt);
        let focus = picture.focus;
        let source = picture.source.clone().or_else(|| known(&picture.address));
        query.bind(focus.map(|focus| focus.x)).bind(focus.map(|focus| focus.y)).bind(source).execute().await?;
    }
    Ok(())
}

/// Part of a transaction that gives a product another picture: it takes the first place of the gallery.
pub(super) async fn replace_first_picture(
    tx: &mut Transaction<'_>,
    product: ProductId,
    image: Option<&str>,
) -> Result<()> {
    let Some(image) = image else {
        let count = "select count(*) from product_pictures where product = $1";
        if tx.query(count).bind(product.0).fetch_value::<i64>().await? > 1 {
            return Err(Refusal::bad_field("image", "is the first of several pictures: change the gallery.").into());
        }
        return write_gallery(tx, product, &[]).await;
    };
    claim_picture(tx, image, "image").await?;
    let picture = ProductPicture::of_address(image.to_owned());
    // A product without a gallery has its one picture in its own row.
    let replace = "update product_pictures set address = $2, alt = null, source = null, focus_x = $3, focus_y = $4
        where product = $1 and position = 0";
    let (x, y) = picture.focus.map_or((None, None), |focus| (Some(focus.x), Some(focus.y)));
    tx.query(replace).bind(product.0).bind(&picture.address).bind(x).bind(y).execute().await.map(drop)
}
