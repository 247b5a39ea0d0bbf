//! Two nodes prove to each other who they are, without a socket.
//!
//! ```text
//! initiator                                     responder
//!   e                                    ──▶                  Noise NN, message 1
//!                                        ◀──    e, ee         Noise NN, message 2
//!                                        ◀──    Hello         sealed: version, id, signature
//!   Hello                                ──▶                  sealed: version, id, signature
//!                                        ◀──    verdict       sealed: welcome, or why not
//! ```
//!
//! This is SIGMA ("SIGn and MAc", H. Krawczyk, 2003) with Noise as the key exchange. Node ids are secp256k1 keys and
//! cannot be Noise's Curve25519 statics, so the channel is made first, between nobody in particular, and each side then
//! signs it. What holds:
//!
//! - *A signature is good for one channel only.* It covers the Noise handshake hash, which covers both ephemeral keys, one
//!   of which is always ours and fresh. A hello from another session, old or at this moment relayed by a node in the
//!   middle, does not verify. This does not rest on the peer's ephemeral key being a good one.
//! - *Nobody can put his name on another's proof.* The hello with its id travels under the channel's AEAD, which is SIGMA's
//!   MAC of the identity: who cannot compute the channel's key cannot swap the hello for one of his own, and who can is an
//!   end of the channel.
//! - *A signature speaks for its signer, in its role, to its peer.* It covers the signer's id, the role, and, from the
//!   initiator, the responder's id. A reflected hello fails by its role; a node that is spoken to cannot present what it
//!   got to a third one.
//! - *The responder proves itself first*, so an initiator tells its id only to the node that it dialled. A responder tells
//!   its id to whoever asks: it is printed beside its address anyway.
//! - *Our own id is refused* in either role: a connection to ourselves, or somebody with our key.
//!
//! Every message has one possible length, so a decoder refuses anything else at its first two bytes, and an
//! unproven peer never makes us hold more than 260 bytes of its own.

use crate::{
    Hello, HelloError, Identity,
    frame::{LENGTH_LEN, TAG_LEN},
    hello::{CONTEXT, HELLO_LEN, Role},
    session::{OpenError, Opener, SealError, Sealer, channel},
};
use mesh_types::NodeId;
use snow::{Builder, HandshakeState, params::NoiseParams};
use std::{fmt, sync::Arc};
use thiserror::Error;

/// The Noise protocol of the channel.
pub const NOISE_PATTERN: &str = "Noise_NN_25519_ChaChaPoly_SHA256";

const KEY_LEN: usize = 32;
const VERDICT_LEN: usize = 1;

/// One side of a handshake, waiting for the other's next message.
pub struct Handshake {
    identity: Arc<Identity>,
    stage: Stage,
}

/// What a message led to.
#[derive(Debug)]
pub enum Step {
    /// Another message has to come.
    More(Handshake),
    /// The peer has proved who it is. A responder owes it a [`Session::verdict`]; an initiator has got one.
    Proven(Session),
}

/// A channel with a proven peer.
#[derive(Debug)]
pub struct Session {
    /// Who the peer is.
    pub peer: NodeId,
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
}

/// Why a proven node gets no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// All links are taken.
    #[error("all links are taken")]
    Full,
    /// There is a link with that node already, and it is the one to keep.
    #[error("there is a link already")]
    Duplicate,
    /// The links are being shut down.
    #[error("shutting down")]
    Closing,
}

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// A message has another length than the only one it can have.
    #[error("a handshake message has {expected} bytes, not {found}")]
    Length {
        /// The only length possible.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// A message was changed, or made for another channel or protocol.
    #[error("a handshake message is not authentic")]
    NotAuthentic,
    /// The hello does not parse.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The peer did not sign this channel with the key of the node it claims to be.
    #[error("the peer has not proved that it is {claimed}")]
    NotProven {
        /// Who it claims to be.
        claimed: NodeId,
    },
    /// The peer claims, or even proves, our own id.
    #[error("the peer says it is this node itself")]
    OwnId,
    /// The peer is another node than the one that was dialled.
    #[error("dialled {expected}, found {found}")]
    WrongNode {
        /// Who was dialled.
        expected: NodeId,
        /// Who is there.
        found: NodeId,
    },
    /// The peer proved itself, and does not want the link.
    #[error("the peer refused: {0}")]
    Refused(Refusal),
    /// The verdict is not one we know.
    #[error("unknown verdict {found}")]
    Verdict {
        /// The byte found.
        found: u8,
    },
    /// The cryptography failed on our side: no randomness, say.
    #[error("the handshake failed on this side")]
    Ours,
}

enum Stage {
    Ephemeral(Box<HandshakeState>),
    Reply(Box<HandshakeState>, NodeId),
    ResponderHello(Channel, NodeId),
    InitiatorHello(Channel),
    Verdict(Session),
}

struct Channel {
    hash: [u8; 32],
    sealer: Sealer,
    opener: Opener,
}

impl Handshake {
    /// Opens a handshake with the node `expected`, and appends its first message, framed, to `out`.
    ///
    /// # Errors
    /// [`HandshakeError::OwnId`], or [`HandshakeError::Ours`].
    pub fn initiate(
        identity: Arc<Identity>,
        expected: NodeId,
        out: &mut Vec<u8>,
    ) -> Result<Self, HandshakeError> {
        if expected == identity.node_id() {
            return Err(HandshakeError::OwnId);
        }
        let mut noise = noise()?.build_initiator().map_err(ours)?;
        write_noise(&mut noise, out)?;
        let stage = Stage::Reply(Box::new(noise), expected);
        Ok(Self { identity, stage })
    }

    /// Waits for somebody's first message.
    ///
    /// # Errors
    /// [`HandshakeError::Ours`].
    pub fn respond(identity: Arc<Identity>) -> Result<Self, HandshakeError> {
        let noise = noise()?.build_responder().map_err(ours)?;
        let stage = Stage::Ephemeral(Box::new(noise));
        Ok(Self { identity, stage })
    }

    /// The only length that the next message can have.
    pub const fn expects(&self) -> usize {
        match self.stage {
            Stage::Ephemeral(_) => KEY_LEN,
            Stage::Reply(..) => KEY_LEN + TAG_LEN,
            Stage::ResponderHello(..) | Stage::InitiatorHello(_) => HELLO_LEN + TAG_LEN,
            Stage::Verdict(_) => VERDICT_LEN + TAG_LEN,
        }
    }

    /// Takes the peer's next message, and appends what is to be answered, framed, to `out`.
    ///
    /// # Errors
    /// [`HandshakeError`]; the connection is to be closed then, without an answer.
    ///
    /// # Security
    /// A false [`Step::Proven`] is an impersonated node: its packets, credits and routes.
    pub fn step(self, message: &[u8], out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        let expected = self.expects();
        let found = message.len();
        if found != expected {
            return Err(HandshakeError::Length { expected, found });
        }
        let identity = self.identity;
        let stage = match self.stage {
            Stage::Ephemeral(noise) => on_ephemeral(&identity, noise, message, out)?,
            Stage::Reply(noise, expected) => {
                Stage::ResponderHello(on_reply(noise, message)?, expected)
            }
            Stage::ResponderHello(channel, expected) => {
                on_responder_hello(&identity, channel, expected, message, out)?
            }
            Stage::InitiatorHello(channel) => {
                return on_initiator_hello(&identity, channel, message).map(Step::Proven);
            }
            Stage::Verdict(session) => return on_verdict(session, message).map(Step::Proven),
        };
        Ok(Step::More(Self { identity, stage }))
    }
}

impl Session {
    /// Appends a responder's verdict, framed, to `out`: the first thing that it seals for a proven peer.
    ///
    /// # Errors
    /// [`HandshakeError::Ours`].
    pub fn verdict(
        &mut self,
        verdict: Result<(), Refusal>,
        out: &mut Vec<u8>,
    ) -> Result<(), HandshakeError> {
        let code = match verdict {
            Ok(()) => 0,
            Err(Refusal::Full) => 1,
            Err(Refusal::Duplicate) => 2,
            Err(Refusal::Closing) => 3,
        };
        Ok(self.sealer.seal(&[code], out)?)
    }
}

fn on_ephemeral(
    identity: &Identity,
    mut noise: Box<HandshakeState>,
    message: &[u8],
    out: &mut Vec<u8>,
) -> Result<Stage, HandshakeError> {
    read_noise(&mut noise, message)?;
    write_noise(&mut noise, out)?;
    let mut channel = Channel::new(*noise)?;
    channel.say_hello(identity, Role::Responder, None, out)?;
    Ok(Stage::InitiatorHello(channel))
}

fn on_reply(mut noise: Box<HandshakeState>, message: &[u8]) -> Result<Channel, HandshakeError> {
    read_noise(&mut noise, message)?;
    Channel::new(*noise)
}

fn on_responder_hello(
    identity: &Identity,
    mut channel: Channel,
    expected: NodeId,
    message: &[u8],
    out: &mut Vec<u8>,
) -> Result<Stage, HandshakeError> {
    let found = channel.hear_hello(identity, Role::Responder, None, message)?;
    if found != expected {
        return Err(HandshakeError::WrongNode { expected, found });
    }
    channel.say_hello(identity, Role::Initiator, Some(&found), out)?;
    Ok(Stage::Verdict(channel.into_session(found)))
}

fn on_initiator_hello(
    identity: &Identity,
    mut channel: Channel,
    message: &[u8],
) -> Result<Session, HandshakeError> {
    let own = identity.node_id();
    let peer = channel.hear_hello(identity, Role::Initiator, Some(&own), message)?;
    Ok(channel.into_session(peer))
}

fn on_verdict(mut session: Session, message: &[u8]) -> Result<Session, HandshakeError> {
    let verdict = session.opener.open(message)?;
    match verdict.as_slice() {
        [0] => Ok(session),
        [1] => Err(HandshakeError::Refused(Refusal::Full)),
        [2] => Err(HandshakeError::Refused(Refusal::Duplicate)),
        [3] => Err(HandshakeError::Refused(Refusal::Closing)),
        [found, ..] => Err(HandshakeError::Verdict { found: *found }),
        [] => Err(HandshakeError::NotAuthentic),
    }
}

impl Channel {
    fn new(noise: HandshakeState) -> Result<Self, HandshakeError> {
        let hash = noise
            .get_handshake_hash()
            .try_into()
            .map_err(|_| HandshakeError::Ours)?;
        let (sealer, opener) = channel(noise.into_stateless_transport_mode().map_err(ours)?);
        Ok(Self {
            hash,
            sealer,
            opener,
        })
    }

    fn say_hello(
        &mut self,
        identity: &Identity,
        role: Role,
        peer: Option<&NodeId>,
        out: &mut Vec<u8>,
    ) -> Result<(), HandshakeError> {
        let node_id = identity.node_id();
        let signature = identity.sign(Hello::digest(role, &self.hash, &node_id, peer));
        let hello = Hello { node_id, signature };
        Ok(self.sealer.seal(&hello.emit(), out)?)
    }

    fn hear_hello(
        &mut self,
        identity: &Identity,
        role: Role,
        spoken_to: Option<&NodeId>,
        message: &[u8],
    ) -> Result<NodeId, HandshakeError> {
        let hello = Hello::parse(&self.opener.open(message)?)?;
        let claimed = hello.node_id;
        if claimed == identity.node_id() {
            return Err(HandshakeError::OwnId);
        }
        let digest = Hello::digest(role, &self.hash, &claimed, spoken_to);
        if !identity.verify(&claimed, digest, &hello.signature) {
            return Err(HandshakeError::NotProven { claimed });
        }
        Ok(claimed)
    }

    fn into_session(self, peer: NodeId) -> Session {
        Session {
            peer,
            sealer: self.sealer,
            opener: self.opener,
        }
    }
}

fn noise() -> Result<Builder<'static>, HandshakeError> {
    let params: NoiseParams = NOISE_PATTERN.parse().map_err(ours)?;
    Builder::new(params)
        .prologue(CONTEXT.as_bytes())
        .map_err(ours)
}

/// Appends the next message of the Noise handshake, framed, with nothing in it but keys.
fn write_noise(noise: &mut HandshakeState, out: &mut Vec<u8>) -> Result<(), HandshakeError> {
    let mut message = [0; LENGTH_LEN + KEY_LEN + TAG_LEN];
    let written = noise.write_message(&[], &mut message).map_err(ours)?;
    let length = u16::try_from(written).map_err(|_| HandshakeError::Ours)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend(message.iter().take(written));
    Ok(())
}

fn read_noise(noise: &mut HandshakeState, message: &[u8]) -> Result<(), HandshakeError> {
    noise
        .read_message(message, &mut [0; TAG_LEN])
        .map(drop)
        .map_err(|_| HandshakeError::NotAuthentic)
}

fn ours(_: snow::Error) -> HandshakeError {
    HandshakeError::Ours
}

impl From<SealError> for HandshakeError {
    fn from(_: SealError) -> Self {
        Self::Ours
    }
}

impl From<OpenError> for HandshakeError {
    fn from(_: OpenError) -> Self {
        Self::NotAuthentic
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Ephemeral(_) => "ephemeral key",
            Stage::Reply(..) => "reply",
            Stage::ResponderHello(..) => "responder's hello",
            Stage::InitiatorHello(_) => "initiator's hello",
            Stage::Verdict(_) => "verdict",
        };
        write!(f, "Handshake({:?} waits for {stage})", self.identity)
    }
}
