//! The journey of a packet, as one decision and the async shell round it.
