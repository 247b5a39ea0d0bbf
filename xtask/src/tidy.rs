mod docs;
mod files;
mod fuzz_targets;
mod lib_files;
mod manifests;
mod rules_cited;
mod tests_named;
mod words;

use crate::{error::Error, tree::Tree};
use std::fmt;

/// Checks what the compiler cannot: where things stand, and what documents name.
///
/// - The top level holds exactly the list in xtask/src/tidy/files.rs; no file is called
///   utils, common or helpers; no file in src/ has 450 lines or more above its tests.
/// - Each member inherits the workspace's lints, package fields and versions; lib.rs holds
///   only docs, mod and pub use.
/// - No todo!, unimplemented! or dbg!; each `#[ignore]` has a reason.
/// - Each fuzz harness has a target in xtask/fuzz/, and each target a harness.
/// - README and docs/ name only paths, crates, tests and xtask commands that exist;
///   docs/architecture.md names every crate.
/// - docs/payment.md: a rule starts a line with P-1, P-2 … behind a mark (`-`, `#`, `|`, `**`),
///   and cites a test before the next rule. Code and documents name only rules that exist.
/// - docs/threats.md: each table row and each numbered item cites a test.
///
/// To cite a test, write `crates/x/tests/y.rs::test_name` in backticks.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = "Example: cargo xtask tidy")]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: &Args) -> Result<(), Error> {
    let tree = Tree::load()?;
    let problems: Vec<_> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    for problem in &problems {
        say!("tidy: {problem}");
    }
    match problems.len() {
        0 => {
            say!(
                "tidy: {} files are where and as they should be",
                tree.files().count()
            );
            Ok(())
        }
        count => Err(Error::Problems {
            tool: "tidy",
            count,
        }),
    }
}

const RULES: &[fn(&Tree) -> Vec<Problem>] = &[
    files::check,
    manifests::check,
    lib_files::check,
    words::check,
    docs::check,
    tests_named::check,
    rules_cited::check,
    fuzz_targets::check,
];

/// Something that a rule found.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    path: String,
    /// 1-based; 0 when it is about the whole file.
    line: usize,
    message: String,
}

impl Problem {
    fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }

    fn about(path: &str, message: impl Into<String>) -> Self {
        Self::at(path, 0, message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

#[cfg(test)]
fn messages(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}
