use crate::{LearningStatus, MeshManager, RefusalReason, learning::Learning};
use mesh_types::{MeshMode, Msat, NodeId, Price, StoreError};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::timeout;

/// The most payers that a status lists.
///
/// 1,024, because an operator looks at the large ones; a ledger lists them all.
const MAX_LISTED: usize = 1_024;

/// How long a status waits for a booking to end: sums that straddle one are better than none.
const NO_BOOKING: Duration = Duration::from_millis(500);

/// What an operator wants to see at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub node_id: NodeId,
    /// What passes here, and what has to pay.
    pub mode: MeshMode,
    /// What a packet costs here.
    pub price: Price,
    /// The nodes with a link, and where they are.
    pub peers: Vec<(NodeId, Arc<str>)>,
    /// The books, where the store answers.
    pub money: Result<Money, StoreError>,
    /// What this node has paid to others since it started.
    pub spent: Msat,
    /// What this node has paid to others today, UTC, or still may by payments under way, Lightning fees included; where the
    /// store answers.
    pub spent_today: Option<Msat>,
    /// The most that it pays on one day.
    pub day_limit: Msat,
    /// Payments on the chain of which this node was told, and which their payees have not credited yet.
    pub uncredited: usize,
    /// Packets forwarded or delivered since it started.
    pub carried: u64,
    /// Packets delivered here since it started.
    pub delivered: u64,
    /// Payments claimed since it started.
    pub claimed: u64,
    /// Refused packets by reason, since it started.
    pub refusals: BTreeMap<RefusalReason, u64>,
    /// What is known by announcements; `None` in a mode in which nothing is learned.
    pub learning: Option<LearningStatus>,
}

/// The books: deposited = credit + reserved + earned + refunded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Money {
    /// All that was ever deposited.
    pub deposited: Msat,
    /// What payers have not spent, frozen or not.
    pub credit: Msat,
    /// What is set aside for packets on their way out.
    pub reserved: Msat,
    /// What this node has earned by carrying, booked or not.
    pub earned: Msat,
    /// What was given back to payers, or may be by refunds under way, with what routing cost.
    pub refunded: Msat,
    /// The part of what was earned which is not booked: what a crash would forget.
    pub unbooked: Msat,
    /// What cannot be spent, because transactions that paid for it are not in the chain.
    pub frozen: Msat,
    /// Payments on the chain that a change of it can still undo.
    pub watched: u64,
    /// Payers that have ever deposited.
    pub accounts: u64,
    /// The largest credits first.
    pub credits: Vec<(NodeId, Msat)>,
}

/// What is remembered against replays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// Payments that were claimed lately; the store has them all.
    pub claims: usize,
    /// Sources whose packet numbers are remembered.
    pub sources: usize,
}

impl MeshManager {
    /// How much is remembered against replays.
    pub fn remembered(&self) -> Remembered {
        Remembered {
            claims: self.shared.recent.len(),
            sources: self.engine().windows.len(),
        }
    }

    /// What an operator wants to see.
    pub async fn status(&self) -> Status {
        let engine = self.engine();
        let (carried, delivered, claimed) = engine.traffic.snapshot();
        Status {
            node_id: engine.node_id(),
            mode: engine.mode(),
            price: engine.price(),
            peers: engine.routes().direct_peers(),
            money: self.money().await,
            spent: Msat::from_msat(self.shared.spent_msat.load(Ordering::Relaxed)),
            spent_today: self.spent_today().await,
            day_limit: self.shared.spending.day_caps().per_day,
            uncredited: self.shared.unshown.on_chain().len(),
            carried,
            delivered,
            claimed,
            refusals: engine.refusals(),
            learning: self.shared.learning().map(Learning::status),
        }
    }

    async fn spent_today(&self) -> Option<Msat> {
        let (now, anybody) = (self.shared.node_api.now(), self.node_id());
        let sums = self.shared.store.spent_on_day(now, anybody).await.ok()?;
        Some(sums.all.total())
    }

    /// The books of the store, with what is not booked yet. While packets move, a sum may straddle one of them.
    async fn money(&self) -> Result<Money, StoreError> {
        if !self.shared.store.is_answering() {
            return Err(StoreError::Unavailable("it is away".to_owned()));
        }
        // Without a booking in between, where that can be had.
        let _booking = timeout(NO_BOOKING, self.shared.booking.lock()).await;
        let books = self.shared.store.books(MAX_LISTED).await?;
        let accounts = self.engine().accounts();
        let totals = accounts.totals();
        let msat = |sum: u128| Msat::from_msat(u64::try_from(sum).unwrap_or(u64::MAX));
        let (reserved, unbooked) = (msat(totals.reserved), msat(totals.unsettled));
        let credits = books.largest.into_iter().map(|(payer, credit)| {
            let left = credit.saturating_sub(accounts.pending(&payer));
            (payer, left)
        });
        Ok(Money {
            deposited: books.deposited,
            credit: books
                .credit
                .saturating_sub(reserved)
                .saturating_sub(unbooked),
            reserved,
            earned: books.earned.checked_add(unbooked).unwrap_or(Msat::MAX),
            refunded: books.refunded,
            unbooked,
            frozen: books.frozen,
            watched: books.watched,
            accounts: books.accounts,
            credits: credits.filter(|(_, left)| *left > Msat::ZERO).collect(),
        })
    }
}
