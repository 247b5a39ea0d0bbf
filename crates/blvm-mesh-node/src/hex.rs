use blvm_mesh::from_hex;
use thiserror::Error;

/// Why a text is not bytes in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum HexTextError {
    /// A character has no partner.
    #[error("expected two hex characters a byte, found an odd number of them ({found})")]
    Odd {
        /// Bytes of text.
        found: usize,
    },
    /// A character is not one of `0-9a-f`.
    #[error("expected characters 0-9a-f, found another one in byte {at}")]
    Character {
        /// The index of the byte.
        at: usize,
    },
    /// There are more bytes than there may be.
    #[error("expected at most {most} bytes, found {found}")]
    TooLong {
        /// How many there may be.
        most: usize,
        /// How many there are.
        found: usize,
    },
}

/// Reads up to `most` bytes of lower-case hex.
pub(crate) fn parse_hex(text: &str, most: usize) -> Result<Vec<u8>, HexTextError> {
    let found = text.len();
    if !found.is_multiple_of(2) {
        return Err(HexTextError::Odd { found });
    }
    if found / 2 > most {
        return Err(HexTextError::TooLong {
            most,
            found: found / 2,
        });
    }
    let pairs = text.as_bytes().chunks(2).enumerate();
    let byte = |(at, pair)| {
        let pair = str::from_utf8(pair).map_err(|_| HexTextError::Character { at })?;
        let [byte] = from_hex(pair).map_err(|_| HexTextError::Character { at })?;
        Ok(byte)
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_and_anything_else_is_named() {
        assert_eq!(parse_hex("00ff7a", 3), Ok(vec![0, 0xff, 0x7a]));
        assert_eq!(parse_hex("", 0), Ok(vec![]));
        assert_eq!(parse_hex("0", 1), Err(HexTextError::Odd { found: 1 }));
        assert_eq!(parse_hex("00FF", 2), Err(HexTextError::Character { at: 1 }));
        assert_eq!(parse_hex("aé0", 2), Err(HexTextError::Character { at: 0 }));
        let too_long = HexTextError::TooLong { most: 1, found: 2 };
        assert_eq!(parse_hex("0000", 1), Err(too_long));
    }
}
