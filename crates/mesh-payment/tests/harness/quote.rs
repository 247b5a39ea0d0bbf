//! The text of a quote, whatever it is: what is accepted is exactly what would be written.

use mesh_payment::Quote;

/// Reads `data` as the text of a quote.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(quote) = Quote::from_text(text) else {
        return;
    };
    assert_eq!(quote.to_text(), text);
    assert_eq!(Quote::from_text(&quote.to_text()), Ok(quote));
}
