//! The payment provider's face, as far as the test provider needs it: authorize, capture, cancel.
//!
//! The test provider keeps nothing in memory: what it will do is in the token, and the token is in our own record,
//! so it answers the same before and after a restart.

use std::time::Duration;

use crate::domain::Refusal;
use crate::store::Payment;

/// What a buyer pays with: here, the name of a script.
#[derive(Clone, Debug)]
pub struct Token(String);

const SCRIPTS: [&str; 4] = ["ok", "declined", "slow", "capture_fails"];

impl Token {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if SCRIPTS.contains(&text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Refusal::bad_request(format!("the test provider knows the tokens {}", SCRIPTS.join(", "))))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub enum Authorized {
    Yes { reference: String },
    Declined,
}

pub struct TestProvider;

pub const TEST_PROVIDER: TestProvider = TestProvider;

/// How long `slow` takes.
const SLOW: Duration = Duration::from_secs(2);

impl TestProvider {
    pub fn name(&self) -> &'static str {
        "test"
    }

    /// Asks for the money without taking it. The same attempt gives the same reference.
    pub async fn authorize(&self, payment: &Payment) -> Authorized {
        match payment.token.as_str() {
            "declined" => Authorized::Declined,
            token => {
                if token == "slow" {
                    tokio::time::sleep(SLOW).await;
                }
                Authorized::Yes { reference: format!("test_{}_{}", payment.order, payment.attempt) }
            }
        }
    }

    /// Takes the money. `false`: refused for good, nothing was charged. Asking twice charges once.
    pub async fn capture(&self, payment: &Payment) -> bool {
        payment.token != "capture_fails"
    }

    /// Lets an authorization go.
    pub async fn cancel(&self, payment: &Payment) {
        tracing::debug!(order.id = %payment.order, payment.attempt, "an authorization was let go");
    }
}
