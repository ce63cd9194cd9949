//! What is being written, or not written yet, survives that the stream cache is full.

use std::time::Duration;

use super::*;
use crate::app::chat::Chat;
use crate::app::testing;
use crate::app::{App, NewStream};
use crate::domain::reaction::ReactionKind;
use crate::domain::{Name, Role, Sanction};

const CAPACITY: usize = 4;

fn actor(name: &str, role: Role) -> Actor {
    let (user, name) = (UserId::parse(name).unwrap(), Name::parse(name).unwrap());
    Actor { user, name, role, stream: None, expires_at: None, token: Default::default(), session: None }
}

async fn create_stream(app: &App) -> StreamId {
    let new = NewStream { title: "Show".into(), ..NewStream::default() };
    app.streams.create_stream(&actor("host", Role::Host), new).await.unwrap().id
}

/// Loads other streams until everything is evicted that can be.
async fn fill(app: &App, cache: &Arc<StreamCache>) {
    for _ in 0..5 * CAPACITY {
        cache.find_stream(create_stream(app).await).await.unwrap();
    }
}

#[tokio::test]
async fn mute_that_is_being_written_survives_a_full_cache() {
    let (app, _folder) = testing::app().await;
    let cache = StreamCache::with_capacity(&app.context, &app.publisher, CAPACITY);
    let (stream, ann) = (create_stream(&app).await, actor("ann", Role::Viewer));
    // As `mute` does it: authorize, write, take the sanction into the cached stream.
    let writing = cache.authorize(&actor("host", Role::Host), Permission::Moderate, stream).await.unwrap();
    fill(&app, &cache).await;
    // Ann's next message is judged by what is cached while the mute is being written.
    cache.find_stream(stream).await.unwrap();
    let until = app.now() + 60_000;
    let sanction = Sanction {
        user: ann.user.clone(),
        person: ann.person(),
        name: "ann".into(),
        kind: SanctionKind::Mute,
        until: Some(until),
        by: "host".into(),
        by_role: Role::Host,
        reason: None,
    };
    writing.add_sanction(sanction);
    drop(writing);
    let cached = cache.find_stream(stream).await.unwrap();
    let refused = cached.authorize(&ann, Permission::Chat, app.now());
    assert!(matches!(refused, Err(Refusal::Muted { .. })), "{refused:?}");
    assert!(cache.streams.is_kept(stream));
    drop(cached);
    assert!(!cache.streams.is_kept(stream), "a stream that nobody uses can be evicted");
}

#[tokio::test]
async fn likes_that_are_not_stored_survive_a_full_cache() {
    let (app, _folder) = testing::app().await;
    let cache = StreamCache::with_capacity(&app.context, &app.publisher, CAPACITY);
    let chat = Chat::new(&app.context, &app.publisher, &cache, &app.audit);
    let stream = create_stream(&app).await;
    chat.react(&actor("ann", Role::Viewer), stream, ReactionKind::Heart, 7).await.unwrap();
    fill(&app, &cache).await;
    chat.react(&actor("bob", Role::Viewer), stream, ReactionKind::Heart, 5).await.unwrap();
    assert_eq!(cache.find_stream(stream).await.unwrap().likes(), 12, "viewers see all of them");
    assert!(cache.streams.is_kept(stream));
    chat.flush_likes().await.unwrap();
    assert_eq!(app.context.store.stream(stream).await.unwrap().unwrap().likes, 12);
    assert!(!cache.streams.is_kept(stream), "a stream whose likes are stored can be evicted");
}

#[tokio::test]
async fn change_during_a_load_is_not_lost() {
    let (app, _folder) = testing::app().await;
    let cache = StreamCache::with_capacity(&app.context, &app.publisher, CAPACITY);
    let stream = create_stream(&app).await;
    let before = app.context.store.stream(stream).await.unwrap().unwrap();
    let (finish, finished) = tokio::sync::oneshot::channel::<()>();
    // A load has read the row; then the title changes, and the change is published.
    let load = cache.streams.get_or_load(stream, async {
        let _ = finished.await;
        Ok(CachedStream::new(before.clone(), vec![], vec![], Blocklist::empty()))
    });
    let changed = LiveStream { title: "Evening show".into(), version: before.version + 1, ..before.clone() };
    let change = async {
        cache.update_stream(&changed);
        let _ = finish.send(());
    };
    let (loaded, ()) = tokio::join!(load, change);
    let cached = loaded.unwrap();
    let applied = async {
        while cached.version() < changed.version {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), applied).await.expect("the change is applied after the load");
    assert_eq!(cached.stream().title, "Evening show");
}
