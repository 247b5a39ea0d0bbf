use super::*;
use mesh_manager::{SendError, SendOptions, Sent};
use mesh_routing::Standing;

pub(crate) const SOURCE: u8 = 1;
/// The cheaper relay, and in most tests the one that is not as it should be.
pub(crate) const CHEAP: u8 = 2;
pub(crate) const DEAR: u8 = 3;
pub(crate) const DESTINATION: u8 = 4;
pub(crate) const ANOTHER: u8 = 5;

/// Two destinations, each behind each of two relays.
pub(crate) async fn two_ways() -> Chain {
    two_ways_of(open()).await
}

pub(crate) async fn two_ways_of(source: MeshConfig) -> Chain {
    two_ways_over(source, || Arc::new(ForgetfulStore::default())).await
}

pub(crate) async fn two_ways_over(source: MeshConfig, store: impl Fn() -> Arc<dyn Store>) -> Chain {
    let dear = Msat::from_msat(4_000);
    let configs = vec![
        source,
        gated(RELAY_PRICE),
        gated(dear),
        gated(DESTINATION_PRICE),
        gated(DESTINATION_PRICE),
    ];
    let links = [(1, 2), (1, 3), (2, 4), (3, 4), (2, 5), (3, 5)];
    let chain = Chain::linked(configs, &links, store).await;
    announce(&chain, CHEAP, RELAY_PRICE);
    announce(&chain, DEAR, dear);
    announce(&chain, DESTINATION, DESTINATION_PRICE);
    announce(&chain, ANOTHER, DESTINATION_PRICE);
    chain
}

/// Has the source know what the node asks, or seems to ask.
pub(crate) fn announce(chain: &Chain, node: u8, per_packet: Msat) {
    let price = Price {
        per_packet,
        per_kib: Msat::ZERO,
    };
    let routes = chain.mesh(0).engine().routes();
    routes.set_price(id(node), price).unwrap();
}

pub(crate) fn options() -> SendOptions {
    SendOptions {
        packets_ahead: 1,
        tops_up: false,
        ..SendOptions::default()
    }
}

pub(crate) async fn send_to(chain: &Chain, destination: u8) -> Result<Sent, SendError> {
    let sending = chain
        .mesh(0)
        .send(id(destination), b"once".to_vec(), options());
    sending.await
}

/// What the source thinks of a node.
pub(crate) fn standing(chain: &Chain, node: u8) -> Standing {
    let routes = chain.mesh(0).engine().routes();
    routes.standing(&id(node), chain.clock.now())
}

pub(crate) fn deliveries(chain: &Chain, node: u8) -> usize {
    let mesh = chain.mesh(usize::from(node) - 1);
    mesh.poll_deliveries(100).len()
}

pub(crate) async fn earned(chain: &Chain, node: u8) -> u64 {
    let money = money(chain.mesh(usize::from(node) - 1)).await;
    money.earned.to_msat()
}

/// Whether a packet is one that relays are paid for.
pub(crate) fn is_data(packet: &mesh_protocol::PacketView<'_>) -> bool {
    packet.kind() == PacketKind::Data
}
