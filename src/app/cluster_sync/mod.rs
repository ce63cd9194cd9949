//! Keeps one node of a cluster in sync: the cached streams with the other nodes and the store, and the viewer counts;
//! and shows viewers when the broker link is down.
//!
//! Whatever a node may have missed, it finds in the store. A cached stream is reloaded when an event or a state value
//! of another node says that it changed, when its room starts over, when the broker link is up again, and, for open
//! rooms, within a second of any change of its row: once a second, one query reads the versions of all open streams.

mod broker_receiver;
mod pending_delivery;
mod stream_poll;
mod viewer_count;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::catalogue::Catalogue;
use super::chat::Chat;
use super::context::Context;
use super::publisher::Publisher;
use super::stream_cache::StreamCache;

pub use pending_delivery::PendingDeliveryJob;
pub use stream_poll::StreamPollJob;
pub use viewer_count::ViewerCountJob;

pub struct ClusterSync {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    stream_cache: Arc<StreamCache>,
    chat: Arc<Chat>,
    catalogue: Arc<Catalogue>,
    /// A task is about to resend orders.
    is_order_resend_scheduled: AtomicBool,
}

impl ClusterSync {
    pub fn new(
        context: &Arc<Context>,
        publisher: &Arc<Publisher>,
        stream_cache: &Arc<StreamCache>,
        chat: &Arc<Chat>,
        catalogue: &Arc<Catalogue>,
    ) -> Arc<Self> {
        let (context, publisher, stream_cache, chat, catalogue) =
            (context.clone(), publisher.clone(), stream_cache.clone(), chat.clone(), catalogue.clone());
        let is_order_resend_scheduled = AtomicBool::new(false);
        Arc::new(Self { context, publisher, stream_cache, chat, catalogue, is_order_resend_scheduled })
    }
}
