//! What bytes are and how packets are written: protocol detection, policy and the wire format.
