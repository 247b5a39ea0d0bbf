//! The hello parser, and both sides of a handshake, against all that a peer may say.

use mesh_link::{HELLO_LEN, HELLO_VERSION, Handshake, Hello, HelloError, Identity, Step};
use mesh_types::NodeId;
use std::sync::{Arc, LazyLock};

static IDENTITY: LazyLock<Arc<Identity>> =
    LazyLock::new(|| Arc::new(Identity::from_secret_key([1; 32]).expect("a good key")));

/// Parses `data` as a hello, which is written back the same; and answers it to two handshakes, which it never completes.
pub(crate) fn run(data: &[u8]) {
    match Hello::parse(data) {
        Ok(hello) => assert_eq!(hello.emit(), data),
        Err(HelloError::Length { found }) => {
            assert_eq!(found, data.len());
            assert_ne!(found, HELLO_LEN);
        }
        Err(HelloError::Version { found }) => {
            assert_eq!(data.first(), Some(&found));
            assert_ne!(found, HELLO_VERSION);
        }
    }
    let responder = Handshake::respond(Arc::clone(&IDENTITY)).expect("randomness");
    refuses(responder, data);
    let expected = NodeId::from_bytes([2; 32]);
    let initiator = Handshake::initiate(Arc::clone(&IDENTITY), expected, &mut Vec::new());
    refuses(initiator.expect("randomness"), data);
}

/// Plays `data` message by message, each as long as it has to be.
fn refuses(mut handshake: Handshake, data: &[u8]) {
    let mut rest = data;
    let mut out = Vec::new();
    loop {
        let len = handshake.expects().min(rest.len());
        let (message, behind) = rest.split_at(len);
        rest = behind;
        match handshake.step(message, &mut out) {
            Ok(Step::More(next)) => handshake = next,
            Ok(Step::Proven(session)) => panic!("{} proved itself by chance", session.peer),
            Err(_) => return,
        }
        assert!(out.len() < 512, "much is answered to a stranger");
    }
}
