use super::{Problem, tests_named::citations};
use crate::tree::Tree;
use std::collections::BTreeSet;

const RULES: &str = "docs/payment.md";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    // While the document is missing, the rule for documents says so.
    let Some(text) = tree.text(RULES) else {
        return Vec::new();
    };
    let rules = rules(text);
    let mut problems = in_document(&rules);
    let known: BTreeSet<_> = rules.iter().map(|rule| rule.number).collect();
    let others = tree
        .rust()
        .chain(tree.documents())
        .filter(|(path, _)| !path.starts_with("xtask/"));
    for (path, text) in others {
        for (line, text) in (1..).zip(text.lines()) {
            let unknown = named(text).filter(|number| !known.contains(number));
            problems.extend(
                unknown.map(|n| Problem::at(path, line, format!("{RULES} has no rule P-{n}"))),
            );
        }
    }
    problems
}

/// A numbered rule and the text up to the next one.
#[derive(Debug)]
struct Rule {
    number: u32,
    line: usize,
    text: String,
}

fn rules(document: &str) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for (line, text) in (1..).zip(document.lines()) {
        // A mark tells the beginning of a rule from prose that happens to be wrapped before `P-4`.
        let text_only = text.trim_start();
        let bare = text_only.trim_start_matches(['#', '-', '*', '|', '`', ' ']);
        let is_marked = bare.len() < text_only.len() && bare.starts_with("P-");
        let starts = is_marked.then(|| named(bare).next()).flatten();
        if let Some(number) = starts {
            rules.push(Rule {
                number,
                line,
                text: text.to_owned(),
            });
        } else if let Some(rule) = rules.last_mut() {
            rule.text.push('\n');
            rule.text.push_str(text);
        }
    }
    rules
}

fn in_document(rules: &[Rule]) -> Vec<Problem> {
    if rules.is_empty() {
        return vec![Problem::about(
            RULES,
            "holds no rule; a rule starts a line, behind `-`, `#`, `|` or `**`, with P-1",
        )];
    }
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for Rule { number, line, text } in rules {
        if !seen.insert(number) {
            problems.push(Problem::at(
                RULES,
                *line,
                format!("there are two rules P-{number}"),
            ));
        }
        if citations(text).next().is_none() {
            problems.push(Problem::at(
                RULES,
                *line,
                format!("P-{number} names no test, `crates/x/tests/y.rs::test_name`"),
            ));
        }
    }
    problems
}

/// The numbers of the rules that a text names.
fn named(text: &str) -> impl Iterator<Item = u32> {
    text.match_indices("P-").filter_map(|(at, mark)| {
        let inside_word = text
            .get(..at)?
            .ends_with(|c: char| c.is_alphanumeric() || c == '-');
        let rest = text.get(at + mark.len()..)?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok().filter(|_| !inside_word)
    })
}

#[cfg(test)]
mod tests {
    use super::{super::messages, *};

    const CITED: &str = "`crates/a/tests/b.rs::pays`";

    #[test]
    fn rules_in_any_markup_are_found() {
        let document =
            "# Rules\n### P-1 Good\n- **P-2** good\n| P-3 | good |\n**P-4** as\nP-1 is\n";
        assert_eq!(
            rules(document).iter().map(|r| r.number).collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
    }

    #[test]
    fn each_rule_cites_a_test_before_the_next_begins() {
        let document = format!("- P-1 pays\n{CITED}\n\n- P-2 does not\n\n- P-3 {CITED}\n");
        let found = messages(&in_document(&rules(&document)));
        assert_eq!(
            found,
            ["docs/payment.md:4: P-2 names no test, `crates/x/tests/y.rs::test_name`"]
        );
    }

    #[test]
    fn a_number_is_given_once() {
        let document = format!("- P-1 {CITED}\n- P-1 {CITED}\n");
        assert_eq!(
            messages(&in_document(&rules(&document))),
            ["docs/payment.md:2: there are two rules P-1"]
        );
    }

    #[test]
    fn code_names_only_rules_that_exist() {
        let document = format!("- P-1 {CITED}\n");
        let tree = Tree::from_iter([
            (RULES, document.as_str()),
            ("crates/a/src/b.rs", "// rule P-1, BIP-340\n// rule P-9\n"),
        ]);
        assert_eq!(
            messages(&check(&tree)),
            ["crates/a/src/b.rs:2: docs/payment.md has no rule P-9"]
        );
    }

    #[test]
    fn a_document_without_rules_fails() {
        assert_eq!(in_document(&rules("# Payment\n")).len(), 1);
    }
}
