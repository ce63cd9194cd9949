//! Writes the products of an import, and changes them back. What became of a product is noted in the transaction that writes it, so a
//! node that dies in the middle is followed by another one that goes on with the next product.

use std::collections::HashSet;

use super::bulk_edit::{edit_back, reason_of, write_stock};
use super::catalogue_import_insert::insert_products;
use super::catalogue_product::read_catalogue_product;
use super::picture::{claim_picture, write_gallery};
use super::product_change::{lock_product, write_change};
use super::transaction::Transaction;
use super::{Error, Result, Store, from_json, to_json};
use crate::domain::bulk_edit::EditBack;
use crate::domain::catalogue_file::{
    CatalogueProduct, FileKind, FileProblem, FileProblemCode, Plan, Target, WayBack, plan, plan_back,
};
use crate::domain::catalogue_import::{ImportedPicture, ImportedProduct};
use crate::domain::picture::uploaded_picture;
use crate::domain::product_change::ChangeAuthor;
use crate::domain::{
    Author, ImportId, ImportSource, ImportedState, Millis, OfferId, ProductId, ProductPicture, ProductStatus, Refusal,
    ShopId,
};

/// Who imports what. Its products are written by this.
pub struct ImportWriter {
    pub import: ImportId,
    pub shop: ShopId,
    pub by: Author,
    pub source: ImportSource,
    pub kind: FileKind,
    /// Of the currency of the shop.
    pub decimals: usize,
    /// Pictures are fetched and kept here.
    pub fetches_pictures: bool,
    /// The node that works on the import took it at this time. If another one has it, nothing is written.
    pub taken_at: Millis,
}

/// A product that was written, and its offers that look different now.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ImportOutcome {
    pub changed: Vec<(ProductId, Vec<OfferId>)>,
}

impl Store {
    /// Writes these products, in one transaction for all that are new and one for each that is changed.
    pub async fn write_imported(&self, writer: &ImportWriter, products: &[ImportedProduct]) -> Result<ImportOutcome> {
        let handles: Vec<&str> = products.iter().map(|one| one.handle.as_str()).collect();
        let known: HashSet<String> =
            self.products_by_handle(&handles).await?.into_iter().map(|one| one.handle).collect();
        let (old, new): (Vec<&ImportedProduct>, Vec<&ImportedProduct>) =
            products.iter().partition(|one| known.contains(&one.handle));
        let mut outcome = ImportOutcome::default();
        if !new.is_empty() {
            match self.create_imported(writer, &new).await {
                // One of them is at fault: the others are written one by one.
                Err(error) if is_about_product(&error) => {
                    for product in new {
                        let created = self.create_imported(writer, &[product]).await;
                        self.note_failure(writer, (product, ImportedState::Refused), created).await?;
                    }
                }
                created => created?,
            }
        }
        for product in old {
            let changed = self.change_imported(writer, product).await;
            let changed = self.note_failure(writer, (product, ImportedState::Refused), changed).await?;
            outcome.changed.extend(changed.flatten());
        }
        Ok(outcome)
    }

    /// Notes at a product why it could not be written; any other fault is given back.
    async fn note_failure<T>(
        &self,
        writer: &ImportWriter,
        (product, state): (&ImportedProduct, ImportedState),
        result: Result<T>,
    ) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if is_about_product(&error) => {
                let message = error.to_string();
                tracing::warn!(import = %writer.import, handle = product.handle, error = message, "a product was not imported");
                let problem = writer.problem(product, FileProblemCode::Refused, message);
                let problems: Vec<_> = product.problems.iter().cloned().chain([problem]).collect();
                self.transaction(async |tx| {
                    writer.check(tx).await?;
                    writer.note(tx, product, state, &problems).await
                })
                .await?;
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Creates products that the catalogue does not have, many by one statement.
    async fn create_imported(&self, writer: &ImportWriter, products: &[&ImportedProduct]) -> Result<()> {
        self.transaction(async |tx| {
            writer.check(tx).await?;
            let mut targets = Vec::with_capacity(products.len());
            for product in products {
                match plan(writer.kind, &product.data, None, writer.decimals) {
                    Ok(Plan::Create(target)) => match claim_pictures(tx, &target.pictures).await {
                        Ok(()) => targets.push((*product, target)),
                        Err(refusal) => writer.refuse(tx, product, refusal).await?,
                    },
                    Ok(_) => {}
                    Err(problem) => writer.note_problem(tx, product, *problem).await?,
                }
            }
            insert_products(tx, writer, &targets).await
        })
        .await
    }

    /// Changes one product. Gives it with its offers that look different now.
    async fn change_imported(
        &self,
        writer: &ImportWriter,
        product: &ImportedProduct,
    ) -> Result<Option<(ProductId, Vec<OfferId>)>> {
        let [found] = &self.products_by_handle(&[&product.handle]).await?[..] else { return Ok(None) };
        let id = found.product.id;
        self.transaction(async |tx| {
            writer.check(tx).await?;
            lock_product(tx, id).await?;
            let Some(before) = read_catalogue_product(tx, id).await? else { return Ok(None) };
            match plan(writer.kind, &product.data, Some(&before), writer.decimals) {
                Ok(Plan::Change(target, _)) => {
                    if let Err(refusal) = claim_pictures(tx, &target.pictures).await {
                        writer.refuse(tx, product, refusal).await?;
                        return Ok(None);
                    }
                    let (version, offers) = writer.write(tx, (&before, &target), product.position).await?;
                    let back = WayBack::new(before, &target);
                    writer.keep_pictures(tx, &back.before.pictures).await?;
                    let note = "update catalogue_import_products set state = 'changed', product = $3, version = $4, before = $5
                        where import = $1 and position = $2";
                    tx.query(note)
                        .bind(writer.import.0)
                        .bind(product.position)
                        .bind(id.0)
                        .bind(version)
                        .bind(to_json(&back)?)
                        .execute()
                        .await?;
                    Ok(Some((id, offers)))
                }
                Ok(_) => writer.note(tx, product, ImportedState::Same, &product.problems).await.map(|()| None),
                Err(problem) => writer.note_problem(tx, product, *problem).await.map(|()| None),
            }
        })
        .await
    }

    /// Changes a product of an import back, unless somebody changed it since. A product that the import created is archived.
    pub async fn undo_imported(
        &self,
        writer: &ImportWriter,
        product: &ImportedProduct,
    ) -> Result<Option<(ProductId, Vec<OfferId>)>> {
        let undone = self.change_back(writer, product).await;
        Ok(self.note_failure(writer, (product, ImportedState::Kept), undone).await?.flatten())
    }

    async fn change_back(
        &self,
        writer: &ImportWriter,
        product: &ImportedProduct,
    ) -> Result<Option<(ProductId, Vec<OfferId>)>> {
        let Some(id) = product.product else { return Ok(None) };
        self.transaction(async |tx| {
            writer.check(tx).await?;
            lock_product(tx, id).await?;
            let Some(current) = read_catalogue_product(tx, id).await? else { return Ok(None) };
            let read = "select before from catalogue_import_products where import = $1 and position = $2";
            let before: Option<String> =
                tx.query(read).bind(writer.import.0).bind(product.position).fetch_value().await?;
            let edit = edit_back(writer.source, before.as_deref())?;
            let is_stock_only = edit.as_ref().is_some_and(EditBack::is_stock_only);
            if !is_stock_only && product.version != Some(current.product.version) {
                let message = "It was changed after the import.".to_owned();
                let problem = writer.problem(product, FileProblemCode::ChangedSince, message);
                writer.note(tx, product, ImportedState::Kept, &[problem]).await?;
                return Ok(None);
            }
            let mut target = match (edit, before) {
                (Some(edit), _) => match edit.plan_back(&current) {
                    Ok(target) => target,
                    Err(message) => {
                        let problem = writer.problem(product, FileProblemCode::NotEnough, message);
                        writer.note(tx, product, ImportedState::Kept, &[problem]).await?;
                        return Ok(None);
                    }
                },
                (None, Some(json)) => plan_back(&from_json::<WayBack>(&json)?, &current),
                (None, None) => {
                    let mut product = current.product.clone();
                    (product.status, product.version) = (ProductStatus::Archived, product.version + 1);
                    Target { product, pictures: current.pictures.clone(), stock: Vec::new() }
                }
            };
            if writer.source == ImportSource::File {
                claim_those_left(tx, &mut target.pictures).await?;
                target.product.image = target.pictures.first().map(ProductPicture::shown_address);
            }
            let (_, offers) = writer.write(tx, (&current, &target), product.position).await?;
            writer.note(tx, product, ImportedState::Undone, &product.problems).await?;
            Ok(Some((id, offers)))
        })
        .await
    }

    /// Notes that a picture was fetched and kept under `kept`, or why it was not. If the product still shows it, it shows ours from now on.
    pub async fn finish_imported_picture(
        &self,
        writer: &ImportWriter,
        picture: &ImportedPicture,
        kept: std::result::Result<&str, String>,
    ) -> Result<Option<(ProductId, Vec<OfferId>)>> {
        self.transaction(async |tx| {
            writer.check(tx).await?;
            let delete = "delete from catalogue_import_pictures where import = $1 and position = $2 and address = $3";
            tx.query(delete).bind(writer.import.0).bind(picture.position).bind(&picture.address).execute().await?;
            let kept = match kept {
                Ok(kept) => kept,
                Err(why) => return writer.add_problem(tx, picture, why).await.map(|()| None),
            };
            lock_product(tx, picture.product).await?;
            let Some(current) = read_catalogue_product(tx, picture.product).await? else { return Ok(None) };
            let mut target = Target {
                product: crate::domain::Product { version: current.product.version + 1, ..current.product.clone() },
                pictures: current.pictures.clone(),
                stock: Vec::new(),
            };
            for shown in target.pictures.iter_mut().filter(|one| one.address == picture.address) {
                shown.source = Some(std::mem::replace(&mut shown.address, kept.to_owned()));
            }
            if target.pictures == current.pictures {
                return Ok(None);
            }
            claim_picture(tx, kept, "pictures").await?;
            target.product.image = target.pictures.first().map(ProductPicture::shown_address);
            let (version, offers) = writer.write(tx, (&current, &target), picture.position).await?;
            // It is a part of the import: the undo still knows the product.
            let set = "update catalogue_import_products set version = $3 where import = $1 and position = $2 and version = $4";
            tx.query(set)
                .bind(writer.import.0)
                .bind(picture.position)
                .bind(version)
                .bind(current.product.version)
                .execute()
                .await?;
            Ok(Some((picture.product, offers)))
        })
        .await
    }
}

/// This product cannot be written; the next one may.
fn is_about_product(error: &Error) -> bool {
    match error {
        // Another node works on the import.
        Error::Refused(Refusal::Busy { .. }) => false,
        Error::Refused(_) | Error::CorruptRow(_) => true,
        other => other.is_row_error(),
    }
}

/// Pictures of a product as it was before. A picture that no longer exists is left out.
async fn claim_those_left(tx: &mut Transaction<'_>, pictures: &mut Vec<ProductPicture>) -> Result<()> {
    let mut kept = Vec::with_capacity(pictures.len());
    for picture in pictures.drain(..) {
        match claim_picture(tx, &picture.address, "pictures").await {
            Ok(()) => kept.push(picture),
            Err(error) if error.is_refusal() => {}
            Err(fault) => return Err(fault),
        }
    }
    *pictures = kept;
    Ok(())
}

async fn claim_pictures(tx: &mut Transaction<'_>, pictures: &[ProductPicture]) -> Result<()> {
    for picture in pictures {
        claim_picture(tx, &picture.address, "pictures").await?;
    }
    Ok(())
}

impl ImportWriter {
    /// Refused if another node works on the import now.
    async fn check(&self, tx: &mut Transaction<'_>) -> Result<()> {
        let lock = tx.choose(
            "select worked_at from catalogue_imports where id = $1 for share",
            "select worked_at from catalogue_imports where id = $1",
        );
        match tx.query(lock).bind(self.import.0).fetch_optional_value::<i64>().await? {
            Some(worked_at) if worked_at == self.taken_at => Ok(()),
            // Another node works on it, or it was given back.
            _ => Err(Refusal::Busy { retry_ms: 1_000 }.into()),
        }
    }

    /// Writes a product that is another one now. Gives its version, and its offers that look different.
    async fn write(
        &self,
        tx: &mut Transaction<'_>,
        (before, target): (&CatalogueProduct, &Target),
        position: i64,
    ) -> Result<(i64, Vec<OfferId>)> {
        let (id, now) = (target.product.id, tx.now().await?);
        let by = ChangeAuthor::from(&self.by);
        if before.pictures != target.pictures {
            write_gallery(tx, id, &target.pictures).await?;
            self.note_pictures(tx, (id, position), &target.pictures).await?;
        }
        // The stock changes without a new version.
        let is_new = before.product.version != target.product.version;
        let offers = match is_new {
            true => write_change(tx, (&before.product, &target.product), (&by, None)).await?.offers,
            false => Vec::new(),
        };
        if before.product.status != target.product.status {
            let at = (target.product.status == ProductStatus::Archived).then_some(now);
            tx.query("update products set archived_at = $2 where id = $1").bind(id.0).bind(at).execute().await?;
        }
        write_stock(tx, (before, &target.stock), (reason_of(self.source), &by)).await?;
        Ok((target.product.version, offers))
    }

    async fn note(
        &self,
        tx: &mut Transaction<'_>,
        product: &ImportedProduct,
        state: ImportedState,
        problems: &[FileProblem],
    ) -> Result<()> {
        let note = "update catalogue_import_products set state = $3, problems = $4 where import = $1 and position = $2";
        let query = tx.query(note).bind(self.import.0).bind(product.position).bind(state.name());
        query.bind(to_json(&problems)?).execute().await.map(drop)
    }

    fn problem(&self, product: &ImportedProduct, code: FileProblemCode, message: String) -> FileProblem {
        FileProblem { row: product.row as u64, column: String::new(), code, message }
    }

    /// Uploaded pictures of a product as it was before stay as long as the import can be undone.
    async fn keep_pictures(&self, tx: &mut Transaction<'_>, pictures: &[ProductPicture]) -> Result<()> {
        for hash in pictures.iter().filter_map(|picture| uploaded_picture(&picture.address)) {
            let insert = "insert into catalogue_import_kept (import, hash) values ($1, $2) on conflict do nothing";
            tx.query(insert).bind(self.import.0).bind(hash.to_string()).execute().await?;
        }
        Ok(())
    }

    async fn note_problem(
        &self,
        tx: &mut Transaction<'_>,
        product: &ImportedProduct,
        problem: FileProblem,
    ) -> Result<()> {
        let problems: Vec<_> = product.problems.iter().cloned().chain([problem]).collect();
        self.note(tx, product, ImportedState::Refused, &problems).await
    }

    /// The database refused it; a fault is given back.
    async fn refuse(&self, tx: &mut Transaction<'_>, product: &ImportedProduct, error: Error) -> Result<()> {
        let Error::Refused(refusal) = error else { return Err(error) };
        let column = crate::domain::catalogue_file::Column::Picture.name_in(self.kind).to_owned();
        let (row, message) = (product.row as u64, refusal.to_string());
        self.note_problem(tx, product, FileProblem { row, column, code: FileProblemCode::Refused, message }).await
    }

    async fn add_problem(&self, tx: &mut Transaction<'_>, picture: &ImportedPicture, message: String) -> Result<()> {
        let read = "select problems, row_number from catalogue_import_products where import = $1 and position = $2";
        let query = tx.query(read).bind(self.import.0).bind(picture.position);
        let Some((problems, row)) = query.fetch_optional::<(String, i64)>().await? else { return Ok(()) };
        let mut problems: Vec<FileProblem> = from_json(&problems)?;
        let column = crate::domain::catalogue_file::Column::Picture.name_in(self.kind).to_owned();
        problems.push(FileProblem { row: row as u64, column, code: FileProblemCode::Picture, message });
        let note = "update catalogue_import_products set problems = $3 where import = $1 and position = $2";
        let query = tx.query(note).bind(self.import.0).bind(picture.position);
        query.bind(to_json(&problems)?).execute().await.map(drop)
    }

    /// Remembers which pictures of a product are to be fetched.
    pub(super) async fn note_pictures(
        &self,
        tx: &mut Transaction<'_>,
        (product, position): (ProductId, i64),
        pictures: &[ProductPicture],
    ) -> Result<()> {
        for picture in pictures.iter().filter(|one| self.fetches_pictures && one.address.starts_with("https://")) {
            let insert =
                "insert into catalogue_import_pictures (import, position, product, address) values ($1, $2, $3, $4)
                on conflict do nothing";
            let query = tx.query(insert).bind(self.import.0).bind(position).bind(product.0);
            query.bind(&picture.address).execute().await?;
        }
        Ok(())
    }
}
