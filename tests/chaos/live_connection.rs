//! The live socket as the chaos test uses it: with its timeout, and with the behaviour of a viewer that is asked to move.

use std::time::Duration;

use client::JoinOptions;
pub use client::{ConnectionEnd, LiveConnection};
use serde_json::Value;

/// Longer than any planned freeze of a node.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(20);

/// Joins the stream, and returns the hello too.
pub async fn join(base: &str, stream: &str, token: Option<&str>) -> Result<(LiveConnection, Value), ConnectionEnd> {
    let options = JoinOptions { token: token.map(str::to_owned), ..JoinOptions::default() };
    LiveConnection::join(base, stream, &options, SOCKET_TIMEOUT).await
}

/// The next frame for a viewer. It leaves when the node asks it to move, because there are other nodes.
pub async fn next_for_viewer(connection: &mut LiveConnection) -> Result<Value, ConnectionEnd> {
    let frame = connection.next().await?;
    if frame["t"] == "moving" { Err(ConnectionEnd::Broken("sent to another node".to_owned())) } else { Ok(frame) }
}
