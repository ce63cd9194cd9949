//! The scenarios: who connects, and what happens when. In all of them the viewers connect, act, settle, and are
//! checked.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rand::RngExt;
use rand::seq::SliceRandom;

use crate::args::{LoadtestArgs, Scenario};
use crate::requests::PurchaseState;
use crate::shop_client::ShopClient;
use crate::simulation::{ChatLoad, HostCommand, ScheduledAction, Simulation};
use crate::viewer::ReadBehavior;

const SECOND_US: u64 = 1_000_000;
/// A sender uses this share of the server's chat rate limit.
const BUDGET_SHARE_USED: f64 = 0.8;
/// All purchases are sent within this time after the opening.
const PURCHASE_WINDOW_US: u64 = 1_000_000;
/// Out of a hundred buyers, this many send their purchase twice.
const DOUBLE_CLICK_PERCENT: u32 = 5;

/// A run of a scenario: the simulation, the server's API, and the roles of the viewers.
pub struct ScenarioRun<'a> {
    pub args: &'a LoadtestArgs,
    pub simulation: Simulation,
    pub shop: ShopClient,
    /// The run created the streams itself.
    pub owns_streams: bool,
    /// For each room: the viewers, those of them that have a token, and the host.
    pub audiences: Vec<RoomAudience>,
    /// Every offer that the run created, with its units.
    pub offers: Vec<(String, i64)>,
    /// What a reader of the result should know.
    pub notes: Vec<String>,
    /// When all viewers had connected and the measurement started, in µs of the simulation's clock.
    pub measured_from: u64,
}

#[derive(Clone, Default, Debug)]
pub struct RoomAudience {
    pub viewers: Vec<u32>,
    pub signed_in: Vec<u32>,
    pub host: Option<u32>,
}

impl<'a> ScenarioRun<'a> {
    /// Creates the streams, or takes the one that was given, and adds the viewers.
    pub fn prepare(args: &'a LoadtestArgs, mut simulation: Simulation, mut shop: ShopClient) -> Result<Self> {
        let own = args.stream.is_none();
        let mut notes = Vec::new();
        let rooms = args.rooms as usize;
        let per_room = (args.viewers as usize).div_ceil(rooms);
        let signed_in = match args.scenario {
            Scenario::Rush | Scenario::Show => per_room,
            _ => senders_needed(args, rooms).min(per_room),
        };
        if args.rate() > 0.0 && senders_needed(args, rooms) > per_room {
            notes.push(format!(
                "{:.0} messages per second need {} senders per room at a rate limit of {} messages per second, and there are {per_room} \
                 viewers: some messages will be refused with chat_budget",
                args.rate(),
                senders_needed(args, rooms),
                args.chat_per_second
            ));
        }
        let host = if own { Some(shop.sign_in_as_host()?) } else { None };
        let run: u32 = rand::random();
        let tokens = if signed_in > 0 {
            shop.sign_tokens(&format!("loadtest-{run:08x}"), "viewer", signed_in * rooms)?
        } else {
            vec![]
        };
        let mut tokens = tokens.into_iter();
        let mut audiences = Vec::new();
        for number in 0..rooms {
            let stream = match &args.stream {
                Some(stream) => stream.to_string(),
                None => shop.create_live_stream(&format!("Load test, room {}", number + 1))?,
            };
            let room = simulation.add_room(&stream);
            let in_room = (args.viewers as usize - number).div_ceil(rooms);
            let mut audience = RoomAudience::default();
            for place in 0..in_room {
                let token = if place < signed_in { tokens.next() } else { None };
                let viewer = simulation.add_viewer(room, token.as_deref());
                audience.viewers.push(viewer);
                if token.is_some() {
                    audience.signed_in.push(viewer);
                }
            }
            audiences.push(audience);
        }
        for (room, audience) in audiences.iter_mut().enumerate() {
            audience.host = host.as_deref().map(|token| simulation.add_viewer(room as u32, Some(token)));
        }
        if shop.is_unlimited() {
            notes.push(
                "the server ran without the limits of each user and connection (--request-limits false)".to_owned(),
            );
        }
        Ok(Self { args, simulation, shop, owns_streams: own, audiences, offers: Vec::new(), notes, measured_from: 0 })
    }

    pub fn play(&mut self) -> Result<()> {
        match self.args.scenario {
            Scenario::Watch | Scenario::Chat => {
                self.connect_all();
                self.start_chat(self.args.rate(), 60);
                self.simulation.run_for(Duration::from_secs(self.args.seconds));
            }
            Scenario::Rush => self.rush()?,
            Scenario::Storm => self.storm(),
            Scenario::Slow => self.slow(),
            Scenario::Show => self.full_show()?,
        }
        Ok(())
    }

    /// Connects all viewers over the ramp, hosts first, and waits for their hellos.
    fn connect_all(&mut self) {
        let from = self.simulation.now();
        let hosts: Vec<u32> = self.audiences.iter().filter_map(|audience| audience.host).collect();
        self.simulation.schedule_arrivals(hosts.into_iter(), from, Duration::ZERO);
        let mut viewers: Vec<u32> = self.audiences.iter().flat_map(|audience| audience.viewers.clone()).collect();
        viewers.shuffle(&mut self.simulation.random);
        self.simulation.schedule_arrivals(viewers.into_iter(), from, self.args.ramp());
        let wanted = self.simulation.viewers.len() as u64;
        let deadline = from + self.args.ramp().as_micros() as u64 + 20 * SECOND_US;
        self.simulation.run_until(from + self.args.ramp().as_micros() as u64);
        self.simulation.run_while(deadline, |simulation| simulation.connected() < wanted);
        if self.simulation.connected() < wanted {
            self.notes.push(format!(
                "{} of {wanted} viewers were connected when the measurement started",
                self.simulation.connected()
            ));
        }
        self.measured_from = self.simulation.now();
    }

    /// Sends chat messages in every room from now on, for the measured seconds.
    fn start_chat(&mut self, rate: f64, length: usize) {
        let from = self.simulation.now();
        let until = from + self.args.seconds * SECOND_US;
        let rate = rate / self.audiences.len() as f64;
        for (room, audience) in self.audiences.iter().enumerate() {
            // The rooms do not send at the same moment.
            let from = from + (room as f64 / self.audiences.len() as f64 * 1e6 / rate.max(0.001)) as u64;
            let senders = audience.signed_in.clone();
            self.simulation.start_chat(ChatLoad { room: room as u32, senders, rate, from, until, length, sent: 0 });
        }
    }

    /// A flash sale in each room. The host opens it, or it exists already, and every viewer buys.
    fn rush(&mut self) -> Result<()> {
        let mut sales = Vec::new();
        for room in 0..self.audiences.len() {
            sales.push(if self.owns_streams {
                self.create_flash_sale(room, "Flash sale")?
            } else {
                self.find_open_offer(room)?
            });
        }
        self.connect_all();
        self.start_chat(self.args.rate(), 60);
        let started = self.simulation.now();
        for (room, offer) in sales.iter().enumerate() {
            self.open_offer(room, offer, started);
            self.schedule_purchases(room, offer)?;
        }
        // The countdown alone takes ten seconds.
        self.simulation.run_until(started + self.args.seconds.max(12) * SECOND_US);
        Ok(())
    }

    fn create_flash_sale(&mut self, room: usize, title: &str) -> Result<String> {
        let units = self.args.flash_sale_units();
        let offer = self.shop.create_offer(&self.simulation.rooms[room].stream, title, units, true)?;
        self.offers.push((offer.clone(), units));
        Ok(offer)
    }

    /// In a stream of somebody else: an offer that is open or will open soon.
    fn find_open_offer(&mut self, room: usize) -> Result<String> {
        let offers = self.shop.offers(&self.simulation.rooms[room].stream)?;
        let mut sold = offers.iter().filter(|offer| matches!(offer["status"].as_str(), Some("open" | "countdown")));
        let offer = sold.clone().find(|offer| offer["kind"] == "flash").or_else(|| sold.next());
        let offer = offer.context("this stream has no offer that is open or in its countdown")?;
        self.notes.push(format!("purchases were made from {}: real units of this shop are held now", offer["title"]));
        Ok(offer["id"].as_str().context("the offer has no id")?.to_owned())
    }

    fn open_offer(&mut self, room: usize, offer: &str, at: u64) {
        if let Some(host) = self.audiences[room].host {
            self.simulation.schedule(at, ScheduledAction::Host(host, HostCommand::Open(offer.to_owned())));
            // A draft cannot be pinned, and two verbs of one host run concurrently.
            self.simulation
                .schedule(at + SECOND_US / 2, ScheduledAction::Host(host, HostCommand::Pin(offer.to_owned())));
        }
    }

    /// Waits until the room has received the opening time of the sale, then schedules every purchase around it.
    fn schedule_purchases(&mut self, room: usize, offer: &str) -> Result<()> {
        let known =
            |simulation: &Simulation| simulation.rooms[room].offer(offer).is_some_and(|offer| offer.opens_at.is_some());
        let deadline = self.simulation.now() + 10 * SECOND_US;
        if !known(&self.simulation) && !self.simulation.run_while(deadline, |simulation| !known(simulation)) {
            bail!("the sale was not opened within 10 s");
        }
        let opens_at = self.simulation.rooms[room].offer(offer).and_then(|offer| offer.opens_at).unwrap_or(0);
        let opens = self.simulation.to_local_time(opens_at).max(self.simulation.now());
        self.simulation.requests.expect_event("sale_opened", offer, opens);
        for viewer in self.audiences[room].signed_in.clone() {
            // Most buyers are quick: the delay is the square of a uniform random number.
            let draw: f64 = self.simulation.random.random();
            let due = opens + (draw * draw * PURCHASE_WINDOW_US as f64) as u64;
            let purchase = self.simulation.requests.add_purchase(room as u32, viewer, offer, due);
            self.simulation.schedule(due, ScheduledAction::Buy(purchase));
            if self.simulation.random.random_range(0..100) < DOUBLE_CLICK_PERCENT {
                self.simulation.schedule(due + 50_000, ScheduledAction::Buy(purchase));
            }
        }
        Ok(())
    }

    fn storm(&mut self) {
        self.connect_all();
        self.start_chat(self.args.rate(), 60);
        let third = Duration::from_secs(self.args.seconds) / 3;
        self.simulation.run_for(third);
        let now = self.simulation.now();
        let hosts: Vec<u32> = self.audiences.iter().filter_map(|audience| audience.host).collect();
        for viewer in (0..self.simulation.viewers.len() as u32).filter(|viewer| !hosts.contains(viewer)) {
            self.simulation.schedule(now, ScheduledAction::DropConnection(viewer));
        }
        self.simulation.run_for(Duration::from_millis(100));
        let wanted = self.simulation.viewers.len() as u64;
        let deadline = now + 60 * SECOND_US;
        self.simulation.run_while(deadline, |simulation| simulation.viewers.iter().any(|viewer| viewer.is_returning));
        let (back, took) = (self.simulation.connected(), (self.simulation.now() - now) as f64 / 1e6);
        self.notes.push(format!("after the storm, {back} of {wanted} connections were back within {took:.1} s"));
        self.simulation.run_until(self.measured_from + self.args.seconds * SECOND_US);
    }

    /// Every fifth viewer reads slowly or stops reading.
    fn slow(&mut self) {
        let mut slow_readers = 0;
        for audience in &mut self.audiences {
            for viewer in audience.viewers.iter().skip(4).step_by(5) {
                slow_readers += 1;
                let manner = if slow_readers % 2 == 0 { ReadBehavior::Stopped } else { ReadBehavior::Slow(512) };
                self.simulation.set_read_behavior(*viewer, manner);
            }
            // A sender waits for replies, so it reads normally.
            audience
                .signed_in
                .retain(|viewer| self.simulation.viewers[*viewer as usize].read_behavior == ReadBehavior::Normal);
        }
        self.notes
            .push(format!("{slow_readers} viewers are slow readers: half of them read nothing, half of them 2.5 KB/s"));
        self.connect_all();
        self.start_chat(self.args.rate(), 180);
        self.simulation.run_for(Duration::from_secs(self.args.seconds));
    }

    /// Chat has a peak at each of three flash sales, viewers react, and a third of them leave near the end.
    fn full_show(&mut self) -> Result<()> {
        let mut sales = Vec::new();
        for title in ["First sale", "Second sale", "Last sale"] {
            let rooms = 0..self.audiences.len();
            sales.push(rooms.map(|room| self.create_flash_sale(room, title)).collect::<Result<Vec<_>>>()?);
        }
        self.simulation.payment_percent = 70;
        self.connect_all();
        let (started, length) = (self.measured_from, self.args.seconds.max(24) * SECOND_US);
        // A third of the messages come all the time, the rest in bursts at the sales.
        let rate = self.args.rate() / self.audiences.len() as f64;
        for (room, audience) in self.audiences.clone().iter().enumerate() {
            let mut flow = |from, until, rate| {
                let (room, senders) = (room as u32, audience.signed_in.clone());
                self.simulation.start_chat(ChatLoad { room, senders, rate, from, until, length: 60, sent: 0 });
            };
            flow(started, started + length, rate / 3.0);
            for sale in 0..3 {
                let peak = started + length * (2 * sale + 1) / 6;
                flow(peak, peak + length / 9, rate * 2.0 / 3.0);
            }
            for viewer in &audience.signed_in {
                for _ in 0..3 {
                    let due = started + self.simulation.random.random_range(0..length);
                    self.simulation.schedule(due, ScheduledAction::React(*viewer));
                }
            }
            for viewer in audience.viewers.iter().take(audience.viewers.len() / 3) {
                let due = started + length - self.simulation.random.random_range(0..length / 8);
                self.simulation.schedule(due, ScheduledAction::Leave(*viewer));
            }
        }
        for (number, sale) in sales.iter().enumerate() {
            // The countdown takes ten seconds. Sales overlap in a short run.
            let at = started + length * number as u64 / 4;
            self.simulation.run_until(at);
            for (room, offer) in sale.iter().enumerate() {
                self.open_offer(room, offer, at);
                self.schedule_purchases(room, offer)?;
            }
            if let Some(before) = number.checked_sub(1) {
                for (room, offer) in sales[before].iter().enumerate() {
                    if let Some(host) = self.audiences[room].host {
                        self.simulation.schedule(
                            at + 5 * SECOND_US,
                            ScheduledAction::Host(host, HostCommand::Close(offer.clone())),
                        );
                    }
                }
            }
        }
        self.simulation.run_until(started + length);
        Ok(())
    }

    /// Ends the streams that the run created.
    pub fn end_streams(&mut self) {
        if !self.owns_streams {
            return;
        }
        for room in 0..self.simulation.rooms.len() {
            if let Err(error) = self.shop.end_stream(&self.simulation.rooms[room].stream) {
                self.notes.push(format!("a stream could not be ended: {error:#}"));
            }
        }
    }

    pub fn held_orders(&self) -> usize {
        self.simulation.requests.purchases.iter().filter(|one| matches!(one.outcome, PurchaseState::Held(_))).count()
    }
}

/// How many senders a room needs for this rate, within the server's rate limit.
fn senders_needed(args: &LoadtestArgs, rooms: usize) -> usize {
    let rate = args.rate() / rooms as f64;
    match (rate, args.chat_per_second) {
        (rate, _) if rate <= 0.0 => 0,
        (_, budget) if budget <= 0.0 => 8,
        (rate, budget) => (rate / (budget * BUDGET_SHARE_USED)).ceil() as usize + 1,
    }
}
