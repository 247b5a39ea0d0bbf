use super::ApiError;

/// The most bytes of a protocol id.
///
/// 64, because ids are names such as `app-ukm-v1`, and because packets are paid for by their size.
pub const MAX_PROTOCOL_ID_BYTES: usize = 64;

/// What a payload begins with that names its application. No text and no message of Bitcoin begins so.
const MARK: [u8; 8] = *b"\x89mesh-p1";

/// Puts a protocol id in front of a payload: the mark, its length in a byte, the id. A payload without one stays as it is,
/// unless it looks as if it had one: then its id is empty.
pub(super) fn mark(protocol_id: &str, payload: Vec<u8>) -> Result<Vec<u8>, ApiError> {
    if protocol_id.is_empty() && !payload.starts_with(&MARK) {
        return Ok(payload);
    }
    let length = u8::try_from(protocol_id.len())
        .ok()
        .filter(|length| usize::from(*length) <= MAX_PROTOCOL_ID_BYTES)
        .ok_or_else(|| {
            let found = protocol_id.len();
            ApiError::Refused(format!(
                "protocol_id: it has {found} bytes, and at most {MAX_PROTOCOL_ID_BYTES} are carried"
            ))
        })?;
    Ok([&MARK[..], &[length], protocol_id.as_bytes(), &payload].concat())
}

/// Takes what [`mark`] wrote apart. What it has not written is a payload without an id, as a whole.
pub(super) fn read(bytes: &[u8]) -> (&str, &[u8]) {
    let marked = || {
        let (length, rest) = bytes.strip_prefix(&MARK)?.split_first()?;
        let length = usize::from(*length);
        let (protocol_id, payload) = rest.split_at_checked(length)?;
        let protocol_id = str::from_utf8(protocol_id).ok()?;
        (length <= MAX_PROTOCOL_ID_BYTES).then_some((protocol_id, payload))
    };
    marked().unwrap_or(("", bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use blvm_mesh::{DetectedProtocol, MeshMode, RoutingPolicyEngine};
    use proptest::{collection::vec, prelude::*};

    #[test]
    fn an_id_stands_in_front_of_its_payload_and_without_one_nothing_does() {
        let marked = mark("app", b"hi".to_vec()).unwrap();
        assert_eq!(marked, b"\x89mesh-p1\x03apphi");
        assert_eq!(read(&marked), ("app", &b"hi"[..]));
        assert_eq!(mark("", b"hi".to_vec()).unwrap(), b"hi");
        assert_eq!(read(b"hi"), ("", &b"hi"[..]));
    }

    #[test]
    fn an_id_is_refused_by_its_length() {
        let longest = "x".repeat(MAX_PROTOCOL_ID_BYTES);
        let marked = mark(&longest, Vec::new()).unwrap();
        assert_eq!(read(&marked), (&*longest, &[][..]));
        let error = mark(&(longest + "x"), Vec::new()).unwrap_err();
        assert!(error.to_string().contains("65 bytes"), "{error}");
        assert!(mark(&"x".repeat(300), Vec::new()).is_err());
    }

    #[test]
    fn what_another_wrote_is_lost_in_no_part() {
        for bytes in [
            &b"\x89mesh-p1"[..],
            b"\x89mesh-p1\x03ap",
            b"\x89mesh-p1\x02\xc3\x28hi",
            b"\x89mesh-p1\x41AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(read(bytes), ("", bytes));
        }
    }

    #[test]
    fn no_payload_rides_free_for_its_id() {
        let engine = RoutingPolicyEngine::new(MeshMode::PaymentGated);
        let marked = mark("MESH", b"MESH".to_vec()).unwrap();
        assert_eq!(engine.detect_protocol(&marked), DetectedProtocol::Unknown);
    }

    proptest! {
        #[test]
        fn what_is_marked_comes_back_as_it_was(
            protocol_id in "\\PC{0,16}",
            head in prop_oneof![Just(&b""[..]), Just(&MARK[..]), Just(&b"\x89mesh-p1\x02"[..])],
            payload in vec(any::<u8>(), 0..40),
        ) {
            let payload = [head, &payload].concat();
            let marked = mark(&protocol_id, payload.clone()).unwrap();
            prop_assert_eq!(read(&marked), (&*protocol_id, &*payload));
        }

        #[test]
        fn arbitrary_bytes_have_an_id_or_none(bytes in vec(any::<u8>(), 0..100)) {
            let (protocol_id, payload) = read(&bytes);
            prop_assert!(bytes.ends_with(payload));
            prop_assert!(protocol_id.len() <= MAX_PROTOCOL_ID_BYTES);
        }
    }
}
