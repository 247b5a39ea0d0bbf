//! What bytes are: each protocol by a whole message of it, and nothing by its front.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

mod messages;

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::p2p::Magic;
use bitcoin::p2p::address::Address;
use bitcoin::p2p::message::{NetworkMessage, RawNetworkMessage};
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use bitcoin::p2p::message_bloom::{BloomFlags, FilterAdd, FilterLoad};
use bitcoin::{BlockHash, p2p::ServiceFlags};
use mesh_protocol::{
    BITCOIN_HEADER_LEN, BitcoinFrame, BitcoinHeader, Detection, NotBitcoin, PACKET_MAGIC,
    WIRE_VERSION, detect, detect_prefix, limits,
};
use mesh_types::DetectedProtocol::{self, BitcoinP2P, CommonsGovernance, StratumV2, Unknown};
use mesh_types::Network;
use messages::{GOVERNANCE, frame, frame_on, inventory, transaction, wire};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Every command of FACTS that is Bitcoin's.
const COMMANDS: [&str; 36] = [
    "addr",
    "addrv2",
    "block",
    "blocktxn",
    "cfcheckpt",
    "cfheaders",
    "cfilter",
    "cmpctblock",
    "feefilter",
    "filteradd",
    "filterclear",
    "filterload",
    "getaddr",
    "getblocks",
    "getblocktxn",
    "getcfcheckpt",
    "getcfheaders",
    "getcfilters",
    "getdata",
    "getheaders",
    "headers",
    "inv",
    "mempool",
    "merkleblock",
    "notfound",
    "ping",
    "pong",
    "reject",
    "sendaddrv2",
    "sendcmpct",
    "sendheaders",
    "sendtxrcncl",
    "tx",
    "verack",
    "version",
    "wtxidrelay",
];

fn all_wires() -> Vec<Vec<u8>> {
    messages::bitcoin().into_iter().map(wire).collect()
}

fn head(message: &[u8]) -> [u8; BITCOIN_HEADER_LEN] {
    *message.first_chunk().unwrap()
}

fn fault(message: &[u8]) -> NotBitcoin {
    BitcoinFrame::parse(message)
        .and_then(|frame| frame.protocol())
        .unwrap_err()
}

/// Bytes that look random and are the same in every run.
fn junk(len: usize) -> Vec<u8> {
    (0_u32..)
        .flat_map(|n| sha256d::Hash::hash(&n.to_le_bytes()).to_byte_array())
        .take(len)
        .collect()
}

// Bitcoin: what is recognised.

#[test]
fn every_command_is_known_by_a_real_message() {
    let mut seen = BTreeSet::new();
    for message in all_wires() {
        let header = BitcoinHeader::parse(&head(&message)).unwrap();
        assert_eq!(detect(&message), BitcoinP2P, "{}", header.command());
        assert_eq!(
            header.payload_len() as usize,
            message.len() - BITCOIN_HEADER_LEN
        );
        seen.insert(header.command());
    }
    assert_eq!(seen, BTreeSet::from(COMMANDS));
}

#[test]
fn five_networks_are_known_and_no_other_magic() {
    let payload = 7_u64.to_le_bytes();
    for (magic, network) in [
        (Magic::BITCOIN, Network::Bitcoin),
        (Magic::TESTNET3, Network::Testnet),
        (Magic::TESTNET4, Network::Testnet4),
        (Magic::SIGNET, Network::Signet),
        (Magic::REGTEST, Network::Regtest),
    ] {
        let message = frame_on(magic, "ping", &payload);
        assert_eq!(detect(&message), BitcoinP2P);
        assert_eq!(
            BitcoinHeader::parse(&head(&message)).unwrap().network(),
            network
        );
    }
    let custom_signet = Magic::from_bytes([0x7e, 0xc6, 0x53, 0xa5]);
    let message = frame_on(custom_signet, "ping", &payload);
    assert_eq!(fault(&message), NotBitcoin::Magic([0x7e, 0xc6, 0x53, 0xa5]));
    assert_eq!(detect(&message), Unknown);
}

#[test]
fn a_version_message_of_another_network_is_unknown() {
    let version = wire(messages::bitcoin().remove(0));
    let mut other = version.clone();
    other[..4].copy_from_slice(&[0xe3, 0xe1, 0xf3, 0xe8]);
    assert_eq!(detect(&version), BitcoinP2P);
    assert_eq!(detect(&other), Unknown);
}

// Bitcoin: what a front, a cut or a change does.

#[test]
fn a_prefix_alone_never_buys_a_free_ride() {
    for message in all_wires() {
        for len in 0..message.len() {
            assert_eq!(detect(&message[..len]), Unknown);
        }
    }
}

#[test]
fn a_message_with_a_byte_behind_is_unknown() {
    for mut message in all_wires() {
        message.push(0);
        assert_eq!(detect(&message), Unknown);
    }
}

#[test]
fn two_messages_in_one_buffer_are_unknown() {
    let ping = wire(NetworkMessage::Ping(1));
    assert_eq!(detect(&[ping.clone(), ping].concat()), Unknown);
}

#[test]
fn no_single_changed_byte_of_a_header_leaves_a_message_free() {
    for message in all_wires() {
        for at in 0..BITCOIN_HEADER_LEN {
            for change in 1..=u8::MAX {
                let mut changed = message.clone();
                changed[at] ^= change;
                // Ping and pong are one byte apart and have the same payload: a changed one is a whole other message.
                let is_its_twin = at == 5
                    && matches!(&message[4..8], b"ping" | b"pong")
                    && matches!(changed[5], b'i' | b'o');
                let expected = if is_its_twin { BitcoinP2P } else { Unknown };
                assert_eq!(
                    detect(&changed),
                    expected,
                    "byte {at} changed by {change:#x}"
                );
            }
        }
    }
}

#[test]
fn a_changed_byte_of_a_payload_breaks_the_checksum() {
    for message in all_wires() {
        for at in (BITCOIN_HEADER_LEN..message.len()).step_by(7) {
            let mut changed = message.clone();
            changed[at] ^= 0x10;
            assert_eq!(fault(&changed), NotBitcoin::Checksum);
            assert_eq!(detect(&changed), Unknown);
        }
    }
}

#[test]
fn a_command_has_one_spelling() {
    let payload = 7_u64.to_le_bytes();
    for spelling in [
        "PING",
        "ping\0x",
        " ping",
        "pingpingping",
        "",
        "\0ping",
        "alert",
        "pin",
    ] {
        let message = frame(spelling, &payload);
        assert!(matches!(fault(&message), NotBitcoin::Command(_)));
        assert_eq!(detect(&message), Unknown);
    }
}

#[test]
fn lengths_at_the_edge_of_the_type_are_refused() {
    for length in [
        u32::MAX,
        u32::MAX - 24,
        1 << 31,
        limits::MAX_BITCOIN_PAYLOAD + 1,
    ] {
        for mut message in all_wires() {
            message[16..20].copy_from_slice(&length.to_le_bytes());
            assert!(matches!(
                BitcoinHeader::parse(&head(&message)),
                Err(NotBitcoin::ImplausibleLength { announced, .. }) if announced == length
            ));
            assert_eq!(detect(&message), Unknown);
        }
    }
}

// Attack 12 of docs/threats.md: bytes that start like Bitcoin, carrying something else for free.

#[test]
fn attack_12_junk_behind_a_right_header_and_checksum_is_unknown() {
    let texts = [
        junk(1_200),
        vec![0; 1_200],
        vec![0xff; 1_200],
        vec![1; 1_200],
        b"GET /film HTTP/1.1\r\n".repeat(60),
    ];
    for command in COMMANDS {
        for text in &texts {
            assert_eq!(detect(&frame(command, text)), Unknown, "{command}");
        }
    }
}

#[test]
fn attack_12_junk_behind_a_right_payload_is_unknown() {
    for message in all_wires() {
        let (header, payload) = message.split_at(BITCOIN_HEADER_LEN);
        let command = BitcoinHeader::parse(&head(header)).unwrap().command();
        for behind in [vec![0], junk(1_000)] {
            let stuffed = frame(command, &[payload, &behind].concat());
            assert_eq!(detect(&stuffed), Unknown, "{command}");
        }
    }
}

#[test]
fn attack_12_a_cut_payload_framed_anew_is_unknown() {
    for message in all_wires() {
        let (header, payload) = message.split_at(BITCOIN_HEADER_LEN);
        let command = BitcoinHeader::parse(&head(header)).unwrap().command();
        for len in 0..payload.len() {
            assert_eq!(
                detect(&frame(command, &payload[..len])),
                Unknown,
                "{command}"
            );
        }
    }
}

#[test]
fn attack_12_a_wrong_checksum_is_unknown() {
    for mut message in all_wires() {
        message[20..24].copy_from_slice(&[0xba, 0xad, 0xf0, 0x0d]);
        assert_eq!(fault(&message), NotBitcoin::Checksum);
        assert_eq!(detect(&message), Unknown);
    }
}

#[test]
fn attack_12_one_commands_payload_under_anothers_name_is_unknown() {
    let tx = serialize(&transaction());
    for command in COMMANDS.into_iter().filter(|&command| command != "tx") {
        assert_eq!(detect(&frame(command, &tx)), Unknown, "{command}");
    }
}

// Bitcoin: counts and limits.

#[test]
fn a_lying_count_is_refused_before_the_decoder_reserves_anything() {
    let input = [vec![7; 36], vec![0], vec![0xff; 4]].concat();
    let output = [vec![0; 8], vec![0]].concat();
    let tx_start = [&[2, 0, 0, 0, 0, 1, 1], &input[..], &[1], &output[..]].concat();
    let header = [9; 80];
    let million = [0xfe, 0x00, 0x09, 0x3d, 0x00];
    let lies: [(&str, Vec<u8>); 8] = [
        ("inv", vec![0xfd, 0x50, 0xc3, 1, 0, 0, 0]),
        (
            "tx",
            [
                &tx_start[..],
                &million,
                &[0xfe, 0x00, 0x00, 0x38, 0x00],
                &[0; 64],
            ]
            .concat(),
        ),
        ("tx", [&[2, 0, 0, 0], &million[..], &[0; 64]].concat()),
        ("block", [&header[..], &million, &[0; 80]].concat()),
        (
            "merkleblock",
            [&header[..], &[1, 0, 0, 0, 1], &[7; 32], &million].concat(),
        ),
        (
            "cmpctblock",
            [&header[..], &[0; 8], &[0xfd, 0xff, 0xff], &[0; 16]].concat(),
        ),
        (
            "getblocktxn",
            [&[0; 32][..], &[0xfd, 0xff, 0xff], &[0; 16]].concat(),
        ),
        (
            "cfcheckpt",
            [&[0; 33][..], &[0xfd, 0x10, 0x27], &[0; 16]].concat(),
        ),
    ];
    for (command, payload) in lies {
        let message = frame(command, &payload);
        assert_eq!(fault(&message), NotBitcoin::Layout { command });
        assert_eq!(detect(&message), Unknown);
    }
}

#[test]
fn a_count_has_one_encoding() {
    let entry = serialize(&inventory(1)[0]);
    let with = |count: &[u8]| detect(&frame("inv", &[count, &entry[..]].concat()));
    assert_eq!(with(&[1]), BitcoinP2P);
    assert_eq!(with(&[0xfd, 1, 0]), Unknown);
    assert_eq!(with(&[0xfe, 1, 0, 0, 0]), Unknown);
    assert_eq!(with(&[0xff, 1, 0, 0, 0, 0, 0, 0, 0]), Unknown);
    assert_eq!(detect(&frame("headers", &[0])), BitcoinP2P);
    assert_eq!(detect(&frame("headers", &[0xfd, 0, 0])), Unknown);
    assert_eq!(detect(&frame("headers", &[0xfe, 0, 0, 0, 0])), Unknown);
}

#[test]
fn lists_end_where_bitcoin_core_ends_them() {
    let entry = serialize(&inventory(1)[0]);
    let address = serialize(&(
        7_u32,
        Address::new(&"203.0.113.7:8333".parse().unwrap(), ServiceFlags::NONE),
    ));
    let addrv2 = [&[7, 0, 0, 0, 1, 1, 4][..], &[203, 0, 113, 7, 0x20, 0x8d]].concat();
    let header = [vec![9; 80], vec![0]].concat();
    for (command, most, item) in [
        ("inv", limits::MAX_INVENTORY, &entry),
        ("getdata", limits::MAX_INVENTORY, &entry),
        ("notfound", limits::MAX_INVENTORY, &entry),
        ("headers", limits::MAX_HEADERS, &header),
        ("addr", limits::MAX_ADDRESSES, &address),
        ("addrv2", limits::MAX_ADDRESSES, &addrv2),
    ] {
        let list = |count: u32| {
            let mut payload = vec![0xfd];
            payload.extend(u16::try_from(count).unwrap().to_le_bytes());
            payload.extend(item.repeat(count as usize));
            detect(&frame(command, &payload))
        };
        assert_eq!(list(most), BitcoinP2P, "{command}");
        assert_eq!(list(most + 1), Unknown, "{command}");
    }
}

#[test]
fn the_shortest_message_of_each_command_is_known_and_nothing_shorter() {
    let header = [9; 80];
    let input = [&[7; 36][..], &[0], &[0xff; 4]].concat();
    let tx = [&[2, 0, 0, 0, 1], &input[..], &[1], &[0; 9], &[0; 4]].concat();
    for (command, payload) in [
        ("version", [&[1; 80][..], &[0], &[0; 4], &[1]].concat()),
        ("addr", vec![0]),
        ("addrv2", vec![0]),
        ("inv", vec![0]),
        ("getdata", vec![0]),
        ("notfound", vec![0]),
        ("getblocks", [&[0; 4][..], &[0], &[0; 32]].concat()),
        ("getheaders", [&[0; 4][..], &[0], &[0; 32]].concat()),
        ("headers", vec![0]),
        ("tx", tx.clone()),
        ("block", [&header[..], &[1], &tx].concat()),
        ("reject", [&[0][..], &[0x10], &[0], &[7; 32]].concat()),
        ("filterload", [&[0][..], &[0; 8], &[0]].concat()),
        ("filteradd", vec![0]),
        (
            "merkleblock",
            [&header[..], &[1, 0, 0, 0, 1], &[7; 32], &[1, 1]].concat(),
        ),
        (
            "cmpctblock",
            [&header[..], &[0; 8], &[1], &[7; 6], &[0]].concat(),
        ),
        ("getblocktxn", vec![0; 33]),
        ("blocktxn", vec![0; 33]),
        ("cfilter", vec![0; 34]),
        ("cfheaders", vec![0; 66]),
        ("cfcheckpt", vec![0; 34]),
    ] {
        assert_eq!(detect(&frame(command, &payload)), BitcoinP2P, "{command}");
        let shorter = frame(command, &payload[..payload.len() - 1]);
        assert!(
            matches!(fault(&shorter), NotBitcoin::ImplausibleLength { .. }),
            "{command}"
        );
    }
}

#[test]
fn the_longest_texts_and_filters_are_known_and_nothing_longer() {
    let bytes = |len: usize| {
        let mut bytes = match u16::try_from(len) {
            Ok(len) if len > 0xfc => [&[0xfd][..], &len.to_le_bytes()].concat(),
            Ok(len) => vec![u8::try_from(len).unwrap()],
            Err(_) => [&[0xfe][..], &u32::try_from(len).unwrap().to_le_bytes()].concat(),
        };
        bytes.extend(vec![b'x'; len]);
        bytes
    };
    let agent = |len| ("version", [&[1; 80][..], &bytes(len), &[0; 5]].concat());
    let reject = |command, reason| {
        let payload = [&bytes(command)[..], &[0x10], &bytes(reason), &[7; 32]].concat();
        ("reject", payload)
    };
    let filter = |len| ("cfilter", [&[0; 33][..], &bytes(len)].concat());
    let verdict = |(command, payload): (&str, Vec<u8>)| detect(&frame(command, &payload));
    let most_filter = limits::MAX_BLOCK_FILTER as usize;
    for longest in [agent(256), reject(12, 111), filter(most_filter)] {
        assert_eq!(verdict(longest), BitcoinP2P);
    }
    for longer in [
        agent(257),
        reject(13, 110),
        reject(11, 112),
        filter(most_filter + 1),
    ] {
        assert_eq!(verdict(longer), Unknown);
    }
}

#[test]
fn a_locator_ends_where_bitcoin_core_ends_it() {
    let locator = |hashes: usize| {
        let hash = BlockHash::all_zeros();
        let message = GetHeadersMessage::new(vec![hash; hashes], hash);
        detect(&wire(NetworkMessage::GetHeaders(message)))
    };
    assert_eq!(locator(0), BitcoinP2P);
    assert_eq!(locator(limits::MAX_LOCATOR_HASHES as usize), BitcoinP2P);
    assert_eq!(locator(limits::MAX_LOCATOR_HASHES as usize + 1), Unknown);
}

#[test]
fn bloom_filters_keep_to_bip_37() {
    let load = |bytes: usize, hash_funcs| {
        let (tweak, flags) = (0, BloomFlags::None);
        let filter = vec![0xaa; bytes];
        detect(&wire(NetworkMessage::FilterLoad(FilterLoad {
            filter,
            hash_funcs,
            tweak,
            flags,
        })))
    };
    let add = |bytes| {
        detect(&wire(NetworkMessage::FilterAdd(FilterAdd {
            data: vec![0; bytes],
        })))
    };
    assert_eq!(load(36_000, 50), BitcoinP2P);
    assert_eq!(load(36_001, 50), Unknown);
    assert_eq!(load(36_000, 51), Unknown);
    assert_eq!(add(520), BitcoinP2P);
    assert_eq!(add(521), Unknown);
}

#[test]
fn transactions_without_inputs_or_outputs_are_unknown() {
    let verdict = |change: fn(&mut bitcoin::Transaction)| {
        let mut tx = transaction();
        change(&mut tx);
        detect(&frame("tx", &serialize(&tx)))
    };
    assert_eq!(verdict(|_| ()), BitcoinP2P);
    assert_eq!(verdict(|tx| tx.input.clear()), Unknown);
    assert_eq!(verdict(|tx| tx.output.clear()), Unknown);
}

#[test]
fn inventory_of_a_kind_that_nobody_defines_is_unknown() {
    for (kind, expected) in [(0, Unknown), (1, BitcoinP2P), (5, BitcoinP2P), (6, Unknown)] {
        let hash = [7; 32];
        let entry = Inventory::Unknown {
            inv_type: kind,
            hash,
        };
        assert_eq!(
            detect(&wire(NetworkMessage::Inv(vec![entry]))),
            expected,
            "kind {kind}"
        );
    }
}

#[test]
fn values_that_no_node_sends_are_unknown() {
    let fee = |sats: u64| detect(&frame("feefilter", &sats.to_le_bytes()));
    let recon = |version: u8| {
        detect(&frame(
            "sendtxrcncl",
            &[&[version, 0, 0, 0][..], &[7; 8]].concat(),
        ))
    };
    let compact = |announce: u8| {
        detect(&frame(
            "sendcmpct",
            &[&[announce][..], &[2, 0, 0, 0, 0, 0, 0, 0]].concat(),
        ))
    };
    let filter = |kind: u8| detect(&frame("getcfcheckpt", &[&[kind][..], &[7; 32]].concat()));
    assert_eq!(
        [fee(21 * 10_u64.pow(14)), recon(1), compact(1), filter(0)],
        [BitcoinP2P; 4]
    );
    assert_eq!(
        [
            fee(21 * 10_u64.pow(14) + 1),
            recon(0),
            compact(2),
            filter(1)
        ],
        [Unknown; 4]
    );
}

// Governance.

#[test]
fn governance_is_judged_by_its_frame_only() {
    for command in GOVERNANCE {
        for payload in [
            vec![],
            b"{}".to_vec(),
            junk(limits::MAX_GOVERNANCE_PAYLOAD as usize),
        ] {
            let message = frame(command, &payload);
            assert_eq!(detect(&message), CommonsGovernance, "{command}");
            for len in [4, 23, message.len() - 1] {
                assert_eq!(detect(&message[..len]), Unknown, "{command}");
            }
            assert_eq!(detect(&[&message[..], &[0]].concat()), Unknown, "{command}");
        }
        let mut forged = frame(command, b"veto");
        forged[24] ^= 1;
        assert_eq!(fault(&forged), NotBitcoin::Checksum);
        let too_long = junk(limits::MAX_GOVERNANCE_PAYLOAD as usize + 1);
        assert_eq!(detect(&frame(command, &too_long)), Unknown, "{command}");
    }
}

// Stratum V2; tests/corpus/detect has a frame of every message type.

const CHANNEL: u16 = 0x8000;

fn stratum(extension: u16, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = extension.to_le_bytes().to_vec();
    frame.push(kind);
    frame.extend(&u32::try_from(payload.len()).unwrap().to_le_bytes()[..3]);
    frame.extend(payload);
    frame
}

fn setup_connection(protocol: u8, min_version: u8, max_version: u8) -> Vec<u8> {
    let mut payload = vec![protocol, min_version, 0, max_version, 0, 0, 0, 0, 0];
    payload.extend(b"\x04host\x00\x10\x06vendor\x02hw\x02fw\x00");
    stratum(0, 0x00, &payload)
}

#[test]
fn a_stratum_connection_is_set_up_for_three_protocols_in_version_two() {
    for protocol in 0..=2 {
        assert_eq!(detect(&setup_connection(protocol, 2, 2)), StratumV2);
    }
    for (protocol, min, max) in [
        (3, 2, 2),
        (0, 1, 2),
        (0, 2, 3),
        (0, 3, 2),
        (0, 1, 1),
        (0, 3, 3),
    ] {
        assert_eq!(detect(&setup_connection(protocol, min, max)), Unknown);
    }
}

#[test]
fn every_part_of_a_stratum_header_counts() {
    let share = [7; 24];
    let frame = stratum(CHANNEL, 0x1a, &share);
    assert_eq!(detect(&frame), StratumV2);
    for at in 0..6 {
        for change in 1..=u8::MAX {
            let mut changed = frame.clone();
            changed[at] ^= change;
            assert_eq!(
                detect(&changed),
                Unknown,
                "byte {at} changed by {change:#x}"
            );
        }
    }
}

#[test]
fn a_stratum_frame_cut_or_with_bytes_behind_is_unknown() {
    let frame = setup_connection(0, 2, 2);
    for len in 0..frame.len() {
        assert_eq!(detect(&frame[..len]), Unknown);
    }
    assert_eq!(detect(&[&frame[..], &[0]].concat()), Unknown);
}

#[test]
fn attack_12_junk_behind_a_right_stratum_header_is_unknown() {
    for junk in [200, 1_200, 60_000].map(junk) {
        for extension in [0, CHANNEL, 1, CHANNEL | 1, 2, CHANNEL | 2] {
            for kind in 0..=u8::MAX {
                assert_eq!(detect(&stratum(extension, kind, &junk)), Unknown);
            }
        }
    }
}

#[test]
fn the_byte_one_alone_is_no_stratum() {
    assert_eq!(detect(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Unknown);
    assert_eq!(detect(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]), Unknown);
}

#[test]
fn only_a_workers_name_may_follow_an_extended_share() {
    let share = |tail: &[u8]| {
        detect(&stratum(
            CHANNEL,
            0x1b,
            &[&[7; 24][..], &[2, 1, 2], tail].concat(),
        ))
    };
    let name = [&[2, 0, 1, 32, 0][..], &[b'w'; 32]].concat();
    assert_eq!(share(&[]), StratumV2);
    assert_eq!(share(&name), StratumV2);
    assert_eq!(share(&[2, 0, 1, 0, 0]), StratumV2);
    assert_eq!(share(&name[..36]), Unknown);
    assert_eq!(share(&[&name[..], &name[..]].concat()), Unknown);
    assert_eq!(share(&[3, 0, 1, 0, 0]), Unknown);
    assert_eq!(share(&[2, 0, 2, 0, 0]), Unknown);
    assert_eq!(
        share(&[&[2, 0, 1, 33, 0][..], &[b'w'; 33]].concat()),
        Unknown
    );
}

// Mesh packets and everything else.

#[test]
fn a_mesh_packet_is_known_by_magic_and_version() {
    for version in 0..=u8::MAX {
        let packet = [&PACKET_MAGIC[..], &[version], &[0; 64]].concat();
        let expected = if version == WIRE_VERSION {
            DetectedProtocol::MeshPacket
        } else {
            Unknown
        };
        assert_eq!(detect(&packet), expected);
    }
    assert_eq!(detect(&PACKET_MAGIC), Unknown);
}

proptest! {
    #[test]
    fn sixty_four_random_bytes_are_neither_stratum_noise_nor_bip_324(
        key in prop::array::uniform32(any::<[u8; 2]>()),
        garbage in prop::collection::vec(any::<u8>(), 0..4_096),
    ) {
        let key = key.as_flattened();
        prop_assert_eq!(detect(key), Unknown);
        prop_assert_eq!(detect(&[key, &garbage].concat()), Unknown);
    }

    #[test]
    fn what_we_call_bitcoin_is_what_rust_bitcoin_reads(
        command in prop::sample::select(COMMANDS.to_vec()),
        payload in prop::collection::vec(prop_oneof![3 => 0_u8..4, 1 => any::<u8>()], 0..130),
    ) {
        let message = frame(command, &payload);
        let read = deserialize::<RawNetworkMessage>(&message).is_ok();
        prop_assert!(read || detect(&message) != BitcoinP2P);
    }

    #[test]
    fn the_verdict_does_not_depend_on_how_the_bytes_arrive(
        which in any::<prop::sample::Index>(),
        steps in prop::collection::vec(1_usize..40, 1..20),
        tail in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let mut wires = all_wires();
        wires.push(frame("econveto", b"veto"));
        wires.push(setup_connection(0, 2, 2));
        wires.push(stratum(CHANNEL, 0x1a, &[7; 24]));
        wires.push([&PACKET_MAGIC[..], &[1], &[0; 64]].concat());
        let data = [which.get(&wires).as_slice(), &tail].concat();
        let verdict = detect(&data);

        let mut arrived = 0;
        let mut steps = steps.iter().cycle();
        let decided = loop {
            match detect_prefix(data.len(), &data[..arrived]) {
                Detection::Decided(protocol) => break protocol,
                Detection::NeedMore(more) => {
                    prop_assert!(arrived + more <= data.len());
                    arrived = (arrived + steps.next().unwrap()).min(data.len());
                }
            }
        };
        prop_assert_eq!(decided, verdict);
        for later in arrived..=data.len() {
            prop_assert_eq!(detect_prefix(data.len(), &data[..later]), Detection::Decided(verdict));
        }
    }
}

// The incremental form: it does not ask for bytes that change nothing.

#[test]
fn a_verdict_comes_as_soon_as_it_can() {
    let tx = frame("tx", &serialize(&transaction()));
    let len = tx.len();
    let unknown = Detection::Decided(Unknown);
    assert_eq!(detect_prefix(3, &[]), unknown);
    assert_eq!(detect_prefix(len, &[]), Detection::NeedMore(4));
    assert_eq!(detect_prefix(len, &tx[..3]), Detection::NeedMore(1));
    assert_eq!(detect_prefix(len, b"none"), unknown);
    assert_eq!(detect_prefix(23, &tx[..4]), unknown);
    assert_eq!(detect_prefix(len, &tx[..4]), Detection::NeedMore(20));
    assert_eq!(detect_prefix(len, &tx[..24]), Detection::NeedMore(len - 24));
    assert_eq!(detect_prefix(len + 1, &tx[..24]), unknown);
    assert_eq!(detect_prefix(len - 1, &tx[..24]), unknown);
    assert_eq!(detect_prefix(len, &tx[..len - 1]), Detection::NeedMore(1));
    assert_eq!(detect_prefix(len, &tx), Detection::Decided(BitcoinP2P));

    let share = stratum(CHANNEL, 0x1a, &[7; 24]);
    assert_eq!(detect_prefix(30, &share[..4]), Detection::NeedMore(2));
    assert_eq!(detect_prefix(30, &share[..6]), Detection::NeedMore(24));
    assert_eq!(detect_prefix(31, &share[..6]), unknown);
    let short = stratum(CHANNEL, 0x1a, &[7; 23]);
    assert_eq!(detect_prefix(29, &short[..6]), unknown);

    assert_eq!(detect_prefix(64, b"MESH"), Detection::NeedMore(1));
    let packet = Detection::Decided(DetectedProtocol::MeshPacket);
    assert_eq!(detect_prefix(64, b"MESH\x01"), packet);
}

#[test]
fn bytes_beyond_the_buffers_end_are_not_looked_at() {
    let ping = wire(NetworkMessage::Ping(1));
    let more = [&ping[..], b"the next message"].concat();
    assert_eq!(
        detect_prefix(ping.len(), &more),
        Detection::Decided(BitcoinP2P)
    );
}
