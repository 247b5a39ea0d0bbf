use bech32::{Fe32, primitives::decode::CheckedHrpstring};
use lightning_invoice::{Bolt11Bech32, Bolt11ParseError, MAX_LENGTH};
use std::{array, iter, sync::LazyLock};

const CHECKSUM_CHARACTERS: usize = 6;
const LONGEST_PREFIX: usize = 83;

/// What the five bits that leave the checksum's state add to it again (BIP 173).
static FEEDBACK: LazyLock<[u32; 32]> = LazyLock::new(|| {
    const GENERATORS: [(usize, u32); 5] = [
        (1, 0x3b6a_57b2),
        (2, 0x2650_8e6d),
        (4, 0x1ea1_19fa),
        (8, 0x3d42_33dd),
        (16, 0x2a14_62b3),
    ];
    array::from_fn(|bits| {
        let meant = GENERATORS.iter().filter(|(bit, _)| bits & bit != 0);
        meant.fold(0, |sum, (_, generator)| sum ^ generator)
    })
});

/// Splits a text whose checksum is right into its prefix, in lower case, and its data without the checksum.
///
/// # Errors
/// What the bech32 library says against the text.
pub(crate) fn split(text: &str) -> Result<(String, Vec<Fe32>), Bolt11ParseError> {
    // The usual form is accepted at a fraction of the library's cost; whatever is unusual, the library judges.
    if let Some(parts) = split_lower_case(text) {
        return Ok(parts);
    }
    let checked = CheckedHrpstring::new::<Bolt11Bech32>(text)?;
    let data = checked.fe32_iter::<iter::Empty<u8>>().collect();
    Ok((checked.hrp().to_lowercase(), data))
}

fn split_lower_case(text: &str) -> Option<(String, Vec<Fe32>)> {
    let (prefix, characters) = text.rsplit_once('1')?;
    let is_usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if text.len() > MAX_LENGTH
        || !(1..=LONGEST_PREFIX).contains(&prefix.len())
        || !text.bytes().all(is_usual)
    {
        return None;
    }
    let feedback = &*FEEDBACK;
    let feed = |state: u32, value: u8| {
        let leaving = usize::try_from(state >> 25).unwrap_or(0) & 31;
        let back = feedback.get(leaving).copied().unwrap_or(0);
        (state & 0x01ff_ffff) << 5 ^ u32::from(value) ^ back
    };
    let highs = prefix.bytes().map(|byte| byte >> 5);
    let lows = prefix.bytes().map(|byte| byte & 31);
    let start = highs.chain([0]).chain(lows).fold(1, feed);
    let mut data = Vec::with_capacity(characters.len());
    for byte in characters.bytes() {
        data.push(Fe32::from_char(char::from(byte)).ok()?);
    }
    let end = data
        .iter()
        .fold(start, |state, character| feed(state, character.to_u8()));
    let data_len = data.len().checked_sub(CHECKSUM_CHARACTERS)?;
    data.truncate(data_len);
    (end == 1).then(|| (prefix.to_owned(), data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bech32::{Bech32, Fe32IterExt, Hrp};
    use proptest::prelude::*;

    fn by_library(text: &str) -> Option<(String, Vec<Fe32>)> {
        let checked = CheckedHrpstring::new::<Bolt11Bech32>(text).ok()?;
        let data = checked.fe32_iter::<iter::Empty<u8>>().collect();
        Some((checked.hrp().to_string(), data))
    }

    fn encode(prefix: &str, data: &[Fe32]) -> String {
        let prefix = Hrp::parse(prefix).unwrap();
        let data = data.iter().copied();
        data.with_checksum::<Bech32>(&prefix).chars().collect()
    }

    fn character() -> impl Strategy<Value = Fe32> {
        (0..32u8).prop_map(|value| Fe32::try_from(value).unwrap())
    }

    proptest! {
        #[test]
        fn a_right_checksum_is_right(
            prefix in "[a-z0-9]{1,83}",
            data in prop::collection::vec(character(), 0..700),
        ) {
            let text = encode(&prefix, &data);
            prop_assert_eq!(split_lower_case(&text), Some((prefix, data)));
        }

        #[test]
        fn a_changed_text_is_judged_as_the_library_judges_it(
            prefix in "[a-z0-9]{1,8}",
            data in prop::collection::vec(character(), 0..100),
            changes in prop::collection::vec((any::<prop::sample::Index>(), "[a-z0-9]"), 0..3),
        ) {
            let mut text = encode(&prefix, &data);
            for (at, character) in changes {
                let at = at.index(text.len());
                text.replace_range(at..=at, &character);
            }
            prop_assert_eq!(split_lower_case(&text), by_library(&text));
        }

        #[test]
        fn any_text_is_judged_as_the_library_judges_it(text in "[ -~]{0,40}|\\PC{0,20}") {
            prop_assert_eq!(split(&text).ok(), by_library(&text));
        }
    }

    #[test]
    fn a_text_or_a_prefix_that_is_too_long_is_refused() {
        let longest = MAX_LENGTH - "ln1".len() - CHECKSUM_CHARACTERS;
        for (data_len, is_good) in [(longest, true), (longest + 1, false)] {
            let text = encode("ln", &vec![Fe32::Q; data_len]);
            assert_eq!(split(&text).is_ok(), is_good);
            assert_eq!(split_lower_case(&text).is_some(), is_good);
        }
        let prefix = "a".repeat(LONGEST_PREFIX + 1);
        let valid = encode(&prefix[1..], &[Fe32::P]);
        assert!(split(&valid).is_ok());
        assert!(split(&format!("a{valid}")).is_err());
    }

    #[test]
    fn upper_case_is_the_same_text_and_mixed_case_is_none() {
        let text = encode("lnbcrt", &[Fe32::P, Fe32::Z]);
        assert_eq!(split(&text.to_uppercase()).ok(), split(&text).ok());
        for (at, character) in text.char_indices().filter(|(_, it)| it.is_alphabetic()) {
            let mut mixed = text.clone();
            let upper_case = character.to_ascii_uppercase().to_string();
            mixed.replace_range(at..=at, &upper_case);
            assert!(split(&mixed).is_err(), "{mixed}");
        }
    }
}
