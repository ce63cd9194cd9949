//! Where a client is in its room, and the proof that it got everything: no hole, no repeat, no step back.
//!
//! Pure, so that its own tests can feed it every kind of broken frame.

use serde_json::Value;

/// A position in a room's log: `seq` counts within `epoch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub epoch: String,
    pub seq: u64,
}

impl Position {
    /// The position after a `hello`, given the one the client asked to resume from.
    pub fn from_hello(hello: &Value, asked: Option<&Position>) -> Result<Position, String> {
        let new = Position { epoch: text(hello, "epoch")?, seq: number(hello, "seq")? };
        match asked {
            Some(asked) if recovered(hello)? => {
                expect(asked.epoch == new.epoch, "recovered, yet in another epoch")?;
                continues(asked.seq, hello)?;
            }
            None if recovered(hello)? => return Err("recovered, yet nothing was asked for".to_owned()),
            _ => may_have_holes(hello)?,
        }
        Ok(new)
    }

    /// Moves on over a frame. Frames that are not of the log, such as replies, change nothing.
    pub fn follow(&mut self, frame: &Value) -> Result<(), String> {
        match frame["t"].as_str() {
            Some("tick") => self.seq = continues(self.seq, frame)?,
            Some("snapshot") => {
                let epoch = text(frame, "epoch")?;
                let seq = if recovered(frame)? {
                    expect(epoch == self.epoch, "recovered, yet in another epoch")?;
                    continues(self.seq, frame)?
                } else {
                    may_have_holes(frame)?;
                    number(frame, "seq")?
                };
                expect(epoch != self.epoch || seq >= self.seq, "a snapshot older than what was seen")?;
                *self = Position { epoch, seq };
            }
            Some("hello") => return Err("a second hello".to_owned()),
            Some("reply" | "order" | "moving") => {}
            other => return Err(format!("a frame of unknown kind {other:?}")),
        }
        Ok(())
    }
}

/// Checks that the events are exactly those after `seq`, up to the frame's own.
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

/// Checks that the events ascend and are not from the future. Events of an earlier epoch have seq 0.
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

#[cfg(test)]
mod tests {
    use super::Position;
    use serde_json::{Value, json};

    fn at(epoch: &str, seq: u64) -> Position {
        Position { epoch: epoch.to_owned(), seq }
    }

    fn events(seqs: &[u64]) -> Value {
        seqs.iter().map(|seq| json!({"seq": seq, "type": "chat"})).collect()
    }

    fn frame(t: &str, epoch: &str, seq: u64, recovered: bool, seqs: &[u64]) -> Value {
        json!({"t": t, "epoch": epoch, "seq": seq, "recovered": recovered, "events": events(seqs)})
    }

    #[test]
    fn frames_move_the_position_or_are_refused() {
        let tick = |seq, seqs: &[u64]| json!({"t": "tick", "seq": seq, "events": events(seqs)});
        let rows = [
            (tick(6, &[6]), Ok(("a", 6))),
            (tick(8, &[6, 7, 8]), Ok(("a", 8))),
            (json!({"t": "tick", "seq": 5, "state": {}}), Ok(("a", 5))),
            (json!({"t": "reply", "ref": "1", "ok": {}}), Ok(("a", 5))),
            (tick(7, &[7]), Err("event 7 follows 5")),
            (tick(5, &[5]), Err("event 5 follows 5")),
            (tick(7, &[6, 6, 7]), Err("event 6 follows 6")),
            (tick(7, &[6]), Err("the frame ends at 7, its events at 6")),
            (json!({"t": "tick", "seq": 6}), Err("the frame ends at 6, its events at 5")),
            (json!({"t": "tick", "seq": 4}), Err("the frame ends at 4, its events at 5")),
            (json!({"t": "tick"}), Err("no seq")),
            (frame("snapshot", "a", 90, false, &[70, 80]), Ok(("a", 90))),
            (frame("snapshot", "b", 1, false, &[0, 0, 1]), Ok(("b", 1))),
            (frame("snapshot", "a", 7, true, &[6, 7]), Ok(("a", 7))),
            (frame("snapshot", "a", 7, true, &[7]), Err("event 7 follows 5")),
            (frame("snapshot", "b", 6, true, &[6]), Err("another epoch")),
            (frame("snapshot", "a", 4, false, &[]), Err("older")),
            (frame("snapshot", "a", 9, false, &[8, 7]), Err("event 7 follows 8")),
            (frame("snapshot", "a", 9, false, &[10]), Err("event 10 in a frame that ends at 9")),
            (frame("hello", "a", 5, false, &[]), Err("second hello")),
            (json!({"t": "surprise"}), Err("unknown kind")),
        ];
        for (frame, expected) in rows {
            let mut position = at("a", 5);
            match (position.follow(&frame), expected) {
                (Ok(()), Ok((epoch, seq))) => assert_eq!(position, at(epoch, seq), "after {frame}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found:?} for {frame}"),
                (found, expected) => panic!("{found:?}, expected {expected:?}, for {frame}"),
            }
        }
    }

    #[test]
    fn a_hello_starts_or_continues() {
        let asked = at("a", 5);
        let rows = [
            (frame("hello", "a", 41, false, &[12, 40]), None, true),
            (frame("hello", "a", 7, true, &[6, 7]), Some(&asked), true),
            (frame("hello", "a", 5, true, &[]), Some(&asked), true),
            (frame("hello", "b", 3, false, &[1, 3]), Some(&asked), true),
            (frame("hello", "a", 7, true, &[7]), Some(&asked), false),
            (frame("hello", "a", 7, true, &[6]), Some(&asked), false),
            (frame("hello", "b", 6, true, &[6]), Some(&asked), false),
            (frame("hello", "a", 6, true, &[6]), None, false),
            (json!({"t": "hello", "epoch": "a", "seq": 6}), None, false),
        ];
        for (hello, asked, fine) in rows {
            assert_eq!(Position::from_hello(&hello, asked).is_ok(), fine, "{hello} after {asked:?}");
        }
    }
}
