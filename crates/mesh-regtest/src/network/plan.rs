use super::NetworkError;
use bitcoin::Amount;

/// Which nodes a network has, and which channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The names of the nodes.
    pub nodes: Vec<String>,
    /// The channels between them, all of them announced.
    pub channels: Vec<ChannelPlan>,
}

/// A channel to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelPlan {
    /// Who opens it and pays for it.
    pub from: String,
    /// Who is at the other end.
    pub to: String,
    /// What it holds.
    pub capacity: Amount,
    /// How much of it belongs to the other end.
    pub pushed: Amount,
}

impl Plan {
    /// Nodes in a line; each channel holds a million satoshi, half of it on either side.
    pub fn line(names: &[&str]) -> Self {
        let channels = names.windows(2).filter_map(|pair| match pair {
            [from, to] => Some(ChannelPlan {
                from: (*from).to_owned(),
                to: (*to).to_owned(),
                capacity: Amount::from_sat(1_000_000),
                pushed: Amount::from_sat(500_000),
            }),
            _ => None,
        });
        Self {
            nodes: names.iter().map(|name| (*name).to_owned()).collect(),
            channels: channels.collect(),
        }
    }

    /// The places of each channel's ends in the list of nodes.
    pub(super) fn ends(&self) -> Result<Vec<(usize, usize)>, NetworkError> {
        let place = |name: &String| {
            let place = self.nodes.iter().position(|node| node == name);
            place.ok_or_else(|| NetworkError::NoPeer(name.clone()))
        };
        let channels = self.channels.iter();
        channels
            .map(|channel| Ok((place(&channel.from)?, place(&channel.to)?)))
            .collect()
    }
}
