//! The link to one server: two connections that live and die together, one for calls and one that listens.
//!
//! Connect both → subscribe to all that is followed, 512 at a time, each confirmed → hear our own beat → the link is up: every
//! stream asks for what it missed. From then on a beat goes out each second over the one connection and comes in over the
//! other. When none came in for three seconds the link is dead, whatever TCP thinks of it: both connections are dropped and
//! built anew, after 50 ms to 2 s, for ever. The beat is the canary: its time on the way is measured, and `/readyz` believes it.
//!
//! Pushes go into a bounded queue. When it is full (this node is overrun) they are dropped, and the link is built anew, so
//! that nothing is missing without being asked for.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisError, RedisResult, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::super::Delivery;
use super::super::vitals::count;
use super::follow::Heard;
use super::post::Posted;
use super::server::{self, CALL_DEADLINE};
use super::shard::Shard;
use super::wire::{self, Message};
use crate::domain::StreamId;

const PUSHES_WAITING_MAX: usize = 8_192;
const CHANNELS_AT_ONCE: usize = 512;
const BEAT: Duration = Duration::from_secs(1);
/// So long without our own beat, and the link is dead.
const SILENCE_MAX: Duration = Duration::from_secs(3);
const CHECK: Duration = Duration::from_millis(250);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long streams get to ask for what they missed before the link counts as rebuilt.
const RESYNC_DEADLINE: Duration = Duration::from_secs(5);

type Asks = mpsc::Receiver<(StreamId, oneshot::Sender<()>)>;

pub async fn run(shard: Arc<Shard>, mut asks: Asks) {
    let mut pause = PAUSE_MIN;
    let mut died_at = Instant::now();
    let mut tries = 0_u32;
    loop {
        let began = Instant::now();
        let ended = tokio::select! {
            ended = live(&shard, &mut asks, died_at) => ended,
            () = shard.stop.cancelled() => {
                shard.set_connected(None);
                return;
            }
        };
        let was_up = shard.up.send_replace(false);
        shard.set_connected(None);
        shard.followed.iter().for_each(|followed| followed.set_subscribed(false));
        // Whoever waits for a subscription is told by the end of their channel.
        while asks.try_recv().is_ok() {}
        if was_up {
            shard.lost.store(true, Ordering::Release);
            died_at = Instant::now();
            (pause, tries) = (PAUSE_MIN, 0);
            count(&shard.vitals.link_deaths, 1);
            shard.vitals.shards_up.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(shard = shard.index, why = %ended, lived_ms = began.elapsed().as_millis() as u64, "the bus is lost");
            let _ = shard.out.send(Delivery::Link { shard: shard.index, up: false }).await;
        } else {
            tries += 1;
            // A wrong password never mends itself: somebody should read it, and not a hundred times.
            if tries.is_power_of_two() {
                tracing::warn!(shard = shard.index, tries, why = %ended, "the bus is not there");
            }
        }
        sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("nothing was heard for three seconds")]
    Silent,
    #[error("the connection closed")]
    Closed,
    #[error("its streams are on another server now")]
    Moved,
    #[error("more came than could be taken")]
    Overrun,
    #[error("a call found it broken")]
    Doubted,
}

struct Link {
    listening: MultiplexedConnection,
    pushes: mpsc::Receiver<PushInfo>,
    overrun: Arc<AtomicBool>,
    beats: Arc<Beats>,
    /// Channels we have left, whose confirmations have not come in yet.
    left: HashSet<Vec<u8>>,
}

/// One life of a link; gives why it ended. Died: the moment from which we count how long the rebuild took.
async fn live(shard: &Arc<Shard>, asks: &mut Asks, died_at: Instant) -> Ended {
    // What was doubted was the link before.
    tokio::select! {
        biased;
        () = shard.doubt.notified() => {}
        () = std::future::ready(()) => {}
    }
    match open(shard).await {
        Ok(mut link) => {
            // Asked for while there was no link: subscribed with all the others, below.
            while asks.try_recv().is_ok() {}
            match link.subscribe_all(shard).await {
                Ok(()) => link.serve(shard, asks, died_at).await,
                Err(error) => error.into(),
            }
        }
        Err(error) => error.into(),
    }
}

async fn open(shard: &Arc<Shard>) -> RedisResult<Link> {
    let at = shard.server.find().await?;
    let (push, pushes) = mpsc::channel(PUSHES_WAITING_MAX);
    let overrun = Arc::new(AtomicBool::new(false));
    let (full, vitals) = (overrun.clone(), shard.vitals.clone());
    let listening = server::connect_for_pushes(&at, move |info| {
        push.try_send(info).map_err(|_| {
            count(&vitals.dropped, 1);
            full.store(true, Ordering::Release);
        })
    });
    let (calling, listening) = tokio::try_join!(server::connect(&at), listening)?;
    shard.set_connected(Some(calling));
    Ok(Link { listening, pushes, overrun, beats: Arc::new(Beats::default()), left: HashSet::new() })
}

impl Link {
    async fn subscribe_all(&mut self, shard: &Shard) -> RedisResult<()> {
        let streams: Vec<StreamId> = shard.followed.iter().map(|followed| *followed.key()).collect();
        let own = [shard.beat_channel(), shard.people_channel()];
        let channels: Vec<String> =
            own.into_iter().chain(streams.iter().map(|stream| shard.stream_channel(*stream))).collect();
        for some in channels.chunks(CHANNELS_AT_ONCE) {
            self.change(shard, "SUBSCRIBE", some).await?;
        }
        for stream in &streams {
            if let Some(followed) = shard.followed.get(stream) {
                followed.set_subscribed(true);
            }
        }
        Ok(())
    }

    /// Returns when every single one is confirmed. One command for each channel: a partition's channels could not stand in
    /// one with those of another slot, and the library then counts confirmations without our help.
    async fn change(&mut self, shard: &Shard, word: &str, channels: &[String]) -> RedisResult<()> {
        if channels.is_empty() {
            return Ok(());
        }
        let sharded = format!("S{word}");
        let word = if shard.server.is_partition() { &sharded } else { word };
        let mut pipe = redis::pipe();
        for channel in channels {
            pipe.cmd(word).arg(channel).ignore();
        }
        pipe.query_async(&mut self.listening).await
    }

    async fn serve(mut self, shard: &Arc<Shard>, asks: &mut Asks, died_at: Instant) -> Ended {
        let beating = AbortOnDropHandle::new(tokio::spawn(beat(shard.clone(), self.beats.clone())));
        let mut heard_at = Instant::now();
        let mut check = interval(CHECK);
        let mut is_up = false;
        loop {
            tokio::select! {
                push = self.pushes.recv() => {
                    let Some(push) = push else { return Ended::Closed };
                    match self.hear(shard, push) {
                        ControlFlow::Continue(false) => {}
                        ControlFlow::Continue(true) => {
                            heard_at = Instant::now();
                            if !is_up {
                                is_up = true;
                                self.come_up(shard, died_at).await;
                            }
                        }
                        ControlFlow::Break(ended) => return ended,
                    }
                }
                Some(ask) = asks.recv(), if is_up => {
                    if let Err(error) = self.answer(shard, asks, ask).await {
                        return error.into();
                    }
                }
                () = shard.doubt.notified() => return Ended::Doubted,
                _ = check.tick() => {
                    #[cfg(feature = "planted-fault")]
                    if crate::fault::deaf() {
                        heard_at = Instant::now();
                    }
                    if SILENCE_MAX <= heard_at.elapsed() || beating.is_finished() {
                        return Ended::Silent;
                    }
                    if self.overrun.load(Ordering::Acquire) {
                        return Ended::Overrun;
                    }
                }
            }
        }
    }

    async fn come_up(&mut self, shard: &Arc<Shard>, died_at: Instant) {
        shard.up.send_replace(true);
        shard.vitals.shards_up.fetch_add(1, Ordering::Relaxed);
        let (done, mut all) = mpsc::channel(1);
        for followed in &shard.followed {
            followed.hear(Heard::Resync(done.clone()));
        }
        drop(done);
        let _ = shard.out.send(Delivery::Link { shard: shard.index, up: true }).await;
        if shard.lost.swap(false, Ordering::AcqRel) && shard.post.try_send(Posted::Missed).is_err() {
            count(&shard.vitals.dropped, 1);
        }
        let (shard, streams) = (shard.clone(), shard.followed.len());
        tokio::spawn(async move {
            // Ends when the last stream has dropped its end.
            let _ = timeout(RESYNC_DEADLINE, all.recv()).await;
            shard.vitals.rebuild_time.add_time(died_at.elapsed());
            tracing::info!(
                shard = shard.index,
                streams,
                took_ms = died_at.elapsed().as_millis() as u64,
                "the bus is heard"
            );
        });
    }

    /// Subscribes to what is followed and not subscribed, leaves what is not followed any more.
    async fn answer(
        &mut self,
        shard: &Shard,
        asks: &mut Asks,
        first: (StreamId, oneshot::Sender<()>),
    ) -> RedisResult<()> {
        let mut all = vec![first];
        while all.len() < CHANNELS_AT_ONCE
            && let Ok(next) = asks.try_recv()
        {
            all.push(next);
        }
        // A stream may be asked about twice: what counts is whether it is followed now.
        let mut wanted: HashMap<StreamId, bool> = HashMap::new();
        for (stream, _) in &all {
            wanted.insert(*stream, shard.followed.contains_key(stream));
        }
        for (word, follow) in [("SUBSCRIBE", true), ("UNSUBSCRIBE", false)] {
            let those = wanted.iter().filter(|(_, wanted)| **wanted == follow);
            let channels: Vec<String> = those.map(|(stream, _)| shard.stream_channel(*stream)).collect();
            if !follow && shard.server.is_partition() {
                self.left.extend(channels.iter().map(|channel| channel.clone().into_bytes()));
            }
            timeout(2 * CALL_DEADLINE, self.change(shard, word, &channels))
                .await
                .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        }
        for (stream, answer) in all {
            if let Some(followed) = shard.followed.get(&stream) {
                followed.set_subscribed(true);
            }
            let _ = answer.send(());
        }
        shard.vitals.followed.store(shard.followed.len(), Ordering::Relaxed);
        Ok(())
    }

    fn has_left(&mut self, data: &[Value]) -> bool {
        matches!(data.first(), Some(Value::BulkString(channel)) if self.left.remove(channel))
    }

    /// `true`: it was our own beat.
    fn hear(&mut self, shard: &Shard, push: PushInfo) -> ControlFlow<Ended, bool> {
        match push.kind {
            PushKind::Message | PushKind::SMessage => {}
            PushKind::Disconnection => return ControlFlow::Break(Ended::Closed),
            // What we left ourselves is answered with this word too.
            PushKind::SUnsubscribe if self.has_left(&push.data) => return ControlFlow::Continue(false),
            // A slot that moved to another master takes its subscriptions away.
            PushKind::SUnsubscribe => return ControlFlow::Break(Ended::Moved),
            _ => return ControlFlow::Continue(false),
        }
        let mut data = push.data.into_iter();
        let (Some(Value::BulkString(channel)), Some(Value::BulkString(bytes))) = (data.next(), data.next()) else {
            return ControlFlow::Continue(false);
        };
        let Some(message) = wire::read(Bytes::from(bytes)) else { return ControlFlow::Continue(false) };
        match message {
            Message::Beat { node, number } => {
                let own = node == shard.node && self.beats.heard(shard, number);
                return ControlFlow::Continue(own);
            }
            // Own values and frames were shown here before they were told.
            Message::State { node, .. } | Message::People { node, .. } if node == shard.node => {}
            Message::People { frames, .. } if frames.is_empty() => offer(shard, Delivery::Missed),
            Message::People { frames, .. } => {
                frames.into_iter().for_each(|(user, body)| offer(shard, Delivery::Person { user, body }));
            }
            message => {
                if let Some(stream) = shard.stream_of(&channel) {
                    hear_stream(shard, stream, message);
                }
            }
        }
        ControlFlow::Continue(false)
    }
}

fn hear_stream(shard: &Shard, stream: StreamId, message: Message) {
    let Some(followed) = shard.followed.get(&stream) else { return };
    match message {
        Message::Log { epoch, first, bodies } if !bodies.is_empty() => {
            let dropped = !followed.hear(Heard::Batch { epoch, first, bodies });
            count(&shard.vitals.dropped, u64::from(dropped));
        }
        Message::State { bodies, .. } => {
            bodies.into_iter().for_each(|body| offer(shard, Delivery::State { stream, body }));
        }
        Message::Joined { node, sessions } => {
            offer(shard, Delivery::Joined { stream, sessions, own: node == shard.node });
        }
        _ => {}
    }
}

/// What is not numbered: a lost value heals, so nobody waits.
fn offer(shard: &Shard, delivery: Delivery) {
    if shard.out.try_send(delivery).is_err() {
        count(&shard.vitals.dropped, 1);
    }
}

/// The beats of one link.
struct Beats {
    /// In the upper half of every number: a late beat of the link before says nothing about this one.
    link: u64,
    sent: std::sync::Mutex<Option<(u64, Instant)>>,
}

impl Default for Beats {
    fn default() -> Self {
        Self { link: u64::from(rand::random::<u32>()) << 32, sent: Default::default() }
    }
}

impl Beats {
    fn send(&self, number: u64) {
        *self.sent.lock().unwrap_or_else(|poison| poison.into_inner()) = Some((number, Instant::now()));
    }

    /// Says whether it is one of ours.
    fn heard(&self, shard: &Shard, number: u64) -> bool {
        let mut sent = self.sent.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some((_, at)) = sent.take_if(|(newest, _)| *newest == number) {
            shard.vitals.bus_lag.add_time(at.elapsed());
        }
        number >> 32 == self.link >> 32
    }
}

/// Publishes a beat each second. One that cannot be told is not repeated: the next one is.
async fn beat(shard: Arc<Shard>, beats: Arc<Beats>) {
    let mut every = interval(BEAT);
    for number in beats.link.. {
        every.tick().await;
        let Ok(mut connected) = shard.connected() else { return };
        beats.send(number);
        let mut publish = redis::cmd(shard.publish_word());
        publish.arg(shard.beat_channel()).arg(wire::beat(shard.node, number));
        if let Err(error) = publish.query_async::<i64>(&mut connected.connection).await {
            shard.fault("a beat", &error);
        }
    }
}
