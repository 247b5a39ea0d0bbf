use super::Problem;
use crate::{
    source::{code_only, has_word},
    tree::Tree,
};

const THREATS: &str = "docs/threats.md";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.documents() {
        for (line, text) in (1..).zip(text.lines()) {
            let wrong = citations(text).filter_map(|citation| citation.wrong(tree));
            problems.extend(wrong.map(|message| Problem::at(path, line, message)));
        }
    }
    if let Some(text) = tree.text(THREATS) {
        problems.extend(threats(text));
    }
    problems
}

/// A test that a document names: `crates/x/tests/y.rs::test_name`.
#[derive(Debug)]
pub(super) struct Citation<'a> {
    path: &'a str,
    test: &'a str,
}

/// The tests that a text names in backticks.
pub(super) fn citations(text: &str) -> impl Iterator<Item = Citation<'_>> {
    text.split('`').skip(1).step_by(2).filter_map(|code| {
        let (path, test) = code.split_once(".rs::")?;
        let path = code.get(..path.len() + ".rs".len())?;
        // Inside a file the module may be named: src/y.rs::tests::test_name.
        let test = test.rsplit("::").next().unwrap_or(test);
        is_path(path).then_some(Citation { path, test })
    })
}

/// Whether a text looks like one path from the top of the repository.
pub(super) fn is_path(text: &str) -> bool {
    let ours = ["crates/", "docs/", "xtask/", ".ci/", ".cargo/"]
        .iter()
        .any(|top| text.starts_with(top));
    ours && !text.contains(|c: char| c.is_whitespace() || "*<>{}[]…()".contains(c))
}

impl Citation<'_> {
    fn wrong(&self, tree: &Tree) -> Option<String> {
        let Self { path, test } = self;
        // A missing file is reported by the rule for paths.
        let code = code_only(tree.text(path)?);
        (!has_word(&code, &format!("fn {test}"))).then(|| format!("{path} has no test {test}"))
    }
}

/// Finds rows and numbered items that cite no test.
fn threats(text: &str) -> Vec<Problem> {
    let entries = entries(text);
    if entries.is_empty() {
        return vec![Problem::about(
            THREATS,
            "names no threat: write table rows or numbered items",
        )];
    }
    let silent = entries
        .iter()
        .filter(|(_, entry)| citations(entry).next().is_none());
    silent
        .map(|(line, _)| {
            Problem::at(
                THREATS,
                *line,
                "name the test that stops this, `crates/x/tests/y.rs::test_name`",
            )
        })
        .collect()
}

/// Table rows below their heading, and numbered items with the lines that continue them.
fn entries(text: &str) -> Vec<(usize, String)> {
    let mut entries: Vec<(usize, String)> = Vec::new();
    let (mut in_table, mut in_item) = (false, false);
    for (number, line) in (1..).zip(text.lines()) {
        let is_rule = line.starts_with('|') && line.chars().all(|c| "|-: ".contains(c));
        let starts_item = line
            .split_once(". ")
            .is_some_and(|(n, _)| n.parse::<u16>().is_ok());
        in_item = starts_item || (in_item && !line.is_empty() && !line.starts_with(['#', '|']));
        if starts_item || (in_table && line.starts_with('|')) {
            entries.push((number, line.to_owned()));
        } else if let Some((_, entry)) = entries.last_mut().filter(|_| in_item) {
            entry.push(' ');
            entry.push_str(line);
        }
        in_table = is_rule || (in_table && line.starts_with('|'));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::{super::messages, *};

    const CITED: &str = "`crates/a/tests/b.rs::stops_it`";

    #[test]
    fn a_cited_test_must_exist() {
        let with = |test: &str| {
            let tree = Tree::from_iter([("docs/x.md", CITED), ("crates/a/tests/b.rs", test)]);
            messages(&check(&tree))
        };
        assert!(with("#[test]\nfn stops_it() {}").is_empty());
        for missing in ["fn stops_it_not() {}", "// fn stops_it()", ""] {
            assert_eq!(
                with(missing),
                ["docs/x.md:1: crates/a/tests/b.rs has no test stops_it"]
            );
        }
    }

    #[test]
    fn a_module_may_stand_before_the_test() {
        let tree = Tree::from_iter([
            ("docs/x.md", "`crates/a/src/b.rs::tests::works`"),
            ("crates/a/src/b.rs", "mod tests { fn works() {} }"),
        ]);
        assert!(check(&tree).is_empty());
    }

    #[test]
    fn each_row_cites_a_test() {
        let text =
            format!("| attack | test |\n|---|---|\n| one | {CITED} |\n| two | a type |\n\n| prose");
        assert_eq!(
            threats(&text).iter().map(|p| p.line).collect::<Vec<_>>(),
            [4]
        );
    }

    #[test]
    fn each_numbered_item_cites_a_test_on_any_of_its_lines() {
        let text = format!("1. one\n   {CITED}\n2. two\n\n{CITED} is not two's\n");
        assert_eq!(
            threats(&text).iter().map(|p| p.line).collect::<Vec<_>>(),
            [3]
        );
    }

    #[test]
    fn a_page_without_threats_fails() {
        assert_eq!(threats("# Threats\n\nNone.\n").len(), 1);
    }
}
