use super::Problem;
use crate::tree::Tree;
use std::collections::BTreeSet;

/// Everything that stands at the top, and nothing else does: the top level is the architecture.
const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "crates",
    "deny.toml",
    "docs",
    "rust-toolchain.toml",
    "xtask",
];

/// Lines of a source file above its tests; beyond this a file holds more than one noun.
const MAX_LINES: usize = 450;

/// Names that say nothing, so that anything ends up there.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "misc"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = top(tree);
    for (path, text) in tree.files() {
        problems.extend(empty_name(path));
        if path.ends_with(".rs") && path.contains("/src/") {
            problems.extend(length(path, text));
        }
    }
    problems
}

fn top(tree: &Tree) -> Vec<Problem> {
    let here: BTreeSet<_> = tree
        .files()
        .filter_map(|(path, _)| path.split('/').next())
        .collect();
    let want: BTreeSet<_> = TOP.iter().copied().collect();
    let extra = here
        .difference(&want)
        .map(|name| Problem::about(name, "does not belong at the top"));
    let missing = want
        .difference(&here)
        .map(|name| Problem::about(name, "is missing at the top"));
    extra.chain(missing).collect()
}

fn empty_name(path: &str) -> Option<Problem> {
    let says_nothing = |part: &str| EMPTY_NAMES.contains(&part.trim_end_matches(".rs"));
    path.split('/').any(says_nothing).then(|| {
        Problem::about(
            path,
            format!(
                "say in the name what it holds, not {}",
                EMPTY_NAMES.join(", ")
            ),
        )
    })
}

fn length(path: &str, text: &str) -> Option<Problem> {
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with("mod tests {"))
        .count();
    (lines >= MAX_LINES).then(|| {
        Problem::about(
            path,
            format!("has {lines} lines above its tests; split it below {MAX_LINES}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{super::messages, *};

    #[test]
    fn the_known_top_passes_and_one_more_file_fails() {
        let known = || TOP.iter().map(|name| (*name, ""));
        let good = Tree::from_iter(known().chain([("crates/a/src/lib.rs", "")]));
        assert!(top(&good).is_empty());
        let bad = Tree::from_iter(known().chain([("Makefile", "")]));
        assert_eq!(
            messages(&top(&bad)),
            ["Makefile: does not belong at the top"]
        );
    }

    #[test]
    fn what_is_missing_at_the_top_is_named() {
        let found = messages(&top(&Tree::from_iter([("README.md", "")])));
        assert!(found.contains(&"LICENSE: is missing at the top".to_owned()));
    }

    #[test]
    fn names_that_say_nothing_fail_as_files_and_folders() {
        assert!(empty_name("crates/a/src/utils.rs").is_some());
        assert!(empty_name("crates/a/tests/common/mod.rs").is_some());
        assert!(empty_name("crates/a/src/common_ground.rs").is_none());
    }

    #[test]
    fn tests_do_not_count_as_length() {
        let tests = format!(
            "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            "x\n".repeat(400),
            "y\n".repeat(400)
        );
        assert!(length("a.rs", &tests).is_none());
        assert!(length("a.rs", &"x\n".repeat(MAX_LINES)).is_some());
    }
}
