//! The words hold what their constructors promise, and say what is wrong with what they refuse.

use mesh_types::*;
use proptest::prelude::*;
use std::{collections::HashMap, time::Duration};

fn id(byte: u8) -> NodeId {
    NodeId::from_bytes([byte; 32])
}

fn flat(settings: &[(&str, &str)]) -> HashMap<String, String> {
    settings
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn a_node_id_has_one_text() {
    let text = "0f".repeat(32);
    assert_eq!(
        text.parse::<NodeId>().map(|id| id.to_string()),
        Ok(text.clone())
    );
    for wrong in [
        text.to_uppercase(),
        text[1..].to_owned(),
        format!("{text}00"),
        "é".repeat(32),
    ] {
        let said = wrong.parse::<NodeId>().map_err(|error| error.to_string());
        assert!(
            said.is_err_and(|said| said.contains("64 characters of lower-case hex")),
            "{wrong}"
        );
    }
}

#[test]
fn a_node_id_is_its_text_in_json() {
    let json = serde_json::to_string(&id(0x11)).ok();
    assert_eq!(json, Some(format!("\"{}\"", "11".repeat(32))));
    assert!(serde_json::from_str::<NodeId>("\"11\"").is_err());
}

#[test]
fn amounts_never_wrap() {
    let one = Msat::from_msat(1);
    assert_eq!(Msat::MAX.checked_add(one), None);
    assert_eq!(Msat::ZERO.checked_sub(one), None);
    assert_eq!(Msat::MAX.checked_mul(2), None);
    assert_eq!(Msat::from_sats(u64::MAX / 1_000 + 1), None);
    assert_eq!(Msat::from_sats(21).map(Msat::to_msat), Some(21_000));
    let most = u64::MAX / 1_000;
    let saturating = [21, most, most + 1].map(Msat::from_sats_saturating);
    let expected = [
        Msat::from_msat(21_000),
        Msat::from_msat(most * 1_000),
        Msat::MAX,
    ];
    assert_eq!(saturating, expected);
    assert_eq!(Msat::from_msat(1_999).to_sats_floor(), 1);
}

#[test]
fn a_price_counts_kib_in_proportion_and_rounds_up() {
    let price = Price {
        per_packet: Msat::from_msat(100),
        per_kib: Msat::from_msat(1_000),
    };
    for (bytes, cost) in [
        (0, 100),
        (1, 101),
        (512, 600),
        (1_024, 1_100),
        (1_025, 1_101),
    ] {
        assert_eq!(
            price.of(bytes),
            Some(Msat::from_msat(cost)),
            "{bytes} bytes"
        );
    }
    assert_eq!(
        Price {
            per_kib: Msat::MAX,
            ..price
        }
        .of(2),
        None
    );
    assert_eq!(
        Price {
            per_packet: Msat::MAX,
            ..price
        }
        .of(1),
        None
    );
    assert_eq!(Price::FREE.of(usize::MAX), Some(Msat::ZERO));
}

#[test]
fn a_thing_lives_until_just_before_its_end() {
    let end = UnixTime::from_secs(100);
    assert!(end.is_alive_at(UnixTime::from_millis(99_999)));
    assert!(!end.is_alive_at(end));
}

#[test]
fn time_stops_at_its_end_instead_of_starting_again() {
    let end = UnixTime::from_millis(u64::MAX);
    assert_eq!(end.plus(Duration::MAX), end);
    assert_eq!(UnixTime::from_secs(u64::MAX), end);
    assert_eq!(UnixTime::default().since(end), Duration::ZERO);
    assert!(!end.is_within(MAX_PACKET_AGE, UnixTime::default()));
}

#[test]
fn a_route_has_two_to_sixteen_nodes_and_none_of_them_twice() {
    assert_eq!(
        Route::new(vec![id(1)]),
        Err(RouteError::Length { found: 1 })
    );
    assert_eq!(
        Route::new((0..17).map(id).collect()),
        Err(RouteError::Length { found: 17 })
    );
    assert!(Route::new((0..16).map(id).collect()).is_ok());
    assert_eq!(
        Route::new(vec![id(1), id(2), id(1)]),
        Err(RouteError::Repeated { node: id(1) })
    );
}

#[test]
fn a_route_is_read_from_both_ends() -> Result<(), RouteError> {
    let route = Route::new(vec![id(1), id(2), id(3)])?;
    assert_eq!(
        (route.source(), route.destination(), route.relay_count()),
        (id(1), id(3), 1)
    );
    assert_eq!(*route.reversed(), [id(3), id(2), id(1)]);
    assert_eq!(route.prefix(2).as_deref(), Some([id(1), id(2)].as_slice()));
    assert_eq!(route.prefix(1), None);
    assert_eq!(route.prefix(4), None);
    Ok(())
}

#[test]
fn every_setting_can_be_set_flat_and_reads_back() {
    let peer = format!("{}@relay.example:8334", id(7));
    let settings = flat(&[
        ("enabled", "false"),
        ("mode", "open"),
        ("listen_addr", "127.0.0.1:1"),
        ("network", "signet"),
        ("identity_path", "keys/mine"),
        ("price_per_packet_msat", "1"),
        ("price_per_kib_msat", "2"),
        ("quote_lifetime_secs", "3"),
        ("debit_interval_ms", "7"),
        ("check_settlement", "true"),
        ("refunds", "true"),
        ("free_lane.bytes_per_second_per_source", "4"),
        ("free_lane.burst_bytes_per_source", "5"),
        ("free_lane.bytes_per_second_total", "6"),
        ("on_chain.addresses", "bc1one, bc1two"),
        ("on_chain.least_depth", "8"),
        ("on_chain.final_depth", "9"),
        ("on_chain.quote_lifetime_secs", "10"),
        ("on_chain.ctv_on", "regtest,signet"),
        ("on_chain.template_hash_on", "regtest"),
        ("spending.per_packet_msat", "11"),
        ("spending.per_route_msat", "12"),
        ("spending.per_peer_per_day_msat", "13"),
        ("spending.per_day_msat", "14"),
        ("spending.fee_share_permille", "15"),
        (
            "announce_addresses",
            "relay.example:8334, [2001:db8::1]:8334",
        ),
        ("peers", &format!("{peer}, {peer}")),
    ]);
    assert_eq!(settings.len(), MeshConfig::KEYS.len());
    let config = MeshConfig::from_flat(&settings);
    let json = config
        .as_ref()
        .ok()
        .map(|config| serde_json::to_value(config).unwrap_or_default());
    let expected = serde_json::json!({
        "enabled": false, "mode": "open", "listen_addr": "127.0.0.1:1", "network": "signet",
        "identity_path": "keys/mine", "price_per_packet_msat": 1, "price_per_kib_msat": 2,
        "quote_lifetime_secs": 3, "debit_interval_ms": 7, "check_settlement": true, "refunds": true,
        "announce_addresses": ["relay.example:8334", "[2001:db8::1]:8334"], "peers": [peer, peer], "known_nodes": [],
        "free_lane": {
            "bytes_per_second_per_source": 4, "burst_bytes_per_source": 5, "bytes_per_second_total": 6
        },
        "on_chain": {
            "addresses": ["bc1one", "bc1two"], "least_depth": 8, "final_depth": 9,
            "quote_lifetime_secs": 10,
            "ctv_on": ["regtest", "signet"], "template_hash_on": ["regtest"],
        },
        "spending": {
            "per_packet_msat": 11, "per_route_msat": 12, "per_peer_per_day_msat": 13, "per_day_msat": 14,
            "fee_share_permille": 15,
        },
    });
    assert_eq!(json, Some(expected));
}

#[test]
fn an_unknown_setting_names_itself_and_the_known_ones() {
    let said = MeshConfig::from_flat(&flat(&[("prise", "1")])).map_err(|error| error.to_string());
    assert!(said.is_err_and(|said| said.contains("\"prise\"") && said.contains("price_per_packet_msat")));
    let nested = serde_json::from_str::<MeshConfig>(r#"{"free_lane": {"speed": 1}}"#);
    assert!(nested.is_err_and(|error| error.to_string().contains("unknown field `speed`")));
}

#[test]
fn a_wrong_value_names_its_key_and_what_was_expected() {
    for (key, value, expected) in [
        ("mode", "Open", "\"open\""),
        ("network", "mainnet", "\"bitcoin\""),
        ("enabled", "yes", "true or false"),
        ("price_per_packet_msat", "-1", "millisatoshi"),
        ("on_chain.least_depth", "0", "at least 1"),
        ("on_chain.ctv_on", "regtest, mainnet", "\"bitcoin\""),
        ("peers", "relay.example:8334", "<node id>@<host>:<port>"),
        ("peers", "00@relay.example:8334", "64 characters"),
    ] {
        let said = MeshConfig::from_flat(&flat(&[(key, value)])).map_err(|error| error.to_string());
        assert!(
            said.is_err_and(|said| said.contains(key) && said.contains(expected)),
            "{key}"
        );
    }
}

proptest! {
    #[test]
    fn hex_reads_back_what_it_wrote(bytes: [u8; 32]) {
        prop_assert_eq!(from_hex::<32>(&to_hex(&bytes)), Ok(bytes));
    }

    #[test]
    fn no_text_makes_hex_or_a_peer_address_panic(text in ".*") {
        if let Ok(bytes) = from_hex::<4>(&text) {
            prop_assert_eq!(to_hex(&bytes), text.as_str());
        }
        if let Ok(peer) = text.parse::<PeerAddress>() {
            prop_assert_eq!(peer.to_string(), text);
        }
    }

    #[test]
    fn a_price_never_falls_with_size(per_packet: u32, per_kib: u32, a in 0_usize..70_000, b in 0_usize..70_000) {
        let price = Price {
            per_packet: Msat::from_msat(per_packet.into()),
            per_kib: Msat::from_msat(per_kib.into()),
        };
        prop_assert!(price.of(a.min(b)) <= price.of(a.max(b)));
    }
}
