use super::{
    check::{differs, same},
    error::Cause,
    narrator::Narrator,
    stage::{Actor, DESTINATION_PRICE, PATIENCE, RELAY_PRICE, Stage},
};
use crate::text::{msat, short, thousands};
use blvm_mesh::{Attempt, MeshMode, Msat, Price, Route, RouteQuote};
use std::{io::Write, ops::Deref};

/// What the packet says.
pub(super) const PAYLOAD: &[u8] = b"Hello from the far side of the mesh.";

/// The way of the story, and what a packet costs on it.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) route: Route,
    pub(super) quote: RouteQuote,
}

impl Way {
    /// A packet on this way, without a proof.
    pub(super) fn attempt(&self, payload: &[u8], fee: Msat, is_sealed: bool) -> Attempt {
        Attempt {
            route: self.route.clone(),
            payload: payload.to_vec(),
            fee,
            proof: None,
            is_sealed,
            timeout: PATIENCE,
        }
    }
}

/// Shows the three nodes and their links.
pub(super) async fn who_is_here(
    stage: &Stage,
    narrator: &mut Narrator<impl Write>,
) -> Result<(), Cause> {
    narrator.step("Who is here");
    for actor in [&stage.source, &stage.relay, &stage.destination] {
        let status = actor.mesh().status().await;
        let price = match status.price {
            Price::FREE => "asks nothing".to_owned(),
            Price { per_packet, .. } => format!("{} a packet", msat(per_packet)),
        };
        let (id, address) = (short(&actor.id()), actor.listens_at()?.to_string());
        let mode = status.mode;
        narrator.show(
            actor.name,
            &format!("{id}  {address:<15}  {mode:<13}  {price}"),
        );
    }
    let linked = |actor: &Actor| -> Vec<_> {
        actor
            .mesh()
            .engine()
            .routes()
            .direct_peers()
            .into_iter()
            .map(|(id, _)| id)
            .collect()
    };
    let mut ends = vec![stage.source.id(), stage.destination.id()];
    ends.sort_unstable();
    same("the relay's links", linked(&stage.relay), ends)?;
    same(
        "the source's links",
        linked(&stage.source),
        vec![stage.relay.id()],
    )?;
    same(
        "the destination's links",
        linked(&stage.destination),
        vec![stage.relay.id()],
    )?;
    same(
        "the relay's mode",
        stage.relay.mesh().status().await.mode,
        MeshMode::PaymentGated,
    )?;
    narrator.show(
        "links",
        "source <-> relay <-> destination; Noise proved both ids of each",
    );
    Ok(())
}

/// Shows the route and its quote.
pub(super) async fn the_way(
    stage: &Stage,
    narrator: &mut Narrator<impl Write>,
) -> Result<Way, Cause> {
    narrator.step("The way, and what it costs");
    let mesh = stage.source.mesh();
    let route = mesh.route_to(&stage.destination.id(), PAYLOAD.len()).await;
    let route = route.map_err(|source| Cause::Mesh {
        doing: "finding a route",
        source,
    })?;
    let expected = [&stage.source, &stage.relay, &stage.destination].map(Actor::id);
    same("the route", route.deref(), expected.as_slice())?;
    let quote = mesh.engine().routes().quote_route(&route, PAYLOAD.len());
    let quote = quote.ok_or_else(|| differs("the route's price", "an amount", "none"))?;
    let split = quote.split;
    same("the relay's share", split.per_relay, RELAY_PRICE)?;
    same(
        "the destination's share",
        split.destination,
        DESTINATION_PRICE,
    )?;
    same(
        "the sum of the shares",
        split
            .destination
            .checked_add(split.per_relay)
            .and_then(|sum| sum.checked_add(split.source)),
        Some(quote.total),
    )?;
    narrator.show("route", "source -> relay -> destination");
    let share = |amount: Msat| thousands(amount.to_msat());
    narrator.show(
        "fee",
        &format!(
            "{} = destination {} (60 %) + relay {} (30 %) + source {} (10 %)",
            msat(quote.total),
            share(split.destination),
            share(split.per_relay),
            share(split.source)
        ),
    );
    Ok(Way { route, quote })
}
