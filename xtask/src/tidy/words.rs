use super::Problem;
use crate::{
    source::{code_only, find_word, line_at},
    tree::Tree,
};

/// Things that are fine while writing and not afterwards.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    tree.rust()
        .flat_map(|(path, text)| file(path, &code_only(text)))
        .collect()
}

fn file(path: &str, code: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for word in UNFINISHED {
        if let Some(at) = find_word(code, word) {
            problems.push(Problem::at(
                path,
                line_at(code, at),
                format!("{word} is unfinished work"),
            ));
        }
    }
    if let Some(at) = code.find("#[ignore]") {
        problems.push(Problem::at(
            path,
            line_at(code, at),
            "say why: #[ignore = \"reason\"]",
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{super::messages, *};

    #[test]
    fn unfinished_work_fails_with_its_line() {
        assert_eq!(
            messages(&file("a", "fn f() {\n    todo!()\n}")),
            ["a:2: todo! is unfinished work"]
        );
        assert_eq!(file("a", "dbg!(x)").len(), 1);
        assert_eq!(file("a", "unimplemented!()").len(), 1);
    }

    #[test]
    fn longer_names_comments_and_strings_pass() {
        assert!(file("a", &code_only("my_dbg!(x); \"todo!\"; // todo!")).is_empty());
    }

    #[test]
    fn ignored_tests_need_a_reason() {
        assert_eq!(file("a", "#[ignore]").len(), 1);
        assert!(file("a", "#[ignore = \"needs a real node\"]").is_empty());
    }
}
