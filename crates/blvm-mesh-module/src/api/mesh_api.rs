use super::{
    ApiError, DiscoverRouteRequest, DiscoverRouteResponse, HopInvoiceRequest, HopInvoiceResponse,
    LocalDeliveries, LocalDelivery, NetworkStats, NodeList, PeerEntry, PeerList, PollRequest,
    QuoteRouteFeeRequest, ReplayStats, RouteStats, protocol_id,
};
use blvm_mesh::{
    ANNOUNCEMENT_LIFETIME, Delivery, MAX_ALTERNATIVES, MAX_LOOKING, MAX_PACKET_AGE, MeshManager,
    MeshMode, Msat, NodeId, SendOptions,
};
use blvm_mesh_node::Node;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::spawn_blocking,
    time::Instant,
};

/// The calls that may wait for the mesh at one time.
///
/// 64, because each may hold the longest payload, and because a caller that needs more at once sends more than a node of its
/// size is paid to carry.
pub const MAX_CALLS: usize = 64;

/// How long a call takes at most.
///
/// 25 seconds, because the node's own RPC gives a call up after 30.
pub const LONGEST_CALL: Duration = Duration::from_secs(25);

/// How long other nodes have for an answer.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The bytes of payload that prices are told for where the caller names no packet: a KiB.
pub const QUOTED_BYTES: usize = 1_024;

/// The packets that are handed over at once where the caller says nothing.
pub const USUAL_PACKETS: u64 = 16;

/// The most packets that are handed over at once.
pub const MAX_PACKETS: u64 = 64;

/// What other modules and RPC callers may do with the operator's money.
///
/// Nobody knows inside a node which module it is that calls, so there is one limit for all. Those of `[mesh.spending]` hold as
/// well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerLimits {
    /// The most that is deposited for one packet, and that it may cost, credit that was there before included.
    pub per_send: Msat,
}

/// The mesh, as other modules and RPC callers see it.
///
/// It does not keep the node going: once that has stopped, every call says so.
#[derive(Debug)]
pub struct MeshApi {
    node: Weak<Node>,
    pub(super) limits: CallerLimits,
    places: Semaphore,
}

impl MeshApi {
    /// Answers for `node`.
    pub fn new(node: &Arc<Node>, limits: CallerLimits) -> Self {
        Self {
            node: Arc::downgrade(node),
            limits,
            places: Semaphore::new(MAX_CALLS),
        }
    }

    /// Looks for a route.
    ///
    /// # Errors
    /// Never because there is none: that is an answer.
    pub async fn discover_route(
        &self,
        request: DiscoverRouteRequest,
    ) -> Result<DiscoverRouteResponse, ApiError> {
        let (mesh, _place) = (self.mesh()?, self.place()?);
        let begun = Instant::now();
        let destination = NodeId::from_bytes(request.destination);
        let patience = request
            .timeout_seconds
            .map_or(MAX_LOOKING, Duration::from_secs);
        let is_short = move |route: &[NodeId]| {
            let hops = route.len().saturating_sub(1);
            request.max_hops.is_none_or(|most| hops <= most.into())
        };
        let best = mesh.route_within(&destination, QUOTED_BYTES, patience);
        let route = match best.await {
            Err(_) => None,
            Ok(best) if is_short(&best) => Some(best.to_vec()),
            Ok(_) => {
                let mesh = mesh.clone();
                let looking = spawn_blocking(move || {
                    let routes = mesh.engine().routes();
                    let found = routes.find_routes(&destination, QUOTED_BYTES, MAX_ALTERNATIVES);
                    let mut found = found.into_iter().map(|route| route.nodes);
                    found.find(|route| is_short(route))
                });
                looking.await.map_err(broken_off)?
            }
        };
        let quote = |route: &Vec<NodeId>| mesh.engine().routes().quote_route(route, QUOTED_BYTES);
        let cost = route.as_ref().and_then(quote);
        let ids = |route: Vec<NodeId>| route.into_iter().map(NodeId::to_bytes).collect();
        Ok(DiscoverRouteResponse {
            route: route.map(|route| NodeList(ids(route))),
            route_cost_sats: cost.map_or(0, |quote| sats_ceil(quote.total)),
            discovery_time_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// How the mesh is.
    ///
    /// # Errors
    /// When it has stopped, or too many calls are waiting.
    pub async fn network_stats(&self) -> Result<NetworkStats, ApiError> {
        let routing = self.route_stats().await?;
        let mesh = self.mesh()?;
        let remembered = mesh.remembered();
        Ok(NetworkStats {
            // A mesh that is switched off does not run, and answers nothing.
            enabled: true,
            mode: match mesh.engine().mode() {
                MeshMode::BitcoinOnly => 0,
                MeshMode::PaymentGated => 1,
                MeshMode::Open => 2,
            },
            routing,
            replay: ReplayStats {
                active_hashes: count(remembered.claims),
                tracked_peers: count(remembered.sources),
                expiry_seconds: MAX_PACKET_AGE.as_secs(),
            },
        })
    }

    /// Which ways are known.
    ///
    /// # Errors
    /// As [`MeshApi::network_stats`].
    pub async fn route_stats(&self) -> Result<RouteStats, ApiError> {
        let (node, _place) = (self.node()?, self.place()?);
        let routes = node.manager().engine().routes();
        let (direct_peers, cached) = (routes.direct_peers().len(), routes.remembered_searches());
        let counting = spawn_blocking(move || node.nodes_within_reach());
        Ok(RouteStats {
            total_routes: count(counting.await.map_err(broken_off)?),
            direct_peers: count(direct_peers),
            cached_routes: count(cached),
            route_expiry_seconds: ANNOUNCEMENT_LIFETIME.as_secs(),
        })
    }

    /// The nodes with a link to this one.
    ///
    /// # Errors
    /// When the mesh has stopped.
    pub fn peer_list(&self) -> Result<PeerList, ApiError> {
        let peers = self.mesh()?.engine().routes().direct_peers().into_iter();
        let entry = |(node_id, address): (NodeId, Arc<str>)| PeerEntry {
            node_id_hex: node_id.to_string(),
            address: address.to_string(),
        };
        Ok(PeerList(peers.map(entry).collect()))
    }

    /// This node.
    ///
    /// # Errors
    /// When the mesh has stopped.
    pub fn node_id(&self) -> Result<NodeId, ApiError> {
        Ok(self.mesh()?.node_id())
    }

    /// Asks all nodes of the best route what a packet of [`QUOTED_BYTES`] costs, and answers with satoshi, rounded up; no less
    /// than the caller offers anyway.
    ///
    /// # Errors
    /// When no route could be asked.
    pub async fn quote_route_fee(&self, request: QuoteRouteFeeRequest) -> Result<u64, ApiError> {
        let (mesh, _place) = (self.mesh()?, self.place()?);
        let options = SendOptions {
            deadline: LONGEST_CALL,
            timeout: ANSWER_WITHIN,
            ..SendOptions::default()
        };
        let destination = NodeId::from_bytes(request.destination);
        let price = mesh.quote_route(destination, QUOTED_BYTES, &options);
        Ok(sats_ceil(price.await?.total).max(request.base_fee_sats))
    }

    /// Asks another node for an invoice that buys this node credit there.
    ///
    /// # Errors
    /// When it cannot be asked, or answers with something else.
    pub async fn request_hop_invoice(
        &self,
        request: HopInvoiceRequest,
    ) -> Result<HopInvoiceResponse, ApiError> {
        let (mesh, _place) = (self.mesh()?, self.place()?);
        for (name, value) in [
            ("amount_msats", Some(request.amount_msats)),
            ("expiry_seconds", request.expiry_seconds),
        ] {
            if value == Some(0) {
                let reason = format!("{name} = 0: an invoice is for more than that");
                return Err(ApiError::Refused(reason));
            }
        }
        let payee = NodeId::from_bytes(request.destination);
        let amount = Msat::from_msat(request.amount_msats);
        let quoted = mesh.request_invoice(payee, amount, ANSWER_WITHIN).await?;
        Ok(HopInvoiceResponse {
            invoice: quoted.invoice,
            amount_msats: quoted.amount.to_msat(),
            expires_at: quoted.ends_at.to_secs(),
        })
    }

    /// Hands over packets that have arrived, the oldest first. Those of other applications stay for them.
    ///
    /// # Errors
    /// When the mesh has stopped.
    pub fn poll_local_deliveries(&self, request: PollRequest) -> Result<LocalDeliveries, ApiError> {
        let most = request
            .max_packets
            .unwrap_or(USUAL_PACKETS)
            .min(MAX_PACKETS);
        let wanted = request.protocol_id.as_deref();
        let is_wanted = |delivery: &Delivery| {
            wanted.is_none_or(|wanted| protocol_id::read(&delivery.payload).0 == wanted)
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let taken = self.mesh()?.take_deliveries(most, is_wanted);
        let local = |delivery: &Delivery| {
            let (protocol_id, payload) = protocol_id::read(&delivery.payload);
            LocalDelivery {
                protocol_id: protocol_id.to_owned(),
                payload: payload.to_vec(),
                source: delivery.source.to_bytes(),
            }
        };
        Ok(LocalDeliveries(taken.iter().map(local).collect()))
    }

    pub(super) fn mesh(&self) -> Result<MeshManager, ApiError> {
        Ok(self.node()?.manager().clone())
    }

    fn node(&self) -> Result<Arc<Node>, ApiError> {
        self.node.upgrade().ok_or(ApiError::Stopped)
    }

    /// A place among the calls that wait, until it is dropped.
    pub(super) fn place(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.places
            .try_acquire()
            .map_err(|_| ApiError::TooManyCalls)
    }
}

pub(super) const fn sats_ceil(amount: Msat) -> u64 {
    amount.to_msat().div_ceil(1_000)
}

pub(super) fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

fn broken_off(error: tokio::task::JoinError) -> ApiError {
    ApiError::Refused(format!("the look at the routes was broken off: {error}"))
}
