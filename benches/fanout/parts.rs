//! The parts of the benchmark: how many viewers there are, how much they chat, and what is recorded.

use std::time::Duration;

use super::audience::{BenchAudience, ChatResult};
use super::report::FanoutResults;
use super::servers::BenchServer;

const LARGE_ROOM_VIEWERS: usize = 10_000;
/// Viewers that connect per second. How fast they could connect is another question.
const ARRIVALS_PER_S: usize = 2_500;
/// No limit on joins: the viewers connect as fast as the benchmark can.
const NO_JOIN_LIMIT: [&str; 2] = ["--joins-per-second", "0"];

#[derive(Clone, Copy)]
pub struct StepLength {
    pub step: Duration,
}

pub type BenchPart = fn(&mut FanoutResults, StepLength) -> anyhow::Result<()>;

pub const ALL: [(char, &str, BenchPart); 7] = [
    ('c', "one room of 10,000", one_room),
    ('m', "most deliveries per second", max_deliveries),
    ('z', "compression", compression),
    ('s', "readers that stopped", stopped_readers),
    ('r', "many rooms", many_rooms),
    ('k', "a thousand small rooms", small_rooms),
    ('d', "10,000 viewers that disconnect at once", reconnect_storm),
];

fn ramp(viewers: usize) -> Duration {
    Duration::from_millis((viewers * 1_000 / ARRIVALS_PER_S) as u64)
}

/// The memory of a server that had a few viewers and has none now: the memory of the program itself belongs to no
/// viewer.
fn warm_pss(server: &BenchServer, shows: &[String]) -> anyhow::Result<f64> {
    let mut few = BenchAudience::connect(server, shows, 20, None, Duration::ZERO)?;
    few.measure_idle(server, Duration::from_millis(200));
    drop(few);
    std::thread::sleep(Duration::from_millis(500));
    server.pss_kib()
}

fn one_room(results: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    let naive = {
        let server = BenchServer::naive()?;
        let shows = server.create_live_streams(1)?;
        let empty = warm_pss(&server, &shows)?;
        let mut audience = BenchAudience::connect(&server, &shows, LARGE_ROOM_VIEWERS, None, ramp(LARGE_ROOM_VIEWERS))?;
        results.record(
            "naive server, idle: KiB (PSS) per viewer",
            (server.pss_kib()? - empty) / LARGE_ROOM_VIEWERS as f64,
        );
        // The rate rises as long as the result is good: the busier the core, the less each delivery costs.
        let mut best = audience.measure_chat(&server, 2.0, length.step);
        for rate in [5.0, 8.0, 10.0, 12.0, 14.0, 17.0, 20.0] {
            // The machine has slow moments, so a rate is too high only when it fails twice.
            let tries = [(); 2].into_iter().map(|()| audience.measure_chat(&server, rate, length.step));
            match tries.into_iter().find(ChatResult::is_good) {
                Some(chat) => best = chat,
                None => break,
            }
        }
        results.record_chat("10,000 viewers: naive server at its highest good rate", best);
        best
    };
    let server = BenchServer::livesouk(&NO_JOIN_LIMIT)?;
    let shows = server.create_live_streams(1)?;
    let empty = warm_pss(&server, &shows)?;
    let mut audience = BenchAudience::connect(&server, &shows, LARGE_ROOM_VIEWERS, None, ramp(LARGE_ROOM_VIEWERS))?;
    // Pings are sent every 25 s, and connections that came together are not pinged together.
    results.record("idle_core_share", audience.measure_idle(&server, length.step * 8));
    results.record("pss_kib_per_viewer", (server.pss_kib()? - empty) / LARGE_ROOM_VIEWERS as f64);
    for rate in [5, 10, 20, 100, 200] {
        let chat = audience.measure_chat(&server, f64::from(rate), length.step);
        results.record_chat(&format!("10,000 viewers: Livesouk at {rate}/s"), chat);
        match rate {
            10 => results.record("p50_10k_10", chat.p50_ms),
            20 | 200 => {
                let ratio = chat.cpu_us_per_delivery() / naive.cpu_us_per_delivery();
                results.record(&format!("cpu_per_event_{rate}"), ratio);
            }
            _ => {}
        }
        if rate >= 100 {
            results.record(&format!("p99_ms_{rate}"), chat.p99_ms);
        }
    }
    Ok(())
}

fn max_deliveries(results: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    let naive = highest_good_rate(BenchServer::naive, length)?;
    results.record_chat("1,000 viewers: naive server, highest good rate", naive);
    results.record("naive_max_deliveries_s", naive.deliveries_per_s());
    let livesouk = highest_good_rate(|| BenchServer::livesouk(&NO_JOIN_LIMIT), length)?;
    results.record_chat("1,000 viewers: Livesouk, highest good rate", livesouk);
    results.record("max_deliveries_s", livesouk.deliveries_per_s());
    Ok(())
}

/// Doubles the rate until it fails twice, then takes the geometric mean of the good and the bad rate, three times.
fn highest_good_rate(
    start: impl Fn() -> anyhow::Result<BenchServer>,
    length: StepLength,
) -> anyhow::Result<ChatResult> {
    const VIEWERS: usize = 1_000;
    let open = || -> anyhow::Result<(BenchServer, BenchAudience)> {
        let server = start()?;
        let audience = BenchAudience::connect(&server, &server.create_live_streams(1)?, VIEWERS, None, ramp(VIEWERS))?;
        Ok((server, audience))
    };
    let (mut server, mut audience) = open()?;
    let mut attempt = |rate: f64| -> anyhow::Result<Option<ChatResult>> {
        for _ in 0..2 {
            let chat = audience.measure_chat(&server, rate, length.step / 2);
            eprintln!(
                "  {rate:.0} events/s: p99 {:.0} ms, lost {}, kept {:.3}",
                chat.p99_ms, chat.lost, chat.acknowledged_ratio
            );
            if chat.is_good() {
                return Ok(Some(chat));
            }
            // The backlog of one rate must not affect the next.
            (server, audience) = open()?;
        }
        Ok(None)
    };
    let (mut best, mut too_high) = (None, 50.0);
    while let Some(chat) = attempt(too_high)? {
        best = Some(chat);
        too_high *= 2.0;
    }
    let mut good = too_high / 2.0;
    for _ in 0..3 {
        let rate = (good * too_high).sqrt();
        match attempt(rate)? {
            Some(chat) => (best, good) = (Some(chat), rate),
            None => too_high = rate,
        }
    }
    best.ok_or_else(|| anyhow::anyhow!("even {too_high} events per second are too many"))
}

/// The same chat to viewers that offer compression and to viewers that do not, on one server: the saving and the cost.
fn compression(results: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    let server = BenchServer::livesouk(&NO_JOIN_LIMIT)?;
    let shows = server.create_live_streams(1)?;
    for rate in [20, 100] {
        let mut measure = |compresses: bool| -> anyhow::Result<ChatResult> {
            let mut audience = match compresses {
                true => {
                    BenchAudience::connect_compressed(&server, &shows, LARGE_ROOM_VIEWERS, ramp(LARGE_ROOM_VIEWERS))?
                }
                false => BenchAudience::connect(&server, &shows, LARGE_ROOM_VIEWERS, None, ramp(LARGE_ROOM_VIEWERS))?,
            };
            let chat = audience.measure_chat(&server, f64::from(rate), length.step);
            let how = if compresses { "compressed" } else { "plain" };
            results.record_chat(&format!("10,000 viewers: Livesouk at {rate}/s, {how}"), chat);
            Ok(chat)
        };
        let (plain, compressed) = (measure(false)?, measure(true)?);
        let bytes = |chat: ChatResult| chat.bytes as f64 / chat.deliveries as f64;
        results.record(&format!("bytes at {rate}/s, compressed against plain"), bytes(compressed) / bytes(plain));
        let cpu = compressed.cpu_us_per_delivery() / plain.cpu_us_per_delivery();
        results.record(&format!("processor time at {rate}/s, compressed against plain"), cpu);
    }
    Ok(())
}

/// Every fifth viewer receives its hello and then reads nothing more, during chat.
fn stopped_readers(results: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    let server = BenchServer::livesouk(&NO_JOIN_LIMIT)?;
    let shows = server.create_live_streams(1)?;
    let empty = warm_pss(&server, &shows)?;
    let mut audience = BenchAudience::connect(&server, &shows, LARGE_ROOM_VIEWERS, Some(5), ramp(LARGE_ROOM_VIEWERS))?;
    let chat = audience.measure_chat(&server, 20.0, length.step * 3);
    results.record_chat("10,000 viewers, 2,000 of them stopped reading: at 20/s", chat);
    results.record("pss_kib_20pct_stopped", (server.pss_kib()? - empty) / LARGE_ROOM_VIEWERS as f64);
    Ok(())
}

/// The same number of frames to the same number of viewers, in one room and in many.
fn many_rooms(results: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    const PER_ROOM: f64 = 7.0;
    let mut measure = |rooms: usize| -> anyhow::Result<ChatResult> {
        let server = BenchServer::livesouk(&NO_JOIN_LIMIT)?;
        let mut audience = BenchAudience::connect(
            &server,
            &server.create_live_streams(rooms)?,
            LARGE_ROOM_VIEWERS,
            None,
            ramp(LARGE_ROOM_VIEWERS),
        )?;
        let chat = audience.measure_chat(&server, PER_ROOM * rooms as f64, length.step);
        results.record_chat(&format!("{rooms} rooms of {}: Livesouk", LARGE_ROOM_VIEWERS / rooms), chat);
        Ok(chat)
    };
    let (hundred, one) = (measure(100)?, measure(1)?);
    results.record("one_room_vs_100", one.cpu_us_per_frame() / hundred.cpu_us_per_frame());
    Ok(())
}

/// A thousand rooms of ten, chat kept: what a message costs, and how many messages a core takes.
fn small_rooms(results: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    const ROOMS: usize = 1_000;
    let server = BenchServer::livesouk(&NO_JOIN_LIMIT)?;
    let shows = server.create_live_streams(ROOMS)?;
    let empty = warm_pss(&server, &shows[..2])?;
    let mut audience = BenchAudience::connect(&server, &shows, LARGE_ROOM_VIEWERS, None, ramp(LARGE_ROOM_VIEWERS))?;
    results.record("rooms_1000_pss_kib_per_viewer", (server.pss_kib()? - empty) / LARGE_ROOM_VIEWERS as f64);
    results.record("rooms_1000_idle_core_share", audience.measure_idle(&server, length.step * 4));
    let mut best = 0.0;
    for rate in [2_000.0, 4_000.0, 5_000.0, 6_000.0, 7_000.0, 8_000.0, 9_000.0, 10_000.0, 12_000.0, 15_000.0] {
        let mut tries = [(); 2].into_iter().map(|()| audience.measure_chat(&server, rate, length.step));
        let Some(chat) = tries.find(ChatResult::is_good) else { break };
        results.record_chat(&format!("1,000 rooms of 10: Livesouk at {rate:.0}/s"), chat);
        if rate == 4_000.0 {
            results.record("rooms_1000_message_us", chat.cpu * 1e6 / (rate * chat.seconds));
        }
        best = rate;
    }
    results.record("rooms_1000_max", best);
    Ok(())
}

/// The limit on joins keeps its default here, because this part measures it.
fn reconnect_storm(results: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    const STAY: usize = 1_000;
    const RATE: f64 = 10.0;
    let server = BenchServer::livesouk(&[])?;
    let everybody = LARGE_ROOM_VIEWERS + STAY;
    // A little slower than the limit on joins allows on one core.
    let ramp = Duration::from_millis(everybody as u64 * 1_000 / 950);
    let mut audience = BenchAudience::connect(&server, &server.create_live_streams(1)?, everybody, None, ramp)?;
    let before = audience.measure_chat(&server, RATE, length.step);
    results.record_chat("11,000 viewers: before 10,000 disconnect", before);
    audience.drop_all_but(STAY as u32);
    let after = audience.measure_chat_during_reconnects(&server, RATE, length.step);
    results.record_chat("1,000 that stayed, while 10,000 disconnect and reconnect", after);
    results.record("p99 of those that stayed, against before", after.p99_ms / before.p99_ms);
    let back = audience.wait_for_reconnects(Duration::from_secs(60));
    results.record("seconds until all 10,000 are connected again", back);
    results.record(
        "storm_handshake_p99_ms",
        audience.simulation.measurements.latencies().get("handshake").map_or(f64::NAN, |h| h.p99),
    );
    Ok(())
}
