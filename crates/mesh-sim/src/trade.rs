use crate::{node::Node, signer::Signer};
use mesh_types::{NodeId, Price};
use std::collections::BTreeSet;

/// How a liar lies. In all else it is a node like any other: it carries, and hands announcements on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trade {
    /// Announces links with nodes that it has none with; with other liars of its kind, who say the same, they count.
    FalseLinks(Vec<NodeId>),
    /// Announces that it asks nothing, and asks ten times as much as others.
    PriceBait,
    /// Takes the money for packets and drops them.
    BlackHole,
    /// Sends packets again that came past, and shows proofs that were in them as its own.
    Replayer,
    /// Announces nodes that are nobody, all behind itself.
    Minter(Vec<NodeId>),
    /// Asks others for invoices as fast as it can.
    QuoteFlooder,
}

/// How many trades there are.
const TRADES: usize = 6;

/// How many nodes a minter makes up.
const MINTED: usize = 30;

/// How many honest nodes a liar claims to be linked with.
const CLAIMED: usize = 6;

impl Trade {
    /// As it is called in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::FalseLinks(_) => "false-links",
            Self::PriceBait => "price-bait",
            Self::BlackHole => "black-hole",
            Self::Replayer => "replayer",
            Self::Minter(_) => "minter",
            Self::QuoteFlooder => "quote-flooder",
        }
    }

    /// Whether it sends packets of its own.
    pub(crate) const fn sends(&self) -> bool {
        matches!(self, Self::Replayer | Self::QuoteFlooder)
    }

    pub(crate) const fn mints(&self) -> bool {
        matches!(self, Self::Minter(_))
    }

    /// What it says in place of its node.
    pub(crate) fn signer(&self) -> Signer {
        match self {
            Self::FalseLinks(nodes) | Self::Minter(nodes) => Signer {
                false_links: nodes.clone(),
                bait: None,
            },
            Self::PriceBait => Signer {
                false_links: Vec::new(),
                bait: Some(Price::FREE),
            },
            Self::BlackHole | Self::Replayer | Self::QuoteFlooder => Signer::default(),
        }
    }
}

/// Makes liars of so many of a hundred nodes, as many of each trade as can be.
pub(crate) fn appoint_liars(nodes: &mut [Node], percent: u32, chance: &mut fastrand::Rng) {
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    chance.shuffle(&mut order);
    let count = nodes.len() * percent.min(100) as usize / 100;
    let (liars, honest) = order.split_at(count);
    // Where there are fewer liars than trades, it is not always the same ones that are left out.
    let first = chance.usize(0..TRADES);
    let liars = liars.iter().zip((0..TRADES).cycle().skip(first));
    let linkers = liars.clone().filter(|(_, trade)| *trade == 0);
    let linkers: Vec<NodeId> = linkers.map(|(liar, _)| nodes[*liar].id).collect();
    for (liar, trade) in liars {
        let trade = match trade {
            0 => {
                let own = nodes[*liar].id;
                let claimed = (0..CLAIMED).filter_map(|_| chance.choice(honest));
                let claimed: BTreeSet<usize> = claimed.copied().collect();
                let honest = claimed.into_iter().map(|node| nodes[node].id);
                let fellows = linkers.iter().copied().filter(|fellow| *fellow != own);
                Trade::FalseLinks(honest.chain(fellows.take(CLAIMED)).collect())
            }
            1 => Trade::PriceBait,
            2 => Trade::BlackHole,
            3 => Trade::Replayer,
            4 => Trade::Minter((0..MINTED).map(|_| minted(chance)).collect()),
            _ => Trade::QuoteFlooder,
        };
        let liar = &mut nodes[*liar];
        if trade == Trade::PriceBait {
            let asked = liar.price.per_packet.checked_mul(10);
            liar.price.per_packet = asked.unwrap_or(liar.price.per_packet);
        }
        liar.trade = Some(trade);
    }
}

fn minted(chance: &mut fastrand::Rng) -> NodeId {
    NodeId::from_bytes(std::array::from_fn(|_| chance.u8(..)))
}
