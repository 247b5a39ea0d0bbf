mod license;
mod own;

use crate::{
    error::Error,
    shell::{answers, cargo, root, run as run_command},
    workspace::Workspace,
};
use std::fs;

/// Checks licences, banned crates and sources of what we depend on, as deny.toml has them.
///
/// With cargo-deny installed this is `cargo deny check licenses bans sources`. Without it (CI
/// does not spend the minutes to build it) the same parts of deny.toml are checked here, from
/// `cargo metadata`. Known vulnerabilities need a network: `cargo deny check advisories`.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = "Example: cargo xtask deny")]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: &Args) -> Result<(), Error> {
    if answers("cargo", &["deny", "--version"]) {
        say!("deny: with cargo-deny");
        let parts = ["licenses", "bans", "sources"];
        return run_command(
            cargo()
                .args(["deny", "check", "--hide-inclusion-graph"])
                .args(parts),
        );
    }
    say!("deny: cargo-deny is not installed, so licences, bans and sources are checked here");
    let path = root().join("deny.toml");
    let text = fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
    let policy: own::Policy = toml::from_str(&text).map_err(|error| Error::Malformed {
        what: "deny.toml".to_owned(),
        reason: error.to_string(),
    })?;
    let workspace = Workspace::load()?;
    let problems = policy.check(&workspace);
    for problem in &problems {
        say!("deny: {problem}");
    }
    for twice in own::in_several_versions(&workspace) {
        say!("deny: warning: {twice}");
    }
    match problems.len() {
        0 => {
            say!(
                "deny: {} crates of others pass",
                workspace.foreign().count()
            );
            Ok(())
        }
        count => Err(Error::Problems {
            tool: "deny",
            count,
        }),
    }
}
