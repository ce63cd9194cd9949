//! Imports of the catalogue: the file in parts, what a check found in it, and who works on it.
//!
//! One node works on an import at a time. It renews `worked_at` while it does; another node takes over when that is old.

use serde::Serialize;
use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store, from_json, require_known, to_json};
use crate::domain::catalogue_file::{FieldChange, FileKind, FileProblem, FileProduct};
use crate::domain::catalogue_import::{ImportedPicture, ImportedProduct, OPEN_IMPORTS_MAX};
use crate::domain::number_text::NumberLanguage;
use crate::domain::{
    AuditEntry, Author, CatalogueImport, ImportId, ImportSource, ImportStatus, ImportedState, Millis, ProductId,
    Refusal, Role, UserId,
};

/// The most bytes of the files of all imports that are kept.
const KEPT_BYTES_MAX: i64 = 2_000_000_000;
/// Products of an import that are deleted by one transaction.
const FORGOTTEN_TOGETHER: i64 = 2_000;

struct ImportRow {
    id: Uuid,
    at: i64,
    by_user: String,
    by_name: String,
    by_role: String,
    source: String,
    file_name: String,
    language: String,
    encoding: String,
    kind: String,
    status: String,
    bytes: i64,
    rows: i64,
    error: String,
}

from_row!(ImportRow {
    id,
    at,
    by_user,
    by_name,
    by_role,
    source,
    file_name,
    language,
    encoding,
    kind,
    status,
    bytes,
    rows,
    error
});

/// A statement with every column of an import.
macro_rules! imports {
    ($after:literal) => {
        concat!(
            "select id, at, by_user, by_name, by_role, source, file_name, language, encoding, kind, status, bytes, rows, error
            from catalogue_imports ",
            $after
        )
    };
}

struct ProductRow {
    position: i64,
    handle: String,
    title: String,
    row_number: i64,
    rows: i64,
    state: String,
    problems: String,
    changes: String,
    data: String,
    product: Option<Uuid>,
    version: Option<i64>,
}

from_row!(ProductRow { position, handle, title, row_number, rows, state, problems, changes, data, product, version });

/// What a check found out about a product.
#[derive(Serialize)]
pub struct CheckedProduct {
    pub position: i64,
    pub handle: String,
    pub title: String,
    #[serde(rename = "row_number")]
    pub row: u64,
    pub rows: u64,
    pub state: &'static str,
    #[serde(serialize_with = "as_json_text")]
    pub problems: Vec<FileProblem>,
    #[serde(serialize_with = "as_json_text")]
    pub changes: Vec<FieldChange>,
    #[serde(serialize_with = "as_json_text")]
    pub data: FileProduct,
}

/// JSON in a text: the database stores it as it is.
pub(super) fn as_json_text<S: serde::Serializer>(
    value: &impl Serialize,
    to: S,
) -> std::result::Result<S::Ok, S::Error> {
    let text = serde_json::to_string(value).map_err(serde::ser::Error::custom)?;
    to.serialize_str(&text)
}

impl Store {
    /// Begins an import whose file is still to come. Refused if there are too many that nobody has ended.
    pub async fn begin_import(&self, import: &CatalogueImport) -> Result<()> {
        self.transaction(async |tx| {
            let count = "select cast(count(*) as bigint) from catalogue_imports
                where status in ('receiving', 'checking', 'ready', 'applying', 'fetching', 'undoing')";
            if tx.query(count).fetch_value::<i64>().await? >= OPEN_IMPORTS_MAX {
                let why = "Too many imports are open. Apply or cancel one of them first.";
                return Err(Refusal::WrongStatus(why).into());
            }
            insert_import(tx, import).await
        })
        .await
    }

    /// Stores a part of a file.
    pub async fn add_import_part(&self, id: ImportId, n: i64, part: &[u8], now: Millis) -> Result<()> {
        self.transaction(async |tx| {
            let renew = "update catalogue_imports set worked_at = $2, bytes = bytes + $3
                where id = $1 and status = 'receiving'";
            if tx.query(renew).bind(id.0).bind(now).bind(part.len() as i64).execute().await? == 0 {
                return Err(Refusal::WrongStatus("This upload was given up.").into());
            }
            let insert = "insert into catalogue_import_parts (import, n, bytes) values ($1, $2, $3)";
            tx.query(insert).bind(id.0).bind(n).bind(part).execute().await.map(drop)
        })
        .await
    }

    /// Reads a part of a file; `None`: the file has ended.
    pub async fn import_part(&self, id: ImportId, n: i64) -> Result<Option<Vec<u8>>> {
        let read = "select bytes from catalogue_import_parts where import = $1 and n = $2";
        self.query(read).bind(id.0).bind(n).fetch_optional_value().await
    }

    /// The whole file is there: a node will check it.
    pub async fn finish_import_upload(&self, id: ImportId, encoding: &str) -> Result<()> {
        let finish = "update catalogue_imports set status = 'checking', encoding = $2, worked_at = 0
            where id = $1 and status = 'receiving'";
        self.transaction(async |tx| tx.query(finish).bind(id.0).bind(encoding).execute().await).await.map(drop)
    }

    /// Reads an import with its counts.
    pub async fn import(&self, id: ImportId) -> Result<Option<CatalogueImport>> {
        let row: Option<ImportRow> = self.query(imports!("where id = $1")).bind(id.0).fetch_optional().await?;
        let Some(row) = row else { return Ok(None) };
        let count =
            "select state, cast(count(*) as bigint) from catalogue_import_products where import = $1 group by state";
        let counts: Vec<(String, i64)> = self.query(count).bind(id.0).fetch_all().await?;
        let count = "select cast(count(*) as bigint) from catalogue_import_pictures where import = $1";
        let pictures_left = self.query(count).bind(id.0).fetch_value().await?;
        row.into_import(counts, pictures_left).map(Some)
    }

    /// Reads a page of imports without their counts, newest first, before `after`.
    pub async fn imports(&self, after: Option<ImportId>, limit: i64) -> Result<Vec<CatalogueImport>> {
        let before = after.map_or(Uuid::max(), |id| id.0);
        let query = self.query(imports!("where id < $1 order by id desc limit $2")).bind(before).bind(limit);
        let rows: Vec<ImportRow> = query.fetch_all().await?;
        rows.into_iter().map(|row| row.into_import(Vec::new(), 0)).collect()
    }

    /// Reads a page of the products of an import in the order of the file, after `after`, with what the file has of them.
    pub async fn import_products(
        &self,
        id: ImportId,
        state: ImportedState,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ImportedProduct>> {
        let read = "select position, handle, title, row_number, rows, state, problems, changes, data, product, version
            from catalogue_import_products where import = $1 and position > $2 and state = $3 order by position limit $4";
        let query = self.query(read).bind(id.0).bind(after).bind(state.name()).bind(limit);
        let rows: Vec<ProductRow> = query.fetch_all().await?;
        rows.into_iter().map(ProductRow::into_product).collect()
    }

    /// The same for a list: without what the file has, which may be much. `None`: in any state.
    pub async fn list_import_products(
        &self,
        id: ImportId,
        state: Option<ImportedState>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ImportedProduct>> {
        let read = match state {
            None => {
                "select position, handle, title, row_number, rows, state, problems, changes, '{}' as data, product, version
                from catalogue_import_products where import = $1 and position > $2 order by position limit $3"
            }
            Some(_) => {
                "select position, handle, title, row_number, rows, state, problems, changes, '{}' as data, product, version
                from catalogue_import_products where import = $1 and position > $2 and state = $4
                order by position limit $3"
            }
        };
        let query = self.query(read).bind(id.0).bind(after).bind(limit);
        let query = if let Some(state) = state { query.bind(state.name()) } else { query };
        let rows: Vec<ProductRow> = query.fetch_all().await?;
        rows.into_iter().map(ProductRow::into_product).collect()
    }

    /// Takes an import on which nobody works. `None`: there is nothing to do.
    pub async fn take_import(&self, now: Millis, idle_since: Millis) -> Result<Option<CatalogueImport>> {
        let read = "select id, worked_at from catalogue_imports
            where status in ('checking', 'applying', 'fetching', 'undoing') and worked_at <= $1 order by at limit 1";
        let found: Option<(Uuid, i64)> = self.query(read).bind(idle_since).fetch_optional().await?;
        let Some((id, seen)) = found else { return Ok(None) };
        let take = "update catalogue_imports set worked_at = $2 where id = $1 and worked_at = $3";
        let taken = self.transaction(async |tx| tx.query(take).bind(id).bind(now).bind(seen).execute().await).await?;
        if taken == 0 { Ok(None) } else { self.import(ImportId(id)).await }
    }

    /// Goes on working on an import that was taken at `mine`. `false`: another node has it, or the team stopped it.
    pub async fn renew_import(&self, id: ImportId, (mine, now): (Millis, Millis)) -> Result<bool> {
        let renew = "update catalogue_imports set worked_at = $2
            where id = $1 and worked_at = $3 and stop_requested = 0";
        let renewed =
            self.transaction(async |tx| tx.query(renew).bind(id.0).bind(now).bind(mine).execute().await).await?;
        Ok(renewed > 0)
    }

    /// Gives an import back that was taken at `mine`, with another status. An import that the team stopped is cancelled. If another node
    /// has it, nothing is changed.
    pub async fn leave_import(
        &self,
        id: ImportId,
        mine: Millis,
        (from, to): (ImportStatus, ImportStatus),
    ) -> Result<()> {
        let leave = "update catalogue_imports set worked_at = 0,
                status = case when stop_requested = 1 then 'cancelled' else $3 end
            where id = $1 and status = $2 and worked_at = $4";
        self.transaction(async |tx| {
            let query = tx.query(leave).bind(id.0).bind(from.name()).bind(to.name());
            if query.bind(mine).execute().await? == 0 {
                return Ok(());
            }
            if from == ImportStatus::Checking {
                // What was read is not needed any more.
                let delete = "delete from catalogue_import_parts where import in
                    (select id from catalogue_imports where id = $1 and status <> 'checking')";
                tx.query(delete).bind(id.0).execute().await?;
            }
            Ok(())
        })
        .await
    }

    /// Begins the check of a file, perhaps again: what an earlier node found is forgotten.
    pub async fn begin_import_check(&self, id: ImportId, kind: FileKind) -> Result<()> {
        self.transaction(async |tx| {
            tx.query("delete from catalogue_import_products where import = $1").bind(id.0).execute().await?;
            let set = "update catalogue_imports set kind = $2, rows = 0 where id = $1";
            tx.query(set).bind(id.0).bind(kind.name()).execute().await.map(drop)
        })
        .await
    }

    /// Stores what a check found, and how many rows it has read.
    pub async fn add_checked_products(&self, id: ImportId, checked: &[CheckedProduct], rows: i64) -> Result<()> {
        let json = to_json(&checked)?;
        self.transaction(async |tx| {
            let insert = tx.choose(
                "insert into catalogue_import_products (import, position, handle, title, row_number, rows, state, problems,
                    changes, data)
                select $1, position, handle, title, row_number, rows, state, problems, changes, data
                from json_to_recordset($2::json) as found(position bigint, handle text, title text, row_number bigint,
                    rows bigint, state text, problems text, changes text, data text)",
                "insert into catalogue_import_products (import, position, handle, title, row_number, rows, state, problems,
                    changes, data)
                select $1, value ->> 'position', value ->> 'handle', value ->> 'title', value ->> 'row_number', value ->> 'rows',
                    value ->> 'state', value ->> 'problems', value ->> 'changes', value ->> 'data'
                from json_each($2)",
            );
            tx.query(insert).bind(id.0).bind(&json).execute().await?;
            let set = "update catalogue_imports set rows = $2 where id = $1";
            tx.query(set).bind(id.0).bind(rows).execute().await.map(drop)
        })
        .await
    }

    /// The file cannot be used.
    pub async fn refuse_import(&self, id: ImportId, why: &str) -> Result<()> {
        let refuse = "update catalogue_imports set status = 'unusable', error = $2, worked_at = 0
            where id = $1 and status in ('receiving', 'checking')";
        self.transaction(async |tx| {
            tx.query(refuse).bind(id.0).bind(why).execute().await?;
            tx.query("delete from catalogue_import_parts where import = $1").bind(id.0).execute().await.map(drop)
        })
        .await
    }

    /// Puts an import into another status, for a node to work on, with its audit log entry. Nothing is changed if it is not in `from`.
    pub async fn set_import_status(
        &self,
        id: ImportId,
        (from, to): (ImportStatus, ImportStatus),
        entry: &AuditEntry,
    ) -> Result<()> {
        let set = "update catalogue_imports set status = $3, worked_at = 0, stop_requested = 0
            where id = $1 and status = $2";
        self.transaction(async |tx| {
            match tx.query(set).bind(id.0).bind(from.name()).bind(to.name()).execute().await? {
                0 => Ok(()),
                _ => insert_audit_entry(tx, entry).await,
            }
        })
        .await
    }

    /// Asks the node that works on an import to stop. One on which nobody works is cancelled at once.
    pub async fn stop_import(&self, id: ImportId, idle_since: Millis) -> Result<()> {
        self.transaction(async |tx| {
            let stop = "update catalogue_imports set stop_requested = 1 where id = $1";
            tx.query(stop).bind(id.0).execute().await?;
            let cancel = "update catalogue_imports set status = 'cancelled', worked_at = 0
                where id = $1 and worked_at <= $2
                    and status in ('receiving', 'checking', 'ready', 'applying', 'fetching')";
            tx.query(cancel).bind(id.0).bind(idle_since).execute().await?;
            let delete = "delete from catalogue_import_parts where import in
                (select id from catalogue_imports where id = $1 and status = 'cancelled')";
            tx.query(delete).bind(id.0).execute().await.map(drop)
        })
        .await
    }

    /// Forgets an import that has ended and began before `before`, one that changed nothing and began before `unchanged_before`, or an upload
    /// that sent nothing since `idle_since`; of one with many products some thousand, so that nobody waits. `true`: there may be more.
    pub async fn forget_imports(&self, before: Millis, unchanged_before: Millis, idle_since: Millis) -> Result<bool> {
        let find = "select id from catalogue_imports
            where (at < $1 and status in ('ready', 'applied', 'cancelled', 'undone', 'unusable'))
                or (at < $2 and status in ('undone', 'unusable'))
                or (status = 'receiving' and worked_at < $3) order by at limit 1";
        let query = self.query(find).bind(before).bind(unchanged_before).bind(idle_since);
        let Some(id) = query.fetch_optional_value::<Uuid>().await? else { return Ok(false) };
        self.transaction(async |tx| {
            let products = "delete from catalogue_import_products where import = $1 and position in
                (select position from catalogue_import_products where import = $1 order by position limit $2)";
            let deleted = tx.query(products).bind(id).bind(FORGOTTEN_TOGETHER).execute().await?;
            if (deleted as i64) < FORGOTTEN_TOGETHER {
                tx.query("delete from catalogue_imports where id = $1").bind(id).execute().await?;
            }
            Ok(true)
        })
        .await
    }

    /// Imports on which a node should be working, and for how long the oldest of them has waited, in milliseconds.
    pub async fn import_backlog(&self, now: Millis) -> Result<(i64, Millis)> {
        let read = "select cast(count(*) as bigint), cast(coalesce(max($1 - case when worked_at = 0 then at else worked_at end), 0)
                as bigint)
            from catalogue_imports where status in ('checking', 'applying', 'fetching', 'undoing')";
        self.query(read).bind(now).fetch_one().await
    }

    /// Pictures that are still to be fetched.
    pub async fn import_pictures(&self, id: ImportId, limit: i64) -> Result<Vec<ImportedPicture>> {
        let read = "select position, product, address from catalogue_import_pictures where import = $1
            order by position, address limit $2";
        let rows: Vec<(i64, Uuid, String)> = self.query(read).bind(id.0).bind(limit).fetch_all().await?;
        let picture = |(position, product, address)| ImportedPicture { position, product: ProductId(product), address };
        Ok(rows.into_iter().map(picture).collect())
    }
}

/// Part of a transaction: writes a new import as it is. Refused if those that are kept are too large together.
pub(super) async fn insert_import(tx: &mut Transaction<'_>, import: &CatalogueImport) -> Result<()> {
    let sum = "select cast(coalesce(sum(bytes), 0) as bigint) from catalogue_imports";
    if tx.query(sum).fetch_value::<i64>().await? >= KEPT_BYTES_MAX {
        return Err(Refusal::WrongStatus("The imports of the last 30 days are too large together.").into());
    }
    let insert =
        "insert into catalogue_imports (id, at, by_user, by_name, by_role, file_name, language, encoding, kind,
            status, bytes, rows, error, worked_at, source)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', $13, $14)";
    let is_receiving = import.status == ImportStatus::Receiving;
    tx.query(insert)
        .bind(import.id.0)
        .bind(import.at)
        .bind(import.by.id.as_str())
        .bind(&import.by.name)
        .bind(import.by.role.name())
        .bind(&import.file_name)
        .bind(import.language.name())
        .bind(&import.encoding)
        .bind(import.kind.name())
        .bind(import.status.name())
        .bind(import.bytes)
        .bind(import.rows)
        .bind(if is_receiving { import.at } else { 0 })
        .bind(import.source.name())
        .execute()
        .await
        .map(drop)
}

impl ImportRow {
    fn into_import(self, counts: Vec<(String, i64)>, pictures_left: i64) -> Result<CatalogueImport> {
        let known = |what, name: &str| Error::CorruptRow(format!("{what} `{name}`"));
        let role = Role::parse(&self.by_role).ok_or_else(|| known("role", &self.by_role))?;
        let id = UserId::parse(&self.by_user).map_err(|_| known("user", &self.by_user))?;
        let language = NumberLanguage::ALL.into_iter().find(|one| one.name() == self.language);
        let kind = FileKind::ALL.into_iter().find(|one| one.name() == self.kind);
        let source = ImportSource::ALL.iter().copied().find(|one| one.name() == self.source);
        let status = ImportStatus::ALL.iter().copied().find(|one| one.name() == self.status);
        let count = |(state, count): (String, i64)| Ok((state_of(&state)?, count));
        Ok(CatalogueImport {
            id: ImportId(self.id),
            at: self.at,
            by: Author { id, name: self.by_name, role },
            source: require_known(source, "source", &self.source)?,
            file_name: self.file_name,
            language: require_known(language, "language", &self.language)?,
            encoding: self.encoding,
            kind: require_known(kind, "kind", &self.kind)?,
            status: require_known(status, "status", &self.status)?,
            bytes: self.bytes,
            rows: self.rows,
            error: self.error,
            counts: counts.into_iter().map(count).collect::<Result<_>>()?,
            pictures_left,
        })
    }
}

fn state_of(name: &str) -> Result<ImportedState> {
    require_known(ImportedState::ALL.iter().copied().find(|one| one.name() == name), "state", name)
}

impl ProductRow {
    fn into_product(self) -> Result<ImportedProduct> {
        Ok(ImportedProduct {
            position: self.position,
            handle: self.handle,
            title: self.title,
            row: self.row_number,
            rows: self.rows,
            state: state_of(&self.state)?,
            problems: from_json(&self.problems)?,
            changes: from_json(&self.changes)?,
            data: from_json(&self.data)?,
            product: self.product.map(ProductId),
            version: self.version,
        })
    }
}
