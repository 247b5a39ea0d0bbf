//! Carrying a paid packet on credit takes no memory: counted, not believed.

mod support;

use mesh_manager::Step;
use mesh_types::*;
use support::*;

#[test]
fn a_paid_packet_is_carried_on_credit_without_allocating() {
    let source = engine(1, open(), &[2]);
    let relay = engine(2, gated(RELAY_PRICE), &[1, 3]);
    relay
        .accounts()
        .put_in(id(1), Msat::from_msat(1_000_000))
        .unwrap();
    let payload = [7; 1_200];
    let packets: Vec<_> = (0..10)
        .map(|_| {
            compose(
                &source,
                data(&[1, 2, 3], &payload, Msat::from_msat(10_000)),
                START,
            )
            .bytes
        })
        .collect();
    let from = id(1);
    let carry = |bytes: &[u8]| {
        let Ok(Step::Forward { ticket, .. }) = relay.receive(&from, bytes, START) else {
            panic!("a funded packet is forwarded")
        };
        ticket.carried();
    };
    let (first, rest) = packets.split_first().unwrap();
    // The first packet of a source finds room for its keys and its window.
    carry(first);
    let counted = allocation_counter::measure(|| rest.iter().for_each(|bytes| carry(bytes)));
    assert_eq!(counted.count_total, 0);
}
