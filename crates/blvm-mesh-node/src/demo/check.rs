use super::error::Cause;
use std::fmt::Debug;

/// Checks that what is about to be told is so.
pub(super) fn same<T: PartialEq + Debug>(
    what: &'static str,
    found: T,
    expected: T,
) -> Result<(), Cause> {
    if found == expected {
        return Ok(());
    }
    Err(Cause::Differs {
        what,
        expected: format!("{expected:?}"),
        found: format!("{found:?}"),
    })
}

/// What is told is not what was found.
pub(super) fn differs(what: &'static str, expected: &str, found: impl Debug) -> Cause {
    Cause::Differs {
        what,
        expected: expected.to_owned(),
        found: format!("{found:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_so_passes_and_what_is_not_says_both_sides() {
        assert!(same("a sum", 3, 3).is_ok());
        let error = same("a sum", 2, 3).unwrap_err();
        assert_eq!(error.to_string(), "a sum: expected 3, found 2");
    }
}
