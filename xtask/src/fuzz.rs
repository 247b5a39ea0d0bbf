use crate::{
    error::Error,
    shell::{answers, program, root, run as run_command},
    tree::Tree,
    workspace::Workspace,
};
use std::{fs, path::Path};

/// Runs a fuzz target on nightly Rust.
///
/// A target is the harness `crates/*/tests/harness/<target>.rs`, which `cargo test` replays over
/// the files of `crates/*/tests/corpus/<target>/` on stable. Here libFuzzer looks for new inputs,
/// beginning with the same files; what it finds stays in the target folder. Copy an input that
/// broke something into the corpus, so that it is replayed from then on.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  cargo xtask fuzz --list\n  cargo xtask fuzz packet --seconds 60"
)]
pub(crate) struct Args {
    /// The target; each in turn when none is named
    target: Option<String>,

    /// How long each target runs
    #[arg(long, default_value_t = 30)]
    seconds: u32,

    /// List the targets
    #[arg(long)]
    list: bool,
}

/// Where the fuzz crate lives; a workspace of its own, because it needs nightly.
const FUZZ: &str = "xtask/fuzz";

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
    let folder = Workspace::load()?.target_directory.join("fuzz");
    for target in chosen {
        fuzz(target, args.seconds, &folder)?;
    }
    Ok(())
}

fn fuzz(Target { name, krate }: &Target, seconds: u32, folder: &Path) -> Result<(), Error> {
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
    let mut command = program("rustup");
    // `cargo xtask` pins the toolchain and its libraries for its children; this one needs another.
    command
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("LD_LIBRARY_PATH");
    command.args([
        "run",
        "nightly",
        "cargo",
        "fuzz",
        "run",
        "--fuzz-dir",
        FUZZ,
        "--target-dir",
    ]);
    command.arg(folder.join("build")).arg(name).arg(found);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    command.arg("--");
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", broken.display()));
    run_command(command.arg("-print_final_stats=1"))
}

fn expect_installed() -> Result<(), Error> {
    if !answers("rustup", &["run", "nightly", "rustc", "--version"]) {
        return Err(Error::Missing {
            what: "nightly Rust",
            install: "rustup toolchain install nightly",
        });
    }
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
