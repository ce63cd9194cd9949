//! A room that opens: while the broker restarts it, and when viewers of other nodes watch already. And how small a viewer is.

use serde_json::json;

use super::fixture_test::*;
use super::*;
use crate::domain::Role;

#[tokio::test]
async fn room_that_has_begun_is_not_begun_again_at_an_old_position() {
    let rooms = Rooms::new(Clock::manual(1_000_000));
    let (room, _) = rooms.open(StreamId::new());
    // The broker restarts the room while its opening still reads the store.
    room.sync(at("e2", 7), vec![], vec![(7, chat("7"))]);
    let mut viewer = watch(&room).await;
    for old in [at("alone", 0), at("e1", 40), at("e2", 3)] {
        room.begin(old, vec![StateChange::Likes(9)], vec![(3, chat("3"))]);
    }
    assert!(room.can_resume(&at("e2", 7)) && room.is_in_epoch("e2") == Some(true));
    room.append_events("e2", 8, vec![urgent()]);
    let frame = loop {
        let frame = viewer.client.text().await;
        assert_eq!(frame["t"], "tick", "no viewer is thrown back: {frame}");
        if !seqs(&frame).is_empty() {
            break frame;
        }
    };
    assert_eq!((&frame["seq"], seqs(&frame)), (&json!(8), vec![8]));
    let mut late = join(&room, actor("anonymous", Role::Anonymous), None, None).await;
    let hello = late.client.text().await;
    assert_eq!((&hello["epoch"], &hello["seq"]), (&json!("e2"), &json!(8)));
    assert_eq!(hello["state"]["likes"], 9, "the values of the opening count");
}

#[tokio::test]
async fn first_viewer_of_a_node_is_counted_in_their_own_hello() {
    let rooms = Rooms::new(Clock::manual(1_000_000));
    let (room, _) = rooms.open(StreamId::new());
    room.set_remote_viewers(3);
    room.begin(at("e1", 0), vec![], vec![]);
    // The writer has taken in the number before the viewer arrives.
    until("three viewers elsewhere", || room.viewers_shown() == 3).await;
    let mut first = join(&room, actor("anonymous", Role::Anonymous), None, None).await;
    assert_eq!(first.client.text().await["state"]["viewers"], 4);
}

/// What each viewer adds to the memory of a node beside their task and socket. The bounds are what was measured and a little more: whoever
/// adds a field for each viewer should notice it here.
#[test]
fn member_and_connection_writer_are_small() {
    let sizes = [size_of::<Member>(), size_of::<super::connection_writer::ConnectionWriter>()];
    println!("member: {} bytes, connection writer: {} bytes", sizes[0], sizes[1]);
    assert!(sizes[0] <= 328 && sizes[1] <= 224, "{sizes:?}");
}
