use super::Problem;
use crate::{fuzz::Target, tree::Tree};

const TARGETS: &str = "xtask/fuzz/targets/";

/// Every harness that is replayed on stable is also driven by libFuzzer, under the same name.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let targets: Vec<_> = tree
        .rust()
        .filter(|(path, _)| path.starts_with(TARGETS))
        .collect();
    let mut problems = Vec::new();
    for (path, text) in &targets {
        match Target::parse(text) {
            Some(target) if !tree.has(&target.harness()) => {
                problems.push(Problem::about(
                    path,
                    format!("there is no {}", target.harness()),
                ));
            }
            Some(target) if *path != format!("{TARGETS}{}.rs", target.name) => {
                problems.push(Problem::about(path, "is not called as its harness"));
            }
            Some(_) => {}
            None => problems.push(Problem::about(path, "includes no harness")),
        }
    }
    let included: Vec<_> = targets
        .iter()
        .filter_map(|(_, text)| Some(Target::parse(text)?.harness()))
        .collect();
    for (path, _) in tree
        .rust()
        .filter(|(path, _)| path.contains("/tests/harness/"))
    {
        if !included.iter().any(|harness| harness == path) {
            problems.push(Problem::about(path, format!("has no target in {TARGETS}")));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{super::messages, *};

    const TARGET: (&str, &str) = (
        "xtask/fuzz/targets/frames.rs",
        "#[path = \"../../../crates/mesh-link/tests/harness/frames.rs\"]\nmod harness;",
    );
    const HARNESS: (&str, &str) = ("crates/mesh-link/tests/harness/frames.rs", "");

    #[test]
    fn a_harness_with_its_target_passes() {
        assert!(check(&Tree::from_iter([TARGET, HARNESS])).is_empty());
    }

    #[test]
    fn one_without_the_other_fails() {
        let found = check(&Tree::from_iter([TARGET]));
        let message =
            "xtask/fuzz/targets/frames.rs: there is no crates/mesh-link/tests/harness/frames.rs";
        assert_eq!(messages(&found), [message]);
        let found = check(&Tree::from_iter([HARNESS]));
        let message =
            "crates/mesh-link/tests/harness/frames.rs: has no target in xtask/fuzz/targets/";
        assert_eq!(messages(&found), [message]);
    }

    #[test]
    fn a_target_is_called_as_its_harness() {
        let other = ("xtask/fuzz/targets/other.rs", TARGET.1);
        assert_eq!(check(&Tree::from_iter([other, HARNESS])).len(), 1);
    }
}
