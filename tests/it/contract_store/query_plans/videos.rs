//! The queries about the videos of shows: recordings, and the keys with which encoders publish.

use livesouk::domain::publish_key::PublishKeyChange;
use livesouk::domain::{AuditAction, StreamStatus};

use super::every_query::{Calls, call};
use super::large_tables::old_stream;
use crate::contract_store::builders::audit_entry;

pub(super) async fn all(c: &Calls) {
    call!(c, recordings(None, None, None, 50));
    call!(c, recordings(Some(c.shop.product), Some(StreamStatus::Ended), None, 50));
    let entry = audit_entry(old_stream(), AuditAction::CreatePublishKey);
    call!(c, change_publish_keys(old_stream(), PublishKeyChange::Add, &entry));
    call!(c, publish_keys(old_stream()));
    call!(c, touch_publish_keys(old_stream(), 0));
}
