mod license;
mod own;

use crate::{
    error::Error,
    shell::{answers, cargo, root, run as run_command},
    workspace::Workspace,
};
use std::fs;

/// What people are given: the workspace, and what puts it inside a blvm-node.
const MANIFESTS: [&str; 2] = ["Cargo.toml", crate::blvm_node::MANIFEST];

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
        return MANIFESTS.into_iter().try_for_each(|manifest| {
            run_command(
                cargo()
                    .args(["deny", "--manifest-path", manifest])
                    .args(["check", "--config", "deny.toml", "--hide-inclusion-graph"])
                    .args(["licenses", "bans", "sources"]),
            )
        });
    }
    say!("deny: cargo-deny is not installed, so licences, bans and sources are checked here");
    let path = root().join("deny.toml");
    let text = fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
    let policy: own::Policy = toml::from_str(&text).map_err(|error| Error::Malformed {
        what: "deny.toml".to_owned(),
        reason: error.to_string(),
    })?;
    let mut count = 0;
    for manifest in MANIFESTS {
        let workspace = Workspace::of(manifest)?;
        let problems = policy.check(&workspace);
        for problem in &problems {
            say!("deny: {manifest}: {problem}");
        }
        for twice in own::in_several_versions(&workspace) {
            say!("deny: {manifest}: warning: {twice}");
        }
        let foreign = workspace.foreign().count();
        say!("deny: {manifest}: {foreign} crates of others looked at");
        count += problems.len();
    }
    match count {
        0 => Ok(()),
        count => Err(Error::Problems {
            tool: "deny",
            count,
        }),
    }
}
