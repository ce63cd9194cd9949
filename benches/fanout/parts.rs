//! The parts of the benchmark: who sits where, what is said, and what is noted.

use std::time::Duration;

use super::audience::{BenchAudience, ChatResult};
use super::report::FanoutResults;
use super::servers::BenchServer;

const LARGE_ROOM_VIEWERS: usize = 10_000;
/// Viewers who arrive each second; how fast they can is another question.
const ARRIVALS_PER_S: usize = 2_500;
/// Lets everybody in: the crowd arrives as fast as the benchmark has time for.
const NO_JOIN_LIMIT: [&str; 2] = ["--joins-per-second", "0"];

#[derive(Clone, Copy)]
pub struct StepLength {
    pub step: Duration,
}

pub type BenchPart = fn(&mut FanoutResults, StepLength) -> anyhow::Result<()>;

pub const ALL: [(char, &str, BenchPart); 6] = [
    ('c', "one room of 10,000", one_room),
    ('m', "most deliveries a second", max_deliveries),
    ('z', "compression", compression),
    ('s', "readers who stopped", stopped_readers),
    ('r', "many rooms", many_rooms),
    ('d', "10,000 who drop at once", reconnect_storm),
];

fn ramp(viewers: usize) -> Duration {
    Duration::from_millis((viewers * 1_000 / ARRIVALS_PER_S) as u64)
}

/// Memory of a server without viewers that had a few: the pages of its program are no viewer's.
fn warm_pss(server: &BenchServer, shows: &[String]) -> anyhow::Result<f64> {
    let mut few = BenchAudience::connect(server, shows, 20, None, Duration::ZERO)?;
    few.measure_idle(server, Duration::from_millis(200));
    drop(few);
    std::thread::sleep(Duration::from_millis(500));
    server.pss_kib()
}

fn one_room(book: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    let twin = {
        let server = BenchServer::naive()?;
        let shows = server.create_live_streams(1)?;
        let empty = warm_pss(&server, &shows)?;
        let mut audience = BenchAudience::connect(&server, &shows, LARGE_ROOM_VIEWERS, None, ramp(LARGE_ROOM_VIEWERS))?;
        book.record("twin, idle: KiB (PSS) per viewer", (server.pss_kib()? - empty) / LARGE_ROOM_VIEWERS as f64);
        // Upwards as long as it is well: the fuller its core, the less a delivery costs it.
        let mut best = audience.talk(&server, 2.0, length.step);
        for rate in [5.0, 8.0, 10.0, 12.0, 14.0, 17.0, 20.0] {
            // The machine has bad moments: too much is what is too much twice.
            let tries = [(); 2].into_iter().map(|()| audience.talk(&server, rate, length.step));
            match tries.into_iter().find(ChatResult::is_good) {
                Some(talk) => best = talk,
                None => break,
            }
        }
        book.talk("10,000 viewers: twin at its highest good rate", best);
        best
    };
    let server = BenchServer::livesouk(&NO_JOIN_LIMIT)?;
    let shows = server.create_live_streams(1)?;
    let empty = warm_pss(&server, &shows)?;
    let mut audience = BenchAudience::connect(&server, &shows, LARGE_ROOM_VIEWERS, None, ramp(LARGE_ROOM_VIEWERS))?;
    // Pings come every 25 s, and those who came together are not pinged together.
    book.record("idle_core_share", audience.measure_idle(&server, length.step * 8));
    book.record("pss_kib_per_viewer", (server.pss_kib()? - empty) / LARGE_ROOM_VIEWERS as f64);
    for rate in [5, 20, 100, 200] {
        let talk = audience.talk(&server, f64::from(rate), length.step);
        book.talk(&format!("10,000 viewers: Livesouk at {rate}/s"), talk);
        match rate {
            20 | 200 => {
                let ratio = talk.cpu_us_per_delivery() / twin.cpu_us_per_delivery();
                book.record(&format!("cpu_per_event_{rate}"), ratio);
            }
            _ => {}
        }
        if rate >= 100 {
            book.record(&format!("p99_ms_{rate}"), talk.p99_ms);
        }
    }
    Ok(())
}

fn max_deliveries(book: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    let twin = highest_good_rate(BenchServer::naive, length)?;
    book.talk("1,000 viewers: twin, highest good rate", twin);
    book.record("twin_max_deliveries_s", twin.deliveries_per_s());
    let livesouk = highest_good_rate(|| BenchServer::livesouk(&NO_JOIN_LIMIT), length)?;
    book.talk("1,000 viewers: Livesouk, highest good rate", livesouk);
    book.record("max_deliveries_s", livesouk.deliveries_per_s());
    Ok(())
}

/// Doubles the rate until it is too much twice, then halves the distance on a scale of ratios, three times.
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
            let talk = audience.talk(&server, rate, length.step / 2);
            eprintln!(
                "  {rate:.0} events/s: p99 {:.0} ms, lost {}, kept {:.3}",
                talk.p99_ms, talk.lost, talk.acknowledged_ratio
            );
            if talk.is_good() {
                return Ok(Some(talk));
            }
            // What piled up is not the next one's fault.
            (server, audience) = open()?;
        }
        Ok(None)
    };
    let (mut best, mut too_much) = (None, 50.0);
    while let Some(talk) = attempt(too_much)? {
        best = Some(talk);
        too_much *= 2.0;
    }
    let mut good = too_much / 2.0;
    for _ in 0..3 {
        let rate = (good * too_much).sqrt();
        match attempt(rate)? {
            Some(talk) => (best, good) = (Some(talk), rate),
            None => too_much = rate,
        }
    }
    best.ok_or_else(|| anyhow::anyhow!("not even {too_much} events a second are well"))
}

/// The same talk to viewers who offer compression and to viewers who do not, on one server: what it wins and costs.
fn compression(book: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    let server = BenchServer::livesouk(&NO_JOIN_LIMIT)?;
    let shows = server.create_live_streams(1)?;
    for rate in [20, 100] {
        let mut talk = |deflates: bool| -> anyhow::Result<ChatResult> {
            let mut audience = match deflates {
                true => {
                    BenchAudience::connect_compressed(&server, &shows, LARGE_ROOM_VIEWERS, ramp(LARGE_ROOM_VIEWERS))?
                }
                false => BenchAudience::connect(&server, &shows, LARGE_ROOM_VIEWERS, None, ramp(LARGE_ROOM_VIEWERS))?,
            };
            let talk = audience.talk(&server, f64::from(rate), length.step);
            let how = if deflates { "deflated" } else { "plain" };
            book.talk(&format!("10,000 viewers: Livesouk at {rate}/s, {how}"), talk);
            Ok(talk)
        };
        let (plain, deflated) = (talk(false)?, talk(true)?);
        let bytes = |talk: ChatResult| talk.bytes as f64 / talk.deliveries as f64;
        book.record(&format!("bytes at {rate}/s, deflated against plain"), bytes(deflated) / bytes(plain));
        let cpu = deflated.cpu_us_per_delivery() / plain.cpu_us_per_delivery();
        book.record(&format!("processor time at {rate}/s, deflated against plain"), cpu);
    }
    Ok(())
}

/// Every fifth viewer takes hello and then nothing more, under chat.
fn stopped_readers(book: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    let server = BenchServer::livesouk(&NO_JOIN_LIMIT)?;
    let shows = server.create_live_streams(1)?;
    let empty = warm_pss(&server, &shows)?;
    let mut audience = BenchAudience::connect(&server, &shows, LARGE_ROOM_VIEWERS, Some(5), ramp(LARGE_ROOM_VIEWERS))?;
    let talk = audience.talk(&server, 20.0, length.step * 3);
    book.talk("10,000 viewers, 2,000 of them stopped: at 20/s", talk);
    book.record("pss_kib_20pct_stopped", (server.pss_kib()? - empty) / LARGE_ROOM_VIEWERS as f64);
    Ok(())
}

/// The same number of frames to the same number of viewers, in one room and in many.
fn many_rooms(book: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    const PER_ROOM: f64 = 7.0;
    let mut talk = |rooms: usize| -> anyhow::Result<ChatResult> {
        let server = BenchServer::livesouk(&NO_JOIN_LIMIT)?;
        let mut audience = BenchAudience::connect(
            &server,
            &server.create_live_streams(rooms)?,
            LARGE_ROOM_VIEWERS,
            None,
            ramp(LARGE_ROOM_VIEWERS),
        )?;
        let talk = audience.talk(&server, PER_ROOM * rooms as f64, length.step);
        book.talk(&format!("{rooms} rooms of {}: Livesouk", LARGE_ROOM_VIEWERS / rooms), talk);
        Ok(talk)
    };
    let (hundred, one) = (talk(100)?, talk(1)?);
    talk(1_000)?;
    book.record("one_room_vs_100", one.cpu_us_per_frame() / hundred.cpu_us_per_frame());
    Ok(())
}

/// The door keeps its usual pace here: that is what it is for.
fn reconnect_storm(book: &mut FanoutResults, length: StepLength) -> anyhow::Result<()> {
    const STAY: usize = 1_000;
    const RATE: f64 = 10.0;
    let server = BenchServer::livesouk(&[])?;
    let everybody = LARGE_ROOM_VIEWERS + STAY;
    // A little slower than the door lets in on one core.
    let ramp = Duration::from_millis(everybody as u64 * 1_000 / 950);
    let mut audience = BenchAudience::connect(&server, &server.create_live_streams(1)?, everybody, None, ramp)?;
    let before = audience.talk(&server, RATE, length.step);
    book.talk("11,000 viewers: before 10,000 drop", before);
    audience.drop_all_but(STAY as u32);
    let after = audience.measure_chat_during_reconnects(&server, RATE, length.step);
    book.talk("1,000 who stayed, while 10,000 drop and return", after);
    book.record("p99 of those who stay, against before", after.p99_ms / before.p99_ms);
    let back = audience.wait_for_reconnects(Duration::from_secs(60));
    book.record("seconds until all 10,000 are back", back);
    book.record(
        "storm_handshake_p99_ms",
        audience.simulation.measurements.latencies().get("handshake").map_or(f64::NAN, |h| h.p99),
    );
    Ok(())
}
