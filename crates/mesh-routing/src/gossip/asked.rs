use mesh_types::{NodeId, UnixTime};

/// What a peer was asked for and has not sent.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) peer: NodeId,
    pub(crate) at: UnixTime,
    /// Who offers it besides, and under which number: asked when this peer does not send it.
    ///
    /// Here they stand, and not among what those peers can be asked for, so that whoever looks for that does not meet them
    /// again and again. They count among the peers' offers.
    others: Vec<(NodeId, u64)>,
}

impl Asked {
    pub(crate) const fn new(peer: NodeId, at: UnixTime) -> Self {
        let others = Vec::new();
        Self { peer, at, others }
    }

    pub(crate) fn into_others(self) -> Vec<(NodeId, u64)> {
        self.others
    }

    /// Notes that a peer offers it, if it does already or `may_add`; says whether it is one more.
    pub(crate) fn offered(&mut self, peer: NodeId, sequence: u64, may_add: bool) -> bool {
        let mut others = self.others.iter_mut();
        if let Some((_, known)) = others.find(|(other, _)| *other == peer) {
            *known = sequence.max(*known);
            return false;
        }
        if may_add {
            self.others.push((peer, sequence));
        }
        may_add
    }

    pub(crate) fn forget(&mut self, peer: &NodeId) {
        self.others.retain(|(other, _)| other != peer);
    }
}
