//! Where the parts of a Bitcoin payload lie, checked without allocation.
//!
//! A decoder reserves memory by the counts it reads: 70 bytes that announce four million witness elements cost
//! 16 MB and milliseconds before the end of the input is noticed. So each payload is walked first: what is counted has
//! to be there, every item of it takes at least a byte, and no count goes beyond what Bitcoin Core takes. Where it
//! is cheap, it also refuses what no node sends: unknown inventory or filter types, transactions without inputs.
//! The rest is the decoder's to judge.

use super::{cursor::Cursor, limits};
use bitcoin::Amount;

/// Steps over one payload; `None` when the bytes cannot be it.
pub(super) type Walk = fn(&mut Cursor<'_>) -> Option<()>;

const HASH: usize = 32;
const HEADER: usize = 80;

/// The only filter type that BIP 158 defines.
const BASIC_FILTER: u8 = 0;

/// Says whether `walk` steps over exactly `payload`.
pub(super) fn fits(walk: Walk, payload: &[u8]) -> bool {
    let mut cursor = Cursor::new(payload);
    walk(&mut cursor).is_some() && cursor.is_at_end()
}

pub(super) fn version(c: &mut Cursor<'_>) -> Option<()> {
    c.skip(80)?;
    c.skip_bytes(limits::MAX_USER_AGENT)?;
    c.skip(5)
}

pub(super) fn addr(c: &mut Cursor<'_>) -> Option<()> {
    let addresses = c.count(limits::MAX_ADDRESSES)?;
    c.skip_items(addresses, 30)
}

pub(super) fn addrv2(c: &mut Cursor<'_>) -> Option<()> {
    for _ in 0..c.count(limits::MAX_ADDRESSES)? {
        c.skip(4)?;
        services(c)?;
        c.skip(1)?;
        c.skip_bytes(limits::MAX_ADDRESS_LEN)?;
        c.skip(2)?;
    }
    Some(())
}

/// Service bits are the one variable-length integer that may need all of its 64 bits.
fn services(c: &mut Cursor<'_>) -> Option<()> {
    let mut long = *c;
    if long.u8()? != 0xff {
        return c.compact().map(drop);
    }
    long.u64().filter(|&bits| bits > u64::from(u32::MAX))?;
    *c = long;
    Some(())
}

pub(super) fn inventory(c: &mut Cursor<'_>) -> Option<()> {
    for _ in 0..c.count(limits::MAX_INVENTORY)? {
        if !is_inventory_type(c.u32()?) {
            return None;
        }
        c.skip(HASH)?;
    }
    Some(())
}

/// Transaction, block, filtered block, compact block, transaction by wtxid; the first three also with witness.
fn is_inventory_type(kind: u32) -> bool {
    const WITNESS: u32 = 1 << 30;
    matches!(kind, 1..=5) || matches!(kind ^ WITNESS, 1..=3)
}

pub(super) fn locator(c: &mut Cursor<'_>) -> Option<()> {
    c.skip(4)?;
    let hashes = c.count(limits::MAX_LOCATOR_HASHES)?;
    c.skip_items(hashes, HASH)?;
    c.skip(HASH)
}

/// Any 80 bytes are a header; the zero behind each says that no transactions follow.
pub(super) fn headers(c: &mut Cursor<'_>) -> Option<()> {
    for _ in 0..c.count(limits::MAX_HEADERS)? {
        c.skip(HEADER)?;
        c.u8().filter(|&transactions| transactions == 0)?;
    }
    Some(())
}

pub(super) fn transaction(c: &mut Cursor<'_>) -> Option<()> {
    c.skip(4)?;
    let mut inputs = c.compact()?;
    let has_witness = inputs == 0;
    if has_witness {
        c.u8().filter(|&flag| flag == 1)?;
        inputs = c.compact()?;
    }
    // No block and no mempool holds a transaction without inputs or without outputs.
    if inputs == 0 {
        return None;
    }
    for _ in 0..inputs {
        c.skip(36)?;
        c.skip_bytes(u32::MAX)?;
        c.skip(4)?;
    }
    let outputs = c.compact()?;
    if outputs == 0 {
        return None;
    }
    for _ in 0..outputs {
        c.skip(8)?;
        c.skip_bytes(u32::MAX)?;
    }
    if has_witness {
        for _ in 0..inputs {
            for _ in 0..c.compact()? {
                c.skip_bytes(u32::MAX)?;
            }
        }
    }
    c.skip(4)
}

pub(super) fn block(c: &mut Cursor<'_>) -> Option<()> {
    c.skip(HEADER)?;
    transactions(c).filter(|&found| found > 0).map(drop)
}

fn transactions(c: &mut Cursor<'_>) -> Option<u32> {
    let count = c.compact()?;
    for _ in 0..count {
        transaction(c)?;
    }
    Some(count)
}

pub(super) fn merkleblock(c: &mut Cursor<'_>) -> Option<()> {
    c.skip(HEADER)?;
    let transactions = c.u32().filter(|&n| n <= limits::MAX_MERKLE_TRANSACTIONS)?;
    let hashes = c.count(transactions).filter(|&n| n > 0)?;
    c.skip_items(hashes, HASH)?;
    let flags = c.count(limits::MAX_MERKLE_FLAGS).filter(|&n| n > 0)?;
    c.skip_items(flags, 1)
}

pub(super) fn cmpctblock(c: &mut Cursor<'_>) -> Option<()> {
    c.skip(HEADER + 8)?;
    let short_ids = c.count(limits::MAX_COMPACT_TRANSACTIONS)?;
    c.skip_items(short_ids, 6)?;
    let prefilled = c.count(limits::MAX_COMPACT_TRANSACTIONS)?;
    for _ in 0..prefilled {
        c.compact()?;
        transaction(c)?;
    }
    Some(())
}

pub(super) fn getblocktxn(c: &mut Cursor<'_>) -> Option<()> {
    c.skip(HASH)?;
    for _ in 0..c.count(limits::MAX_COMPACT_TRANSACTIONS)? {
        c.compact()
            .filter(|&gap| gap < limits::MAX_COMPACT_TRANSACTIONS)?;
    }
    Some(())
}

pub(super) fn blocktxn(c: &mut Cursor<'_>) -> Option<()> {
    c.skip(HASH)?;
    transactions(c).map(drop)
}

pub(super) fn reject(c: &mut Cursor<'_>) -> Option<()> {
    c.skip_bytes(limits::MAX_REJECTED_COMMAND)?;
    c.skip(1)?;
    c.skip_bytes(limits::MAX_REJECT_REASON)?;
    c.skip(HASH)
}

pub(super) fn filterload(c: &mut Cursor<'_>) -> Option<()> {
    c.skip_bytes(limits::MAX_BLOOM_FILTER)?;
    c.u32()
        .filter(|&functions| functions <= limits::MAX_BLOOM_FUNCTIONS)?;
    c.skip(5)
}

pub(super) fn filteradd(c: &mut Cursor<'_>) -> Option<()> {
    c.skip_bytes(limits::MAX_BLOOM_ELEMENT)
}

/// `getcfilters` and `getcfheaders`: filter type, start height, stop hash.
pub(super) fn filter_range(c: &mut Cursor<'_>) -> Option<()> {
    basic_filter(c)?;
    c.skip(4 + HASH)
}

pub(super) fn getcfcheckpt(c: &mut Cursor<'_>) -> Option<()> {
    basic_filter(c)?;
    c.skip(HASH)
}

pub(super) fn cfilter(c: &mut Cursor<'_>) -> Option<()> {
    basic_filter(c)?;
    c.skip(HASH)?;
    c.skip_bytes(limits::MAX_BLOCK_FILTER)
}

pub(super) fn cfheaders(c: &mut Cursor<'_>) -> Option<()> {
    basic_filter(c)?;
    c.skip(2 * HASH)?;
    let hashes = c.count(limits::MAX_HEADERS)?;
    c.skip_items(hashes, HASH)
}

pub(super) fn cfcheckpt(c: &mut Cursor<'_>) -> Option<()> {
    basic_filter(c)?;
    c.skip(HASH)?;
    let headers = c.count(limits::MAX_FILTER_CHECKPOINTS)?;
    c.skip_items(headers, HASH)
}

fn basic_filter(c: &mut Cursor<'_>) -> Option<()> {
    c.u8().filter(|&kind| kind == BASIC_FILTER).map(drop)
}

pub(super) fn nonce(c: &mut Cursor<'_>) -> Option<()> {
    c.skip(8)
}

pub(super) fn sendcmpct(c: &mut Cursor<'_>) -> Option<()> {
    c.skip(9)
}

/// A fee rate beyond all the money there is is no fee rate.
pub(super) fn feefilter(c: &mut Cursor<'_>) -> Option<()> {
    c.u64()
        .filter(|&sats_per_kvb| sats_per_kvb <= Amount::MAX_MONEY.to_sat())
        .map(drop)
}

/// BIP 330: a version, of which 0 was never one, and a salt.
pub(super) fn sendtxrcncl(c: &mut Cursor<'_>) -> Option<()> {
    c.u32().filter(|&version| version > 0)?;
    c.skip(8)
}
