//! One real message for each command, built and framed by rust-bitcoin.

#![allow(dead_code, reason = "tests and benches each use a part of it")]
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

use bitcoin::absolute::LockTime;
use bitcoin::bip152::{BlockTransactions, BlockTransactionsRequest, HeaderAndShortIds};
use bitcoin::bip158::{FilterHash, FilterHeader};
use bitcoin::consensus::serialize;
use bitcoin::constants::genesis_block;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::merkle_tree::MerkleBlock;
use bitcoin::p2p::address::{AddrV2, AddrV2Message, Address};
use bitcoin::p2p::message::{CommandString, NetworkMessage, RawNetworkMessage};
use bitcoin::p2p::message_blockdata::{GetBlocksMessage, GetHeadersMessage, Inventory};
use bitcoin::p2p::message_bloom::{BloomFlags, FilterAdd, FilterLoad};
use bitcoin::p2p::message_compact_blocks::{BlockTxn, CmpctBlock, GetBlockTxn, SendCmpct};
use bitcoin::p2p::message_filter::{
    CFCheckpt, CFHeaders, CFilter, GetCFCheckpt, GetCFHeaders, GetCFilters,
};
use bitcoin::p2p::message_network::{Reject, RejectReason, VersionMessage};
use bitcoin::p2p::{Magic, ServiceFlags};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut,
    Txid, Witness, Wtxid,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The names of governance, which rust-bitcoin does not know.
pub(crate) const GOVERNANCE: [&str; 6] = [
    "econreg",
    "econveto",
    "econstat",
    "econfork",
    "getbanlist",
    "banlist",
];

/// Frames `payload` as `command` on mainnet, with the right length and checksum.
pub(crate) fn frame(command: &str, payload: &[u8]) -> Vec<u8> {
    frame_on(Magic::BITCOIN, command, payload)
}

/// Frames `payload` as `command`, with the right length and checksum.
pub(crate) fn frame_on(magic: Magic, command: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = magic.to_bytes().to_vec();
    message.extend(command.as_bytes());
    message.resize(16, 0);
    message.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
    message.extend(&sha256d::Hash::hash(payload)[..4]);
    message.extend(payload);
    message
}

/// Serialises `message` for mainnet.
pub(crate) fn wire(message: NetworkMessage) -> Vec<u8> {
    serialize(&RawNetworkMessage::new(Magic::BITCOIN, message))
}

/// An inventory of `count` transactions.
pub(crate) fn inventory(count: u32) -> Vec<Inventory> {
    (0..count)
        .map(|n| Inventory::WTx(Wtxid::hash(&n.to_le_bytes())))
        .collect()
}

/// A transaction with two inputs, two outputs and witnesses.
pub(crate) fn transaction() -> Transaction {
    let input = |n: u32| TxIn {
        previous_output: OutPoint::new(Txid::hash(&n.to_le_bytes()), n),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::from_slice(&[vec![0x30; 72], vec![0x02; 33]]),
    };
    let output = |sats| TxOut {
        value: Amount::from_sat(sats),
        script_pubkey: ScriptBuf::from_bytes([vec![0, 20], vec![7; 20]].concat()),
    };
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::from_consensus(840_000),
        input: vec![input(0), input(1)],
        output: vec![output(12_345), output(67_890)],
    }
}

/// Every command that rust-bitcoin can build, and `sendtxrcncl`, which it can only frame.
pub(crate) fn bitcoin() -> Vec<NetworkMessage> {
    let mut messages = handshake();
    messages.extend(gossip());
    messages.extend(blocks());
    messages.extend(filters());
    messages
}

fn handshake() -> Vec<NetworkMessage> {
    let socket = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)), 8333);
    let address = Address::new(&socket, ServiceFlags::NETWORK);
    let mut version = VersionMessage::new(
        ServiceFlags::NETWORK,
        1_700_000_000,
        address.clone(),
        address,
        42,
        "/mesh:0.1/".to_owned(),
        840_000,
    );
    version.relay = true;
    vec![
        NetworkMessage::Version(version),
        NetworkMessage::Verack,
        NetworkMessage::SendAddrV2,
        NetworkMessage::WtxidRelay,
        NetworkMessage::SendHeaders,
        NetworkMessage::SendCmpct(SendCmpct {
            send_compact: true,
            version: 2,
        }),
        NetworkMessage::FeeFilter(1_000),
        NetworkMessage::Unknown {
            command: CommandString::try_from_static("sendtxrcncl").unwrap(),
            payload: [1_u32.to_le_bytes().to_vec(), vec![9; 8]].concat(),
        },
        NetworkMessage::Ping(1),
        NetworkMessage::Pong(2),
        NetworkMessage::Reject(Reject {
            message: "tx".into(),
            ccode: RejectReason::Dust,
            reason: "dust".into(),
            hash: sha256d::Hash::hash(b"tx"),
        }),
    ]
}

fn gossip() -> Vec<NetworkMessage> {
    let ip = Ipv4Addr::new(203, 0, 113, 7);
    let socket = SocketAddr::new(IpAddr::V4(ip), 8333);
    let addrv2 = |addr| AddrV2Message {
        time: 1_700_000_000,
        services: ServiceFlags::from(u64::MAX),
        addr,
        port: 8333,
    };
    vec![
        NetworkMessage::GetAddr,
        NetworkMessage::Addr(vec![(7, Address::new(&socket, ServiceFlags::NONE)); 3]),
        NetworkMessage::AddrV2(vec![
            addrv2(AddrV2::Ipv4(ip)),
            addrv2(AddrV2::TorV3([3; 32])),
            addrv2(AddrV2::Unknown(200, vec![1; 300])),
        ]),
        NetworkMessage::Inv(inventory(3)),
        NetworkMessage::GetData(inventory(20)),
        NetworkMessage::NotFound(inventory(1)),
        NetworkMessage::MemPool,
        NetworkMessage::Tx(transaction()),
    ]
}

/// The genesis block with one more transaction.
pub(crate) fn block() -> Block {
    let mut block = genesis_block(Network::Bitcoin);
    block.txdata.push(transaction());
    block
}

fn blocks() -> Vec<NetworkMessage> {
    let block = block();
    let hash = block.block_hash();
    let request = BlockTransactionsRequest {
        block_hash: hash,
        indexes: vec![0, 1],
    };
    vec![
        NetworkMessage::GetBlocks(GetBlocksMessage::new(vec![hash; 3], BlockHash::all_zeros())),
        NetworkMessage::GetHeaders(GetHeadersMessage::new(
            vec![hash; 101],
            BlockHash::all_zeros(),
        )),
        NetworkMessage::Headers(vec![block.header; 3]),
        NetworkMessage::Headers(vec![]),
        NetworkMessage::Block(genesis_block(Network::Bitcoin)),
        NetworkMessage::Block(block.clone()),
        NetworkMessage::MerkleBlock(MerkleBlock::from_block_with_predicate(&block, |_| true)),
        NetworkMessage::CmpctBlock(CmpctBlock {
            compact_block: HeaderAndShortIds::from_block(&block, 5, 2, &[]).unwrap(),
        }),
        NetworkMessage::BlockTxn(BlockTxn {
            transactions: BlockTransactions::from_request(&request, &block).unwrap(),
        }),
        NetworkMessage::GetBlockTxn(GetBlockTxn {
            txs_request: request,
        }),
    ]
}

fn filters() -> Vec<NetworkMessage> {
    let stop_hash = BlockHash::hash(b"stop");
    let filter_header = FilterHeader::hash(b"header");
    vec![
        NetworkMessage::FilterLoad(FilterLoad {
            filter: vec![0xaa; 100],
            hash_funcs: 11,
            tweak: 3,
            flags: BloomFlags::All,
        }),
        NetworkMessage::FilterAdd(FilterAdd { data: vec![7; 33] }),
        NetworkMessage::FilterClear,
        NetworkMessage::GetCFilters(GetCFilters {
            filter_type: 0,
            start_height: 800_000,
            stop_hash,
        }),
        NetworkMessage::CFilter(CFilter {
            filter_type: 0,
            block_hash: stop_hash,
            filter: vec![0x5a; 300],
        }),
        NetworkMessage::GetCFHeaders(GetCFHeaders {
            filter_type: 0,
            start_height: 800_000,
            stop_hash,
        }),
        NetworkMessage::CFHeaders(CFHeaders {
            filter_type: 0,
            stop_hash,
            previous_filter_header: filter_header,
            filter_hashes: vec![FilterHash::hash(b"filter"); 3],
        }),
        NetworkMessage::GetCFCheckpt(GetCFCheckpt {
            filter_type: 0,
            stop_hash,
        }),
        NetworkMessage::CFCheckpt(CFCheckpt {
            filter_type: 0,
            stop_hash,
            filter_headers: vec![filter_header; 3],
        }),
    ]
}
