//! The server's JSON, as far as the load test reads it. Unknown fields are ignored, as every client should do.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

pub type ValueVersion = (i64, i64);

/// Any frame. The fields that it has depend on `t`.
#[derive(Deserialize, Debug)]
pub struct IncomingFrame<'a> {
    #[serde(borrow, default)]
    pub t: Cow<'a, str>,
    #[serde(borrow)]
    pub epoch: Option<Cow<'a, str>>,
    pub seq: Option<u64>,
    #[serde(default)]
    pub recovered: bool,
    pub now: Option<i64>,
    #[serde(borrow, default)]
    pub events: Vec<ServerEvent<'a>>,
    #[serde(borrow, default)]
    pub state: ServerState<'a>,
    #[serde(borrow, rename = "ref")]
    pub reference: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub ok: Option<&'a RawValue>,
    #[serde(borrow)]
    pub error: Option<ServerError<'a>>,
    pub retry_ms: Option<u64>,
}

#[derive(Deserialize, Hash, Debug)]
pub struct ServerEvent<'a> {
    pub seq: u64,
    pub at: i64,
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub offer: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default, Debug)]
pub struct ServerState<'a> {
    pub pin: Option<ServerPin>,
    #[serde(borrow, default)]
    pub offers: BTreeMap<Cow<'a, str>, ServerOffer<'a>>,
    pub viewers: Option<u64>,
}

#[derive(Deserialize, Debug)]
pub struct ServerPin {
    pub v: ValueVersion,
}

#[derive(Deserialize, Debug)]
pub struct ServerOffer<'a> {
    pub quantity: i64,
    pub left: i64,
    pub opens_at: Option<i64>,
    #[serde(borrow)]
    pub status: Cow<'a, str>,
    pub v: ValueVersion,
}

#[derive(Deserialize, Debug)]
pub struct ServerError<'a> {
    #[serde(borrow)]
    pub code: Cow<'a, str>,
    pub retry_ms: Option<u64>,
}

/// The content of `ok` for the verbs that the load test uses.
#[derive(Deserialize, Default, Debug)]
pub struct ReplyOk {
    pub id: Option<String>,
    pub order: Option<ServerOrder>,
}

#[derive(Deserialize, Clone, PartialEq, Debug)]
pub struct ServerOrder {
    pub id: String,
    pub offer: String,
    pub status: String,
    pub qty: i64,
    pub place: i64,
}
