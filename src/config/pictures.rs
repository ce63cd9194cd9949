//! The settings of uploaded pictures.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug, Default)]
pub struct PictureArgs {
    /// Folder of uploaded pictures; nodes that share a database need one folder that all of them reach. Default: `pictures` beside the
    /// SQLite file; with PostgreSQL there is none, and nobody can upload a picture
    #[arg(long, env = "LIVESOUK_PICTURES_DIR", value_name = "FOLDER")]
    pub pictures_dir: Option<PathBuf>,
    /// Bucket of uploaded pictures instead of a folder, like s3://bucket/prefix. The region, the address and the credentials are in
    /// AWS_REGION, AWS_ENDPOINT, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    #[cfg(feature = "s3")]
    #[arg(long, env = "LIVESOUK_PICTURES_S3", value_name = "URL", conflicts_with = "pictures_dir")]
    pub pictures_s3: Option<String>,
}

/// Where the settings put the pictures.
#[derive(Clone, PartialEq, Debug)]
pub enum PictureLocation {
    Folder(PathBuf),
    #[cfg(feature = "s3")]
    S3(String),
    Nowhere,
}

impl PictureArgs {
    /// `default`: the folder of a node that has one of its own.
    pub fn location(&self, default: Option<PathBuf>) -> PictureLocation {
        #[cfg(feature = "s3")]
        if let Some(url) = &self.pictures_s3 {
            return PictureLocation::S3(url.clone());
        }
        self.pictures_dir.clone().or(default).map_or(PictureLocation::Nowhere, PictureLocation::Folder)
    }
}

/// The folder beside a database file: `pictures` beside `sqlite:shop/livesouk.db`. `None` for another database.
pub fn folder_beside(store: &str) -> Option<PathBuf> {
    let path = store.strip_prefix("sqlite:")?.split('?').next()?;
    Some(PathBuf::from(path).with_file_name("pictures"))
}
