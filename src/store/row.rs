//! Reading rows into structs, and the migrations that the binary carries.
//!
//! sqlx has macros for both (`FromRow`, `migrate!`). They are not used: as procedural macros they run in the compiler, so
//! cargo would build sqlx, its TLS and SQLite a second time for them, a tenth of the whole build.

use std::borrow::Cow;

use rust_embed::Embed;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::{Error, Result};

/// Reads a struct from a row of either database: each field from the column of the same name. A field after `and` is a
/// struct that reads its own columns from the same row.
macro_rules! from_row {
    ($type:ident { $($field:ident),+ $(,)? } $(and $inner:ident)?) => {
        $crate::store::row::from_row!(@for sqlx::postgres::PgRow, $type, $($field),+ $(, @$inner)?);
        $crate::store::row::from_row!(@for sqlx::sqlite::SqliteRow, $type, $($field),+ $(, @$inner)?);
    };
    (@for $row:ty, $type:ident, $($field:ident),+ $(, @$inner:ident)?) => {
        impl sqlx::FromRow<'_, $row> for $type {
            fn from_row(row: &$row) -> sqlx::Result<Self> {
                use sqlx::Row;
                Ok(Self {
                    $($field: row.try_get(stringify!($field))?,)+
                    $($inner: sqlx::FromRow::from_row(row)?,)?
                })
            }
        }
    };
}
pub(super) use from_row;

#[derive(Embed)]
#[folder = "migrations/postgres"]
pub(super) struct PostgresMigrations;

#[derive(Embed)]
#[folder = "migrations/sqlite"]
pub(super) struct SqliteMigrations;

/// The migrations of one folder, in order. A file is named `0001_what_it_does.sql`; its first line may be
/// `-- no-transaction`.
pub(super) fn migrator<Folder: Embed>() -> Result<Migrator> {
    let migrations = Folder::iter().map(|name| read_migration::<Folder>(&name)).collect::<Result<_>>()?;
    Ok(Migrator::with_migrations(migrations))
}

fn read_migration<Folder: Embed>(name: &str) -> Result<Migration> {
    let unreadable = || Error::Setup(format!("the migration {name} cannot be read"));
    let (version, description) =
        name.strip_suffix(".sql").and_then(|stem| stem.split_once('_')).ok_or_else(unreadable)?;
    let version = version.parse().map_err(|_| unreadable())?;
    let file = Folder::get(name).ok_or_else(unreadable)?;
    let text = std::str::from_utf8(&file.data).map_err(|_| unreadable())?.to_owned();
    let without_transaction = text.starts_with("-- no-transaction");
    let description = Cow::Owned(description.replace('_', " "));
    // The files are part of the program, not input.
    let sql = AssertSqlSafe(text).into_sql_str();
    Ok(Migration::new(version, description, MigrationType::Simple, sql, without_transaction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_gets_every_file_of_its_folder_in_order() {
        for (folder, migrator) in [
            ("postgres", migrator::<PostgresMigrations>().unwrap()),
            ("sqlite", migrator::<SqliteMigrations>().unwrap()),
        ] {
            let path = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let files = std::fs::read_dir(path).unwrap().count();
            let versions: Vec<i64> = migrator.iter().map(|migration| migration.version).collect();
            assert_eq!(versions.len(), files, "{folder}");
            assert!(versions.is_sorted_by(|one, next| one < next), "{folder}: {versions:?}");
        }
    }

    #[test]
    fn a_released_migration_keeps_its_checksum() {
        // A database stores the checksum of what it ran, and refuses a file that changed.
        let first = |migrator: Migrator| hex::encode(&migrator.iter().next().unwrap().checksum[..8]);
        assert_eq!(first(migrator::<PostgresMigrations>().unwrap()), POSTGRES_0001);
        assert_eq!(first(migrator::<SqliteMigrations>().unwrap()), SQLITE_0001);
    }

    const POSTGRES_0001: &str = "5fcc386486e6624e";
    const SQLITE_0001: &str = "c2ed2ee8cecf634c";
}
