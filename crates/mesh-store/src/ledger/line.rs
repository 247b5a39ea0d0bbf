use super::{
    payment_line::{WrittenOutcome, WrittenReason, WrittenSums},
    totals::{Counts, Totals, is_nothing},
};
use crate::record::{Account, ClaimRecord, Debit, Deposit, PaymentLine, Record};
use mesh_types::{
    ClaimKey, DaySpent, HexError, Msat, NodeId, OwnPayment, PacketTag, PaymentProof, Refund,
    TxHash, UnixTime, Watched, from_hex, to_hex,
};
use serde::{Deserialize, Serialize};

/// The one version of an export that this program writes and reads.
///
/// Watched payments, payments of this node's own, and refunds came to it later. Without any it is what it was before, and a program
/// that does not know them refuses an export that has some at the first line of one.
pub const EXPORT_VERSION: u32 = 1;

/// The most bytes of one line of an export.
///
/// 64 KiB, because the longest proof has 8 KiB, of which each byte takes at most four characters and a comma.
pub const MAX_EXPORT_LINE: usize = 64 * 1_024;

/// What the first line says that this is.
pub(super) const FORMAT: &str = "blvm-mesh ledger";

/// The first line of an export.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) totals: Totals,
    /// The first number that is not reserved for the node's own packets.
    pub(super) next_sequence: u64,
    /// Claims that ended before this time have been forgotten.
    pub(super) swept_at_ms: UnixTime,
}

/// Any other line of an export.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    Identity {
        secret: Hex<32>,
    },
    Account {
        payer: NodeId,
        deposited_msat: Msat,
        credit_msat: Msat,
        earned_msat: Msat,
        #[serde(default, skip_serializing_if = "is_nothing")]
        refunded_msat: Msat,
        deposits: u64,
        packets: u64,
    },
    Deposit {
        serial: u64,
        at_ms: UnixTime,
        payer: NodeId,
        amount_msat: Msat,
        key: Hex<32>,
    },
    Debit {
        period_ms: UnixTime,
        payer: NodeId,
        amount_msat: Msat,
        packets: u64,
    },
    Claim {
        key: Hex<32>,
        by: Hex<16>,
        expires_at_ms: UnixTime,
    },
    /// An account's line does not say what is frozen: that is what these lines come to.
    Watched {
        key: Hex<32>,
        payer: NodeId,
        amount_msat: Msat,
        /// In internal byte order.
        tx_hash: Hex<32>,
        frozen: bool,
    },
    Payment {
        serial: u64,
        at_ms: UnixTime,
        payee: NodeId,
        payment_hash: Hex<32>,
        amount_msat: Msat,
        fee_msat: Msat,
        reason: WrittenReason,
        outcome: WrittenOutcome,
    },
    Spent {
        day_ms: UnixTime,
        payee: NodeId,
        sums: WrittenSums,
        /// What of it has no lines any more.
        folded: WrittenSums,
    },
    Refund {
        payment_hash: Hex<32>,
        payer: NodeId,
        at_ms: UnixTime,
        amount_msat: Msat,
        fee_msat: Msat,
        invoice: String,
        outcome: WrittenOutcome,
    },
    Proof {
        payee: NodeId,
        proof: PaymentProof,
    },
    /// The last one: what all before it come to.
    End {
        counts: Counts,
        totals: Totals,
        sha256: Hex<32>,
    },
}

/// Where a line stands: each line's place is behind that of the one before, so none stands twice.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Header,
    Identity,
    Account(NodeId),
    Deposit(u64),
    Debit(UnixTime, NodeId),
    Claim(ClaimKey),
    Watched(ClaimKey),
    Payment(u64),
    Spent(UnixTime, NodeId),
    Refund([u8; 32]),
    Proof(NodeId, Vec<u8>),
    End,
}

/// Bytes that are lower-case hex in text.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Hex<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> TryFrom<String> for Hex<N> {
    type Error = HexError;

    fn try_from(text: String) -> Result<Self, HexError> {
        from_hex(&text).map(Self)
    }
}

impl<const N: usize> From<Hex<N>> for String {
    fn from(Hex(bytes): Hex<N>) -> Self {
        to_hex(&bytes)
    }
}

impl Line {
    /// Where this line stands; `text` is the line itself.
    pub(super) fn place(&self, text: &[u8]) -> Place {
        match self {
            Self::Identity { .. } => Place::Identity,
            Self::Account { payer, .. } => Place::Account(*payer),
            Self::Deposit { serial, .. } => Place::Deposit(*serial),
            Self::Debit {
                period_ms, payer, ..
            } => Place::Debit(*period_ms, *payer),
            Self::Claim { key, .. } => Place::Claim(ClaimKey::from_payment_hash(key.0)),
            Self::Watched { key, .. } => Place::Watched(ClaimKey::from_tagged_hash(key.0)),
            Self::Payment { serial, .. } => Place::Payment(*serial),
            Self::Spent { day_ms, payee, .. } => Place::Spent(*day_ms, *payee),
            Self::Refund { payment_hash, .. } => Place::Refund(payment_hash.0),
            Self::Proof { payee, .. } => Place::Proof(*payee, text.to_vec()),
            Self::End { .. } => Place::End,
        }
    }

    /// The record that this line is of; `None` for the last line.
    pub(super) fn into_record(self) -> Option<Record> {
        Some(match self {
            Self::Identity { secret } => Record::Identity(secret.0),
            Self::Account {
                payer,
                deposited_msat,
                credit_msat,
                earned_msat,
                refunded_msat,
                deposits,
                packets,
            } => Record::Account(Account {
                payer,
                deposited: deposited_msat,
                credit: credit_msat,
                earned: earned_msat,
                refunded: refunded_msat,
                frozen: Msat::ZERO,
                deposits,
                packets,
            }),
            Self::Deposit {
                serial,
                at_ms,
                payer,
                amount_msat,
                key,
            } => Record::Deposit(Deposit {
                serial,
                at: at_ms,
                payer,
                amount: amount_msat,
                key: ClaimKey::from_payment_hash(key.0),
            }),
            Self::Debit {
                period_ms,
                payer,
                amount_msat,
                packets,
            } => Record::Debit(Debit {
                period: period_ms,
                payer,
                amount: amount_msat,
                packets,
            }),
            Self::Claim {
                key,
                by,
                expires_at_ms,
            } => Record::Claim(ClaimRecord {
                key: ClaimKey::from_payment_hash(key.0),
                by: PacketTag::from_bytes(by.0),
                expires_at: expires_at_ms,
            }),
            Self::Watched {
                key,
                payer,
                amount_msat,
                tx_hash,
                frozen,
            } => Record::Watched(Watched {
                key: ClaimKey::from_tagged_hash(key.0),
                payer,
                amount: amount_msat,
                tx_hash: TxHash::from_bytes(tx_hash.0),
                is_frozen: frozen,
            }),
            Self::Payment {
                serial,
                at_ms,
                payee,
                payment_hash,
                amount_msat,
                fee_msat,
                reason,
                outcome,
            } => Record::Payment(PaymentLine {
                serial,
                payment: OwnPayment {
                    payment_hash: payment_hash.0,
                    at: at_ms,
                    payee,
                    amount: amount_msat,
                    fee: fee_msat,
                    reason: reason.into(),
                    outcome: outcome.into(),
                },
            }),
            Self::Spent {
                day_ms,
                payee,
                sums,
                folded,
            } => Record::Spent(DaySpent {
                day: day_ms,
                payee,
                spent: sums.into(),
                folded: folded.into(),
            }),
            Self::Refund {
                payment_hash,
                payer,
                at_ms,
                amount_msat,
                fee_msat,
                invoice,
                outcome,
            } => Record::Refund(Refund {
                payment_hash: payment_hash.0,
                payer,
                at: at_ms,
                amount: amount_msat,
                fee: fee_msat,
                invoice,
                outcome: outcome.into(),
            }),
            Self::Proof { payee, proof } => Record::Proof(payee, proof),
            Self::End { .. } => return None,
        })
    }
}

impl From<Account> for Line {
    fn from(account: Account) -> Self {
        Self::Account {
            payer: account.payer,
            deposited_msat: account.deposited,
            credit_msat: account.credit,
            earned_msat: account.earned,
            refunded_msat: account.refunded,
            deposits: account.deposits,
            packets: account.packets,
        }
    }
}

impl From<Deposit> for Line {
    fn from(deposit: Deposit) -> Self {
        Self::Deposit {
            serial: deposit.serial,
            at_ms: deposit.at,
            payer: deposit.payer,
            amount_msat: deposit.amount,
            key: Hex(*deposit.key.as_bytes()),
        }
    }
}

impl From<Debit> for Line {
    fn from(debit: Debit) -> Self {
        Self::Debit {
            period_ms: debit.period,
            payer: debit.payer,
            amount_msat: debit.amount,
            packets: debit.packets,
        }
    }
}

impl From<ClaimRecord> for Line {
    fn from(claim: ClaimRecord) -> Self {
        Self::Claim {
            key: Hex(*claim.key.as_bytes()),
            by: Hex(*claim.by.as_bytes()),
            expires_at_ms: claim.expires_at,
        }
    }
}

impl From<Watched> for Line {
    fn from(watched: Watched) -> Self {
        Self::Watched {
            key: Hex(*watched.key.as_bytes()),
            payer: watched.payer,
            amount_msat: watched.amount,
            tx_hash: Hex(*watched.tx_hash.as_bytes()),
            frozen: watched.is_frozen,
        }
    }
}

impl From<Refund> for Line {
    fn from(refund: Refund) -> Self {
        Self::Refund {
            payment_hash: Hex(refund.payment_hash),
            payer: refund.payer,
            at_ms: refund.at,
            amount_msat: refund.amount,
            fee_msat: refund.fee,
            invoice: refund.invoice,
            outcome: refund.outcome.into(),
        }
    }
}
