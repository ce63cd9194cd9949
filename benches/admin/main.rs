//! What the team waits for: an uploaded photo, the list of orders of a large shop, signing in, the import of a catalogue, and the search in it.
//!
//!   cargo bench --bench admin               a million orders of 100,000 customers; it takes some minutes
//!   cargo bench --bench admin -- --quick    20,000 orders of 2,000 customers and 500 products, to try the benchmark itself
//!
//! `figure picture_ms` is the median of its rounds, `figure picture_mb` the most memory of the whole process meanwhile, with the uploaded
//! file. `figure orders_list_p95_ms` is the 95th percentile of one page of the list over all views of the desk, on PostgreSQL;
//! `figure sqlite_orders_list_p95_ms` the same on SQLite. `figure sign_in_per_s` is how many people sign in by a code each second on PostgreSQL,
//! sixteen at a time, the median of five rounds. `figure import_rows_s` is how many rows of a file of 10,000 products are checked and
//! imported each second, from the first byte until all are applied; `figure search_p95_ms` the 95th percentile of one page of a search in them,
//! over words with and without mistakes in two scripts, both on PostgreSQL. `ratio chat_p99_beside_pictures` compares the chat
//! of a show with 50 viewers beside one upload of such a photo after the other with the same chat without them. PostgreSQL is the server of `LIVESOUK_TEST_POSTGRES`, as for the tests.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot continue panics and says where")]

mod catalogue;
mod chat_beside;
mod large_shop;
mod orders;
mod picture;
mod sign_in;

use large_shop::LargeShop;

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    picture::measure();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let figures = runtime.block_on(async {
        let chat_beside = chat_beside::measure().await;
        let orders = if is_quick { 20_000 } else { 1_000_000 };
        let sqlite = orders::measure(&LargeShop::on_sqlite(orders).await, "sqlite").await;
        let (import_rows, search_p95) = catalogue::measure(if is_quick { 500 } else { 10_000 }).await;
        let shop = LargeShop::on_postgres(orders).await;
        let postgres = orders::measure(&shop, "postgres").await;
        [
            format!("ratio chat_p99_beside_pictures {chat_beside:.2}"),
            format!("figure sqlite_orders_list_p95_ms {sqlite:.1}"),
            format!("figure sign_in_per_s {:.0}", sign_in::measure(&shop).await),
            format!("figure import_rows_s {import_rows:.0}"),
            format!("figure search_p95_ms {search_p95:.1}"),
            format!("figure orders_list_p95_ms {postgres:.1}"),
        ]
    });
    figures.iter().for_each(|figure| println!("{figure}"));
}
