//! The metrics of e-mails, and of notifications of followers.

use std::sync::atomic::Ordering;

use super::metrics::load;
use crate::app::App;
use crate::metrics::MetricsPage;

pub fn mails(page: &mut MetricsPage<'_>, app: &App) {
    let counters = app.counters();
    page.labeled_counter(
        "livesouk_mails_total",
        "Attempts to send an e-mail: sent, to be retried, given up, or unwanted by now",
        "result",
        &counters.mail_outcomes,
    );
    page.gauge("livesouk_mails_waiting", "E-mails that wait at the last check", load(&counters.mails_waiting) as f64);
    let since = counters.mails_oldest_at.load(Ordering::Relaxed);
    let age = if since == 0 { 0 } else { (app.now() - since).max(0) };
    page.gauge("livesouk_mails_oldest_age_seconds", "Age of the oldest e-mail that waits", age as f64 / 1e3);
    page.labeled_counter(
        "livesouk_announcements_total",
        "Notifications of followers that ended: all were notified, it was too late, or there is no mail server",
        "result",
        &counters.announcements,
    );
    page.counter("livesouk_follower_mails_written_total", "E-mails to followers", load(&counters.follower_mails));
    let waiting = load(&counters.follower_mails_waiting) as f64;
    page.gauge("livesouk_follower_mails_waiting", "E-mails to followers that wait at the last check", waiting);
    let waiting = load(&counters.announcements_waiting) as f64;
    page.gauge("livesouk_announcements_waiting", "Announcements whose followers are not all notified", waiting);
    let since = counters.announcements_oldest_at.load(Ordering::Relaxed);
    let age = if since == 0 { 0 } else { (app.now() - since).max(0) };
    page.gauge("livesouk_announcements_oldest_age_seconds", "Age of the oldest of them", age as f64 / 1e3);
}
