use crate::Msat;
use serde::{Deserialize, Serialize};

/// What a node asks for carrying one packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Price {
    /// Asked for each packet, whatever its size.
    pub per_packet: Msat,
    /// Asked for each KiB (1,024 bytes) of payload, in proportion, rounded up to a millisatoshi.
    pub per_kib: Msat,
}

impl Price {
    /// Nothing is asked.
    pub const FREE: Self = Self {
        per_packet: Msat::ZERO,
        per_kib: Msat::ZERO,
    };

    /// What a packet with `payload_bytes` costs; `None` when it does not fit in an amount.
    pub fn of(&self, payload_bytes: usize) -> Option<Msat> {
        let bytes = u64::try_from(payload_bytes).ok()?;
        let by_size = self.per_kib.checked_mul(bytes)?.to_msat().div_ceil(1_024);
        self.per_packet.checked_add(Msat::from_msat(by_size))
    }
}
