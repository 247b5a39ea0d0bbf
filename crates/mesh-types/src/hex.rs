use thiserror::Error;

/// Why a text is not the lower-case hex of the bytes that were expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HexError {
    /// The text has another length than two characters a byte.
    #[error("expected {expected} hex characters, found {found}")]
    Length {
        /// Characters expected.
        expected: usize,
        /// Bytes of text found.
        found: usize,
    },
    /// A character is not one of `0-9a-f`.
    #[error("character {at} is not one of 0-9a-f")]
    Character {
        /// Index of the first wrong character.
        at: usize,
    },
}

/// Writes bytes as lower-case hex.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)])
        .collect()
}

/// Reads exactly `N` bytes of lower-case hex: one text for one value, so upper case is an error.
///
/// # Errors
/// [`HexError`] names the length or the character that is wrong.
pub fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    if text.len() != N * 2 {
        return Err(HexError::Length {
            expected: N * 2,
            found: text.len(),
        });
    }
    let nibble = |at: usize| match text.as_bytes().get(at) {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(letter @ b'a'..=b'f') => Ok(letter - b'a' + 10),
        _ => Err(HexError::Character { at }),
    };
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = nibble(index * 2)? << 4 | nibble(index * 2 + 1)?;
    }
    Ok(bytes)
}
