//! A live HLS stream on a port of its own, made by ffmpeg, that a test may withhold, freeze and let return.
//!
//! The picture has a time code, seven squares at its top: the number of the frame in binary, the lowest digit first, white for 1. With
//! `with_times` the playlist says when each segment was taken (EXT-X-PROGRAM-DATE-TIME).

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::shop::now_ms;

/// How many segments of one second there are; the stream repeats them, each time after a discontinuity.
const SEGMENTS: u64 = 10;
/// How many segments the playlist names.
const WINDOW: u64 = 5;
const SEGMENT_MS: i64 = 1_000;
const CODE_DIGITS: u32 = 7;
const CODE_SIDE: u32 = 24;

/// What the encoder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoder {
    /// There is no playlist.
    Absent,
    Live,
    /// The playlist does not grow since this moment of the stream, in seconds.
    Frozen(u64),
}

/// The stream ends when its value is dropped.
#[derive(Debug)]
pub struct LiveVideo {
    /// The address of the multivariant playlist.
    pub url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    folder: TempDir,
    began: Instant,
    /// When the first segment was taken, in ms since 1970: a live stream offers a segment once it is complete.
    taken_at: i64,
    has_times: bool,
    encoder: Mutex<Encoder>,
}

impl LiveVideo {
    /// Makes an upright test picture with a tone, and serves it. The encoder is absent at first.
    pub async fn start() -> LiveVideo {
        LiveVideo::serve(false).await
    }

    /// The same, with the time of each segment in the playlist.
    pub async fn with_times() -> LiveVideo {
        LiveVideo::serve(true).await
    }

    /// The address of a file whose picture ends after four seconds, while its sound goes on for a minute and a half.
    pub fn sound_without_picture(&self) -> String {
        let file = "sound.mp4";
        let inputs = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=180x320:rate=10:duration=4"];
        let sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=90", "-c:a", "aac", "-b:a", "32k"];
        let picture = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-movflags", "+faststart"];
        ffmpeg(self.shared.folder.path(), &[&inputs[..], &sound, &picture, &[file]].concat());
        self.url.replace("master.m3u8", file)
    }

    /// When the frame with this time code was taken that was on a screen at `seen_at`, both in ms since 1970.
    pub fn taken_at(&self, code_ms: i64, seen_at: i64) -> i64 {
        let first = self.shared.taken_at + code_ms;
        let loop_ms = SEGMENTS as i64 * SEGMENT_MS;
        first + (seen_at - first).div_euclid(loop_ms) * loop_ms
    }

    async fn serve(has_times: bool) -> LiveVideo {
        let folder = tempfile::tempdir().expect("a temporary folder");
        make_segments(folder.path());
        let taken_at = now_ms() - WINDOW as i64 * SEGMENT_MS;
        let encoder = Mutex::new(Encoder::Absent);
        let shared = Arc::new(Shared { folder, began: Instant::now(), taken_at, has_times, encoder });
        let router = Router::new().route("/{name}", get(serve)).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/master.m3u8", listener.local_addr().expect("an address"));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        LiveVideo { url, shared, task }
    }

    pub fn set(&self, encoder: Encoder) {
        *self.shared.encoder.lock().expect("no panic while the lock is held") = encoder;
    }

    /// Stops the growth of the playlist now.
    pub fn freeze(&self) {
        self.set(Encoder::Frozen(self.shared.seconds()));
    }
}

impl Drop for LiveVideo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn seconds(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    /// The playlist of this moment: a window that moves on by one segment a second.
    fn playlist(&self, seconds: u64) -> String {
        let first = seconds;
        let passed = first / SEGMENTS - u64::from(first > 0 && first.is_multiple_of(SEGMENTS));
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:{passed}\n"
        );
        for number in first..first + WINDOW {
            if number > 0 && number.is_multiple_of(SEGMENTS) {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            if self.has_times {
                let at = self.taken_at + number as i64 * SEGMENT_MS;
                text.push_str(&format!("#EXT-X-PROGRAM-DATE-TIME:{}\n", iso_time(at)));
            }
            text.push_str(&format!("#EXTINF:1.0,\nseg{}.ts\n", number % SEGMENTS));
        }
        text
    }
}

const MASTER: &str =
    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=180x320,CODECS=\"avc1.42c00d,mp4a.40.2\"\nlive.m3u8\n";

async fn serve(State(shared): State<Arc<Shared>>, UrlPath(name): UrlPath<String>) -> Response {
    let encoder = *shared.encoder.lock().expect("no panic while the lock is held");
    let headers = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (header::CACHE_CONTROL, "no-store")];
    let kind = |kind: &'static str| [(header::CONTENT_TYPE, kind)];
    let seconds = match encoder {
        Encoder::Absent => return (StatusCode::NOT_FOUND, headers).into_response(),
        Encoder::Live => shared.seconds(),
        Encoder::Frozen(seconds) => seconds,
    };
    match name.as_str() {
        "master.m3u8" => (headers, kind("application/vnd.apple.mpegurl"), MASTER).into_response(),
        "live.m3u8" => (headers, kind("application/vnd.apple.mpegurl"), shared.playlist(seconds)).into_response(),
        name => match std::fs::read(shared.folder.path().join(name)) {
            Ok(file) if name.ends_with(".mp4") => (headers, kind("video/mp4"), file).into_response(),
            Ok(segment) => (headers, kind("video/mp2t"), segment).into_response(),
            Err(_) => (StatusCode::NOT_FOUND, headers).into_response(),
        },
    }
}

/// The filters of ffmpeg that draw the time code.
fn time_code() -> String {
    let side = CODE_SIDE;
    let ground = format!(",drawbox=x=0:y=0:w={}:h={side}:color=black:t=fill", CODE_DIGITS * side);
    let digit = |place: u32| {
        let (x, value) = (place * side, 1 << place);
        format!(",drawbox=x={x}:y=0:w={side}:h={side}:color=white:t=fill:enable='bitand(n,{value})'")
    };
    ground + &(0..CODE_DIGITS).map(digit).collect::<String>()
}

/// A time of the universal clock as ISO 8601 writes it.
fn iso_time(at_ms: i64) -> String {
    let at =
        time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).expect("a time of this age");
    at.format(&time::format_description::well_known::Rfc3339).expect("a time that can be written")
}

fn make_segments(folder: &Path) {
    let length = SEGMENTS.to_string();
    let picture = format!("testsrc2=size=180x320:rate=10{}", time_code());
    let args = [
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        &picture,
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440",
        "-t",
        &length,
        "-c:v",
        "libx264",
        "-profile:v",
        "baseline",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
        "-g",
        "10",
        "-sc_threshold",
        "0",
        "-c:a",
        "aac",
        "-b:a",
        "32k",
        "-f",
        "hls",
        "-hls_time",
        "1",
        "-hls_list_size",
        "0",
        "-hls_segment_filename",
        "seg%d.ts",
        "list.m3u8",
    ];
    ffmpeg(folder, &args);
}

fn ffmpeg(folder: &Path, args: &[&str]) {
    let made = Command::new("ffmpeg").args(args).current_dir(folder).stdin(Stdio::null()).output();
    let made = made.unwrap_or_else(|error| panic!("ffmpeg: {error}; see scripts/test"));
    assert!(made.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&made.stderr));
}
