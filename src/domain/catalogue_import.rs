//! Imports of the catalogue from a file: received, checked without changing anything, applied, and undone.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::catalogue_file::{FieldChange, FileKind, FileProblem, FileProduct};
use super::number_text::NumberLanguage;
use super::{Author, ImportId, Millis, ProductId, Refusal};

/// Imports that are not applied, cancelled or undone yet.
pub const OPEN_IMPORTS_MAX: i64 = 20;
/// The most characters of the name of a file.
pub const FILE_NAME_LENGTH_MAX: usize = 200;

macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($(#[$note:meta])* $variant:ident $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $type {
            $($(#[$note])* $variant,)*
        }

        impl $type {
            pub const ALL: &[Self] = &[$($type::$variant,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name,)*
                }
            }
        }
    };
}

names! {
    /// What happens with an import.
    ImportStatus {
        /// The file is being uploaded.
        Receiving "receiving",
        /// The file is compared with the catalogue; nothing is changed.
        Checking "checking",
        /// It can be applied.
        Ready "ready",
        /// Products are written.
        Applying "applying",
        /// The products are written; pictures are fetched.
        Fetching "fetching",
        Applied "applied",
        /// Stopped by the team. What was written stays, and can be undone.
        Cancelled "cancelled",
        /// The changes to products are being undone.
        Undoing "undoing",
        Undone "undone",
        /// The file cannot be read; `error` says why.
        Unusable "unusable",
    }
}

names! {
    /// What an import does with a product of its file, and then what it did.
    ImportedState {
        /// It will be created.
        Create "create",
        /// It will be changed.
        Change "change",
        /// The catalogue has it like this already.
        Same "same",
        /// It cannot be imported; `problems` says why.
        Bad "bad",
        Created "created",
        Changed "changed",
        /// It could not be written when the import was applied.
        Refused "refused",
        /// It is as it was before the import; a created product is archived.
        Undone "undone",
        /// It was changed by somebody else since, so the undo left it.
        Kept "kept",
    }
}

names! {
    /// Where an import comes from.
    ImportSource {
        /// A file.
        File "file",
        /// The grid in which many products are edited at once.
        Grid "grid",
        /// A stock take.
        StockTake "stock_take",
    }
}

/// Which products of a file are imported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportedRows {
    /// All; refused if there is a bad one.
    All,
    /// Those without problems.
    Good,
}

#[derive(Clone, PartialEq, Debug)]
pub struct CatalogueImport {
    pub id: ImportId,
    pub at: Millis,
    pub by: Author,
    pub source: ImportSource,
    /// Of another source: the name of the source.
    pub file_name: String,
    pub language: NumberLanguage,
    /// The name of the encoding, as browsers call it.
    pub encoding: String,
    pub kind: FileKind,
    pub status: ImportStatus,
    pub bytes: i64,
    pub rows: i64,
    pub error: String,
    /// The products of each state.
    pub counts: Vec<(ImportedState, i64)>,
    /// Pictures that are still to be fetched.
    pub pictures_left: i64,
}

/// A product of an import.
#[derive(Clone, PartialEq, Debug)]
pub struct ImportedProduct {
    pub position: i64,
    pub handle: String,
    pub title: String,
    pub row: i64,
    pub rows: i64,
    pub state: ImportedState,
    pub problems: Vec<FileProblem>,
    pub changes: Vec<FieldChange>,
    pub data: FileProduct,
    pub product: Option<ProductId>,
    pub version: Option<i64>,
}

/// A picture that an import has to fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportedPicture {
    pub position: i64,
    pub product: ProductId,
    pub address: String,
}

impl CatalogueImport {
    pub fn count(&self, state: ImportedState) -> i64 {
        self.counts.iter().find(|(one, _)| *one == state).map_or(0, |(_, count)| *count)
    }
}

impl ImportStatus {
    /// Checks that an import can be applied. `true`: it is being applied or was already.
    pub fn check_apply(self, rows: ImportedRows, bad: i64) -> Result<bool, Refusal> {
        match self {
            ImportStatus::Applying | ImportStatus::Fetching | ImportStatus::Applied => Ok(true),
            ImportStatus::Ready if rows == ImportedRows::All && bad > 0 => Err(Refusal::WrongStatus(
                "The file has products that cannot be imported. Import only the valid ones, or correct the file.",
            )),
            ImportStatus::Ready => Ok(false),
            _ => Err(Refusal::WrongStatus("This import cannot be applied now.")),
        }
    }

    /// Checks that an import can be undone. `true`: it is being undone or was already.
    pub fn check_undo(self) -> Result<bool, Refusal> {
        match self {
            ImportStatus::Undoing | ImportStatus::Undone => Ok(true),
            ImportStatus::Applied | ImportStatus::Cancelled => Ok(false),
            _ => Err(Refusal::WrongStatus("Only an import that was applied or cancelled can be undone.")),
        }
    }

    /// Checks that an import can be stopped. `true`: it was already.
    pub fn check_cancel(self) -> Result<bool, Refusal> {
        match self {
            ImportStatus::Cancelled | ImportStatus::Unusable => Ok(true),
            ImportStatus::Applied | ImportStatus::Undone | ImportStatus::Undoing => {
                Err(Refusal::WrongStatus("This import has ended already."))
            }
            _ => Ok(false),
        }
    }
}
