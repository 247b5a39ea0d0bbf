use crate::Engine;
use mesh_protocol::{
    ControlMessage, EmitError, KeyError, SEAL_NONCE_LEN, SealContext, SealError, emit_authenticated,
};
use mesh_types::{MeshError, MeshPacket, Msat, NodeId, PacketKind, ProofForHop, Route, UnixTime};
use thiserror::Error;

/// A packet that this node wants to send.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The whole way, this node first.
    pub route: Route,
    /// What the packet is for.
    pub kind: PacketKind,
    /// What it carries.
    pub payload: Vec<u8>,
    /// What is offered for it in total.
    pub fee: Msat,
    /// A proof for one of the hops.
    pub proof: Option<ProofForHop>,
    /// Whether to seal the payload between the two ends.
    pub is_sealed: bool,
    /// Whether the destination shall confirm.
    pub wants_receipt: bool,
}

impl Draft {
    /// The packet that carries a message to another mesh.
    ///
    /// # Errors
    /// [`MeshError::InvalidPacket`] when no packet is long enough for it.
    pub fn control(
        route: Route,
        message: &ControlMessage,
        proof: Option<ProofForHop>,
    ) -> Result<Self, MeshError> {
        let payload = message
            .encode()
            .map_err(|error| MeshError::InvalidPacket(error.to_string()))?;
        Ok(Self {
            route,
            kind: PacketKind::Control,
            payload,
            fee: Msat::ZERO,
            proof,
            is_sealed: false,
            wants_receipt: false,
        })
    }
}

/// What one packet carries, or several that are copies of each other: of those the destination delivers one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageId {
    /// The number of the first packet that carries it.
    pub number: u64,
    /// When that was made, Unix seconds. Copies say the same, so that a destination which was started meanwhile, and has
    /// forgotten the first, refuses them.
    pub timestamp: u64,
}

/// A packet ready to be handed to the first link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// Its number.
    pub sequence: u64,
    /// What it carries.
    pub message: MessageId,
    /// The first hop.
    pub next: NodeId,
    /// The packet.
    pub bytes: Vec<u8>,
}

/// Why a draft cannot become a packet.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ComposeError {
    /// The route does not begin here.
    #[error("the route begins at {0}, not at this node")]
    NotTheSource(NodeId),
    /// The block of numbers is used up, or its time is over.
    #[error("no number is left for the packet: reserve more")]
    OutOfNumbers,
    /// A node on the route is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The payload cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The packet would break the wire format.
    #[error(transparent)]
    Emit(#[from] EmitError),
}

impl From<ComposeError> for MeshError {
    fn from(error: ComposeError) -> Self {
        Self::InvalidPacket(error.to_string())
    }
}

impl Engine {
    /// Numbers, seals and authenticates a packet of this node's own.
    ///
    /// - `nonce`: random, drawn anew for each packet.
    ///
    /// # Errors
    /// [`ComposeError`]; the number is used up even then.
    pub fn compose(
        &self,
        draft: Draft,
        nonce: [u8; SEAL_NONCE_LEN],
        now: UnixTime,
    ) -> Result<Composed, ComposeError> {
        self.compose_copy(draft, None, nonce, now)
    }

    /// As [`Engine::compose`], for a packet that carries once more what others have carried: `message`, perhaps over another
    /// route, and for another fee.
    ///
    /// The draft has to have the same destination and payload as the first.
    ///
    /// # Errors
    /// As [`Engine::compose`].
    pub fn compose_copy(
        &self,
        draft: Draft,
        message: Option<MessageId>,
        nonce: [u8; SEAL_NONCE_LEN],
        now: UnixTime,
    ) -> Result<Composed, ComposeError> {
        let Draft {
            route,
            kind,
            payload,
            fee,
            proof,
            is_sealed,
            wants_receipt,
        } = draft;
        if route.source() != self.local {
            return Err(ComposeError::NotTheSource(route.source()));
        }
        let sequence = self.numbering.take(now);
        let sequence = sequence.ok_or(ComposeError::OutOfNumbers)?;
        let (copy_of, message) = match message {
            Some(message) => (Some(message.number), message),
            None => (
                None,
                MessageId {
                    number: sequence,
                    timestamp: now.to_secs(),
                },
            ),
        };
        let timestamp = message.timestamp;
        let destination = route.destination();
        let payload = if is_sealed {
            let context = SealContext {
                kind,
                source: self.local,
                destination,
                sequence,
                timestamp,
            };
            self.keys
                .with(&destination)?
                .outgoing_seal
                .seal(&payload, &context, nonce)?
        } else {
            payload
        };
        let hops = route.iter().skip(1);
        let mac_keys = hops.map(|hop| Ok(self.keys.with(hop)?.outgoing_mac.clone()));
        let mac_keys = mac_keys.collect::<Result<Vec<_>, KeyError>>()?;
        let next = route.get(1).copied().unwrap_or(destination);
        let packet = MeshPacket {
            kind,
            sealed: is_sealed,
            receipt: wants_receipt,
            route,
            sequence,
            copy_of,
            timestamp,
            fee_msat: fee.to_msat(),
            proof,
            payload,
            macs: Vec::new(),
        };
        Ok(Composed {
            sequence,
            message,
            next,
            bytes: emit_authenticated(&packet, &mac_keys)?,
        })
    }
}
