use super::{
    ApiError, HopInvoiceRequest, MAX_REQUEST_BYTES, MeshApi, PollRequest, QuoteRouteFeeRequest,
    SendPacketRequest, decode,
};
use blvm_mesh::{NodeId, bitcoin::hex::FromHex as _, to_hex};
use blvm_node::rpc::errors::RpcError;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// The names of JSON-RPC.
pub const RPC_METHODS: [&str; 4] = [
    "meshsendpacket",
    "meshpollreceived",
    "meshquoteroute",
    "meshrequesthopinvoice",
];

/// The most bytes that an error repeats of what was asked.
const MAX_REPEATED: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendPacket {
    request_hex: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PollReceived {
    protocol_id: Option<String>,
    max_packets: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuoteRoute {
    destination_hex: String,
    base_fee_sats: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestHopInvoice {
    destination_hex: String,
    amount_msats: u64,
    expiry_seconds: Option<u64>,
}

impl MeshApi {
    /// Answers a call by JSON-RPC.
    ///
    /// - `params`: one object, by itself or as the only item of a list.
    ///
    /// # Errors
    /// [`RpcError`] says what was expected, or why it cannot be.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        tracing::debug!(method, "a call to the mesh by JSON-RPC");
        match method {
            "meshsendpacket" => self.mesh_send_packet(read(params)?).await,
            "meshpollreceived" => self.mesh_poll_received(read(params)?),
            "meshquoteroute" => self.mesh_quote_route(read(params)?).await,
            "meshrequesthopinvoice" => self.mesh_request_hop_invoice(read(params)?).await,
            unknown => {
                let known = RPC_METHODS.join(", ");
                let unknown = format!("{unknown:.40}, expected one of {known}");
                Err(RpcError::method_not_found(&unknown))
            }
        }
    }

    async fn mesh_send_packet(&self, params: SendPacket) -> Result<Value, RpcError> {
        let request = request(&params.request_hex)
            .map_err(|reason| RpcError::invalid_params(format!("request_hex: {reason}")))?;
        let sent = self.send_packet(request).await?;
        Ok(json!({
            "success": sent.success,
            "packet_id": to_hex(&sent.packet_id),
            "route_length": sent.route_length,
            "estimated_cost_sats": sent.estimated_cost_sats,
            "error": sent.error,
        }))
    }

    fn mesh_poll_received(&self, params: PollReceived) -> Result<Value, RpcError> {
        let arrived = self.poll_local_deliveries(PollRequest {
            protocol_id: params.protocol_id,
            max_packets: params.max_packets,
        })?;
        let packets = arrived.0.iter().map(|packet| {
            json!({
                "protocol_id": packet.protocol_id,
                "payload_hex": to_hex(&packet.payload),
                "source_hex": to_hex(&packet.source),
            })
        });
        Ok(json!({ "packets": packets.collect::<Vec<_>>() }))
    }

    async fn mesh_quote_route(&self, params: QuoteRoute) -> Result<Value, RpcError> {
        let request = QuoteRouteFeeRequest {
            destination: node(&params.destination_hex)?,
            base_fee_sats: params.base_fee_sats.unwrap_or_default(),
        };
        Ok(json!({ "fee_sats": self.quote_route_fee(request).await? }))
    }

    async fn mesh_request_hop_invoice(&self, params: RequestHopInvoice) -> Result<Value, RpcError> {
        let request = HopInvoiceRequest {
            destination: node(&params.destination_hex)?,
            amount_msats: params.amount_msats,
            expiry_seconds: params.expiry_seconds,
        };
        let quoted = self.request_hop_invoice(request).await?;
        Ok(json!({
            "invoice": quoted.invoice,
            "amount_msats": quoted.amount_msats,
            "expires_at": quoted.expires_at,
        }))
    }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, RpcError> {
    let object = match params {
        Value::Null => Value::Object(Map::new()),
        Value::Array(list) => {
            let count = list.len();
            match <[Value; 1]>::try_from(list) {
                Ok([only @ Value::Object(_)]) => only,
                Err(list) if list.is_empty() => Value::Object(Map::new()),
                _ => return Err(not_an_object(&format!("a list of {count}"))),
            }
        }
        object @ Value::Object(_) => object,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(not_an_object("a single value"));
        }
    };
    serde_json::from_value(object).map_err(|error| {
        let mut text = error.to_string();
        text.truncate(text.floor_char_boundary(MAX_REPEATED));
        RpcError::invalid_params(text)
    })
}

fn not_an_object(found: &str) -> RpcError {
    RpcError::invalid_params(format!(
        "expected one object with named fields, not {found}"
    ))
}

fn request(hex: &str) -> Result<SendPacketRequest, String> {
    let (most, found) = (MAX_REQUEST_BYTES.saturating_mul(2), hex.len());
    if found > most {
        return Err(format!("at most {most} characters, not {found}"));
    }
    let bytes = Vec::<u8>::from_hex(hex).map_err(|error| error.to_string())?;
    decode(&bytes).map_err(|error| error.to_string())
}

fn node(hex: &str) -> Result<[u8; 32], ApiError> {
    let node: Result<NodeId, _> = hex.parse();
    node.map(NodeId::to_bytes)
        .map_err(|error| ApiError::Refused(format!("destination_hex: {error}")))
}
