//! The metrics of uploaded pictures.

use super::metrics::load;
use crate::app::{App, UPLOADS_MAX};
use crate::metrics::MetricsPage;

pub fn pictures(page: &mut MetricsPage<'_>, app: &App) {
    let (counters, worker) = (app.counters(), &app.pictures.worker);
    page.labeled_counter(
        "livesouk_picture_uploads_total",
        "Uploads of pictures: stored, known (uploaded before), or why not",
        "result",
        &counters.picture_uploads,
    );
    page.gauge("livesouk_picture_uploads_pending", "Uploads that are received or wait", worker.uploads() as f64);
    page.gauge(
        "livesouk_picture_uploads_pending_max",
        "The most of them; others are refused as busy",
        UPLOADS_MAX as f64,
    );
    page.durations(
        "livesouk_picture_conversion_duration_seconds",
        "Duration of the conversion of an uploaded picture, without its wait",
        &worker.duration,
    );
    page.labeled_counter(
        "livesouk_picture_reads_total",
        "Files of pictures that were asked for: from memory, from the storage, or why not",
        "result",
        &counters.picture_reads,
    );
    page.counter(
        "livesouk_pictures_deleted_total",
        "Pictures that were deleted because nothing had named them for a day",
        load(&counters.pictures_deleted),
    );
}
