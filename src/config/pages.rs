//! The settings of the pages: what they may load, and how they play videos.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub struct PageArgs {
    /// Host from which the pages may load images, like https://cdn.example or https://*.cdn.example; may be repeated. Default: any
    /// HTTPS address
    #[arg(long = "img-host", env = "LIVESOUK_IMG_HOST", value_name = "HOST", value_delimiter = ',')]
    pub img_hosts: Vec<String>,
    /// Host from which the pages may play videos; may be repeated. Default: any address
    #[arg(long = "media-host", env = "LIVESOUK_MEDIA_HOST", value_name = "HOST", value_delimiter = ',')]
    pub media_hosts: Vec<String>,
    /// Host to which the scripts of the pages may connect, beside this server; may be repeated. Default: any address
    #[arg(long = "connect-host", env = "LIVESOUK_CONNECT_HOST", value_name = "HOST", value_delimiter = ',')]
    pub connect_hosts: Vec<String>,
}

#[derive(Args, Debug, Default)]
pub struct VideoArgs {
    /// File of hls.js (its module), which plays the video in browsers that cannot play HLS themselves; scripts/hls-js fetches it.
    /// Default: such browsers show a link
    #[arg(long = "hls-js", env = "LIVESOUK_HLS_JS", value_name = "PATH")]
    pub hls_js: Option<PathBuf>,
}
