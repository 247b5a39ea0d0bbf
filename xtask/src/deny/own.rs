use super::license;
use crate::workspace::{Package, Workspace};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The parts of deny.toml that can be checked without cargo-deny.
#[derive(Debug, Deserialize)]
pub(super) struct Policy {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

/// What one crate may have besides.
#[derive(Debug, Deserialize)]
struct Exception {
    allow: Vec<String>,
    #[serde(rename = "crate")]
    name: String,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Debug, Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

impl Policy {
    /// What is wrong with the crates that the workspace uses, and with how it names them.
    pub(super) fn check(&self, workspace: &Workspace) -> Vec<String> {
        let foreign = workspace
            .foreign()
            .flat_map(|package| self.foreign(package));
        let members = workspace.members();
        let wildcards = members.iter().flat_map(|package| wildcards(package));
        foreign.chain(wildcards).collect()
    }

    fn foreign(&self, package: &Package) -> Vec<String> {
        let Package { name, version, .. } = package;
        let mut problems = Vec::new();
        let Licenses { allow, exceptions } = &self.licenses;
        let besides = exceptions
            .iter()
            .filter(|exception| exception.name == *name);
        let besides = besides.flat_map(|exception| &exception.allow);
        let allowed: Vec<String> = allow.iter().chain(besides).cloned().collect();
        match &package.license {
            Some(license) if license::is_allowed(license, &allowed) => {}
            Some(license) => {
                problems.push(format!(
                    "{name} {version}: {license} is not allowed by deny.toml"
                ));
            }
            None => problems.push(format!("{name} {version}: names no licence")),
        }
        if let Some(banned) = self.bans.deny.iter().find(|banned| banned.name == *name) {
            problems.push(format!("{name} {version}: banned: {}", banned.reason));
        }
        let source = package.source.as_deref().unwrap_or("a path");
        let registry = source.strip_prefix("registry+").unwrap_or(source);
        if !self
            .sources
            .allow_registry
            .iter()
            .any(|allowed| allowed == registry)
        {
            problems.push(format!("{name} {version}: comes from {source}"));
        }
        problems
    }
}

fn wildcards(package: &Package) -> impl Iterator<Item = String> {
    let any = package
        .dependencies
        .iter()
        .filter(|dep| dep.source.is_some() && dep.req == "*");
    any.map(|dep| format!("{}: takes any version of {}", package.name, dep.name))
}

/// Crates of others that are built more than once, with their versions.
pub(super) fn in_several_versions(workspace: &Workspace) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in workspace.foreign() {
        versions
            .entry(&package.name)
            .or_default()
            .push(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    versions
        .iter()
        .map(|(name, versions)| format!("{name} in {}", versions.join(", ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        toml::from_str(
            "
            licenses.allow = ['MIT']
            licenses.exceptions = [{ crate = 'excepted', allow = ['MPL-2.0'] }]
            bans.deny = [{ crate = 'openssl', reason = 'C' }]
            sources.allow-registry = ['https://ours']
            ",
        )
        .expect("a policy")
    }

    fn problems(name: &str, license: &str, source: &str) -> Vec<String> {
        let package = format!(
            r#"{{"name": "{name}", "version": "1.0.0", "id": "x", "license": {license}, "source": "{source}",
                "dependencies": [], "targets": []}}"#
        );
        policy().foreign(&serde_json::from_str(&package).expect("a package"))
    }

    #[test]
    fn a_known_licence_from_the_known_registry_passes() {
        assert!(problems("sha2", "\"MIT OR GPL-3.0\"", "registry+https://ours").is_empty());
    }

    #[test]
    fn other_licences_and_none_fail() {
        assert_eq!(
            problems("a", "\"GPL-3.0\"", "registry+https://ours").len(),
            1
        );
        assert_eq!(problems("a", "null", "registry+https://ours").len(), 1);
    }

    #[test]
    fn an_exception_is_for_one_crate() {
        let of = |name| problems(name, "\"MPL-2.0\"", "registry+https://ours");
        assert!(of("excepted").is_empty());
        assert_eq!(of("another").len(), 1);
    }

    #[test]
    fn banned_crates_fail() {
        let found = problems("openssl", "\"MIT\"", "registry+https://ours");
        assert_eq!(found, ["openssl 1.0.0: banned: C"]);
    }

    #[test]
    fn git_sources_fail() {
        assert_eq!(problems("a", "\"MIT\"", "git+https://ours").len(), 1);
    }
}
