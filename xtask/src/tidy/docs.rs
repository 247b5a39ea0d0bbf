use super::{Problem, tests_named::is_path};
use crate::{Cli, tree::Tree};
use clap::CommandFactory;
use std::collections::BTreeSet;

/// Documents that readers are sent to.
const NEEDED: &[&str] = &[
    "README.md",
    ARCHITECTURE,
    "docs/benchmarks.md",
    "docs/payment.md",
    "docs/threats.md",
    "docs/wire-format.md",
];

const ARCHITECTURE: &str = "docs/architecture.md";

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let missing = NEEDED.iter().filter(|path| tree.text(path).is_none());
    let mut problems: Vec<_> = missing
        .map(|path| Problem::about(path, "is not written yet"))
        .collect();
    if let Some(text) = tree.text(ARCHITECTURE) {
        problems.extend(architecture(text, &crates(tree)));
    }
    for (path, text) in tree.documents() {
        problems.extend(document(path, text, tree));
    }
    problems
}

/// All crates, those outside the workspace too.
fn crates(tree: &Tree) -> BTreeSet<&str> {
    let name = |path| str::strip_prefix(path, "crates/")?.strip_suffix("/Cargo.toml");
    let names = tree.files().filter_map(|(path, _)| name(path));
    names.filter(|name| !name.contains('/')).collect()
}

/// Compares the crates that the document names, in code, with those that exist.
fn architecture(text: &str, crates: &BTreeSet<&str>) -> Vec<Problem> {
    let mut named = BTreeSet::new();
    for (_, code) in code_in(text) {
        let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
        named.extend(words.filter(|word| is_crate_name(word)));
    }
    let unknown = named.iter().filter(|name| !crates.contains(**name));
    let unknown =
        unknown.map(|name| Problem::about(ARCHITECTURE, format!("there is no crate {name}")));
    let silent = crates
        .iter()
        .filter(|name| is_crate_name(name) && !named.contains(**name));
    let silent = silent.map(|name| Problem::about(ARCHITECTURE, format!("does not name {name}")));
    unknown.chain(silent).collect()
}

fn is_crate_name(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    plain && (word.starts_with("mesh-") || word == "blvm-mesh" || word.starts_with("blvm-mesh-"))
}

fn document(path: &str, text: &str, tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (line, code) in code_in(text) {
        let wrong = wrong_path(code, tree)
            .or_else(|| wrong_command(code))
            .or_else(|| wrong_crate(code, tree));
        problems.extend(wrong.map(|message| Problem::at(path, line, message)));
    }
    for (at, link) in links(text) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !tree.has(&resolve(folder, link)) {
            problems.push(Problem::at(
                path,
                at,
                format!("the link to {link} leads nowhere"),
            ));
        }
    }
    problems
}

/// Whether it looks like a path of ours and nothing is there. Tests after `::` are another rule's.
fn wrong_path(code: &str, tree: &Tree) -> Option<String> {
    let path = code.split("::").next().unwrap_or(code);
    (is_path(path) && !tree.has(path)).then(|| format!("there is no {path}"))
}

/// Whether it calls an xtask command or flag that does not exist.
fn wrong_command(code: &str) -> Option<String> {
    let (_, call) = code.split_once("cargo xtask ")?;
    let mut words = call
        .split_whitespace()
        .take_while(|word| !word.starts_with(['#', '|', '&']));
    let name = words.next()?;
    let cli = Cli::command();
    if name.starts_with('-') || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    let Some(tool) = cli.find_subcommand(name) else {
        return Some(format!("there is no command cargo xtask {name}"));
    };
    let mut known: Vec<_> = tool
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .collect();
    known.push("help");
    let flag = words
        .take_while(|word| *word != "--")
        .filter_map(|word| word.trim_matches(['[', ']']).strip_prefix("--"))
        .find(|flag| !known.contains(flag))?;
    Some(format!("cargo xtask {name} has no --{flag}"))
}

/// Whether it calls cargo for a package that is not ours.
fn wrong_crate(code: &str, tree: &Tree) -> Option<String> {
    let mut words = code.strip_prefix("cargo ")?.split_whitespace();
    words.find(|word| *word == "-p" || *word == "--package")?;
    let name = words.next()?;
    let known = crates(tree).contains(name) || !is_crate_name(name);
    (!known).then(|| format!("there is no crate {name}"))
}

/// What stands in backticks, and each line of a fenced block, with 1-based lines.
fn code_in(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            found.push((number, line.trim().trim_start_matches("$ ")));
        } else {
            found.extend(
                line.split('`')
                    .skip(1)
                    .step_by(2)
                    .map(|code| (number, code)),
            );
        }
    }
    found
}

/// The targets of links into the repository.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).flat_map(|(number, line)| {
        line.split("](").skip(1).filter_map(move |rest| {
            let target = rest.split([')', '#']).next()?;
            let outside =
                target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            (!outside).then_some((number, target))
        })
    })
}

/// Where `link` leads from a document in `folder`.
fn resolve(folder: &str, link: &str) -> String {
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::{super::messages, *};

    fn tree(readme: &str) -> Tree {
        Tree::from_iter([
            ("README.md", readme),
            ("crates/mesh-types/Cargo.toml", ""),
            ("crates/mesh-types/src/lib.rs", ""),
            ("docs/payment.md", ""),
        ])
    }

    fn readme(text: &str) -> Vec<String> {
        messages(&document("README.md", text, &tree(text)))
    }

    #[test]
    fn missing_documents_are_named() {
        let found = messages(&check(&tree("")));
        assert!(found.contains(&"docs/threats.md: is not written yet".to_owned()));
    }

    #[test]
    fn architecture_names_exactly_the_crates() {
        let crates = BTreeSet::from(["mesh-types", "mesh-link", "xtask"]);
        let found = messages(&architecture(
            "from node-to-node\n```\nmesh-types mesh-tube\n```\n",
            &crates,
        ));
        assert_eq!(
            found,
            [
                "docs/architecture.md: there is no crate mesh-tube",
                "docs/architecture.md: does not name mesh-link"
            ]
        );
    }

    #[test]
    fn paths_must_exist_and_patterns_may_not() {
        assert!(
            readme("`crates/mesh-types/src/lib.rs` `crates/*/tests` `crates/mesh-types/`")
                .is_empty()
        );
        assert_eq!(
            readme("\n`docs/no.md`"),
            ["README.md:2: there is no docs/no.md"]
        );
    }

    #[test]
    fn links_must_lead_somewhere() {
        assert!(readme("[a](docs/payment.md#rules) [b](https://x.y) [c](#here)").is_empty());
        assert_eq!(
            readme("[a](docs/no.md)"),
            ["README.md:1: the link to docs/no.md leads nowhere"]
        );
        assert_eq!(resolve("docs", "../README.md"), "README.md");
    }

    #[test]
    fn commands_and_their_flags_must_exist() {
        assert!(
            readme("`cargo xtask test [crate…]`\n```\n$ cargo xtask bench --quick # soon\n```")
                .is_empty()
        );
        assert_eq!(
            readme("`cargo xtask fly`"),
            ["README.md:1: there is no command cargo xtask fly"]
        );
        assert_eq!(
            readme("`cargo xtask bench --slow`"),
            ["README.md:1: cargo xtask bench has no --slow"]
        );
    }

    #[test]
    fn cargo_is_called_for_crates_that_exist() {
        assert!(readme("`cargo test -p mesh-types`").is_empty());
        assert_eq!(
            readme("`cargo test -p mesh-typos`"),
            ["README.md:1: there is no crate mesh-typos"]
        );
    }
}
