use blvm_mesh::{Msat, NodeId};
use std::{env, io::IsTerminal};

/// Whether what is printed may have colours: there is a terminal, and `NO_COLOR` does not say otherwise.
pub(crate) fn may_be_coloured(out: &impl IsTerminal) -> bool {
    let wants_colour = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    out.is_terminal() && wants_colour
}

/// Writes a number with commas between its thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Writes an amount with its unit.
pub(crate) fn msat(amount: Msat) -> String {
    format!("{} msat", thousands(amount.to_msat()))
}

/// Writes an amount that a report has.
pub(crate) fn amount(sum_msat: u64) -> String {
    msat(Msat::from_msat(sum_msat))
}

/// Writes millisatoshi in satoshi, with all three places behind the point; the unit is not written.
pub(crate) fn sats(msat: u64) -> String {
    format!("{}.{:03}", thousands(msat / 1_000), msat % 1_000)
}

/// Writes satoshi in bitcoins, with all eight places behind the point and without commas, as wallets read it; the unit is not
/// written.
pub(crate) fn bitcoins(sats: u64) -> String {
    format!("{}.{:08}", sats / 100_000_000, sats % 100_000_000)
}

/// Writes a count and what is counted: `1 packet`, `2 packets`.
pub(crate) fn counted(count: u64, one: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {one}{ending}", thousands(count))
}

/// Writes the two ends of a node id, for people; it is no name to look a node up by.
pub(crate) fn short(node_id: &NodeId) -> String {
    ends(&node_id.to_string())
}

/// Writes a route, for people.
pub(crate) fn way(route: &[NodeId]) -> String {
    let nodes: Vec<_> = route.iter().map(short).collect();
    nodes.join(" -> ")
}

/// Writes the two ends of a long word.
pub(crate) fn ends(word: &str) -> String {
    let head: String = word.chars().take(8).collect();
    let tail: String = word
        .chars()
        .skip(word.chars().count().saturating_sub(4))
        .collect();
    format!("{head}..{tail}")
}

/// Writes what a peer sent so that it cannot move the cursor, change colours or forge lines.
///
/// Text that is all printable is quoted; anything else is hex. At most `most` characters are shown.
pub(crate) fn payload(bytes: &[u8], most: usize) -> String {
    let printable = str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.is_empty() && !text.chars().any(char::is_control));
    let text = match printable {
        Some(text) => format!("\"{}\"", text.escape_debug()),
        None => blvm_mesh::to_hex(bytes),
    };
    if text.chars().count() <= most {
        return text;
    }
    let head: String = text.chars().take(most).collect();
    format!("{head}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas() {
        let written = [0, 999, 1_000, 12_345, 1_234_567].map(thousands);
        assert_eq!(written, ["0", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn satoshi_have_all_their_places() {
        let written = [0, 1, 999, 1_000, 12_345_678].map(sats);
        assert_eq!(written, ["0.000", "0.001", "0.999", "1.000", "12,345.678"]);
        let written = [1, 3_000, 100_000_000, 123_456_789_012].map(bitcoins);
        let expected = ["0.00000001", "0.00003000", "1.00000000", "1234.56789012"];
        assert_eq!(written, expected);
        assert_eq!(counted(1, "packet"), "1 packet");
        assert_eq!(counted(2_000, "packet"), "2,000 packets");
    }

    #[test]
    fn a_payload_cannot_write_to_the_terminal() {
        assert_eq!(payload(b"hello", 80), "\"hello\"");
        assert_eq!(payload(b"\x1b[31mred", 80), "1b5b33316d726564");
        assert_eq!(payload(b"two\nlines", 80), "74776f0a6c696e6573");
        assert_eq!(
            payload("left \u{202e}right".as_bytes(), 80),
            "\"left \\u{202e}right\""
        );
        assert_eq!(payload(b"", 80), "");
        assert_eq!(payload(&[0xff; 100], 6), "ffffff...");
    }
}
