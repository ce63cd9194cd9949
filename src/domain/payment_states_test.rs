//! The rule of a payment attempt over every state that can be reached, whatever the provider, the buyer and the clock do.

use std::collections::HashSet;

use super::*;

/// An attempt, its order and its intent. `wins`: the order belongs to this attempt.
#[derive(Clone, Copy, Debug)]
struct World {
    status: PaymentStatus,
    order: OrderStatus,
    wins: bool,
    has_lost_lines: bool,
    has_reference: bool,
    owed: Option<OwedStatus>,
    intent: Option<PaymentIntentStatus>,
    is_refunded: bool,
    /// The provider authorises; otherwise it takes the money at once.
    authorises: bool,
}

const AMOUNT: Minor = 4_900;
const AGES: [AttemptAge; 3] = [AttemptAge::Young, AttemptAge::Settled, AttemptAge::Lapsed];

impl World {
    fn new(authorises: bool) -> Self {
        Self {
            authorises,
            status: PaymentStatus::Creating,
            order: OrderStatus::Held,
            wins: false,
            has_lost_lines: false,
            has_reference: false,
            owed: None,
            intent: None,
            is_refunded: false,
        }
    }

    fn step(&self, age: AttemptAge) -> PaymentStep {
        let order = OrderId(uuid::Uuid::nil());
        let payment = Payment {
            order,
            attempt: 1,
            provider: "test".into(),
            token: "ok".into(),
            reference: self.has_reference.then(|| "r".to_owned()),
            status: self.status,
            amount: AMOUNT,
            currency: "SAR".into(),
            created_at: 0,
            called_at: Some(0),
            is_sent_by_queue: false,
            order_status: self.order,
            wins: self.wins,
            has_lost_lines: self.has_lost_lines,
            owed: self.owed,
            card: Default::default(),
        };
        let intent = self.intent.map(|status| PaymentIntent {
            reference: "r".into(),
            status,
            amount: AMOUNT,
            currency: "SAR".into(),
            order,
            attempt: 1,
            fingerprint: None,
            method: None,
            action_url: None,
            authorises: self.authorises,
            livemode: false,
            captured: if status == PaymentIntentStatus::Captured { AMOUNT } else { 0 },
            refunded: if self.is_refunded { AMOUNT } else { 0 },
        });
        payment.next_step(intent.as_ref(), false, age)
    }

    fn has_won(&self) -> bool {
        self.wins && (self.order == OrderStatus::Capturing || self.order.is_or_was_paid())
    }

    /// What the database allows to be written (`Store::update_payment_status`).
    fn note(mut self, next: PaymentStatus) -> Self {
        if next != self.status {
            assert!(self.status.can_become(next), "{self:?} cannot become {next:?}");
            assert!(!self.has_won() || next == PaymentStatus::Captured, "{self:?} has won, and would become {next:?}");
            self.status = next;
        }
        self.has_reference |= self.intent.is_some();
        self
    }

    /// The step is taken: what may follow, as the provider does it or not.
    fn after(self, step: PaymentStep) -> Vec<Self> {
        use PaymentIntentStatus as I;
        let with = |world: World, intents: &[I]| -> Vec<World> {
            intents.iter().map(|intent| World { intent: Some(*intent), ..world }).chain([world]).collect()
        };
        match step {
            PaymentStep::Record(next) => vec![self.note(next)],
            PaymentStep::Win => {
                assert!(self.status.is_open() && self.order == OrderStatus::Held && !self.has_lost_lines, "{self:?}");
                let status = PaymentStatus::Authorized;
                vec![World { status, order: OrderStatus::Capturing, wins: true, has_reference: true, ..self }]
            }
            PaymentStep::Capture => {
                assert!(self.has_won(), "{self:?}");
                with(self, &[I::Captured, I::Declined, I::Failed, I::Cancelled])
            }
            PaymentStep::MarkPaid => {
                vec![World { order: OrderStatus::Paid, status: PaymentStatus::Captured, ..self }]
            }
            PaymentStep::FailOrder => vec![World { order: OrderStatus::Cancelled, ..self }],
            PaymentStep::Void => {
                let voiding = self.note(PaymentStatus::Voiding);
                with(voiding, &[I::Cancelled])
            }
            PaymentStep::Owe => {
                assert!(!self.has_won(), "{self:?}");
                let status = if self.wins { PaymentStatus::Failed } else { PaymentStatus::Captured };
                vec![World { status, owed: Some(OwedStatus::Owed), has_reference: true, ..self }]
            }
            PaymentStep::GiveBack => vec![World { is_refunded: true, ..self }, self],
            PaymentStep::RecordReturn => vec![World { owed: Some(OwedStatus::Returned), ..self }],
            PaymentStep::Wait | PaymentStep::Unexplained => vec![self],
        }
    }

    /// What others do: the buyer, other attempts, the clock, and people at the provider.
    fn moves(self) -> Vec<Self> {
        use PaymentIntentStatus as I;
        let mut moved = Vec::new();
        if self.order == OrderStatus::Held {
            moved.push(World { has_lost_lines: true, ..self });
            let ends = [OrderStatus::Expired, OrderStatus::Cancelled, OrderStatus::Capturing, OrderStatus::Placed];
            moved.extend(ends.map(|order| World { order, has_lost_lines: false, ..self }));
        }
        if self.order == OrderStatus::Capturing && !self.wins {
            moved.extend([OrderStatus::Paid, OrderStatus::Cancelled].map(|order| World { order, ..self }));
        }
        // The buyer chose to pay the shop itself while an attempt was under way: its winner is another attempt.
        if self.order == OrderStatus::Placed {
            moved.extend([OrderStatus::Paid, OrderStatus::Cancelled].map(|order| World { order, ..self }));
        }
        if self.order == OrderStatus::Paid {
            moved.push(World { order: OrderStatus::Refunded, ..self });
        }
        let next: &[I] = match self.intent {
            None if !self.has_reference && self.authorises => &[I::NeedsAction, I::Authorized, I::Declined, I::Working],
            None if !self.has_reference => &[I::NeedsAction, I::Captured, I::Declined, I::Working],
            None | Some(I::Cancelled | I::Failed | I::Captured) => &[],
            Some(I::NeedsAction | I::Working) if self.authorises => &[I::Authorized, I::Declined, I::Cancelled],
            Some(I::NeedsAction | I::Working) => &[I::Captured, I::Declined, I::Cancelled],
            // The buyer tries another card on the same intent.
            Some(I::Declined) if self.authorises => &[I::NeedsAction, I::Authorized, I::Cancelled],
            Some(I::Declined) => &[I::NeedsAction, I::Captured, I::Cancelled],
            // It lapses, the bank takes it back, or somebody captures it at the provider.
            Some(I::Authorized) => &[I::Cancelled, I::Declined, I::Captured],
        };
        moved.extend(next.iter().map(|intent| World { intent: Some(*intent), ..self }));
        if self.intent == Some(I::Captured) && self.is_refunded {
            moved.push(World { is_refunded: false, ..self });
        }
        if self.intent.is_some() && self.owed.is_none() {
            moved.push(World { intent: None, is_refunded: false, ..self });
        }
        moved
    }

    /// Nothing is left to do, and the money is where it belongs.
    fn is_settled(&self) -> bool {
        let is_kept = self.intent == Some(PaymentIntentStatus::Captured) && !self.is_refunded;
        let is_authorized = self.intent == Some(PaymentIntentStatus::Authorized);
        self.status.is_final()
            && self.owed != Some(OwedStatus::Owed)
            && !is_authorized
            && (!is_kept || (self.wins && self.order.is_or_was_paid()))
            && !(self.wins && self.order == OrderStatus::Capturing)
    }

    /// The world when the provider does what it is asked, and what waits for others ends.
    fn cooperative(self) -> Self {
        let step = self.step(AttemptAge::Lapsed);
        let next = self.after(step)[0];
        match step {
            PaymentStep::Record(PaymentStatus::NeedsAction) => World { order: OrderStatus::Expired, ..next },
            PaymentStep::Wait => World { intent: Some(PaymentIntentStatus::Cancelled), ..next },
            _ => next,
        }
    }
}

/// With a provider that authorises, and with one that takes the money at once.
fn reachable() -> Vec<World> {
    // States that are shown in the same way count as the same state.
    let mut all = [true, false].map(World::new).to_vec();
    let mut seen: HashSet<String> = all.iter().map(|world| format!("{world:?}")).collect();
    let mut at = 0;
    while let Some(world) = all.get(at).copied() {
        let taken = AGES.into_iter().flat_map(|age| world.after(world.step(age)));
        all.extend(taken.chain(world.moves()).filter(|next| seen.insert(format!("{next:?}"))).collect::<Vec<_>>());
        at += 1;
    }
    all
}

/// The assertions in `after` are the first half of the property.
#[test]
fn whatever_the_rule_notes_is_allowed() {
    let states = reachable();
    assert!((200..100_000).contains(&states.len()), "{} states", states.len());
    for status in PaymentStatus::ALL {
        assert!(states.iter().any(|world| world.status == status), "{status:?} is never reached");
    }
    for authorises in [true, false] {
        let mut some = states.iter().filter(|world| world.authorises == authorises);
        assert!(some.any(|world| world.owed == Some(OwedStatus::Returned)), "authorises: {authorises}");
        let mut some = states.iter().filter(|world| world.authorises == authorises);
        assert!(some.any(|world| world.wins && world.order == OrderStatus::Paid), "authorises: {authorises}");
    }
}

#[test]
fn every_state_has_a_way_to_a_final_one() {
    for start in reachable() {
        let mut world = start;
        for _ in 0..12 {
            if world.is_settled() {
                break;
            }
            world = world.cooperative();
        }
        assert!(world.is_settled(), "{start:?} ends as {world:?}");
    }
}
