//! The position of a client in a stream, and the check that its events are continuous: no gap, no duplicate, no step
//! back.
//!
//! Pure, so that tests can apply every kind of broken frame.

use serde_json::Value;

/// A position in the event log of a stream: `seq` counts within `epoch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPosition {
    pub epoch: String,
    pub seq: u64,
}

impl ClientPosition {
    /// The position after a `hello`. `asked` is the position that the client asked to resume from.
    pub fn from_hello(hello: &Value, asked: Option<&ClientPosition>) -> Result<ClientPosition, String> {
        let new = ClientPosition { epoch: text(hello, "epoch")?, seq: number(hello, "seq")? };
        match asked {
            Some(asked) if recovered(hello)? => {
                expect(asked.epoch == new.epoch, "recovered, but in another epoch")?;
                continues(asked.seq, hello)?;
            }
            None if recovered(hello)? => return Err("recovered, but no position was sent".to_owned()),
            _ => may_have_holes(hello)?,
        }
        Ok(new)
    }

    /// Applies a frame. Frames without events, such as replies, change nothing.
    pub fn apply(&mut self, frame: &Value) -> Result<(), String> {
        match frame["t"].as_str() {
            Some("tick") => self.seq = continues(self.seq, frame)?,
            Some("snapshot") => {
                let epoch = text(frame, "epoch")?;
                let seq = if recovered(frame)? {
                    expect(epoch == self.epoch, "recovered, but in another epoch")?;
                    continues(self.seq, frame)?
                } else {
                    may_have_holes(frame)?;
                    number(frame, "seq")?
                };
                expect(epoch != self.epoch || seq >= self.seq, "a snapshot older than the position")?;
                *self = ClientPosition { epoch, seq };
            }
            Some("hello") => return Err("a second hello".to_owned()),
            Some("reply" | "order" | "review" | "reviewed" | "audit" | "moving") => {}
            other => return Err(format!("a frame of unknown kind {other:?}")),
        }
        Ok(())
    }
}

/// Checks that the events are exactly those after `seq`, up to the position of the frame.
fn continues(mut seq: u64, frame: &Value) -> Result<u64, String> {
    for event in events(frame) {
        let next = number(event, "seq")?;
        expect(next == seq + 1, &format!("event {next} follows {seq}"))?;
        seq = next;
    }
    let end = number(frame, "seq")?;
    expect(end == seq, &format!("the frame ends at {end}, its events at {seq}"))?;
    Ok(seq)
}

/// Checks that the events ascend and are not newer than the frame. Events of an earlier epoch have seq 0.
fn may_have_holes(frame: &Value) -> Result<(), String> {
    let end = number(frame, "seq")?;
    let mut last = 0;
    for event in events(frame) {
        let next = number(event, "seq")?;
        expect(next > last || (next == 0 && last == 0), &format!("event {next} follows {last}"))?;
        expect(next <= end, &format!("event {next} in a frame that ends at {end}"))?;
        last = next;
    }
    Ok(())
}

fn events(frame: &Value) -> &[Value] {
    frame["events"].as_array().map_or(&[], Vec::as_slice)
}

fn recovered(frame: &Value) -> Result<bool, String> {
    frame["recovered"].as_bool().ok_or_else(|| format!("no recovered in {frame}"))
}

fn number(of: &Value, name: &str) -> Result<u64, String> {
    of[name].as_u64().ok_or_else(|| format!("no {name} in {of}"))
}

fn text(of: &Value, name: &str) -> Result<String, String> {
    of[name].as_str().map(str::to_owned).ok_or_else(|| format!("no {name} in {of}"))
}

fn expect(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}
