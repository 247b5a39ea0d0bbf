use super::fault::Fault;
use crate::record::{Account, ClaimRecord, Debit, Deposit};
use mesh_types::{ClaimKey, Msat, NodeId, PacketTag, TxHash, UnixTime, Watched, to_hex};
use redb::TableDefinition;

/// The version of what is below.
///
/// 1 had no [`PROOFS`], and 2 had neither [`WATCHED`] nor [`FROZEN`].
pub(super) const SCHEMA: u32 = 3;

pub(super) type Bytes32 = &'static [u8; 32];

/// Single values, by name.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// Payments that cannot be claimed again: by whom they were claimed, and until when their proofs could be shown.
pub(super) const CLAIMS: TableDefinition<'_, Bytes32, ClaimRow> = TableDefinition::new("claims");

/// Claims in the order of their ends: when, and the serial number of the deposit, which names the payment.
///
/// Half the size of naming the payment itself, and what is claimed about the same time stands together.
pub(super) const ENDS: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("ends");

/// Sums, by payer.
pub(super) const ACCOUNTS: TableDefinition<'_, Bytes32, AccountRow> =
    TableDefinition::new("accounts");

/// The journal of deposits, by serial number.
pub(super) const DEPOSITS: TableDefinition<'_, u64, DepositRow> = TableDefinition::new("deposits");

/// The journal of debits, by period and payer.
pub(super) const DEBITS: TableDefinition<'_, (u64, Bytes32), (u64, u64)> =
    TableDefinition::new("debits");

/// Proofs to be shown: the payee's 32 bytes, then the encoded proof.
pub(super) const PROOFS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("proofs");

/// Payments that a change of the chain can undo.
pub(super) const WATCHED: TableDefinition<'_, Bytes32, WatchedRow> =
    TableDefinition::new("watched");

/// What is frozen, by payer: the sum of its payments in [`WATCHED`] that are; no row for nothing.
///
/// Apart from [`ACCOUNTS`], whose rows are many and stay as they were, while hardly any payer ever has a row here.
pub(super) const FROZEN: TableDefinition<'_, Bytes32, u64> = TableDefinition::new("frozen");

/// In [`META`]: four bytes, little-endian, as all numbers here.
pub(super) const SCHEMA_NAME: &str = "schema";
/// In [`META`]: the node's secret key.
pub(super) const IDENTITY: &str = "identity";
/// In [`META`]: the first sequence number that is not reserved.
pub(super) const NEXT_SEQUENCE: &str = "next_sequence";
/// In [`META`]: the latest time, in milliseconds, at which claims were forgotten.
pub(super) const SWEPT_AT: &str = "swept_at";

/// In [`META`], for each wallet: up to which place of its list all is credited.
const SETTLED_PLACE: &str = "settled_place ";

/// The packet, and the end of the proof in milliseconds.
pub(super) type ClaimRow = (&'static [u8; 16], u64);
/// Deposited, credit, earned, deposits, packets.
pub(super) type AccountRow = (u64, u64, u64, u64, u64);
/// Payer, amount, transaction, whether it is frozen.
pub(super) type WatchedRow = (Bytes32, u64, Bytes32, bool);
/// When in milliseconds, payer, amount, payment.
pub(super) type DepositRow = (u64, Bytes32, u64, Bytes32);

pub(super) fn claim_record(key: &[u8; 32], (by, expires_at): (&[u8; 16], u64)) -> ClaimRecord {
    ClaimRecord {
        key: ClaimKey::from_payment_hash(*key),
        by: PacketTag::from_bytes(*by),
        expires_at: UnixTime::from_millis(expires_at),
    }
}

/// - `frozen`: what [`FROZEN`] says of the payer.
/// - `refunded`: what the table of refunds' sums says of it.
pub(super) fn account(payer: &[u8; 32], row: AccountRow, frozen: Msat, refunded: Msat) -> Account {
    let (deposited, credit, earned, deposits, packets) = row;
    Account {
        payer: NodeId::from_bytes(*payer),
        deposited: Msat::from_msat(deposited),
        credit: Msat::from_msat(credit),
        earned: Msat::from_msat(earned),
        refunded,
        frozen,
        deposits,
        packets,
    }
}

pub(super) fn account_row(account: &Account) -> AccountRow {
    (
        account.deposited.to_msat(),
        account.credit.to_msat(),
        account.earned.to_msat(),
        account.deposits,
        account.packets,
    )
}

/// What [`FROZEN`] says of a payer.
pub(super) fn frozen_of(
    frozen: &impl redb::ReadableTable<Bytes32, u64>,
    payer: &[u8; 32],
) -> Result<Msat, Fault> {
    let sum = frozen.get(payer)?.map(|sum| sum.value());
    Ok(Msat::from_msat(sum.unwrap_or_default()))
}

pub(super) fn watched(
    key: &[u8; 32],
    (payer, amount, tx_hash, is_frozen): (&[u8; 32], u64, &[u8; 32], bool),
) -> Watched {
    Watched {
        key: ClaimKey::from_tagged_hash(*key),
        payer: NodeId::from_bytes(*payer),
        amount: Msat::from_msat(amount),
        tx_hash: TxHash::from_bytes(*tx_hash),
        is_frozen,
    }
}

pub(super) fn deposit(serial: u64, row: (u64, &[u8; 32], u64, &[u8; 32])) -> Deposit {
    let (at, payer, amount, key) = row;
    Deposit {
        serial,
        at: UnixTime::from_millis(at),
        payer: NodeId::from_bytes(*payer),
        amount: Msat::from_msat(amount),
        key: ClaimKey::from_payment_hash(*key),
    }
}

pub(super) fn debit((period, payer): (u64, &[u8; 32]), (amount, packets): (u64, u64)) -> Debit {
    Debit {
        period: UnixTime::from_millis(period),
        payer: NodeId::from_bytes(*payer),
        amount: Msat::from_msat(amount),
        packets,
    }
}

/// Reads a number in [`META`]; one that is not there is 0.
pub(super) fn number(
    meta: &impl redb::ReadableTable<&'static str, &'static [u8]>,
    name: &'static str,
) -> Result<u64, Fault> {
    Ok(number_if_any(meta, name)?.unwrap_or_default())
}

/// Reads the place up to which a wallet's list is credited.
pub(super) fn settled_place(
    meta: &impl redb::ReadableTable<&'static str, &'static [u8]>,
    payee_key: &[u8; 33],
) -> Result<Option<u64>, Fault> {
    number_if_any(meta, &settled_place_name(payee_key))
}

/// The name of that place.
pub(super) fn settled_place_name(payee_key: &[u8; 33]) -> String {
    format!("{SETTLED_PLACE}{}", to_hex(payee_key))
}

fn number_if_any(
    meta: &impl redb::ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Option<u64>, Fault> {
    let Some(value) = meta.get(name)? else {
        return Ok(None);
    };
    let bytes = value.value().try_into();
    bytes
        .map(|bytes| Some(u64::from_le_bytes(bytes)))
        .map_err(|_| Fault::Corrupt("a number is not of eight bytes"))
}

/// Reads the node's secret key.
pub(super) fn identity(
    meta: &impl redb::ReadableTable<&'static str, &'static [u8]>,
) -> Result<Option<[u8; 32]>, Fault> {
    let Some(value) = meta.get(IDENTITY)? else {
        return Ok(None);
    };
    let bytes = value.value().try_into();
    bytes
        .map(Some)
        .map_err(|_| Fault::Corrupt("the node's key is not of 32 bytes"))
}
