//! Who proves what to whom. FACTS attack 21: a hello that claims another node's id, or ours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

mod support;

use mesh_link::{
    HELLO_LEN, Handshake, HandshakeError, Hello, HelloError, Identity, Refusal, Role, Session, Step,
};
use mesh_types::{NodeId, from_hex};
use std::sync::Arc;
use support::{Forger, good_noise, id, messages, noise, sign, write};

fn identity(secret: u8) -> Arc<Identity> {
    Arc::new(Identity::from_secret_key([secret; 32]).unwrap())
}

fn more(step: Step) -> Handshake {
    match step {
        Step::More(handshake) => handshake,
        Step::Proven(session) => panic!("proven {}", session.peer),
    }
}

fn proven(step: Step) -> Session {
    match step {
        Step::Proven(session) => session,
        Step::More(handshake) => panic!("{handshake:?}"),
    }
}

/// Lets `initiator` go as far as it sends its first message.
fn initiate(secret: u8, expected: NodeId) -> (Handshake, Vec<u8>) {
    let mut out = Vec::new();
    let handshake = Handshake::initiate(identity(secret), expected, &mut out).unwrap();
    (handshake, messages(&out).remove(0))
}

/// Brings an honest initiator to where it waits for the hello of a responder that may lie.
fn initiator_and_forger(secret: u8, expected: NodeId) -> (Handshake, Forger) {
    let (initiator, first) = initiate(secret, expected);
    let mut noise = good_noise(false);
    noise.read_message(&first, &mut [0; 64]).unwrap();
    let reply = write(&mut noise);
    let mut out = Vec::new();
    let initiator = more(initiator.step(&reply, &mut out).unwrap());
    assert!(out.is_empty());
    (initiator, Forger::new(noise))
}

/// Brings an honest responder to where it waits for the hello of an initiator that may lie; also gives its own hello.
fn responder_and_forger(secret: u8) -> (Handshake, Forger, Hello) {
    let mut noise = good_noise(true);
    let first = write(&mut noise);
    let mut out = Vec::new();
    let responder = Handshake::respond(identity(secret)).unwrap();
    let responder = more(responder.step(&first, &mut out).unwrap());
    let answers = messages(&out);
    noise.read_message(&answers[0], &mut [0; 64]).unwrap();
    let mut forger = Forger::new(noise);
    let hello = Hello::parse(&forger.open(&answers[1])).unwrap();
    (responder, forger, hello)
}

fn answer(
    handshake: Handshake,
    forger: &mut Forger,
    plaintext: &[u8],
) -> Result<Step, HandshakeError> {
    let mut out = Vec::new();
    let result = handshake.step(&forger.seal(plaintext), &mut out);
    if result.is_err() {
        assert!(out.is_empty(), "a bad peer is answered nothing");
    }
    result
}

#[test]
fn both_sides_learn_who_the_other_is() {
    let (initiator, first) = initiate(1, id(2));
    let mut out = Vec::new();
    let responder = Handshake::respond(identity(2)).unwrap();
    let responder = more(responder.step(&first, &mut out).unwrap());
    let answers = messages(&out);
    out.clear();
    let initiator = more(initiator.step(&answers[0], &mut out).unwrap());
    let initiator = more(initiator.step(&answers[1], &mut out).unwrap());
    let hello = messages(&out).remove(0);
    out.clear();
    let mut at_responder = proven(responder.step(&hello, &mut out).unwrap());
    assert_eq!(at_responder.peer, id(1));
    at_responder.verdict(Ok(()), &mut out).unwrap();
    let verdict = messages(&out).remove(0);
    let at_initiator = proven(initiator.step(&verdict, &mut out).unwrap());
    assert_eq!(at_initiator.peer, id(2));
}

#[test]
fn what_is_signed_is_the_tagged_hash_that_another_program_computes() {
    // Python: sha256(tag + tag + role + channel + own + peer), tag = sha256(b"blvm-mesh/link/1").
    let own = NodeId::from_bytes([2; 32]);
    let peer = NodeId::from_bytes([3; 32]);
    let digest = Hello::digest(Role::Initiator, &[1; 32], &own, Some(&peer));
    assert_eq!(digest, from_hex(INITIATOR_DIGEST).unwrap());
    let digest = Hello::digest(Role::Responder, &[1; 32], &own, None);
    assert_eq!(digest, from_hex(RESPONDER_DIGEST).unwrap());
}

const INITIATOR_DIGEST: &str = "5ee2efd28fa8eb43e7ad8f7bd9533f528ca11a7ecb5b6107519fd2a43bd73743";
const RESPONDER_DIGEST: &str = "fc8c99be6ddfed868477cc2b2ad0c6546b10a98e3d6d24f822e32b5105478738";

#[test]
fn a_node_that_was_not_dialled_is_refused_before_it_learns_who_dialled() {
    let (initiator, mut forger) = initiator_and_forger(1, id(2));
    let hello = forger.hello(3, Role::Responder, None).emit();
    let (expected, found) = (id(2), id(3));
    assert_eq!(
        answer(initiator, &mut forger, &hello).unwrap_err(),
        HandshakeError::WrongNode { expected, found }
    );
}

#[test]
fn our_own_id_is_refused_in_both_roles_even_with_a_good_signature() {
    let error = Handshake::initiate(identity(1), id(1), &mut Vec::new()).unwrap_err();
    assert_eq!(error, HandshakeError::OwnId);

    let (initiator, mut forger) = initiator_and_forger(1, id(2));
    let hello = forger.hello(1, Role::Responder, None).emit();
    let error = answer(initiator, &mut forger, &hello).unwrap_err();
    assert_eq!(error, HandshakeError::OwnId);

    let (responder, mut forger, _) = responder_and_forger(2);
    let hello = forger.hello(2, Role::Initiator, Some(id(2))).emit();
    let error = answer(responder, &mut forger, &hello).unwrap_err();
    assert_eq!(error, HandshakeError::OwnId);
}

#[test]
fn a_hello_reflected_to_its_sender_is_refused() {
    let (responder, mut forger, hello) = responder_and_forger(2);
    let error = answer(responder, &mut forger, &hello.emit()).unwrap_err();
    assert_eq!(error, HandshakeError::OwnId);
}

#[test]
fn another_nodes_id_under_the_own_signature_is_refused() {
    let claimed = id(2);
    let (initiator, mut forger) = initiator_and_forger(1, claimed);
    let digest = Hello::digest(Role::Responder, &forger.hash, &claimed, None);
    let hello = Hello {
        node_id: claimed,
        signature: sign(6, digest),
    };
    let error = answer(initiator, &mut forger, &hello.emit()).unwrap_err();
    assert_eq!(error, HandshakeError::NotProven { claimed });

    let claimed = id(3);
    let (responder, mut forger, _) = responder_and_forger(2);
    let digest = Hello::digest(Role::Initiator, &forger.hash, &claimed, Some(&id(2)));
    let hello = Hello {
        node_id: claimed,
        signature: sign(6, digest),
    };
    let error = answer(responder, &mut forger, &hello.emit()).unwrap_err();
    assert_eq!(error, HandshakeError::NotProven { claimed });
}

#[test]
fn a_dialled_node_cannot_present_the_dialler_to_a_third() {
    // Node 1 dials node 6, which at the same moment connects to node 2 and hands node 1's hello on.
    let (initiator, mut at_one) = initiator_and_forger(1, id(6));
    let own = at_one.hello(6, Role::Responder, None).emit();
    let mut out = Vec::new();
    more(initiator.step(&at_one.seal(&own), &mut out).unwrap());
    let stolen = at_one.open(&messages(&out)[0]);
    assert_eq!(Hello::parse(&stolen).unwrap().node_id, id(1));

    let (responder, mut at_two, _) = responder_and_forger(2);
    let error = answer(responder, &mut at_two, &stolen).unwrap_err();
    assert_eq!(error, HandshakeError::NotProven { claimed: id(1) });
}

#[test]
fn a_node_in_the_middle_cannot_pass_the_responders_hello_on() {
    let (_, _, hello) = responder_and_forger(2);
    let (initiator, mut forger) = initiator_and_forger(1, id(2));
    let error = answer(initiator, &mut forger, &hello.emit()).unwrap_err();
    assert_eq!(error, HandshakeError::NotProven { claimed: id(2) });
}

#[test]
fn a_hello_recorded_in_an_earlier_session_is_refused() {
    let (_, earlier, _) = responder_and_forger(2);
    let recorded = earlier.hello(1, Role::Initiator, Some(id(2)));
    let (responder, mut forger, _) = responder_and_forger(2);
    let error = answer(responder, &mut forger, &recorded.emit()).unwrap_err();
    assert_eq!(error, HandshakeError::NotProven { claimed: id(1) });
}

#[test]
fn a_signature_for_the_other_role_or_for_another_peer_is_refused() {
    for (role, peer) in [
        (Role::Responder, None),
        (Role::Responder, Some(id(2))),
        (Role::Initiator, None),
        (Role::Initiator, Some(id(3))),
    ] {
        let (responder, mut forger, _) = responder_and_forger(2);
        let hello = forger.hello(1, role, peer).emit();
        let error = answer(responder, &mut forger, &hello).unwrap_err();
        assert_eq!(error, HandshakeError::NotProven { claimed: id(1) });
    }
    let (initiator, mut forger) = initiator_and_forger(1, id(2));
    let hello = forger.hello(2, Role::Initiator, None).emit();
    let error = answer(initiator, &mut forger, &hello).unwrap_err();
    assert_eq!(error, HandshakeError::NotProven { claimed: id(2) });
}

#[test]
fn an_id_that_is_no_point_of_the_curve_is_refused() {
    for bytes in [[0; 32], [0xff; 32]] {
        let claimed = NodeId::from_bytes(bytes);
        let (responder, mut forger, _) = responder_and_forger(2);
        let hello = Hello {
            node_id: claimed,
            signature: [0; 64],
        };
        let error = answer(responder, &mut forger, &hello.emit()).unwrap_err();
        assert_eq!(error, HandshakeError::NotProven { claimed });
    }
}

#[test]
fn another_version_is_refused_by_name() {
    let (responder, mut forger, _) = responder_and_forger(2);
    let mut hello = forger.hello(1, Role::Initiator, Some(id(2))).emit();
    hello[0] = 2;
    let error = answer(responder, &mut forger, &hello).unwrap_err();
    assert_eq!(
        error,
        HandshakeError::Hello(HelloError::Version { found: 2 })
    );
}

#[test]
fn a_message_of_any_other_length_is_refused() {
    for len in [0, 1, 31, 33, 48, 113, 65_535] {
        let responder = Handshake::respond(identity(2)).unwrap();
        let error = responder.step(&vec![1; len], &mut Vec::new()).unwrap_err();
        assert_eq!(
            error,
            HandshakeError::Length {
                expected: 32,
                found: len
            }
        );
    }
    let (responder, mut forger, _) = responder_and_forger(2);
    let error = answer(responder, &mut forger, &[1; HELLO_LEN - 1]).unwrap_err();
    let (expected, found) = (HELLO_LEN + 16, HELLO_LEN + 15);
    assert_eq!(error, HandshakeError::Length { expected, found });
}

#[test]
fn another_prologue_or_pattern_makes_no_channel() {
    for (pattern, prologue) in [
        (mesh_link::NOISE_PATTERN, "blvm-mesh/link/2"),
        ("Noise_NN_25519_ChaChaPoly_SHA512", "blvm-mesh/link/1"),
    ] {
        let (initiator, first) = initiate(1, id(2));
        let mut noise = noise(pattern, prologue.as_bytes(), false);
        noise.read_message(&first, &mut [0; 64]).unwrap();
        let error = initiator.step(&write(&mut noise), &mut Vec::new());
        assert_eq!(error.unwrap_err(), HandshakeError::NotAuthentic);
    }
}

#[test]
fn one_changed_bit_anywhere_ends_the_handshake() {
    // Byte by byte through all five messages; the ephemeral keys' bits show when the hello after them comes.
    let mut refused = 0;
    for at in 0..32 + 48 + 113 + 113 + 17 {
        refused += usize::from(handshake_with_a_flip(at).is_none());
    }
    // X25519 ignores the top bit of a key, but the handshake hash does not.
    assert_eq!(refused, 32 + 48 + 113 + 113 + 17);
}

/// Runs a handshake in which somebody flips the top bit of byte `at` of all that is said; `None` when it fails.
fn handshake_with_a_flip(at: usize) -> Option<()> {
    let mut said = 0;
    let mut carry = |bytes: &mut Vec<u8>| -> Vec<Vec<u8>> {
        let mut all = messages(bytes);
        bytes.clear();
        for message in &mut all {
            if let Some(byte) = at.checked_sub(said).and_then(|at| message.get_mut(at)) {
                *byte ^= 0x80;
            }
            said += message.len();
        }
        all
    };
    let mut out = Vec::new();
    let initiator = Handshake::initiate(identity(1), id(2), &mut out).unwrap();
    let responder = Handshake::respond(identity(2)).unwrap();
    let responder = more(responder.step(&carry(&mut out)[0], &mut out).ok()?);
    let answers = carry(&mut out);
    let initiator = more(initiator.step(&answers[0], &mut out).ok()?);
    let initiator = more(initiator.step(&answers[1], &mut out).ok()?);
    let mut session = proven(responder.step(&carry(&mut out)[0], &mut out).ok()?);
    session.verdict(Ok(()), &mut out).unwrap();
    proven(initiator.step(&carry(&mut out)[0], &mut out).ok()?);
    Some(())
}

#[test]
fn a_refusal_reaches_the_initiator_with_its_reason() {
    for (code, expected) in [
        (1, HandshakeError::Refused(Refusal::Full)),
        (2, HandshakeError::Refused(Refusal::Duplicate)),
        (3, HandshakeError::Refused(Refusal::Closing)),
        (4, HandshakeError::Verdict { found: 4 }),
    ] {
        let (initiator, mut forger) = initiator_and_forger(1, id(2));
        let hello = forger.hello(2, Role::Responder, None).emit();
        let initiator = more(answer(initiator, &mut forger, &hello).unwrap());
        let error = answer(initiator, &mut forger, &[code]).unwrap_err();
        assert_eq!(error, expected);
    }
}

#[test]
fn a_key_that_is_none_is_refused() {
    for bytes in [[0; 32], [0xff; 32]] {
        assert!(Identity::from_secret_key(bytes).is_err());
    }
}
