use super::{ApiError, HandleMeshPacketRequest, MeshApi, NoRequest, decode, encode};
use async_trait::async_trait;
use blvm_node::module::{inter_module::api::ModuleAPI, traits::ModuleError};
use serde::{Serialize, de::DeserializeOwned};

/// The methods of the module API.
pub const METHODS: [&str; 11] = [
    "send_packet",
    "discover_route",
    "get_routing_stats",
    "get_network_stats",
    "get_route_stats",
    "get_peer_list",
    "get_node_id",
    "handle_mesh_packet",
    "quote_route_fee",
    "request_hop_invoice",
    "poll_local_deliveries",
];

/// The version of the module API.
pub const API_VERSION: u32 = 1;

impl MeshApi {
    /// Answers a call of the module API.
    ///
    /// - `params`: the request of the method, in bincode.
    /// - `caller`: what the node calls whoever calls; it is written to the log, and never believed.
    ///
    /// # Errors
    /// [`ApiError`] says what was expected, or why it cannot be.
    pub async fn handle(
        &self,
        method: &str,
        params: &[u8],
        caller: &str,
    ) -> Result<Vec<u8>, ApiError> {
        tracing::debug!(method, caller, "a call to the mesh");
        let request = Request { method, params };
        match method {
            "send_packet" => answer(&self.send_packet(request.read()?).await?),
            "discover_route" => answer(&self.discover_route(request.read()?).await?),
            "get_routing_stats" | "get_network_stats" => {
                let NoRequest = request.read()?;
                answer(&self.network_stats().await?)
            }
            "get_route_stats" => {
                let NoRequest = request.read()?;
                answer(&self.route_stats().await?)
            }
            "get_peer_list" => {
                let NoRequest = request.read()?;
                answer(&self.peer_list()?)
            }
            "get_node_id" => {
                let NoRequest = request.read()?;
                answer(&self.node_id()?.to_bytes())
            }
            "handle_mesh_packet" => {
                let HandleMeshPacketRequest(..) = request.read()?;
                Err(ApiError::Refused(NOT_OVER_A_LINK.to_owned()))
            }
            "quote_route_fee" => answer(&self.quote_route_fee(request.read()?).await?),
            "request_hop_invoice" => answer(&self.request_hop_invoice(request.read()?).await?),
            "poll_local_deliveries" => answer(&self.poll_local_deliveries(request.read()?)?),
            unknown => Err(ApiError::UnknownMethod {
                method: unknown.to_owned(),
            }),
        }
    }
}

/// Why no packet is taken from a module: what is wrong with a packet counts against the neighbour that brought it.
const NOT_OVER_A_LINK: &str = "packets are taken from links of the mesh alone, whose other ends have proved who they are; an address of the Bitcoin node's proves nothing";

struct Request<'p> {
    method: &'p str,
    params: &'p [u8],
}

impl Request<'_> {
    fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        decode(self.params).map_err(|source| ApiError::Request {
            method: self.method.to_owned(),
            source,
        })
    }
}

fn answer(value: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    encode(value).map_err(|error| ApiError::Refused(error.to_string()))
}

#[async_trait]
impl ModuleAPI for MeshApi {
    async fn handle_request(
        &self,
        method: &str,
        params: &[u8],
        caller_module_id: &str,
    ) -> Result<Vec<u8>, ModuleError> {
        Ok(self.handle(method, params, caller_module_id).await?)
    }

    fn list_methods(&self) -> Vec<String> {
        METHODS.map(str::to_owned).to_vec()
    }

    fn api_version(&self) -> u32 {
        API_VERSION
    }
}
