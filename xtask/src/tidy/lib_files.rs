use super::Problem;
use crate::{
    source::{code_only, line_at},
    tree::Tree,
};

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let paths = tree.members().map(|member| format!("{member}/src/lib.rs"));
    paths
        .flat_map(|path| lib_file(&path, tree.text(&path).unwrap_or_default()))
        .collect()
}

/// Finds every statement that is neither `mod x;` nor `pub use …;`.
fn lib_file(path: &str, text: &str) -> Vec<Problem> {
    let code = without_attributes(&code_only(text));
    let mut problems = Vec::new();
    let mut start = 0;
    for statement in code.split_inclusive(';') {
        let words = statement.trim_start();
        let at = start + (statement.len() - words.len());
        start += statement.len();
        if !words.is_empty() && !is_allowed(words) {
            let line = line_at(&code, at);
            problems.push(Problem::at(
                path,
                line,
                "lib.rs tells the story: only docs, mod and pub use",
            ));
        }
    }
    problems
}

fn is_allowed(statement: &str) -> bool {
    let is_mod = ["mod ", "pub mod ", "pub(crate) mod "]
        .iter()
        .any(|start| statement.starts_with(start));
    let is_use = statement.starts_with("pub use ");
    statement.ends_with(';') && (is_use || (is_mod && !statement.contains('{')))
}

/// Blanks `#[…]` and `#![…]`.
fn without_attributes(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find('#') {
        let (before, from_mark) = rest.split_at(at);
        let (attribute, after) = from_mark.split_at(attribute_len(from_mark));
        out.push_str(before);
        out.extend(
            attribute
                .bytes()
                .map(|byte| if byte == b'\n' { '\n' } else { ' ' }),
        );
        rest = after;
    }
    out + rest
}

/// The length up to and with the bracket that closes the first one.
fn attribute_len(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth <= 1 => return at + 1,
            ']' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{super::messages, *};

    #[test]
    fn a_story_with_doors_passes() {
        let text = "//! Story; with a semicolon.\n#![deny(x)]\nmod a;\n/// Docs { }\npub mod b;\n\
            pub use a::{B, C};\n#[doc(inline, alias = [\"x\"])]\npub use b::D;\n";
        assert_eq!(messages(&lib_file("lib.rs", text)), [""; 0]);
    }

    #[test]
    fn functions_types_and_inline_modules_fail_with_their_line() {
        for code in [
            "fn f() {}",
            "pub struct A;",
            "pub mod x { pub use a::B; }",
            "use a::B;",
            "pub use a::*",
        ] {
            let problems = lib_file("lib.rs", &format!("//! Story.\nmod a;\n\n{code}\n"));
            assert_eq!(problems.first().map(|p| p.line), Some(4), "{code}");
        }
    }

    #[test]
    fn an_empty_file_passes() {
        assert!(lib_file("lib.rs", "").is_empty());
    }
}
