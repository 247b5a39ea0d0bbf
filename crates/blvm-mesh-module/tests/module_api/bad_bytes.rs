use crate::golden::{Check, Message, all, bytes};
use blvm_mesh_module::api::{
    DecodeError, LocalDeliveries, MAX_REQUEST_BYTES, PeerList, PollRequest, Proof,
    SendPacketRequest, decode, decode_answer, encode,
};
use proptest::{collection::vec, prelude::*};

#[test]
fn a_message_that_ends_early_or_goes_on_is_none() {
    struct Cut;
    impl Check for Cut {
        fn message<T: Message>(&mut self, name: &str, _: &T, fields: &[&str]) {
            let whole = bytes(fields);
            for end in 0..whole.len() {
                assert!(decode::<T>(&whole[..end]).is_err(), "{name}, {end} bytes");
            }
            for more in [0, 1, 0xff] {
                let longer = [&whole[..], &[more]].concat();
                assert!(decode::<T>(&longer).is_err(), "{name}, and {more} behind");
            }
        }
    }
    all(&mut Cut);
}

#[test]
fn a_byte_changed_anywhere_is_an_error_or_another_message() {
    struct Changed;
    impl Check for Changed {
        fn message<T: Message>(&mut self, name: &str, value: &T, fields: &[&str]) {
            let whole = bytes(fields);
            for (at, byte) in whole.iter().enumerate() {
                let mut other = whole.clone();
                other[at] = byte ^ 0x80;
                let Ok(read) = decode::<T>(&other) else {
                    continue;
                };
                assert_ne!(read, *value, "{name}, byte {at}");
                assert_eq!(encode(&read).unwrap(), other, "{name}, byte {at}");
            }
        }
    }
    all(&mut Changed);
}

#[test]
fn a_length_that_lies_is_refused() {
    struct Lies(usize);
    impl Check for Lies {
        fn message<T: Message>(&mut self, name: &str, _: &T, fields: &[&str]) {
            let whole = bytes(fields);
            // Wherever a length may stand.
            for at in 0..whole.len().saturating_sub(7) {
                for lie in [u64::MAX, u64::MAX >> 1, 1 << 40] {
                    let mut lying = whole.clone();
                    lying[at..at + 8].copy_from_slice(&lie.to_le_bytes());
                    match decode::<T>(&lying) {
                        // It was written over a number.
                        Ok(read) => assert_eq!(encode(&read).unwrap(), lying, "{name}"),
                        Err(_) => self.0 += 1,
                    }
                }
            }
        }
    }
    let mut lies = Lies(0);
    all(&mut lies);
    assert!(lies.0 > 100);
}

#[test]
fn unknown_tags_are_refused() {
    let none = SendPacketRequest {
        destination: [1; 32],
        payload: Vec::new(),
        payment_proof: None,
        protocol_id: None,
        ttl: None,
    };
    let good = encode(&none).unwrap();
    for at in 40..43 {
        for tag in 2..=u8::MAX {
            let mut bad = good.clone();
            bad[at] = tag;
            assert!(decode::<SendPacketRequest>(&bad).is_err(), "{tag} at {at}");
        }
    }
    for kind in [3_u32, 4, 0x0100_0000, u32::MAX] {
        let mut bad = vec![0; 200];
        bad[..4].copy_from_slice(&kind.to_le_bytes());
        let error = decode::<Proof>(&bad).unwrap_err();
        assert!(error.to_string().contains("variant"), "{error}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let fields = ["01 0200000000000000 c328", "00"];
    assert!(decode::<PollRequest>(&bytes(&fields)).is_err());
}

#[test]
fn a_request_longer_than_any_is_refused_by_its_length() {
    let found = MAX_REQUEST_BYTES + 1;
    let error = decode::<SendPacketRequest>(&vec![0; found]).unwrap_err();
    assert_eq!(error, DecodeError::TooLong { found });
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_to_the_end_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(request) = decode::<SendPacketRequest>(&bytes) {
            prop_assert_eq!(encode(&request).unwrap(), &*bytes);
        }
        if let Ok(proof) = decode::<Proof>(&bytes) {
            prop_assert_eq!(encode(&proof).unwrap(), &*bytes);
        }
        if let Ok(request) = decode::<PollRequest>(&bytes) {
            prop_assert_eq!(encode(&request).unwrap(), &*bytes);
        }
        if let Ok(peers) = decode_answer::<PeerList>(&bytes) {
            prop_assert_eq!(encode(&peers).unwrap(), &*bytes);
        }
        if let Ok(packets) = decode_answer::<LocalDeliveries>(&bytes) {
            prop_assert_eq!(encode(&packets).unwrap(), &*bytes);
        }
    }
}
