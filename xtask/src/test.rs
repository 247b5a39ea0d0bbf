use crate::{
    bitcoind::{self, BITCOIND},
    error::Error,
    shell::{cargo, stream},
    stopwatch::{Elapsed, Stopwatch},
    workspace::Workspace,
};
use std::{fmt, path::Path};

/// Runs each crate's tests on its own, unit, integration and doc tests alike.
///
/// Each crate is built as `cargo test -p` builds it, so a feature that it forgets to ask for is
/// missed here; the Lightning ones with the features that their tests need, whose first build takes
/// minutes. Tests on a regtest chain run once more on a real bitcoind, where BITCOIND names one or
/// `cargo xtask bitcoind` has fetched one. All crates run even when one fails. The last line sums them up; a crate that does not
/// build, or whose tests do not come to their end, counts as one failed test.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  cargo xtask test\n  cargo xtask test mesh-payment mesh-replay\n  \
        cargo xtask test mesh-payment -- expired"
)]
pub(crate) struct Args {
    /// Crates to test; all when none is named
    crates: Vec<String>,

    /// Arguments for the test programs: a part of the names to run, say
    #[arg(last = true)]
    filter: Vec<String>,
}

/// Features that a crate's tests need and its users can do without.
const FEATURES: &[(&str, &str)] = &[
    ("mesh-regtest", "lightning,ldk-backend"),
    ("mesh-lightning", "cln,lnd,lnbits,ldk"),
    ("blvm-mesh-node", "ldk,trials"),
];

/// The tests of a crate that have a regtest chain of their own, which may be a real bitcoind's.
const ON_BITCOIND: &[(&str, &[&str])] = &[
    ("blvm-mesh-node", &["on_chain", "real_payments"]),
    (
        "mesh-regtest",
        &[
            "bitcoind",
            "chain_rpc",
            "fronts",
            "killed",
            "ldk_backend",
            "network",
        ],
    ),
];

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let bitcoind = bitcoind::found();
    let mut outcomes = Vec::new();
    let mut is_skipped = false;
    for package in workspace.select(&args.crates)? {
        let name = package.name.as_str();
        outcomes.push((name.to_owned(), test(name, Chain::Own, &args.filter)?));
        let on_bitcoind = ON_BITCOIND.iter().find(|(of, _)| *of == name);
        match (on_bitcoind, &bitcoind) {
            (Some((_, tests)), Some(program)) => {
                let chain = Chain::Bitcoind { program, tests };
                let outcome = test(name, chain, &args.filter)?;
                outcomes.push((format!("{name}, bitcoind"), outcome));
            }
            (Some(_), None) => is_skipped = true,
            (None, _) => {}
        }
    }
    say!("");
    let mut sum = Counts::default();
    for (name, Outcome { counts, took }) in &outcomes {
        say!("{name:<26} {counts:<40} {took:>9}");
        sum.add(*counts);
    }
    if is_skipped {
        say!("skipped: what runs on a real bitcoind; `cargo xtask bitcoind` fetches one");
    }
    say!("\n{} passed, {} failed", sum.passed, sum.failed);
    if sum.failed == 0 {
        return Ok(());
    }
    let failed = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.counts.failed > 0);
    Err(Error::Parts {
        tool: "test",
        names: failed.map(|(name, _)| name.clone()).collect(),
    })
}

/// Runs the tests of all crates.
pub(crate) fn all() -> Result<(), Error> {
    run(&Args {
        crates: Vec::new(),
        filter: Vec::new(),
    })
}

/// What the tests of a crate have for a chain.
enum Chain<'a> {
    /// Their own: all tests are run.
    Own,
    /// A program's: only `tests` are run, which ask it.
    Bitcoind {
        program: &'a Path,
        tests: &'a [&'a str],
    },
}

fn test(name: &str, chain: Chain<'_>, filter: &[String]) -> Result<Outcome, Error> {
    let stopwatch = Stopwatch::start();
    let mut command = cargo();
    command.args(["test", "--no-fail-fast", "-p", name]);
    for (_, feature) in FEATURES.iter().filter(|(of, _)| *of == name) {
        command.args(["--features", feature]);
    }
    match chain {
        Chain::Own => drop(command.env_remove(BITCOIND)),
        Chain::Bitcoind { program, tests } => {
            command.env(BITCOIND, program);
            for test in tests {
                command.args(["--test", test]);
            }
        }
    }
    command.arg("--").args(filter);
    let mut counts = Counts::default();
    let status = stream(&mut command, |line| counts.add(Counts::of_line(line)))?;
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
        counts.broken = true;
    }
    let took = stopwatch.stop();
    Ok(Outcome { counts, took })
}

#[derive(Debug)]
struct Outcome {
    counts: Counts,
    took: Elapsed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// It failed without a failed test: it does not build, or a test program died.
    broken: bool,
}

impl Counts {
    /// Reads the last line of a test program: `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn of_line(line: &str) -> Self {
        let mut counts = Self::default();
        let Some((_, parts)) = line
            .strip_prefix("test result: ")
            .and_then(|l| l.split_once(". "))
        else {
            return counts;
        };
        for part in parts.split("; ") {
            let Some((number, what)) = part.split_once(' ') else {
                continue;
            };
            let number = number.parse().unwrap_or(0);
            match what {
                "passed" => counts.passed = number,
                "failed" => counts.failed = number,
                "ignored" => counts.ignored = number,
                _ => {}
            }
        }
        counts
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.broken |= other.broken;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.broken {
            return f.pad("does not build, or a test program died");
        }
        if *self == Self::default() {
            return f.pad("no tests");
        }
        let mut text = format!("{:>4} passed, {:>3} failed", self.passed, self.failed);
        if self.ignored > 0 {
            text.push_str(&format!(", {} ignored", self.ignored));
        }
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_of_a_test_program_is_counted() {
        let ok = Counts::of_line(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s",
        );
        assert_eq!((ok.passed, ok.failed, ok.ignored), (12, 0, 1));
        let bad = Counts::of_line("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured");
        assert_eq!((bad.passed, bad.failed), (1, 2));
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in [
            "test a::b ... ok",
            "running 3 tests",
            "test result:",
            "3 passed; 1 failed",
        ] {
            assert_eq!(Counts::of_line(line), Counts::default(), "{line}");
        }
    }

    #[test]
    fn a_crate_without_tests_says_so() {
        assert_eq!(Counts::default().to_string(), "no tests");
    }
}
