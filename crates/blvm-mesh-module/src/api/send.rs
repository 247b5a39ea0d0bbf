use super::{
    ApiError, MeshApi, SendPacketRequest, SendPacketResponse,
    mesh_api::{ANSWER_WITHIN, LONGEST_CALL, count, sats_ceil},
    protocol_id,
};
use blvm_mesh::{
    CovenantProof, Invoice, MeshError, MeshManager, Msat, NodeId, PaymentProof, ProofForHop, Quote,
    SendOptions, Sent,
    bitcoin::hashes::{Hash as _, sha256},
};
use std::time::Duration;
use tokio::time::Instant;

/// What the packet is called that `source` has given a number: the SHA-256 of its id and the number, most significant byte
/// first.
pub fn packet_id(source: NodeId, sequence: u64) -> [u8; 32] {
    let named = [&source.to_bytes()[..], &sequence.to_be_bytes()].concat();
    sha256::Hash::hash(&named).to_byte_array()
}

impl MeshApi {
    /// Sends a packet, pays what it costs within the limits, and waits until its destination has confirmed it.
    ///
    /// # Errors
    /// When the mesh has stopped, or too many calls are waiting. A packet that was not confirmed is an answer, which says why.
    pub async fn send_packet(
        &self,
        request: SendPacketRequest,
    ) -> Result<SendPacketResponse, ApiError> {
        let (mesh, _place) = (self.mesh()?, self.place()?);
        Ok(match self.send(&mesh, request).await {
            Ok(sent) => SendPacketResponse {
                success: true,
                packet_id: packet_id(mesh.node_id(), sent.sequence),
                route_length: count(sent.route.len()),
                estimated_cost_sats: sats_ceil(sent.fee),
                error: None,
            },
            Err(error) => SendPacketResponse {
                success: false,
                packet_id: [0; 32],
                route_length: 0,
                estimated_cost_sats: 0,
                error: Some(error),
            },
        })
    }

    async fn send(&self, mesh: &MeshManager, request: SendPacketRequest) -> Result<Sent, String> {
        let until = Instant::now() + time_to_try(request.ttl).map_err(|error| error.to_string())?;
        let protocol_id = request.protocol_id.unwrap_or_default();
        let payload = protocol_id::mark(&protocol_id, request.payload);
        let payload = payload.map_err(|error| error.to_string())?;
        if let Some(proof) = request.payment_proof {
            let deposited = self.deposit(mesh, proof.into()).await;
            deposited.map_err(|error| format!("payment_proof: {error}"))?;
        }
        let options = SendOptions {
            limit: self.limits.per_send,
            deadline: until.saturating_duration_since(Instant::now()),
            timeout: ANSWER_WITHIN,
            ..SendOptions::default()
        };
        let destination = NodeId::from_bytes(request.destination);
        let sent = mesh.send(destination, payload, options).await;
        sent.map_err(|error| match error.reason {
            MeshError::PaymentVerificationFailed(_) | MeshError::SpendingLimit(_) => {
                format!("{error}; {}", self.allowance())
            }
            _ => error.to_string(),
        })
    }

    /// Shows a payment of the caller's to the node that it pays: what it buys is credit of this node there.
    async fn deposit(&self, mesh: &MeshManager, proof: PaymentProof) -> Result<(), ApiError> {
        if self.limits.per_send == Msat::ZERO {
            // What it buys could not be spent by the caller, so the caller keeps it.
            return Err(ApiError::Refused(self.allowance()));
        }
        let quote = quote_of(&proof)?;
        let (us, payer) = (mesh.node_id(), quote.payer);
        if payer != us {
            return Err(ApiError::Refused(format!(
                "it buys credit for {payer}, and packets from here are paid with that of {us}: pay what request_hop_invoice answers"
            )));
        }
        let route = mesh.route_within(&quote.payee, 0, ANSWER_WITHIN).await?;
        let hop = u8::try_from(route.len().saturating_sub(1)).unwrap_or(u8::MAX);
        let shown = ProofForHop { hop, proof };
        mesh.deposit(&route, shown, ANSWER_WITHIN).await?;
        Ok(())
    }

    fn allowance(&self) -> String {
        format!(
            "other modules and RPC callers may spend {} a packet here: [mesh.module_api] per_send_msat",
            self.limits.per_send
        )
    }
}

fn time_to_try(ttl_secs: Option<u64>) -> Result<Duration, ApiError> {
    match ttl_secs.map_or(LONGEST_CALL, Duration::from_secs) {
        Duration::ZERO => Err(ApiError::Refused(
            "ttl = 0: a packet takes some seconds".to_owned(),
        )),
        ttl => Ok(ttl.min(LONGEST_CALL)),
    }
}

/// The quote that a proof says it pays. Whether it does, the node decides that has issued it.
fn quote_of(proof: &PaymentProof) -> Result<Quote, ApiError> {
    let refused = |error: &dyn std::fmt::Display| ApiError::Refused(error.to_string());
    let text = match proof {
        PaymentProof::Lightning {
            invoice, preimage, ..
        } => {
            let invoice = Invoice::parse(invoice).map_err(|error| refused(&error))?;
            // Proofs that are none use up what other nodes look at of this one's.
            if sha256::Hash::hash(preimage).as_byte_array() != invoice.payment_hash() {
                return Err(refused(&"its preimage is not that of its invoice"));
            }
            invoice.description().unwrap_or_default().to_owned()
        }
        PaymentProof::OnChainSettlement {
            payment_request_id, ..
        } => payment_request_id.clone(),
        PaymentProof::InstantSettlement { covenant_proof, .. } => {
            let covenant = CovenantProof::from_bytes(covenant_proof);
            return Ok(covenant.map_err(|error| refused(&error))?.quote);
        }
    };
    Quote::from_text(&text).map_err(|error| {
        ApiError::Refused(format!("it is for no quote of a node of the mesh: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_called_after_its_source_and_its_number() {
        let source = NodeId::from_bytes([1; 32]);
        let named = [[1; 32].as_slice(), &[0, 0, 0, 0, 0, 0, 1, 2]].concat();
        let hash = sha256::Hash::hash(&named).to_byte_array();
        assert_eq!(packet_id(source, 258), hash);
    }

    #[test]
    fn a_caller_may_have_less_time_than_there_is_and_not_more() {
        let secs = |ttl| time_to_try(ttl).map(|time| time.as_secs());
        assert_eq!(secs(None), Ok(25));
        assert_eq!(secs(Some(3_600)), Ok(25));
        assert_eq!(secs(Some(u64::MAX)), Ok(25));
        assert_eq!(secs(Some(3)), Ok(3));
        assert!(matches!(secs(Some(0)), Err(ApiError::Refused(_))));
    }
}
