//! The scenarios: who is there, and what happens when. All of them arrive, do their part, settle, and are asked about.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rand::RngExt;
use rand::seq::SliceRandom;

use crate::args::{Args, Scenario};
use crate::ask::Outcome;
use crate::crowd::{Act, Crowd, Flow, Verb};
use crate::shop::Shop;
use crate::viewer::Manner;

const SECOND: u64 = 1_000_000;
/// A sender uses this share of what the server's budget lets them say.
const BUDGET_USED: f64 = 0.8;
/// Within this time after the opening everybody has pressed.
const PRESS_WITHIN: u64 = 1_000_000;
/// Of a hundred buyers, so many press twice.
const PRESS_TWICE_PERCENT: u32 = 5;

/// A scenario on its way: the crowd, the shop it is in, and who is who.
pub struct Stage<'a> {
    pub args: &'a Args,
    pub crowd: Crowd,
    pub shop: Shop,
    /// The shows are the crowd's own.
    pub own: bool,
    /// By room: the viewers, those of them who have a token, and the host.
    pub audiences: Vec<Audience>,
    /// Every offer the crowd made, with its units.
    pub offers: Vec<(String, i64)>,
    /// What whoever reads the result should know.
    pub notes: Vec<String>,
    /// When everybody had arrived and the measuring began, in µs of the crowd's clock.
    pub began: u64,
}

#[derive(Clone, Default, Debug)]
pub struct Audience {
    pub viewers: Vec<u32>,
    pub signed_in: Vec<u32>,
    pub host: Option<u32>,
}

impl<'a> Stage<'a> {
    /// Makes the shows, or takes the one that was named, and invites everybody.
    pub fn set(args: &'a Args, mut crowd: Crowd, mut shop: Shop) -> Result<Self> {
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
                "{:.0} messages a second need {} senders a room to stay inside a budget of {} a second, and there are {per_room} \
                 viewers: some will be refused with chat_budget",
                args.rate(),
                senders_needed(args, rooms),
                args.chat_per_second
            ));
        }
        let host = if own { Some(shop.become_host()?) } else { None };
        let run: u32 = rand::random();
        let tokens =
            if signed_in > 0 { shop.tokens(&format!("crowd-{run:08x}"), "viewer", signed_in * rooms)? } else { vec![] };
        let mut tokens = tokens.into_iter();
        let mut audiences = Vec::new();
        for number in 0..rooms {
            let stream = match &args.stream {
                Some(stream) => stream.to_string(),
                None => shop.show(&format!("Load test, room {}", number + 1))?,
            };
            let room = crowd.add_room(&stream);
            let here = (args.viewers as usize - number).div_ceil(rooms);
            let mut audience = Audience::default();
            for place in 0..here {
                let token = if place < signed_in { tokens.next() } else { None };
                let viewer = crowd.add_viewer(room, token.as_deref());
                audience.viewers.push(viewer);
                if token.is_some() {
                    audience.signed_in.push(viewer);
                }
            }
            audiences.push(audience);
        }
        for (room, audience) in audiences.iter_mut().enumerate() {
            audience.host = host.as_deref().map(|token| crowd.add_viewer(room as u32, Some(token)));
        }
        Ok(Self { args, crowd, shop, own, audiences, offers: Vec::new(), notes, began: 0 })
    }

    pub fn play(&mut self) -> Result<()> {
        match self.args.scenario {
            Scenario::Watch | Scenario::Chat => {
                self.all_arrive();
                self.talk(self.args.rate(), 60);
                self.crowd.run_for(Duration::from_secs(self.args.seconds));
            }
            Scenario::Rush => self.rush()?,
            Scenario::Storm => self.storm(),
            Scenario::Slow => self.slow(),
            Scenario::Show => self.evening()?,
        }
        Ok(())
    }

    /// Everybody comes over the ramp and is greeted, hosts first.
    fn all_arrive(&mut self) {
        let from = self.crowd.now();
        let hosts: Vec<u32> = self.audiences.iter().filter_map(|audience| audience.host).collect();
        self.crowd.arrive(hosts.into_iter(), from, Duration::ZERO);
        let mut viewers: Vec<u32> = self.audiences.iter().flat_map(|audience| audience.viewers.clone()).collect();
        viewers.shuffle(&mut self.crowd.random);
        self.crowd.arrive(viewers.into_iter(), from, self.args.ramp());
        let wanted = self.crowd.viewers.len() as u64;
        let patience = from + self.args.ramp().as_micros() as u64 + 20 * SECOND;
        self.crowd.run_until(from + self.args.ramp().as_micros() as u64);
        self.crowd.run_while(patience, |crowd| crowd.connected() < wanted);
        if self.crowd.connected() < wanted {
            self.notes.push(format!("{} of {wanted} were connected when the measuring began", self.crowd.connected()));
        }
        self.began = self.crowd.now();
    }

    /// Talk in every room from now on, for the seconds that are measured.
    fn talk(&mut self, rate: f64, length: usize) {
        let from = self.crowd.now();
        let until = from + self.args.seconds * SECOND;
        let rate = rate / self.audiences.len() as f64;
        for (room, audience) in self.audiences.iter().enumerate() {
            // Rooms do not speak in step.
            let from = from + (room as f64 / self.audiences.len() as f64 * 1e6 / rate.max(0.001)) as u64;
            let senders = audience.signed_in.clone();
            self.crowd.talk(Flow { room: room as u32, senders, rate, from, until, length, said: 0 });
        }
    }

    /// A sale in each room, opened by its host (or one that is there), and everybody's finger on the button.
    fn rush(&mut self) -> Result<()> {
        let mut sales = Vec::new();
        for room in 0..self.audiences.len() {
            sales.push(if self.own { self.new_sale(room, "Flash sale")? } else { self.sale_there(room)? });
        }
        self.all_arrive();
        self.talk(self.args.rate(), 60);
        let began = self.crowd.now();
        for (room, offer) in sales.iter().enumerate() {
            self.open(room, offer, began);
            self.press(room, offer)?;
        }
        // The countdown alone is ten seconds.
        self.crowd.run_until(began + self.args.seconds.max(12) * SECOND);
        Ok(())
    }

    fn new_sale(&mut self, room: usize, title: &str) -> Result<String> {
        let units = self.args.units();
        let offer = self.shop.offer(&self.crowd.rooms[room].stream, title, units, true)?;
        self.offers.push((offer.clone(), units));
        Ok(offer)
    }

    /// Of a show that is somebody else's: an offer that can be bought, or soon.
    fn sale_there(&mut self, room: usize) -> Result<String> {
        let offers = self.shop.offers(&self.crowd.rooms[room].stream)?;
        let mut sold = offers.iter().filter(|offer| matches!(offer["status"].as_str(), Some("open" | "countdown")));
        let offer = sold.clone().find(|offer| offer["kind"] == "flash").or_else(|| sold.next());
        let offer = offer.context("this show has no offer that is open or counting down")?;
        self.notes.push(format!("bought from {}: real units of this shop are held now", offer["title"]));
        Ok(offer["id"].as_str().context("an offer without id")?.to_owned())
    }

    fn open(&mut self, room: usize, offer: &str, at: u64) {
        if let Some(host) = self.audiences[room].host {
            self.crowd.at(at, Act::Run(host, Verb::Open(offer.to_owned())));
            // A draft cannot be pinned, and two verbs of one host run side by side.
            self.crowd.at(at + SECOND / 2, Act::Run(host, Verb::Pin(offer.to_owned())));
        }
    }

    /// Waits until the room has heard of the sale's opening time, then puts everybody's press around it.
    fn press(&mut self, room: usize, offer: &str) -> Result<()> {
        let known = |crowd: &Crowd| crowd.rooms[room].shelf(offer).is_some_and(|shelf| shelf.opens_at.is_some());
        let patience = self.crowd.now() + 10 * SECOND;
        if !known(&self.crowd) && !self.crowd.run_while(patience, |crowd| !known(crowd)) {
            bail!("the sale was not opened within 10 s");
        }
        let opens_at = self.crowd.rooms[room].shelf(offer).and_then(|shelf| shelf.opens_at).unwrap_or(0);
        let opens = self.crowd.time_of(opens_at).max(self.crowd.now());
        self.crowd.asks.expect("sale_opened", offer, opens);
        for viewer in self.audiences[room].signed_in.clone() {
            // Most are quick: the press is the square of an even draw.
            let draw: f64 = self.crowd.random.random();
            let due = opens + (draw * draw * PRESS_WITHIN as f64) as u64;
            let purchase = self.crowd.asks.press(room as u32, viewer, offer, due);
            self.crowd.at(due, Act::Buy(purchase));
            if self.crowd.random.random_range(0..100) < PRESS_TWICE_PERCENT {
                self.crowd.at(due + 50_000, Act::Buy(purchase));
            }
        }
        Ok(())
    }

    fn storm(&mut self) {
        self.all_arrive();
        self.talk(self.args.rate(), 60);
        let third = Duration::from_secs(self.args.seconds) / 3;
        self.crowd.run_for(third);
        let now = self.crowd.now();
        let hosts: Vec<u32> = self.audiences.iter().filter_map(|audience| audience.host).collect();
        for viewer in (0..self.crowd.viewers.len() as u32).filter(|viewer| !hosts.contains(viewer)) {
            self.crowd.at(now, Act::Lose(viewer));
        }
        self.crowd.run_for(Duration::from_millis(100));
        let wanted = self.crowd.viewers.len() as u64;
        let patience = now + 60 * SECOND;
        self.crowd.run_while(patience, |crowd| crowd.viewers.iter().any(|viewer| viewer.returns));
        let (back, took) = (self.crowd.connected(), (self.crowd.now() - now) as f64 / 1e6);
        self.notes.push(format!("after the storm {back} of {wanted} links were back within {took:.1} s"));
        self.crowd.run_until(self.began + self.args.seconds * SECOND);
    }

    /// Every fifth viewer reads badly: stops, or takes a trickle.
    fn slow(&mut self) {
        let mut bad = 0;
        for audience in &mut self.audiences {
            for viewer in audience.viewers.iter().skip(4).step_by(5) {
                bad += 1;
                let manner = if bad % 2 == 0 { Manner::Stops } else { Manner::Trickles(512) };
                self.crowd.set_manner(*viewer, manner);
            }
            // Who talks waits for answers, and so reads.
            audience.signed_in.retain(|viewer| self.crowd.viewers[*viewer as usize].manner == Manner::Reads);
        }
        self.notes.push(format!("{bad} viewers read badly: half of them nothing at all, half 2.5 KB a second"));
        self.all_arrive();
        self.talk(self.args.rate(), 180);
        self.crowd.run_for(Duration::from_secs(self.args.seconds));
    }

    /// Half come early, the rest with the first sale; talk swells around each of three sales; many leave after the last.
    fn evening(&mut self) -> Result<()> {
        let mut sales = Vec::new();
        for title in ["First sale", "Second sale", "Last sale"] {
            let rooms = 0..self.audiences.len();
            sales.push(rooms.map(|room| self.new_sale(room, title)).collect::<Result<Vec<_>>>()?);
        }
        self.crowd.pays_percent = 70;
        self.all_arrive();
        let (began, length) = (self.began, self.args.seconds.max(24) * SECOND);
        // A third of the talk all evening, the rest in bursts at the sales.
        let rate = self.args.rate() / self.audiences.len() as f64;
        for (room, audience) in self.audiences.clone().iter().enumerate() {
            let mut flow = |from, until, rate| {
                let (room, senders) = (room as u32, audience.signed_in.clone());
                self.crowd.talk(Flow { room, senders, rate, from, until, length: 60, said: 0 });
            };
            flow(began, began + length, rate / 3.0);
            for sale in 0..3 {
                let height = began + length * (2 * sale + 1) / 6;
                flow(height, height + length / 9, rate * 2.0 / 3.0);
            }
            for viewer in &audience.signed_in {
                for _ in 0..3 {
                    let due = began + self.crowd.random.random_range(0..length);
                    self.crowd.at(due, Act::React(*viewer));
                }
            }
            for viewer in audience.viewers.iter().take(audience.viewers.len() / 3) {
                let due = began + length - self.crowd.random.random_range(0..length / 8);
                self.crowd.at(due, Act::Leave(*viewer));
            }
        }
        for (number, sale) in sales.iter().enumerate() {
            // The countdown is ten seconds; sales overlap when the evening is short.
            let at = began + length * number as u64 / 4;
            self.crowd.run_until(at);
            for (room, offer) in sale.iter().enumerate() {
                self.open(room, offer, at);
                self.press(room, offer)?;
            }
            if let Some(before) = number.checked_sub(1) {
                for (room, offer) in sales[before].iter().enumerate() {
                    if let Some(host) = self.audiences[room].host {
                        self.crowd.at(at + 5 * SECOND, Act::Run(host, Verb::Close(offer.clone())));
                    }
                }
            }
        }
        self.crowd.run_until(began + length);
        Ok(())
    }

    /// Ends the shows that are the crowd's own.
    pub fn clear(&mut self) {
        if !self.own {
            return;
        }
        for room in 0..self.crowd.rooms.len() {
            if let Err(error) = self.shop.end(&self.crowd.rooms[room].stream) {
                self.notes.push(format!("a show was not ended: {error:#}"));
            }
        }
    }

    pub fn orders(&self) -> usize {
        self.crowd.asks.purchases.iter().filter(|one| matches!(one.outcome, Outcome::Held(_))).count()
    }
}

/// How many people a room needs to talk at this rate inside the server's budget.
fn senders_needed(args: &Args, rooms: usize) -> usize {
    let rate = args.rate() / rooms as f64;
    match (rate, args.chat_per_second) {
        (rate, _) if rate <= 0.0 => 0,
        (_, budget) if budget <= 0.0 => 8,
        (rate, budget) => (rate / (budget * BUDGET_USED)).ceil() as usize + 1,
    }
}
