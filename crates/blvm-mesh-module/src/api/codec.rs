use blvm_mesh::MAX_PACKET_LEN;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData};
use thiserror::Error;

use bincode::Options as _;

/// The most bytes of a request.
///
/// The longest packet and 1 KiB more, because the longest payload and the longest proof fit together in a packet, and all
/// other fields of a request in a KiB.
pub const MAX_REQUEST_BYTES: usize = MAX_PACKET_LEN + 1_024;

/// Why bytes are no request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// There are more of them than any request has.
    #[error("a request has at most {MAX_REQUEST_BYTES} bytes, not {found}")]
    TooLong {
        /// How many there are.
        found: usize,
    },
    /// They are not the encoding of what was expected.
    #[error("not the bincode of its fields: {0}")]
    Malformed(String),
}

/// Reads a value that is exactly these bytes.
///
/// Nothing is reserved because of a length that the bytes claim: one that exceeds them is an error.
///
/// # Errors
/// [`DecodeError`], also when bytes are left over.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let found = bytes.len();
    if found > MAX_REQUEST_BYTES {
        return Err(DecodeError::TooLong { found });
    }
    decode_any(bytes)
}

/// The same for answers, which may be longer.
///
/// # Errors
/// As [`decode`], and never [`DecodeError::TooLong`].
pub fn decode_answer<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    decode_any(bytes)
}

fn decode_any<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    // What `bincode::deserialize` reads, but for a limit, and that bytes behind the value are an error.
    let options = bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_limit(limit)
        .reject_trailing_bytes();
    options
        .deserialize(bytes)
        .map_err(|error| DecodeError::Malformed(error.to_string()))
}

/// Writes a value as `bincode::serialize` does.
///
/// # Errors
/// None, for the values of this module.
pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, bincode::Error> {
    bincode::serialize(value)
}

/// Reads a list without making room for as many items as it claims to have.
pub(super) fn unreserved<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Items<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = list.next_element()? {
                items.push(item);
            }
            Ok(items)
        }
    }

    deserializer.deserialize_seq(Items(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::{
        DeserializeSeed, IntoDeserializer as _,
        value::{Error, SeqAccessDeserializer},
    };

    /// A list of one item that says it had a million more.
    struct Boast(Option<u8>);

    impl<'de> SeqAccess<'de> for Boast {
        type Error = Error;

        fn next_element_seed<T: DeserializeSeed<'de>>(
            &mut self,
            seed: T,
        ) -> Result<Option<T::Value>, Error> {
            let item = self.0.take();
            item.map(|item| seed.deserialize(item.into_deserializer()))
                .transpose()
        }

        fn size_hint(&self) -> Option<usize> {
            Some(1_000_000)
        }
    }

    #[test]
    fn no_room_is_made_for_what_a_list_only_claims_to_have() {
        let boast = || SeqAccessDeserializer::new(Boast(Some(7)));
        let items: Vec<u8> = unreserved(boast()).unwrap();
        assert_eq!(items, [7]);
        assert!(items.capacity() < 100, "{}", items.capacity());
        let usual = Vec::<u8>::deserialize(boast()).unwrap();
        assert!(usual.capacity() >= 1_000_000, "the boast would be believed");
    }
}
