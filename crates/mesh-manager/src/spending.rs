use crate::{credits::KnownCredits, fees::FeeBook, funding::whole_sats, top_up::TopUps};
use mesh_types::{
    Begun, DayCaps, MeshError, Msat, NodeId, SpendingConfig, Store, StoreError, UnixTime,
};
use parking_lot::{Mutex, RwLock};
use std::{fmt, time::Duration};

/// How many of the last payments are looked at for what routing cost, when a node starts.
///
/// 1,024, because what is older says little about today's fees.
const LEARNED_FROM: usize = 1_024;

/// What this node may spend on others, and what it knows of what it spends it on.
pub(crate) struct Spending {
    config: RwLock<SpendingConfig>,
    pub(crate) fees: FeeBook,
    pub(crate) credits: KnownCredits,
    pub(crate) top_ups: TopUps,
}

impl Spending {
    /// Begins with what the store knows of earlier payments.
    pub(crate) async fn load(
        config: SpendingConfig,
        store: &dyn Store,
    ) -> Result<Self, StoreError> {
        let fees = FeeBook::default();
        // The newest last, since what comes last counts.
        for payment in store.last_payments(LEARNED_FROM).await?.iter().rev() {
            fees.learn(payment);
        }
        Ok(Self {
            config: RwLock::new(config),
            fees,
            credits: KnownCredits::default(),
            top_ups: TopUps::default(),
        })
    }

    pub(crate) fn config(&self) -> SpendingConfig {
        *self.config.read()
    }

    /// Keeps to these limits from now on.
    pub(crate) fn set_config(&self, config: SpendingConfig) {
        *self.config.write() = config;
    }

    /// What the store has to hold payments to.
    pub(crate) fn day_caps(&self) -> DayCaps {
        let config = self.config();
        DayCaps {
            per_day: Msat::from_msat(config.per_day_msat),
            per_payee: Msat::from_msat(config.per_peer_per_day_msat),
        }
    }

    /// Says whether a packet may offer `fee`.
    pub(crate) fn check_packet(&self, fee: Msat) -> Result<(), LimitReached> {
        let bound = Msat::from_msat(self.config().per_packet_msat);
        if fee <= bound {
            return Ok(());
        }
        Err(LimitReached {
            limit: SpendingLimit::PerPacket,
            bound,
            used: Msat::ZERO,
            asked: fee,
            frees_in: None,
        })
    }

    /// How large a deposit is: `wanted`, or more where what routing is expected to cost would be too large a share of that,
    /// within `room`, which has the fees in it, and `limit`, which has not; but never less than is `needed`.
    pub(crate) fn deposit(&self, payee: &NodeId, size: Size, room: Msat, limit: Msat) -> Msat {
        let wanted = size.wanted.max(self.worthwhile(payee));
        let limit = Msat::from_sats(limit.to_sats_floor()).unwrap_or(limit);
        wanted
            .min(self.most_amount(room))
            .min(limit)
            .max(size.needed)
    }

    /// The least deposit of which the expected fee is a small enough share; nothing where no fee is.
    pub(crate) fn worthwhile(&self, payee: &NodeId) -> Msat {
        let least = self.config().least_amount(self.fees.expected(payee));
        whole_sats(least.unwrap_or_default())
    }

    /// The most whole satoshi that fit into `room` with the most that may be paid in fees for them.
    fn most_amount(&self, room: Msat) -> Msat {
        let parts = u128::from(self.config().fee_share_permille).saturating_add(1_000);
        let amount = u128::from(room.to_msat()).saturating_mul(1_000);
        let sats = amount.checked_div(parts.saturating_mul(1_000));
        let sats = sats.and_then(|sats| u64::try_from(sats).ok());
        sats.and_then(Msat::from_sats).unwrap_or_default()
    }
}

/// How large a deposit may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// With less it is of no use.
    pub(crate) needed: Msat,
    /// More serves later packets.
    pub(crate) wanted: Msat,
}

/// Checks the settings that have bounds.
pub(crate) fn check(config: &SpendingConfig) -> Result<(), MeshError> {
    if config.fee_share_permille > 1_000 {
        return Err(MeshError::ConfigError(format!(
            "spending.fee_share_permille = {}: expected 0 to 1000",
            config.fee_share_permille
        )));
    }
    Ok(())
}

/// A limit on what this node spends: a setting of `[mesh.spending]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpendingLimit {
    /// On what a packet may offer.
    PerPacket,
    /// On what is paid to the nodes of one route because of one packet.
    PerRoute,
    /// On what is paid to one node on one day.
    PerPeerPerDay,
    /// On what is paid to all nodes on one day.
    PerDay,
}

impl fmt::Display for SpendingLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PerPacket => "per_packet_msat",
            Self::PerRoute => "per_route_msat",
            Self::PerPeerPerDay => "per_peer_per_day_msat",
            Self::PerDay => "per_day_msat",
        })
    }
}

/// A payment that was not made, because it would have been beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitReached {
    pub(crate) limit: SpendingLimit,
    /// What may be spent.
    pub(crate) bound: Msat,
    /// What of that is spent, or may still be by payments under way.
    pub(crate) used: Msat,
    /// What would have come to it, the most that routing may cost included.
    pub(crate) asked: Msat,
    /// When it is free again; `None` where waiting does not help.
    pub(crate) frees_in: Option<Duration>,
}

impl LimitReached {
    /// What a store has said of a payment that would have come to `asked`; nothing where it may be made.
    pub(crate) fn of(begun: Begun, caps: DayCaps, asked: Msat, now: UnixTime) -> Option<Self> {
        let (limit, bound, used) = match begun {
            Begun::OverDay { used } => (SpendingLimit::PerDay, caps.per_day, used),
            Begun::OverPayee { used } => (SpendingLimit::PerPeerPerDay, caps.per_payee, used),
            Begun::Noted | Begun::UnderWay => return None,
        };
        let tomorrow = now.day().plus(Duration::from_secs(86_400));
        Some(Self {
            limit,
            bound,
            used,
            asked,
            // A payment that is too large for a whole day never fits.
            frees_in: (asked <= bound).then(|| tomorrow.since(now)),
        })
    }
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limit,
            bound,
            used,
            asked,
            ..
        } = self;
        write!(
            f,
            "[mesh.spending] {limit} is {bound}, of which {used} are used: {asked} more are not spent"
        )?;
        match (self.frees_in, limit) {
            (Some(wait), _) => {
                let minutes = wait.as_secs().div_ceil(60);
                let (hours, minutes) = (minutes / 60, minutes % 60);
                write!(
                    f,
                    "; it is free again at midnight UTC, in {hours} h {minutes} min"
                )
            }
            (None, SpendingLimit::PerRoute) => {
                f.write_str("; it is free again for the next packet")
            }
            (None, _) => f.write_str("; waiting does not help"),
        }
    }
}

impl From<LimitReached> for MeshError {
    fn from(reached: LimitReached) -> Self {
        Self::SpendingLimit(reached.to_string())
    }
}

/// What is paid to the nodes of one route because of one packet.
#[derive(Debug)]
pub(crate) struct RouteTab {
    /// The most to deposit, as the caller says, fees not counted.
    limit: Msat,
    /// The most to spend, fees counted.
    bound: Msat,
    sums: Mutex<TabSums>,
}

#[derive(Debug, Clone, Copy, Default)]
struct TabSums {
    deposited: Msat,
    fees: Msat,
}

impl TabSums {
    fn total(&self) -> Msat {
        self.deposited.checked_add(self.fees).unwrap_or(Msat::MAX)
    }
}

impl RouteTab {
    pub(crate) fn new(limit: Msat, config: &SpendingConfig) -> Self {
        Self {
            limit,
            bound: Msat::from_msat(config.per_route_msat),
            sums: Mutex::default(),
        }
    }

    /// What was deposited so far, or may be by payments under way.
    pub(crate) fn deposited(&self) -> Msat {
        self.sums.lock().deposited
    }

    /// What the caller still lets be deposited.
    pub(crate) fn limit_left(&self) -> Msat {
        self.limit.saturating_sub(self.deposited())
    }

    /// What may still be spent, the most that routing may cost included.
    pub(crate) fn room(&self) -> Msat {
        self.bound.saturating_sub(self.sums.lock().total())
    }

    /// Says whether there is room for payments of `amount` together, with `fee` for all of them.
    pub(crate) fn check(&self, amount: Msat, fee: Msat) -> Result<(), MeshError> {
        self.with(&self.sums.lock(), amount, fee).map(drop)
    }

    /// Puts a payment on the tab before it is made.
    pub(crate) fn reserve(&self, amount: Msat, fee: Msat) -> Result<(), MeshError> {
        let mut sums = self.sums.lock();
        // Others may have put something on it since the amount was chosen.
        *sums = self.with(&sums, amount, fee)?;
        Ok(())
    }

    /// What the sums would be with one payment more.
    fn with(&self, sums: &TabSums, amount: Msat, fee: Msat) -> Result<TabSums, MeshError> {
        if amount > self.limit.saturating_sub(sums.deposited) {
            return Err(MeshError::PaymentVerificationFailed(format!(
                "{amount} more are not deposited: at most {} may be, and {} are",
                self.limit, sums.deposited
            )));
        }
        let used = sums.total();
        let asked = amount.checked_add(fee).unwrap_or(Msat::MAX);
        let with = used.checked_add(asked).filter(|with| *with <= self.bound);
        if with.is_none() {
            return Err(LimitReached {
                limit: SpendingLimit::PerRoute,
                bound: self.bound,
                used,
                asked,
                frees_in: None,
            }
            .into());
        }
        // No part of a sum is more than the sum.
        Ok(TabSums {
            deposited: sums.deposited.checked_add(amount).unwrap_or(Msat::MAX),
            fees: sums.fees.checked_add(fee).unwrap_or(Msat::MAX),
        })
    }

    /// Takes off the tab what was not spent of what was reserved.
    pub(crate) fn release(&self, amount: Msat, fee: Msat) {
        let mut sums = self.sums.lock();
        sums.deposited = sums.deposited.saturating_sub(amount);
        sums.fees = sums.fees.saturating_sub(fee);
    }
}
