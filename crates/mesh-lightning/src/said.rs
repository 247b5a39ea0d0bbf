/// The most of a back end's own words that a message repeats, in characters: a sentence or two.
const MAX_SAID: usize = 240;

/// The shortest run of letters and digits that may be a key: an LNbits key has 32, a preimage or a macaroon more.
const SECRET_LEN: usize = 32;

/// Gives a back end's own words for a message: short, on one line, and without anything that may be a secret.
///
/// # Security
/// A back end may repeat a request that it did not understand, with the preimage or the key in it.
pub(crate) fn said(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !is_of_secret(c)) {
        let run = word.trim_end_matches(|c: char| !is_of_secret(c));
        if run.len() >= SECRET_LEN {
            out.push('…');
        } else {
            out.push_str(run);
        }
        let end = word.get(run.len()..).unwrap_or_default();
        out.extend(end.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
    let long = out.chars().nth(MAX_SAID).is_some();
    let mut short: String = out.chars().take(MAX_SAID).collect();
    if long {
        short.push('…');
    }
    short.trim().to_owned()
}

/// Whether hex or either base64 is written with it.
fn is_of_secret(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/=_-".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_and_secrets_go() {
        let key = "0123456789abcdef0123456789abcdef";
        assert_eq!(said("no such invoice"), "no such invoice");
        assert_eq!(
            said(&format!("bad token '{key}', sir")),
            "bad token '…', sir"
        );
        assert_eq!(said(&format!("{key}{key}")), "…");
        assert_eq!(said("AbCdEfGhIjKlMnOpQrStUvWxYz+/-_==AbCdEf\n."), "… .");
    }

    #[test]
    fn long_words_are_cut_and_stay_on_one_line() {
        let text = said(&"a b\n".repeat(1_000));
        assert_eq!(text.chars().count(), MAX_SAID + 1);
        assert!(!text.contains('\n'));
    }
}
