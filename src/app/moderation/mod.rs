//! Moderation: sanctions, the helpers of the team, exports, and the erasure of user data.

mod export;
mod invite;
mod sanction;
mod user_data;

use std::sync::Arc;

use super::audit::AuditLog;
use super::chat::Chat;
use super::context::Context;
use super::publisher::Publisher;
use super::stream_cache::StreamCache;

pub use export::ExportedMessage;
pub use invite::AcceptedInvite;
pub use user_data::RetentionJob;

pub struct Moderation {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    stream_cache: Arc<StreamCache>,
    audit: Arc<AuditLog>,
    chat: Arc<Chat>,
}

impl Moderation {
    pub fn new(
        context: &Arc<Context>,
        publisher: &Arc<Publisher>,
        stream_cache: &Arc<StreamCache>,
        audit: &Arc<AuditLog>,
        chat: &Arc<Chat>,
    ) -> Arc<Self> {
        let (context, publisher, stream_cache, audit, chat) =
            (context.clone(), publisher.clone(), stream_cache.clone(), audit.clone(), chat.clone());
        Arc::new(Self { context, publisher, stream_cache, audit, chat })
    }
}
