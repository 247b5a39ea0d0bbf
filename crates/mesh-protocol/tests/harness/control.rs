//! What has to hold for any bytes that claim to be a control message.

use mesh_protocol::{ControlMessage, MAX_CONTROL_LEN};

/// Decodes `data`; panics when a message has another encoding than the one that it came in.
pub(crate) fn run(data: &[u8]) {
    let Ok(message) = ControlMessage::decode(data) else {
        return;
    };
    assert!(data.len() <= MAX_CONTROL_LEN);
    assert_eq!(message.encode().as_deref(), Ok(data));
    let is_gossip = matches!(message, ControlMessage::Gossip(_));
    assert_eq!(ControlMessage::is_gossip(data), is_gossip);
    assert!(!format!("{message:?}").is_empty());
}
