//! Migrated databases that tests copy: the migrations take longer than the rest of the start of a server.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use crate::shop::migrate;

/// The migrated SQLite file that tests copy. It stays in the folder for temporary files, for other test programs with the same migrations.
static SQLITE: OnceCell<PathBuf> = OnceCell::const_new();

/// Puts a migrated SQLite database without any row of a shop into a folder that does not exist yet; a folder that exists stays as it is.
pub async fn put_sqlite_into(data: &Path) {
    if data.exists() {
        return;
    }
    std::fs::create_dir_all(data).expect("the folder for the data");
    put_sqlite(&data.join("livesouk.db")).await;
}

/// Puts a migrated SQLite database without any row of a shop where no file is yet; a file that exists stays as it is.
pub async fn put_sqlite(file: &Path) {
    if !file.exists() {
        let migrated = SQLITE.get_or_init(prepare_sqlite).await;
        std::fs::copy(migrated, file).expect("the migrated database is copied");
    }
}

async fn prepare_sqlite() -> PathBuf {
    let file = std::env::temp_dir().join(format!("livesouk-migrated-{:016x}.db", hash_of_migrations("sqlite")));
    if !file.exists() {
        // Under its final name it is always complete, also when another test program prepares it at the same moment.
        let folder = tempfile::tempdir_in(std::env::temp_dir()).expect("a temporary folder");
        let prepared = folder.path().join("prepared.db");
        migrate(&format!("sqlite:{}", prepared.display())).await;
        std::fs::rename(&prepared, &file).expect("the migrated database gets its name");
    }
    file
}

/// A number that changes with the migrations of this kind of database.
pub(crate) fn hash_of_migrations(kind: &str) -> u64 {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations")).join(kind);
    let files = std::fs::read_dir(folder).expect("the folder of the migrations");
    let mut paths: Vec<_> = files.map(|file| file.expect("a migration").path()).collect();
    paths.sort();
    let mut hasher = DefaultHasher::new();
    for path in paths {
        (path.file_name(), std::fs::read(&path).expect("a migration is read")).hash(&mut hasher);
    }
    hasher.finish()
}
