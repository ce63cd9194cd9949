//! The metrics of imports of the catalogue, and of its search.

use std::sync::atomic::Ordering;

use super::metrics::load;
use crate::app::{App, IMPORT_UPLOADS_MAX};
use crate::metrics::MetricsPage;

pub fn imports(page: &mut MetricsPage<'_>, app: &App) {
    let counters = app.counters();
    page.counter(
        "livesouk_search_words_deleted_total",
        "Words of the search in the catalogue that no product has any more",
        load(&counters.search_words_deleted),
    );
    page.counter(
        "livesouk_imported_products_total",
        "Products that imports have written",
        load(&counters.imported_products),
    );
    page.counter("livesouk_undone_imports_total", "Imports that were undone", load(&counters.undone_imports));
    page.counter(
        "livesouk_import_pictures_fetched_total",
        "Pictures that imports have fetched",
        load(&counters.import_pictures_kept),
    );
    page.counter(
        "livesouk_import_pictures_failed_total",
        "Pictures of imports that could not be fetched",
        load(&counters.import_pictures_failed),
    );
    page.gauge("livesouk_import_uploads", "Files of imports that are received now", app.imports.uploads() as f64);
    page.gauge(
        "livesouk_import_uploads_max",
        "The most of them; others are refused as busy",
        IMPORT_UPLOADS_MAX as f64,
    );
    page.gauge(
        "livesouk_imports_pending",
        "Imports on which a node should be working",
        counters.imports_pending.load(Ordering::Relaxed) as f64,
    );
    page.gauge(
        "livesouk_imports_oldest_seconds",
        "For how long no node has worked on the oldest of them",
        counters.imports_oldest_ms.load(Ordering::Relaxed) as f64 / 1e3,
    );
}
