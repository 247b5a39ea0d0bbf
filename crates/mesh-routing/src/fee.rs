/// Who gets what of a fee, in whole satoshi.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeDistribution {
    /// The fee; the other parts sum to it.
    pub total_sats: u64,
    /// The destination's part, the remainders included.
    pub destination_sats: u64,
    /// Each relay's part, in route order.
    pub relay_sats: Vec<u64>,
    /// The source's part.
    pub source_sats: u64,
}
