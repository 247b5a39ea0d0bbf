//! Every command that a deployed BIP, Bitcoin Core or Commons governance defines: one row each.

use super::{layout, layout::Walk, limits};
use bitcoin::consensus::{Decodable, deserialize};
use bitcoin::merkle_tree::MerkleBlock;
use bitcoin::p2p::address::{AddrV2Message, Address};
use bitcoin::p2p::message_blockdata::{GetBlocksMessage, GetHeadersMessage, Inventory};
use bitcoin::p2p::message_bloom::{FilterAdd, FilterLoad};
use bitcoin::p2p::message_compact_blocks::{BlockTxn, CmpctBlock, GetBlockTxn, SendCmpct};
use bitcoin::p2p::message_filter::{
    CFCheckpt, CFHeaders, CFilter, GetCFCheckpt, GetCFHeaders, GetCFilters,
};
use bitcoin::p2p::message_network::{Reject, VersionMessage};
use bitcoin::{Block, Transaction};
use std::ops::RangeInclusive;

/// Bytes of the command field in a header.
pub(super) const COMMAND_LEN: usize = 12;

/// One command, and what its payload may be.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) name: &'static str,
    field: [u8; COMMAND_LEN],
    pub(super) lengths: RangeInclusive<u32>,
    pub(super) body: Body,
}

/// How a command's payload is judged.
#[derive(Debug)]
pub(super) enum Body {
    /// There is none.
    Empty,
    /// Its layout says all there is to know.
    Layout(Walk),
    /// Its layout keeps counts from lying; then rust-bitcoin decodes it.
    Decoded(Walk, fn(&[u8]) -> bool),
    /// A governance message: what is inside is not ours to judge.
    Governance,
}

impl Command {
    /// Finds the command that a header's field spells, padding included.
    #[inline]
    pub(super) fn find(field: &[u8; COMMAND_LEN]) -> Option<&'static Self> {
        let row = INDEX.get(usize::from(slot(field, MULTIPLIER)))?;
        let command = COMMANDS.get(usize::from(*row))?;
        (command.field == *field).then_some(command)
    }
}

const ANY: u32 = limits::MAX_BITCOIN_PAYLOAD;
const ADDRESSES_V2: u32 = 3 + limits::MAX_ADDRESSES * (4 + 9 + 1 + 3 + limits::MAX_ADDRESS_LEN + 2);
const INVENTORY: u32 = 3 + limits::MAX_INVENTORY * 36;
const LOCATOR: u32 = 4 + 1 + limits::MAX_LOCATOR_HASHES * 32 + 32;

#[rustfmt::skip]
static COMMANDS: [Command; 42] = [
    decoded("version", 86..=85 + 3 + limits::MAX_USER_AGENT, layout::version, decodes::<VersionMessage>),
    empty("verack"),
    decoded("addr", 1..=3 + limits::MAX_ADDRESSES * 30, layout::addr, decodes::<Vec<(u32, Address)>>),
    decoded("addrv2", 1..=ADDRESSES_V2, layout::addrv2, decodes::<Vec<AddrV2Message>>),
    empty("sendaddrv2"),
    decoded("inv", 1..=INVENTORY, layout::inventory, decodes::<Vec<Inventory>>),
    decoded("getdata", 1..=INVENTORY, layout::inventory, decodes::<Vec<Inventory>>),
    decoded("notfound", 1..=INVENTORY, layout::inventory, decodes::<Vec<Inventory>>),
    decoded("getblocks", 37..=LOCATOR, layout::locator, decodes::<GetBlocksMessage>),
    decoded("getheaders", 37..=LOCATOR, layout::locator, decodes::<GetHeadersMessage>),
    laid_out("headers", 1..=3 + limits::MAX_HEADERS * 81, layout::headers),
    decoded("tx", 60..=ANY, layout::transaction, decodes::<Transaction>),
    decoded("block", 141..=ANY, layout::block, decodes::<Block>),
    empty("mempool"),
    decoded("ping", 8..=8, layout::nonce, decodes::<u64>),
    decoded("pong", 8..=8, layout::nonce, decodes::<u64>),
    empty("getaddr"),
    decoded("reject", 35..=34 + limits::MAX_REJECTED_COMMAND + 1 + limits::MAX_REJECT_REASON, layout::reject, decodes::<Reject>),
    decoded("filterload", 10..=3 + limits::MAX_BLOOM_FILTER + 9, layout::filterload, decodes::<FilterLoad>),
    decoded("filteradd", 1..=3 + limits::MAX_BLOOM_ELEMENT, layout::filteradd, decodes::<FilterAdd>),
    empty("filterclear"),
    decoded("merkleblock", 119..=84 + 3 + limits::MAX_MERKLE_TRANSACTIONS * 32 + 3 + limits::MAX_MERKLE_FLAGS, layout::merkleblock, decodes::<MerkleBlock>),
    empty("sendheaders"),
    laid_out("feefilter", 8..=8, layout::feefilter),
    decoded("sendcmpct", 9..=9, layout::sendcmpct, decodes::<SendCmpct>),
    decoded("cmpctblock", 96..=ANY, layout::cmpctblock, decodes::<CmpctBlock>),
    decoded("getblocktxn", 33..=32 + 5 + limits::MAX_COMPACT_TRANSACTIONS * 3, layout::getblocktxn, decodes::<GetBlockTxn>),
    decoded("blocktxn", 33..=ANY, layout::blocktxn, decodes::<BlockTxn>),
    decoded("getcfilters", 37..=37, layout::filter_range, decodes::<GetCFilters>),
    decoded("cfilter", 34..=33 + 5 + limits::MAX_BLOCK_FILTER, layout::cfilter, decodes::<CFilter>),
    decoded("getcfheaders", 37..=37, layout::filter_range, decodes::<GetCFHeaders>),
    decoded("cfheaders", 66..=65 + 3 + limits::MAX_HEADERS * 32, layout::cfheaders, decodes::<CFHeaders>),
    decoded("getcfcheckpt", 33..=33, layout::getcfcheckpt, decodes::<GetCFCheckpt>),
    decoded("cfcheckpt", 34..=33 + 3 + limits::MAX_FILTER_CHECKPOINTS * 32, layout::cfcheckpt, decodes::<CFCheckpt>),
    empty("wtxidrelay"),
    laid_out("sendtxrcncl", 12..=12, layout::sendtxrcncl),
    governance("econreg"),
    governance("econveto"),
    governance("econstat"),
    governance("econfork"),
    governance("getbanlist"),
    governance("banlist"),
];

const fn empty(name: &'static str) -> Command {
    command(name, 0..=0, Body::Empty)
}

const fn laid_out(name: &'static str, lengths: RangeInclusive<u32>, walk: Walk) -> Command {
    command(name, lengths, Body::Layout(walk))
}

const fn decoded(
    name: &'static str,
    lengths: RangeInclusive<u32>,
    walk: Walk,
    decode: fn(&[u8]) -> bool,
) -> Command {
    command(name, lengths, Body::Decoded(walk, decode))
}

const fn governance(name: &'static str) -> Command {
    command(name, 0..=limits::MAX_GOVERNANCE_PAYLOAD, Body::Governance)
}

#[expect(
    clippy::indexing_slicing,
    reason = "runs at compile time, where a name that is too long fails the build"
)]
const fn command(name: &'static str, lengths: RangeInclusive<u32>, body: Body) -> Command {
    let mut field = [0; COMMAND_LEN];
    let mut at = 0;
    while at < name.len() {
        field[at] = name.as_bytes()[at];
        at += 1;
    }
    Command {
        name,
        field,
        lengths,
        body,
    }
}

/// Says whether all of `payload` is one `T`.
fn decodes<T: Decodable>(payload: &[u8]) -> bool {
    deserialize::<T>(payload).is_ok()
}

/// The row of each slot; beyond the last row where there is none.
static INDEX: [u8; 256] = index(MULTIPLIER);

/// Sends every command to a slot of its own, so that one comparison finds it or finds that there is none.
const MULTIPLIER: u64 = separating_multiplier();

const fn separating_multiplier() -> u64 {
    let mut multiplier = 0x9e37_79b9_7f4a_7c15_u64;
    let mut tries = 0;
    while !separates(multiplier) {
        multiplier = multiplier.wrapping_mul(0x5851_f42d_4c95_7f2d) | 1;
        tries += 1;
        assert!(
            tries < 1_000,
            "two commands share a name, or the index is too small"
        );
    }
    multiplier
}

#[expect(clippy::indexing_slicing, reason = "runs at compile time only")]
const fn separates(multiplier: u64) -> bool {
    let index = index(multiplier);
    let mut row = 0;
    while row < COMMANDS.len() {
        if index[slot(&COMMANDS[row].field, multiplier) as usize] as usize != row {
            return false;
        }
        row += 1;
    }
    true
}

#[expect(clippy::indexing_slicing, reason = "runs at compile time only")]
const fn index(multiplier: u64) -> [u8; 256] {
    let mut index = [u8::MAX; 256];
    let mut row = 0_u8;
    while (row as usize) < COMMANDS.len() {
        index[slot(&COMMANDS[row as usize].field, multiplier) as usize] = row;
        row += 1;
    }
    index
}

const fn slot(field: &[u8; COMMAND_LEN], multiplier: u64) -> u8 {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *field;
    let front = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let back = u32::from_le_bytes([i, j, k, l]) as u64;
    let [slot, ..] = (front ^ back).wrapping_mul(multiplier).to_be_bytes();
    slot
}
