//! What has to hold for any bytes that claim to be an announcement.

use mesh_protocol::{
    MAX_ANNOUNCEMENT_LEN, decode_announcement, encode_announcement, verify_announcement,
};

/// Decodes `data`; panics when an announcement has another encoding than the one that it came in, or breaks a bound.
pub(crate) fn run(data: &[u8]) {
    let Ok(signed) = decode_announcement(data) else {
        return;
    };
    assert!(data.len() <= MAX_ANNOUNCEMENT_LEN);
    assert_eq!(signed.encoded_len(), data.len());
    assert_eq!(signed.announcement.check(), Ok(()));
    assert_eq!(encode_announcement(&signed).as_deref(), Ok(data));
    // Whether the signature holds does not matter here; to look at it must not panic.
    let _ = verify_announcement(&signed);
}
