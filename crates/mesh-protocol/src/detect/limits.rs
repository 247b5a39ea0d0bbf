//! How much of each thing one free message may hold.

/// The longest payload of a Bitcoin message, in bytes.
///
/// As in Bitcoin Core, because a longer one would be refused by every node behind us.
pub const MAX_BITCOIN_PAYLOAD: u32 = 4_000_000;

/// The longest payload of a governance message, in bytes.
///
/// 64 KiB, because its content is not judged here, so this is all the junk that one such message carries for free,
/// and because a ban list of a thousand addresses still fits.
pub const MAX_GOVERNANCE_PAYLOAD: u32 = 65_536;

/// The longest payload of a Stratum V2 frame, in bytes.
///
/// A block's transactions (4,000,000), three bytes of length for each of at most 65,535, and excess data of 65,537,
/// because the longest message hands over the transactions of one block template.
pub const MAX_STRATUM_PAYLOAD: u32 = 4_300_000;

/// The most entries of `inv`, `getdata` and `notfound`, because Bitcoin Core drops a peer that sends more.
pub const MAX_INVENTORY: u32 = 50_000;

/// The most headers of `headers` and hashes of `cfheaders`, because Bitcoin Core neither sends nor takes more.
pub const MAX_HEADERS: u32 = 2_000;

/// The most addresses of `addr` and `addrv2`, because Bitcoin Core drops a peer that sends more.
pub const MAX_ADDRESSES: u32 = 1_000;

/// The most hashes of a block locator, because Bitcoin Core drops a peer that sends more.
pub const MAX_LOCATOR_HASHES: u32 = 101;

/// The longest user agent of `version`, in bytes, because Bitcoin Core drops a peer that sends a longer one.
pub const MAX_USER_AGENT: u32 = 256;

/// The longest address of `addrv2`, in bytes, because BIP 155 says so.
pub const MAX_ADDRESS_LEN: u32 = 512;

/// The longest command that `reject` may name, in bytes, because that is all a header has room for.
pub const MAX_REJECTED_COMMAND: u32 = 12;

/// The longest reason that `reject` may give, in bytes, because BIP 61 nodes cut theirs at this length.
pub const MAX_REJECT_REASON: u32 = 111;

/// The longest filter of `filterload`, in bytes, because BIP 37 says so.
pub const MAX_BLOOM_FILTER: u32 = 36_000;

/// The most hash functions of `filterload`, because BIP 37 says so.
pub const MAX_BLOOM_FUNCTIONS: u32 = 50;

/// The longest element of `filteradd`, in bytes, because nothing longer can be pushed to a script's stack.
pub const MAX_BLOOM_ELEMENT: u32 = 520;

/// The most transactions of a `merkleblock`: 4,000,000 weight units over the least a transaction weighs, 240.
pub const MAX_MERKLE_TRANSACTIONS: u32 = 16_666;

/// The most flag bytes of a `merkleblock`, because each node of its tree has one bit and there are less than
/// 2 × 16,666 + 15 of them.
pub const MAX_MERKLE_FLAGS: u32 = 4_169;

/// The most transactions that a compact block can speak of, because BIP 152 counts them with 16 bits.
pub const MAX_COMPACT_TRANSACTIONS: u32 = 65_536;

/// The longest block filter, in bytes, because 1,000,000 bytes of base block hold less than 100,000 scripts, and
/// BIP 158's parameters take less than 21.5 bits for each.
pub const MAX_BLOCK_FILTER: u32 = 300_000;

/// The most filter headers of `cfcheckpt`: one for each thousand blocks until about the year 2200.
pub const MAX_FILTER_CHECKPOINTS: u32 = 10_000;
