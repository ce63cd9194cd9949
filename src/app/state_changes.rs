//! The values of the state lane, made from what the store holds.

use bytes::Bytes;

use crate::domain::{LiveStream, OfferStatus};
use crate::protocol::{ChatRulesView, OfferView, PinView, StateChange, StreamView, json_bytes};

pub fn stream_change(view: &StreamView, stream: &LiveStream, epoch: i64) -> StateChange {
    StateChange::Stream { v: [epoch, stream.version], json: json_bytes(view) }
}

pub fn offer_change(view: &OfferView) -> StateChange {
    let json = if crate::fault::IS_BUILT_IN {
        json_bytes(&OfferView { v: [view.v[0], crate::fault::stale_version(view.v[1])], ..view.clone() })
    } else {
        json_bytes(view)
    };
    StateChange::Offer { id: view.id, v: view.v, closed: view.status == OfferStatus::Closed, json }
}

pub fn pin_change(stream: &LiveStream, epoch: i64) -> StateChange {
    let v = [epoch, stream.version];
    let json = match stream.pin {
        Some(pin) => json_bytes(&PinView { offer: pin.offer, v }),
        None => Bytes::from_static(b"null"),
    };
    StateChange::Pin { v, json }
}

/// The coupon of a show. It has the version of the row, as the pin has.
pub fn coupon_change(stream: &LiveStream, epoch: i64) -> StateChange {
    StateChange::Coupon { v: [epoch, stream.version], json: json_bytes(&stream.coupon) }
}

pub fn chat_rules_view(stream: &LiveStream, epoch: i64) -> ChatRulesView {
    ChatRulesView::of(&stream.chat, [epoch, stream.version])
}

pub fn chat_rules_change(view: &ChatRulesView) -> StateChange {
    StateChange::Chat { v: view.v, json: json_bytes(view) }
}
