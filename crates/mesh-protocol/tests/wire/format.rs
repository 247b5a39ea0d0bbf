use crate::sample::{copied_packet, lightning, node, packet, paid_packet, route};
use mesh_protocol::{
    EmitError, HEADER_LEN, MAX_INVOICE_LEN, MAX_PACKET_LEN, MAX_PAYLOAD_LEN, MAX_PROOF_LEN,
    MAX_SEQUENCE, PacketError, PacketView, ProofError, decode_proof, emit,
};
use mesh_types::{
    MAX_ROUTE_NODES, MeshPacket, Msat, PacketKind, PaymentProof, ProofForHop, RouteError,
};

#[test]
fn the_view_shows_every_field_where_the_layout_puts_it() {
    let bytes = emit(&paid_packet()).unwrap();
    let view = PacketView::parse(&bytes).unwrap();
    assert_eq!(view.as_bytes(), bytes);
    assert_eq!(view.kind(), PacketKind::Data);
    assert!(!view.is_sealed());
    assert!(!view.wants_receipt());
    assert_eq!(view.sequence(), 1_795_000_000_000_000);
    assert_eq!(view.timestamp(), 1_795_000_000);
    assert_eq!(view.fee_msat(), Msat::from_msat(400));
    assert_eq!(view.route().len(), 3);
    assert_eq!(view.source(), node(0));
    assert_eq!(view.destination(), node(2));
    assert_eq!(view.payload(), b"hello, mesh");
    let (hop, proof) = view.proof().unwrap();
    assert_eq!((hop, decode_proof(proof)), (1, Ok(lightning())));
    assert_eq!(view.authenticated(), &bytes[..HEADER_LEN + 3 * 32]);
    assert_eq!(view.body(), &bytes[HEADER_LEN + 3 * 32 + 2 * 16..]);
    assert_eq!(view.body(), [proof, view.payload()].concat());
}

#[test]
fn the_fixed_header_has_the_bytes_of_the_document() {
    let bytes = emit(&MeshPacket {
        sealed: true,
        receipt: true,
        sequence: 0x0102_0304_0506_0708,
        timestamp: 0x1112_1314_1516_1718,
        fee_msat: 0x2122_2324_2526_2728,
        ..paid_packet()
    })
    .unwrap();
    let proof_len = u8::try_from(1 + 32 + 8 + 8 + 8 + "lnbcrt1u1sample".len()).unwrap();
    let expected = [
        b"MESH".as_slice(),
        &[1, 0b111, 0, 3],
        &[1, 2, 3, 4, 5, 6, 7, 8],
        &[0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18],
        &[0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28],
        &[0, 0, 0, 11, 0, proof_len, 1, 0],
    ]
    .concat();
    assert_eq!(&bytes[..HEADER_LEN], expected);
}

#[test]
fn a_node_finds_itself_in_the_route_or_learns_that_the_route_skips_it() {
    let bytes = emit(&packet()).unwrap();
    let view = PacketView::parse(&bytes).unwrap();
    for position in 0..3 {
        let hop = node(u8::try_from(position).unwrap());
        assert_eq!(view.position(&hop), Some(position));
        assert_eq!(view.node(position), Some(hop));
    }
    assert_eq!(view.node(3), None);
    assert_eq!(view.node(usize::MAX), None);
    assert_eq!(view.mac(0), None, "the source needs no mac");
    assert_eq!(view.mac(1), Some(&[0xa1; 16]));
    assert_eq!(view.mac(2), Some(&[0xa2; 16]));
    assert_eq!(view.mac(3), None);
}

#[test]
fn attack_18_a_hop_list_that_skips_us_has_no_position_and_no_mac_for_us() {
    let bytes = emit(&packet()).unwrap();
    let view = PacketView::parse(&bytes).unwrap();
    assert_eq!(view.position(&node(3)), None);
}

#[test]
fn attack_18_a_hop_list_that_repeats_a_node_does_not_parse() {
    let bytes = emit(&MeshPacket {
        route: route(0..16),
        macs: vec![[0; 16]; 15],
        ..packet()
    })
    .unwrap();
    for from in 0..16 {
        for to in (0..16).filter(|to| *to != from) {
            let mut looped = bytes.clone();
            let node_at = |index: usize| HEADER_LEN + 32 * index;
            looped.copy_within(node_at(from)..node_at(from + 1), node_at(to));
            let node = node(u8::try_from(from).unwrap());
            let repeated = PacketError::Route(RouteError::Repeated { node });
            assert_eq!(PacketView::parse(&looped).unwrap_err(), repeated);
        }
    }
}

#[test]
fn attack_18_a_hop_list_of_one_or_of_seventeen_does_not_parse() {
    let bytes = emit(&packet()).unwrap();
    for count in (0..=u8::MAX).filter(|count| !(2..=16).contains(count)) {
        let found = usize::from(count);
        let error = PacketError::Route(RouteError::Length { found });
        let mut packet = bytes.clone();
        packet[7] = count;
        packet.resize(
            HEADER_LEN + 32 * found + 16 * found.saturating_sub(1) + 11,
            0x33,
        );
        assert_eq!(PacketView::parse(&packet).unwrap_err(), error);
    }
}

#[test]
fn routes_of_two_to_sixteen_nodes_parse() {
    for count in 2..=16 {
        let packet = MeshPacket {
            route: route(0..count),
            macs: vec![[0; 16]; usize::from(count) - 1],
            ..packet()
        };
        let bytes = emit(&packet).unwrap();
        assert_eq!(
            PacketView::parse(&bytes).unwrap().to_packet().unwrap(),
            packet
        );
    }
}

#[test]
fn attack_17_no_truncation_of_a_packet_parses() {
    for bytes in [packet(), paid_packet(), copied_packet()].map(|it| emit(&it).unwrap()) {
        for len in 0..bytes.len() {
            assert!(PacketView::parse(&bytes[..len]).is_err(), "{len} bytes");
        }
    }
}

#[test]
fn attack_17_no_byte_may_follow_a_packet() {
    for packet in [packet(), paid_packet(), copied_packet()] {
        let mut bytes = emit(&packet).unwrap();
        let expected = bytes.len();
        for extra in 1..=64 {
            bytes.push(0);
            let found = expected + extra;
            let error = PacketError::Length { expected, found };
            assert_eq!(PacketView::parse(&bytes).unwrap_err(), error);
        }
    }
}

#[test]
fn attack_17_a_packet_inside_a_packet_is_only_a_payload() {
    let inner = emit(&packet()).unwrap();
    let outer = emit(&MeshPacket {
        payload: inner.clone(),
        ..packet()
    })
    .unwrap();
    assert_eq!(PacketView::parse(&outer).unwrap().payload(), inner);
    assert!(PacketView::parse(&[inner.clone(), inner].concat()).is_err());
}

#[test]
fn every_flag_without_a_meaning_is_an_error() {
    let bytes = emit(&packet()).unwrap();
    for flags in 0b1_0000..=u8::MAX {
        let mut packet = bytes.clone();
        packet[5] = flags;
        let error = PacketView::parse(&packet).unwrap_err();
        assert_eq!(error, PacketError::Flags { found: flags });
    }
}

#[test]
fn the_flags_of_a_data_packet_are_read_one_by_one() {
    let bytes = emit(&packet()).unwrap();
    for (flags, sealed, receipt) in [(0b010, true, false), (0b100, false, true)] {
        let mut packet = bytes.clone();
        packet[5] = flags;
        let view = PacketView::parse(&packet).unwrap();
        assert_eq!((view.is_sealed(), view.wants_receipt()), (sealed, receipt));
    }
}

#[test]
fn a_control_packet_is_never_sealed_and_never_wants_a_receipt() {
    let control = MeshPacket {
        kind: PacketKind::Control,
        ..packet()
    };
    let bytes = emit(&control).unwrap();
    assert_eq!(
        PacketView::parse(&bytes).unwrap().kind(),
        PacketKind::Control
    );
    for found in [0b010, 0b100, 0b110, 0b1000] {
        let mut bytes = bytes.clone();
        bytes[5] = found;
        assert_eq!(
            PacketView::parse(&bytes).unwrap_err(),
            PacketError::Flags { found }
        );
    }
    for (sealed, receipt) in [(true, false), (false, true), (true, true)] {
        let packet = MeshPacket {
            sealed,
            receipt,
            ..control.clone()
        };
        assert_eq!(emit(&packet), Err(EmitError::ControlFlags));
    }
}

#[test]
fn a_copy_names_a_packet_before_it() {
    let bytes = emit(&copied_packet()).unwrap();
    let view = PacketView::parse(&bytes).unwrap();
    assert_eq!(view.copy_of(), Some(packet().sequence));
    assert_eq!(view.payload(), packet().payload);
    for found in [copied_packet().sequence, MAX_SEQUENCE] {
        let later = MeshPacket {
            copy_of: Some(found),
            ..copied_packet()
        };
        assert_eq!(emit(&later), Err(EmitError::CopyOf { found }));
    }
    let control = MeshPacket {
        kind: PacketKind::Control,
        ..copied_packet()
    };
    let found = packet().sequence;
    assert_eq!(emit(&control), Err(EmitError::CopyOf { found }));
}

#[test]
fn every_other_magic_version_kind_and_reserved_byte_is_an_error() {
    let bytes = emit(&packet()).unwrap();
    for at in [0, 1, 2, 3, 4, 6, 39] {
        for value in 0..=u8::MAX {
            let mut packet = bytes.clone();
            packet[at] = value;
            let error = PacketView::parse(&packet).err();
            let expected = match at {
                _ if value == bytes[at] => None,
                0..=3 => Some(PacketError::Magic {
                    found: packet[..4].try_into().unwrap(),
                }),
                4 => Some(PacketError::Version { found: value }),
                // A control packet without flags is as valid as the data packet.
                6 if value == 1 => None,
                6 => Some(PacketError::Kind { found: value }),
                _ => Some(PacketError::Reserved { found: value }),
            };
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn attack_9_a_sequence_number_with_the_top_bit_does_not_exist() {
    let packet = |sequence| MeshPacket {
        sequence,
        ..packet()
    };
    let mut bytes = emit(&packet(MAX_SEQUENCE)).unwrap();
    assert_eq!(PacketView::parse(&bytes).unwrap().sequence(), MAX_SEQUENCE);
    bytes[8] |= 0x80;
    let found = u64::MAX;
    assert_eq!(
        PacketView::parse(&bytes).unwrap_err(),
        PacketError::Sequence { found }
    );
    let found = MAX_SEQUENCE + 1;
    assert_eq!(emit(&packet(found)), Err(EmitError::Sequence { found }));
}

#[test]
fn the_longest_packet_fits_a_link_and_one_byte_more_of_payload_is_refused() {
    let longest = |payload_len| MeshPacket {
        route: route(0..u8::try_from(MAX_ROUTE_NODES).unwrap()),
        macs: vec![[0; 16]; MAX_ROUTE_NODES - 1],
        proof: Some(ProofForHop {
            hop: 15,
            proof: PaymentProof::Lightning {
                invoice: "l".repeat(MAX_INVOICE_LEN),
                preimage: [0; 32],
                amount_msats: u64::MAX,
                timestamp: u64::MAX,
                expires_at: u64::MAX,
            },
        }),
        payload: vec![0xff; payload_len],
        ..packet()
    };
    let packet = longest(MAX_PAYLOAD_LEN);
    let bytes = emit(&packet).unwrap();
    assert!(bytes.len() <= MAX_PACKET_LEN);
    assert_eq!(
        PacketView::parse(&bytes).unwrap().to_packet().unwrap(),
        packet
    );

    let found = MAX_PAYLOAD_LEN + 1;
    assert_eq!(
        emit(&longest(found)),
        Err(EmitError::PayloadLength { found })
    );
    let found = MAX_PAYLOAD_LEN + 65_536;
    assert_eq!(
        emit(&longest(found)),
        Err(EmitError::PayloadLength { found })
    );
    for found in [56_321, 65_536, 65_536 + 11, u32::MAX] {
        let mut bytes = bytes.clone();
        bytes[32..36].copy_from_slice(&found.to_be_bytes());
        let error = PacketView::parse(&bytes).unwrap_err();
        assert_eq!(error, PacketError::PayloadLength { found });
    }
}

#[test]
fn the_longest_proof_parses_and_one_byte_more_does_not() {
    // The parser looks at the proof's length only, so a proof of zeros will do.
    let with_proof_of = |len: u16| {
        let mut bytes = emit(&packet()).unwrap();
        bytes[5] = 1;
        bytes[36..38].copy_from_slice(&len.to_be_bytes());
        bytes[38] = 2;
        let payload = bytes.split_off(bytes.len() - 11);
        [bytes, vec![0; usize::from(len)], payload].concat()
    };
    let longest = u16::try_from(MAX_PROOF_LEN).unwrap();
    for len in [1, longest] {
        let bytes = with_proof_of(len);
        let view = PacketView::parse(&bytes).unwrap();
        let (hop, proof) = view.proof().unwrap();
        assert_eq!((hop, proof.len()), (2, usize::from(len)));
        assert_eq!(view.payload(), b"hello, mesh");
    }
    for found in [0, longest + 1, u16::MAX] {
        let bytes = with_proof_of(found);
        let error = PacketView::parse(&bytes).unwrap_err();
        assert_eq!(error, PacketError::ProofLength { found });
    }
}

#[test]
fn a_proof_without_its_flag_is_an_error() {
    let mut bytes = emit(&paid_packet()).unwrap();
    bytes[5] = 0;
    let error = PacketView::parse(&bytes).unwrap_err();
    assert!(matches!(error, PacketError::ProofLength { .. }));
}

#[test]
fn a_proof_pays_a_hop_after_the_source() {
    let bytes = emit(&paid_packet()).unwrap();
    for found in 0..=u8::MAX {
        let mut bytes = bytes.clone();
        bytes[38] = found;
        let mut packet = paid_packet();
        packet.proof.as_mut().unwrap().hop = found;
        if (1..=2).contains(&found) {
            assert_eq!(PacketView::parse(&bytes).unwrap().proof().unwrap().0, found);
            assert_eq!(emit(&packet).unwrap(), bytes);
        } else {
            let error = PacketView::parse(&bytes).unwrap_err();
            assert_eq!(error, PacketError::ProofHop { found });
            assert_eq!(emit(&packet), Err(EmitError::ProofHop { found }));
        }
    }
}

#[test]
fn a_hop_without_a_proof_is_an_error() {
    let bytes = emit(&packet()).unwrap();
    for found in 1..=u8::MAX {
        let mut bytes = bytes.clone();
        bytes[38] = found;
        let error = PacketView::parse(&bytes).unwrap_err();
        assert_eq!(error, PacketError::ProofHop { found });
    }
}

#[test]
fn a_proof_that_cannot_be_decoded_stops_only_who_decodes_it() {
    let mut bytes = emit(&paid_packet()).unwrap();
    let proof_at = HEADER_LEN + 3 * 32 + 2 * 16;
    bytes[proof_at] = 9;
    let view = PacketView::parse(&bytes).unwrap();
    let error = ProofError::Tag { found: 9 };
    assert_eq!(view.to_packet(), Err(PacketError::Proof(error)));
}

#[test]
fn there_is_one_mac_for_each_node_after_the_source() {
    for found in [0, 1, 3] {
        let packet = MeshPacket {
            macs: vec![[0; 16]; found],
            ..packet()
        };
        let error = EmitError::MacCount { expected: 2, found };
        assert_eq!(emit(&packet), Err(error));
    }
}

#[test]
fn the_emitter_reserves_exactly_what_it_writes() {
    for packet in [packet(), paid_packet()] {
        let bytes = emit(&packet).unwrap();
        assert_eq!(bytes.len(), bytes.capacity());
    }
}

#[test]
fn a_view_in_a_log_shows_no_payload() {
    let bytes = emit(&paid_packet()).unwrap();
    let shown = format!("{:?}", PacketView::parse(&bytes).unwrap());
    assert!(shown.contains("payload_len: 11"), "{shown}");
    assert!(!shown.contains("104, 101, 108, 108, 111"), "{shown}");
}
