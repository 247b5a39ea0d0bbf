mod cln;
mod lnd;
mod payment;

pub use cln::{ClnFront, MAX_CLN_REQUEST};
pub use lnd::{LndFront, MAX_LND_REQUEST};
use parking_lot::Mutex;

/// Connections that a front serves at once: more than a test opens.
pub const MAX_FRONT_CONNECTIONS: usize = 64;

/// When a front loses the answer to a payment: it acts, and then closes the connection without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// As soon as the payment is under way.
    AfterSending,
    /// When it is known what became of it.
    AfterOutcome,
}

/// What goes wrong next.
#[derive(Debug, Default)]
struct Faults {
    next: Mutex<Option<Loss>>,
}

impl Faults {
    fn set(&self, loss: Loss) {
        *self.next.lock() = Some(loss);
    }

    /// Whether the answer is lost now, as it then is once.
    fn strikes(&self, when: Loss) -> bool {
        self.next.lock().take_if(|loss| *loss == when).is_some()
    }
}
