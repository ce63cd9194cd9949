//! Bulk edits of products: from the grid of the desk, or from a stock take. They are written at once, and kept like the import of a
//! file, so that the same undo changes them back.

use std::collections::HashSet;
use std::sync::Arc;

use super::Imports;
use crate::app::error::{Result, as_outcome_unknown};
use crate::domain::bulk_edit::{BULK_ROWS_MAX, BulkEdit, CountedVariant, codes_of};
use crate::domain::catalogue_file::FileKind;
use crate::domain::catalogue_import::ImportedProduct;
use crate::domain::number_text::NumberLanguage;
use crate::domain::order::request_hash;
use crate::domain::product::ProductFilter;
use crate::domain::{
    Actor, AuditAction, AuditEntry, Author, CatalogueImport, IdempotencyKey, ImportId, ImportSource, ImportStatus,
    Product, ProductId, ProductStatus,
};
use crate::store::{BulkOutcome, BulkWrite, EditOutcome, KeyedRequest, PAGE_VARIANTS_MAX};

/// What became of a bulk edit.
#[derive(Clone, PartialEq, Debug)]
pub struct BulkResult {
    /// The import under which it is kept and can be undone. `None`: nothing was saved.
    pub import: Option<ImportId>,
    /// In the order of the request.
    pub products: Vec<EditOutcome>,
    /// Those products as they are now; those that have very many variants together are left out.
    pub current: Vec<Product>,
}

impl Imports {
    /// Saves a bulk edit: all of it or its good products, in one transaction. A retry with the same key saves nothing twice.
    pub async fn bulk_edit(self: &Arc<Self>, actor: &Actor, edit: BulkEdit, key: IdempotencyKey) -> Result<BulkResult> {
        self.authorize(actor).await?;
        let edit = edit.validated()?;
        let import = new_import(actor, edit.source, self.context.store.now().await?);
        let action = match edit.source {
            ImportSource::StockTake => AuditAction::StockTake,
            ImportSource::File | ImportSource::Grid => AuditAction::BulkEdit,
        };
        let entry = AuditEntry {
            subject: Some(import.id.to_string()),
            detail: Some(edit.products.len().to_string()),
            ..self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, action)
        };
        let request = keyed(actor, key, &edit);
        let ids: Vec<ProductId> = edit.products.iter().map(|one| one.product).collect();
        let this = self.clone();
        let save = async move {
            let decimals = usize::from(this.context.shop().decimals());
            let write = BulkWrite { edit: &edit, import: &import, decimals, request: &request, entry: &entry };
            let outcome = this.context.store.save_bulk_edit(&write).await?;
            if let BulkOutcome::Saved(_) = outcome {
                let changed: HashSet<ProductId> = edit.products.iter().map(|one| one.product).collect();
                this.catalogue.forget_products(|id| changed.contains(&id));
            }
            Ok(outcome)
        };
        let outcome = self.context.spawn_write(save).await.map_err(as_outcome_unknown)?;
        self.result_of(outcome, &ids).await.map_err(as_outcome_unknown)
    }

    async fn result_of(&self, outcome: BulkOutcome, ids: &[ProductId]) -> Result<BulkResult> {
        let (import, products) = match outcome {
            BulkOutcome::Nothing(products) => (None, products),
            BulkOutcome::Saved(id) => {
                let kept = self.context.store.list_import_products(id, None, -1, BULK_ROWS_MAX as i64).await?;
                let outcome = |(product, kept): (&ProductId, ImportedProduct)| EditOutcome {
                    product: *product,
                    state: kept.state,
                    problems: kept.problems,
                };
                (Some(id), ids.iter().zip(kept).map(outcome).collect())
            }
        };
        let mut variants = 0;
        let mut current = self.context.store.products_by_id(ids).await?;
        current.retain(|product| {
            variants += product.variants.len();
            variants <= PAGE_VARIANTS_MAX
        });
        Ok(BulkResult { import, products, current })
    }

    /// The variants with this barcode or SKU, and where their units are.
    pub async fn counted_variants(&self, actor: &Actor, code: &str) -> Result<Vec<CountedVariant>> {
        self.authorize(actor).await?;
        Ok(self.context.store.counted_variants(&codes_of(code)?).await?)
    }

    /// The variants of the products of a page of the catalogue that is not archived, and where their units are, for a stock take: what was
    /// not scanned may be missing. The second value: where the next page begins; `None`: this is the last one.
    pub async fn variants_to_count(
        &self,
        actor: &Actor,
        search: Option<String>,
        after: Option<ProductId>,
        limit: i64,
    ) -> Result<(Vec<CountedVariant>, Option<ProductId>)> {
        self.authorize(actor).await?;
        let filter = ProductFilter { status: Some(ProductStatus::Active), search };
        let (products, is_cut) = self.catalogue.products(actor, filter, after, limit + 1).await?;
        let mut ids: Vec<ProductId> = products.iter().map(|product| product.id).collect();
        let has_more = is_cut || limit < ids.len() as i64;
        ids.truncate(usize::try_from(limit).unwrap_or_default());
        let next = ids.last().copied().filter(|_| has_more);
        Ok((self.context.store.counted_variants_of(&ids).await?, next))
    }
}

/// A bulk edit as the list of imports shows it: it is applied from the beginning.
fn new_import(actor: &Actor, source: ImportSource, at: i64) -> CatalogueImport {
    CatalogueImport {
        id: ImportId::new(),
        at,
        by: Author::from(actor),
        source,
        file_name: source.name().to_owned(),
        language: NumberLanguage::default(),
        encoding: String::new(),
        kind: FileKind::Simple,
        status: ImportStatus::Applied,
        bytes: 0,
        rows: 0,
        error: String::new(),
        counts: Vec::new(),
        pictures_left: 0,
    }
}

fn keyed(actor: &Actor, key: IdempotencyKey, edit: &BulkEdit) -> KeyedRequest {
    let verb = "bulk_edit";
    let input = serde_json::to_string(edit).unwrap_or_default();
    let (user, name) = (actor.user.clone(), actor.name.as_str().to_owned());
    KeyedRequest { user, name, verb, key, hash: request_hash(&[verb, &input]), entry: None }
}
