//! That the properties hold where nodes do right, and are seen to fail where they do not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops where something is not as it expects"
)]

use mesh_sim::{Plan, Property, Sabotage, Topology, run};
use std::time::Duration;

/// Small enough for a debug build.
fn plan(topology: Topology, seed: u64) -> Plan {
    Plan {
        storm: Duration::from_secs(150),
        ..Plan::new(30, topology, 20, seed)
    }
}

fn violated(sabotage: Sabotage) -> Property {
    let plan = Plan {
        sabotage: Some(sabotage),
        ..plan(Topology::SmallWorld, 3)
    };
    let violation = run(&plan, |_| {}).violation.expect("it is noticed");
    assert_eq!(violation.seed, 3);
    let text = violation.to_string();
    for part in [
        "seed      3",
        "ms after the first start",
        "#",
        "expected",
        "found",
    ] {
        assert!(text.contains(part), "{text}");
    }
    violation.property
}

#[test]
fn every_topology_holds_every_property_though_one_of_five_nodes_lies() {
    for topology in Topology::ALL {
        let report = run(&plan(topology, 1), |_| {});
        assert_eq!(report.violation, None, "{topology}");
        let (traffic, pairs) = (&report.traffic, &report.pairs);
        assert_eq!(report.liars.len(), 6, "one of each trade");
        assert!(traffic.delivered > 0 && traffic.claims > 0, "{topology}");
        assert!(
            pairs.found >= pairs.reachable && pairs.reachable > 0,
            "{topology}"
        );
        assert!(report.converged_secs.is_some(), "{topology}");
    }
}

#[test]
fn what_liars_try_happens_and_is_refused() {
    let plan = Plan {
        storm: Duration::from_secs(500),
        ..plan(Topology::ScaleFree, 1)
    };
    let report = run(&plan, |_| {});
    assert_eq!(report.violation, None);
    let traffic = &report.traffic;
    assert!(
        traffic.replayed > 0 && traffic.proofs_stolen > 0,
        "{traffic:?}"
    );
    assert!(traffic.swallowed > 0 && traffic.floods > 0, "{traffic:?}");
    assert!(
        traffic.proofs_refused > 0 && traffic.invoices_denied > 0,
        "{traffic:?}"
    );
}

#[test]
fn the_same_plan_gives_the_same_report_byte_for_byte_and_another_seed_another_one() {
    let report = |seed| {
        let report = run(&plan(Topology::Geometric, seed), |_| {});
        serde_json::to_string(&report).unwrap()
    };
    let first = report(5);
    assert_eq!(first, report(5));
    assert_ne!(first, report(6));
}

#[test]
fn a_claim_memory_that_forgets_is_caught() {
    assert_eq!(violated(Sabotage::ForgetClaims), Property::NoProofTwice);
}

#[test]
fn a_node_that_debits_twice_is_caught() {
    let property = Property::DebitedForWhatWasHandedOn;
    assert_eq!(violated(Sabotage::DebitTwice), property);
}

#[test]
fn a_node_that_debits_what_it_does_not_hand_on_is_caught() {
    let property = Property::DebitedForWhatWasHandedOn;
    assert_eq!(violated(Sabotage::DebitUncarried), property);
}

#[test]
fn a_node_that_carries_a_packet_twice_is_caught() {
    assert_eq!(violated(Sabotage::CarryTwice), Property::NoNodeTwice);
}

#[test]
fn a_table_that_misses_links_is_caught() {
    let property = violated(Sabotage::ForgetLinks);
    assert!([Property::CheapestIsFound, Property::ReachableHasRoute].contains(&property));
}
