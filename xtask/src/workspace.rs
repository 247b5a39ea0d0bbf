use crate::{
    error::Error,
    shell::{cargo, output},
};
use serde::Deserialize;
use std::path::PathBuf;

/// What `cargo metadata` says about the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    pub(crate) target_directory: PathBuf,
}

/// A crate: one of ours or one that we use.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    id: String,
    pub(crate) license: Option<String>,
    /// Where it comes from; `None` for a path.
    pub(crate) source: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

/// One line of a crate's dependencies.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev`, `build`, or `None` for a plain one.
    pub(crate) kind: Option<String>,
    pub(crate) req: String,
    /// `None` for a path.
    pub(crate) source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self, Error> {
        Self::of("Cargo.toml")
    }

    /// Asks cargo about the workspace of another manifest.
    pub(crate) fn of(manifest: &str) -> Result<Self, Error> {
        let what = ["metadata", "--all-features", "--format-version", "1"];
        let text = output(cargo().args(what).args(["--manifest-path", manifest]))?;
        serde_json::from_str(&text).map_err(|error| Error::Malformed {
            what: "the output of cargo metadata".to_owned(),
            reason: error.to_string(),
        })
    }

    /// Our own crates, by name.
    pub(crate) fn members(&self) -> Vec<&Package> {
        let mut members: Vec<_> = self.packages.iter().filter(|p| self.is_member(p)).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }

    /// The crates of others that the workspace uses, on any platform: all but those in folders here.
    pub(crate) fn foreign(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|p| p.source.is_some())
    }

    /// The members with these names; all of them when no name is given.
    pub(crate) fn select(&self, names: &[String]) -> Result<Vec<&Package>, Error> {
        let members = self.members();
        if names.is_empty() {
            return Ok(members);
        }
        let find = |name: &String| {
            members
                .iter()
                .find(|p| p.name == *name)
                .copied()
                .ok_or_else(|| Error::Unknown {
                    kind: "crate",
                    name: name.clone(),
                    known: members
                        .iter()
                        .map(|p| p.name.as_str())
                        .collect::<Vec<_>>()
                        .join(", "),
                })
        };
        names.iter().map(find).collect()
    }

    fn is_member(&self, package: &Package) -> bool {
        self.workspace_members.contains(&package.id)
    }
}

impl Package {
    /// The names of its benches.
    pub(crate) fn benches(&self) -> impl Iterator<Item = &str> {
        self.targets
            .iter()
            .filter(|target| target.kind.iter().any(|kind| kind == "bench"))
            .map(|target| target.name.as_str())
    }
}
