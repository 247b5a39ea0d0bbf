use crate::{
    error::Error,
    shell::{answers, cargo, program, root, run as run_command},
    tree::Tree,
    workspace::Workspace,
};
use std::{fs, path::Path, process::Command};

/// Runs a fuzz target.
///
/// A target is the harness `crates/*/tests/harness/<target>.rs`, which `cargo test` replays over
/// the files of `crates/*/tests/corpus/<target>/` on stable. Here libFuzzer looks for new inputs,
/// beginning with the same files; what it finds stays in the target folder. Copy an input that
/// broke something into the corpus, so that it is replayed from then on.
///
/// Where nightly Rust is installed, AddressSanitizer watches too. Elsewhere the project's own
/// toolchain runs the target without it.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  cargo xtask fuzz --list\n  cargo xtask fuzz packet --seconds 60\n  \
                  cargo xtask fuzz covenant --runs 10000000"
)]
pub(crate) struct Args {
    /// The target; each in turn when none is named
    target: Option<String>,

    /// How long each target runs; 30 seconds when it is not given, and no --runs either
    #[arg(long)]
    seconds: Option<u32>,

    /// How many inputs each target runs; with --seconds, what is reached first ends it
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MAX_RUNS))]
    runs: Option<u32>,

    /// List the targets
    #[arg(long)]
    list: bool,
}

/// Where the fuzz crate lives; a workspace of its own, because nothing that ships should see libFuzzer.
const FUZZ: &str = "xtask/fuzz";

/// libFuzzer keeps the number in a C `int`.
const MAX_RUNS: i64 = 0x7fff_ffff;

/// How long a target runs when nothing else is said.
const DEFAULT_SECONDS: u32 = 30;

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let targets = targets()?;
    if args.list {
        for target in &targets {
            say!("{:<12} {}", target.name, target.harness());
        }
        return Ok(());
    }
    let chosen: Vec<_> = targets
        .iter()
        .filter(|t| args.target.as_ref().is_none_or(|name| t.name == *name))
        .collect();
    if let (Some(name), true) = (&args.target, chosen.is_empty()) {
        return Err(Error::Unknown {
            kind: "fuzz target",
            name: name.clone(),
            known: targets
                .iter()
                .map(|t| t.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        });
    }
    expect_installed()?;
    let builder = Builder::find();
    if builder == Builder::Pinned {
        say!(
            "nightly Rust is not installed: fuzzing on the project's toolchain, without AddressSanitizer"
        );
    }
    let folder = Workspace::load()?.target_directory.join("fuzz");
    for target in chosen {
        fuzz(target, builder, &limits(args), &folder)?;
    }
    Ok(())
}

fn fuzz(
    Target { name, krate }: &Target,
    builder: Builder,
    limits: &[String],
    folder: &Path,
) -> Result<(), Error> {
    let (found, broken) = (
        folder.join("corpus").join(name),
        folder.join("artifacts").join(name),
    );
    for path in [&found, &broken] {
        fs::create_dir_all(path).map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?;
    }
    let seeds = root().join(format!("crates/{krate}/tests/corpus/{name}"));
    let mut command = builder.cargo_fuzz();
    command.args(["run", "--fuzz-dir", FUZZ]);
    command.args(["--sanitizer", builder.sanitizer()]);
    command.arg("--target-dir").arg(folder.join("build"));
    command.arg(name).arg(found);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    command.arg("--").args(limits);
    command.arg(format!("-artifact_prefix={}/", broken.display()));
    run_command(command.arg("-print_final_stats=1"))
}

/// When a target ends, as libFuzzer is told.
fn limits(args: &Args) -> Vec<String> {
    let seconds = match (args.seconds, args.runs) {
        (None, None) => Some(DEFAULT_SECONDS),
        (seconds, _) => seconds,
    };
    let seconds = seconds.map(|seconds| format!("-max_total_time={seconds}"));
    let runs = args.runs.map(|runs| format!("-runs={runs}"));
    seconds.into_iter().chain(runs).collect()
}

/// What builds the targets: only nightly Rust has sanitizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Builder {
    Nightly,
    Pinned,
}

impl Builder {
    fn find() -> Self {
        if answers("rustup", &["run", "nightly", "rustc", "--version"]) {
            Self::Nightly
        } else {
            Self::Pinned
        }
    }

    fn cargo_fuzz(self) -> Command {
        let mut command = match self {
            Self::Nightly => {
                let mut rustup = program("rustup");
                // `cargo xtask` pins the toolchain and its libraries for its children; this one needs another.
                rustup
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("LD_LIBRARY_PATH");
                rustup.args(["run", "nightly", "cargo"]);
                rustup
            }
            Self::Pinned => cargo(),
        };
        command.arg("fuzz");
        command
    }

    const fn sanitizer(self) -> &'static str {
        match self {
            Self::Nightly => "address",
            Self::Pinned => "none",
        }
    }
}

fn expect_installed() -> Result<(), Error> {
    if !answers("cargo", &["fuzz", "--version"]) {
        return Err(Error::Missing {
            what: "cargo-fuzz",
            install: "cargo install cargo-fuzz --locked",
        });
    }
    Ok(())
}

/// A fuzz target and the crate whose harness it runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) name: String,
    krate: String,
}

impl Target {
    /// Reads which harness a target includes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (_, path) = text.split_once("/crates/")?;
        let (path, _) = path.split_once(".rs\"")?;
        let (krate, name) = path.split_once("/tests/harness/")?;
        Some(Self {
            name: name.to_owned(),
            krate: krate.to_owned(),
        })
    }

    /// The path of its harness.
    pub(crate) fn harness(&self) -> String {
        format!("crates/{}/tests/harness/{}.rs", self.krate, self.name)
    }
}

fn targets() -> Result<Vec<Target>, Error> {
    let tree = Tree::load()?;
    let files = tree.rust().filter(|(path, _)| path.starts_with(FUZZ));
    Ok(files.filter_map(|(_, text)| Target::parse(text)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(seconds: Option<u32>, runs: Option<u32>) -> Args {
        Args {
            target: None,
            seconds,
            runs,
            list: false,
        }
    }

    #[test]
    fn a_target_ends_by_the_limits_that_were_given_or_after_half_a_minute() {
        assert_eq!(limits(&args(None, None)), ["-max_total_time=30"]);
        assert_eq!(limits(&args(Some(5), None)), ["-max_total_time=5"]);
        assert_eq!(limits(&args(None, Some(7))), ["-runs=7"]);
        let both = limits(&args(Some(5), Some(7)));
        assert_eq!(both, ["-max_total_time=5", "-runs=7"]);
    }

    #[test]
    fn a_target_names_its_harness() {
        let text = "#[path = \"../../../crates/mesh-link/tests/harness/frames.rs\"]\nmod harness;";
        let expected = Target {
            name: "frames".to_owned(),
            krate: "mesh-link".to_owned(),
        };
        assert_eq!(Target::parse(text), Some(expected));
        assert_eq!(Target::parse("fn main() {}"), None);
    }
}
