use mesh_types::NodeId;
use std::time::Duration;

/// What became of a packet, as far as its source can prove it.
///
/// Whoever reports it has checked the MACs: of the destination for a delivery, of `by` for a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The destination acknowledged it.
    Delivered {
        /// From sending to hearing of it.
        took: Duration,
    },
    /// A node of the route refused it; so it got there.
    Refused {
        /// The node.
        by: NodeId,
        /// Why.
        fault: Fault,
    },
    /// Nothing was heard in time.
    Silence,
}

/// What speaks against a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A packet that it was to carry was not answered. It is one of several who could be at fault.
    Silence,
    /// A packet that it carried was answered late. So are the others of the route suspects of that.
    Late,
    /// It refused for want of the link to the next node, which it had announced.
    NoLink,
    /// It refused because it is busy.
    Busy,
    /// It asked more than it had announced.
    Dearer,
    /// It refused for a reason that says nothing about it or about the route.
    Other,
}

impl Fault {
    /// How much it counts, in packets that were dropped.
    ///
    /// A refusal tells the source at once and costs it nothing but time, so it counts less than a packet that is gone; but
    /// a relay whose announcements are not true misleads every search, so those count half. A late packet did arrive.
    pub(crate) const fn weight(self) -> f64 {
        match self {
            Self::Silence => 1.0,
            Self::Late => 0.75,
            Self::NoLink | Self::Dearer => 0.5,
            Self::Busy => 0.25,
            Self::Other => 0.0,
        }
    }
}
