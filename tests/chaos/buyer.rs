//! A buyer: wants things, presses again when nobody answers, pays or forgets to, and plays a trick now and then.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio::time::sleep;

use crate::board::{Board, Sale};
use crate::journal::{Id, Outcome, Seen};
use crate::till::{Till, Way, Wish};

/// How often a wish whose outcome is not known is asked again, under its key, before the buyer gives up.
const TRIES_MAX: usize = 40;

/// What buyers pay with, and how many in a hundred. What each does is the test provider's to say.
pub const TOKENS: [(&str, u32); 13] = [
    ("ok", 44),
    ("declined", 9),
    ("slow", 8),
    ("capture_fails", 8),
    ("timeout_after_charge", 7),
    ("500_after_charge", 6),
    ("webhook_twice", 3),
    ("webhook_before_reply", 3),
    ("webhook_never", 3),
    ("webhook_reordered", 2),
    ("cancel_too_late", 3),
    ("wrong_amount", 2),
    ("needs_action", 2),
];

pub struct Buyer {
    board: Arc<Board>,
    name: Id,
    token: String,
    rng: StdRng,
    wishes: usize,
    /// Earlier purchases, to be asked for again.
    remembered: Vec<(Sale, i64, Id)>,
}

impl Buyer {
    pub fn new(board: Arc<Board>, name: &str, rng: StdRng) -> Buyer {
        let token = board.token(name, "viewer");
        Buyer { board, name: name.into(), token, rng, wishes: 0, remembered: Vec::new() }
    }

    /// Wants one thing after another until the run is over; what is begun then is finished.
    pub async fn live(mut self) {
        while !self.board.over.is_cancelled() {
            if let Some(sale) = self.board.pick(&mut self.rng) {
                self.want(sale).await;
            }
            let pause = Duration::from_millis(self.rng.random_range(150..1_300));
            tokio::select! {
                () = sleep(pause) => {}
                () = self.board.over.cancelled() => {}
            }
        }
    }

    async fn want(&mut self, sale: Sale) {
        let key = self.new_key();
        let (one, other) = self.two_nodes();
        let qty = if sale.per_buyer > 1 { self.rng.random_range(1..=2) } else { 1 };
        let wish = Wish::Buy { offer: sale.offer.clone(), qty };
        let bought = match self.rng.random_range(0..100) {
            // A double tap: the same key on two nodes at the same moment.
            0..12 => {
                let till = self.till();
                let (first, second) =
                    tokio::join!(till.ask(&wish, &key, Way::rest(one)), till.ask(&wish, &key, Way::rest(other)));
                let first = first.done().or(second.done()).cloned();
                if first.is_some() { first } else { self.insist(&wish, &key).await }
            }
            // Greed: two keys on two nodes at the same moment.
            12..34 => {
                let more = self.new_key();
                let till = self.till();
                let (first, second) =
                    tokio::join!(till.ask(&wish, &key, Way::rest(one)), till.ask(&wish, &more, Way::rest(other)));
                let second = second.done().cloned();
                if let (Some(first), Some(_)) = (first.done().cloned(), &second) {
                    self.settle(first).await;
                }
                second.or(first.done().cloned())
            }
            // More than anybody may have.
            34..38 => {
                let wish = Wish::Buy { offer: sale.offer.clone(), qty: sale.per_buyer + 1 };
                self.till().ask(&wish, &key, Way::rest(one)).await.done().cloned()
            }
            // Goes away before the answer and comes back under the same key.
            38..48 => {
                let patience = Duration::from_millis(self.rng.random_range(3..60));
                let _ = self.till().ask(&wish, &key, Way::impatient(one, patience)).await;
                self.insist(&wish, &key).await
            }
            // Asks for an earlier purchase again: it must be the order it was.
            48..53 => {
                if let Some((sale, qty, key)) = self.remembered.choose(&mut self.rng).cloned() {
                    let wish = Wish::Buy { offer: sale.offer, qty };
                    let _ = self.till().ask(&wish, &key, Way::rest(one)).await;
                }
                return;
            }
            _ => self.insist(&wish, &key).await,
        };
        if let Some(seen) = bought {
            if self.remembered.len() < 50 {
                self.remembered.push((sale, seen.qty, key));
            }
            self.settle(seen).await;
        }
    }

    /// Asks until the answer is certain, on any node, under one key.
    async fn insist(&mut self, wish: &Wish, key: &Id) -> Option<Seen> {
        for _ in 0..TRIES_MAX {
            let node = self.rng.random_range(0..self.board.urls.len());
            let way = if self.rng.random_bool(0.25) { Way::socket(node) } else { Way::rest(node) };
            match self.till().ask(wish, key, way).await {
                Outcome::Done(seen) => return Some(seen),
                Outcome::Refused(code) if !matches!(code.as_str(), "busy" | "unavailable") => return None,
                _ => sleep(Duration::from_millis(self.rng.random_range(100..600))).await,
            }
        }
        None
    }

    /// What becomes of a hold.
    async fn settle(&mut self, seen: Seen) {
        if seen.status != "held" {
            return;
        }
        let (offer, order) = (seen.offer.clone(), seen.id.clone());
        let pay = Wish::Pay { offer: offer.clone(), order: order.clone(), token: self.pick_token() };
        let cancel = Wish::Cancel { offer, order };
        let (key, other) = (self.new_key(), self.new_key());
        let (here, there) = self.two_nodes();
        if self.board.is_calm() {
            if self.rng.random_bool(0.85) {
                let pay = Wish::Pay { offer: seen.offer, order: seen.id, token: "ok" };
                self.insist(&pay, &key).await;
            }
            return;
        }
        match self.rng.random_range(0..100) {
            0..50 => drop(self.insist(&pay, &key).await),
            50..62 => drop(self.insist(&cancel, &key).await),
            // Two tabs, two cards, two nodes.
            62..69 => {
                let till = self.till();
                tokio::join!(till.ask(&pay, &key, Way::rest(here)), till.ask(&pay, &other, Way::rest(there)));
                self.insist(&pay, &key).await;
            }
            // One tab pays while the other gives up.
            69..75 => {
                let till = self.till();
                tokio::join!(till.ask(&pay, &key, Way::rest(here)), till.ask(&cancel, &other, Way::rest(there)));
            }
            // Pays at the very end of the hold.
            75..79 => {
                let left = (seen.hold_until - self.board.now() - self.rng.random_range(-300..200)).max(0);
                sleep(Duration::from_millis(left as u64)).await;
                self.insist(&pay, &key).await;
            }
            // Forgets about it.
            _ => {}
        }
    }

    fn pick_token(&mut self) -> &'static str {
        TOKENS.choose_weighted(&mut self.rng, |(_, weight)| *weight).expect("there are tokens").0
    }

    fn till(&self) -> Till<'_> {
        Till { board: &self.board, buyer: &self.name, token: &self.token }
    }

    fn new_key(&mut self) -> Id {
        self.wishes += 1;
        format!("{}-wish-{:06}", self.name, self.wishes).into()
    }

    fn two_nodes(&mut self) -> (usize, usize) {
        let nodes = self.board.urls.len();
        let one = self.rng.random_range(0..nodes);
        (one, (one + self.rng.random_range(1..nodes)) % nodes)
    }
}
