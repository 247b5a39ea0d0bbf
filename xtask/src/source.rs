/// Blanks what is not code in Rust source: comments, and the insides of strings and characters.
///
/// Every byte keeps its place and every line its number, so what is found here can be shown there.
pub(crate) fn code_only(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let shape = shape_at(rest, out.chars().next_back());
        let (kept, skipped) = shape.unwrap_or((first.len_utf8(), 0));
        let (keep, after) = rest.split_at(kept);
        let (skip, after) = after.split_at(skipped);
        out.push_str(keep);
        out.extend(
            skip.bytes()
                .map(|byte| if byte == b'\n' { '\n' } else { ' ' }),
        );
        rest = after;
    }
    out
}

/// The 1-based line on which the byte at `offset` stands.
pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

/// Whether `word` stands in `text` with no letter, digit or underscore on either side.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    find_word(text, word).is_some()
}

/// Where `word` first stands as in [`has_word`].
pub(crate) fn find_word(text: &str, word: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let (before, after) = (text.get(..*at), text.get(at + word.len()..));
        !before.is_some_and(|t| t.ends_with(is_part))
            && !after.is_some_and(|t| t.starts_with(is_part))
    })
}

/// How many bytes at the start of `rest` to keep and how many after them to blank, when something
/// other than plain code starts there.
fn shape_at(rest: &str, before: Option<char>) -> Option<(usize, usize)> {
    if rest.starts_with("//") {
        return Some((0, rest.find('\n').unwrap_or(rest.len())));
    }
    if rest.starts_with("/*") {
        return Some((0, block_comment(rest)));
    }
    if let Some(text) = rest.strip_prefix('"') {
        return Some((1, quoted(text, '"')));
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with('r') && (!in_word || matches!(before, Some('b' | 'c'))) {
        return raw_string(rest);
    }
    rest.strip_prefix('\'').and_then(character)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        let step = if tail.starts_with("/*") {
            depth += 1;
            2
        } else if tail.starts_with("*/") {
            depth = depth.saturating_sub(1);
            2
        } else {
            tail.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of `text` up to and with the closing quote.
fn quoted(text: &str, close: char) -> usize {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            c if c == close => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(rest: &str) -> Option<(usize, usize)> {
    let after_r = rest.get(1..)?;
    let hashes = after_r.len() - after_r.trim_start_matches('#').len();
    let open = 1 + hashes + 1;
    let text = rest
        .get(open..)
        .filter(|_| rest.get(1 + hashes..open) == Some("\""))?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = text.find(&close).map_or(text.len(), |at| at + close.len());
    Some((open, end))
}

/// A character, as opposed to a lifetime.
fn character(after_quote: &str) -> Option<(usize, usize)> {
    let mut chars = after_quote.char_indices();
    let (_, first) = chars.next()?;
    let (second_at, second) = chars.next()?;
    if first == '\\' {
        return Some((1, quoted(after_quote, '\'')));
    }
    (second == '\'').then_some((1, second_at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_lines_stay() {
        assert_eq!(
            code_only("a // dbg!\nb /* x /* y */\n*/ c"),
            "a        \nb             \n   c"
        );
    }

    #[test]
    fn strings_keep_their_opening_and_lose_the_rest() {
        assert_eq!(code_only(r#"f("todo!()", x)"#), r#"f("        , x)"#);
        assert_eq!(code_only(r#""a\"b" c"#), r#""      c"#);
        assert_eq!(code_only("r#\"a\"b\"# c"), "r#\"      c");
        assert_eq!(code_only("br\"a\" c"), "br\"   c");
    }

    #[test]
    fn a_lifetime_is_not_a_character() {
        assert_eq!(
            code_only("<'a>('\"', '\\'', 'é') x"),
            "<'a>('  , '   , '   ) x"
        );
    }

    #[test]
    fn an_unclosed_string_ends_with_the_file() {
        assert_eq!(code_only("\"abc"), "\"   ");
    }

    #[test]
    fn a_word_is_not_part_of_a_longer_one() {
        assert!(has_word("fn pays() {}", "pays"));
        assert!(!has_word("fn pays_twice() {}", "pays"));
        assert_eq!(find_word("BIP-3 P-3", "P-3"), Some(6));
    }
}
