use mesh_protocol::ControlMessage;
use mesh_types::{NodeId, Route};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::oneshot;

/// The most packets of this node's own that wait for an answer at one time; each takes some 300 bytes.
pub const MAX_PENDING: usize = 65_536;

/// What this node has sent and waits to hear about.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<HashMap<u64, Waiter>>);

#[derive(Debug)]
struct Waiter {
    route: Route,
    answer: oneshot::Sender<Heard>,
}

/// An answer to something that was asked, by a node that it was asked of.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) from: NodeId,
    pub(crate) message: ControlMessage,
}

/// A place in the queue; it is given up when dropped.
#[derive(Debug)]
pub(crate) struct Awaited<'p> {
    pending: &'p Pending,
    sequence: u64,
    answer: oneshot::Receiver<Heard>,
}

impl Pending {
    /// Waits for answers to the packet `sequence` from the nodes of its route; `None` when too many wait.
    pub(crate) fn expect(&self, sequence: u64, route: Route) -> Option<Awaited<'_>> {
        let mut waiters = self.0.lock();
        if waiters.len() >= MAX_PENDING {
            return None;
        }
        let (sender, answer) = oneshot::channel();
        waiters.insert(
            sequence,
            Waiter {
                route,
                answer: sender,
            },
        );
        Some(Awaited {
            pending: self,
            sequence,
            answer,
        })
    }

    /// Hands a reply to whoever waits for it; says whether anybody did.
    ///
    /// Any node on the way can refuse. Only the node at its end can say that it has received or credited something, or
    /// quote: else a relay could answer in its place, and be paid in its place.
    pub(crate) fn answer(&self, about: u64, heard: Heard) -> bool {
        let mut waiters = self.0.lock();
        let Some(waiter) = waiters.get(&about) else {
            return false;
        };
        let may_answer = match heard.message {
            ControlMessage::Refused { .. } | ControlMessage::PaymentRequired { .. } => {
                waiter.route.iter().skip(1).any(|node| *node == heard.from)
            }
            _ => waiter.route.destination() == heard.from,
        };
        if !may_answer {
            return false;
        }
        waiters
            .remove(&about)
            .is_some_and(|waiter| waiter.answer.send(heard).is_ok())
    }
}

impl Awaited<'_> {
    /// The answer, which comes once; `None` when the queue is gone.
    pub(crate) async fn heard(&mut self) -> Option<Heard> {
        poll_fn(|context| self.poll_heard(context)).await
    }

    /// As [`Awaited::heard`], for whoever waits for several.
    pub(crate) fn poll_heard(&mut self, context: &mut Context<'_>) -> Poll<Option<Heard>> {
        Pin::new(&mut self.answer).poll(context).map(Result::ok)
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.pending.0.lock().remove(&self.sequence);
    }
}
