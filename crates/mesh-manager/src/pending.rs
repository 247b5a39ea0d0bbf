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

/// The most packets of this node's own that wait for an answer at one time; each takes some 500 bytes.
pub const MAX_PENDING: usize = 65_536;

/// What this node has sent and waits to hear about.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<HashMap<u64, Waiter>>);

#[derive(Debug)]
struct Waiter {
    route: Route,
    at_end: oneshot::Sender<Heard>,
    /// `None` once a node on the way has refused it.
    on_way: Option<oneshot::Sender<Heard>>,
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
    at_end: oneshot::Receiver<Heard>,
    on_way: Option<oneshot::Receiver<Heard>>,
}

impl Pending {
    /// Waits for answers to the packet `sequence` from the nodes of its route; `None` when too many wait.
    pub(crate) fn expect(&self, sequence: u64, route: Route) -> Option<Awaited<'_>> {
        let mut waiters = self.0.lock();
        if waiters.len() >= MAX_PENDING {
            return None;
        }
        let ((end_said, at_end), (way_said, on_way)) = (oneshot::channel(), oneshot::channel());
        let waiter = Waiter {
            route,
            at_end: end_said,
            on_way: Some(way_said),
        };
        waiters.insert(sequence, waiter);
        Some(Awaited {
            pending: self,
            sequence,
            at_end,
            on_way: Some(on_way),
        })
    }

    /// Hands a reply to whoever waits for it; says whether anybody did.
    ///
    /// Any node on the way can refuse, once. Only the node at its end can say that it has received or credited something, or
    /// quote: else a relay could answer in its place, and be paid in its place. Its word ends the wait; a relay's does not,
    /// for it may have sent on what it says that it refuses.
    pub(crate) fn answer(&self, about: u64, heard: Heard) -> bool {
        let mut waiters = self.0.lock();
        let Some(waiter) = waiters.get_mut(&about) else {
            return false;
        };
        if waiter.route.destination() == heard.from {
            let waiter = waiters.remove(&about);
            return waiter.is_some_and(|waiter| waiter.at_end.send(heard).is_ok());
        }
        let is_refusal = matches!(
            heard.message,
            ControlMessage::Refused { .. } | ControlMessage::PaymentRequired { .. }
        );
        let may_answer = is_refusal && waiter.route.iter().skip(1).any(|node| *node == heard.from);
        let waits = if may_answer {
            waiter.on_way.take()
        } else {
            None
        };
        waits.is_some_and(|on_way| on_way.send(heard).is_ok())
    }
}

impl Awaited<'_> {
    /// The next answer: of a node on the way, and then of the one at its end. `None` when the queue is gone.
    pub(crate) async fn heard(&mut self) -> Option<Heard> {
        poll_fn(|context| self.poll_heard(context)).await
    }

    /// As [`Awaited::heard`], for whoever waits for several.
    pub(crate) fn poll_heard(&mut self, context: &mut Context<'_>) -> Poll<Option<Heard>> {
        let at_end = Pin::new(&mut self.at_end).poll(context);
        if at_end.is_ready() {
            return at_end.map(Result::ok);
        }
        let Some(on_way) = &mut self.on_way else {
            return Poll::Pending;
        };
        let Poll::Ready(heard) = Pin::new(on_way).poll(context) else {
            return Poll::Pending;
        };
        self.on_way = None;
        match heard {
            Ok(heard) => Poll::Ready(Some(heard)),
            // Nobody on the way will say anything, because the end has answered meanwhile.
            Err(_) => Pin::new(&mut self.at_end).poll(context).map(Result::ok),
        }
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.pending.0.lock().remove(&self.sequence);
    }
}
