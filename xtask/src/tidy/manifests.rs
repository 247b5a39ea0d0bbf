use super::Problem;
use crate::tree::Tree;
use toml::{Table, Value};

/// Fields that are decided once, for all members.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let paths = tree.members().map(|member| format!("{member}/Cargo.toml"));
    paths
        .flat_map(|path| manifest(&path, tree.text(&path).unwrap_or_default()))
        .collect()
}

fn manifest(path: &str, text: &str) -> Vec<Problem> {
    let Ok(table) = text.parse::<Table>() else {
        return vec![Problem::about(path, "is not TOML")];
    };
    let mut messages = Vec::new();
    if !table.get("lints").is_some_and(inherits) {
        messages.push("needs [lints] workspace = true".to_owned());
    }
    let package = table.get("package");
    for field in INHERITED {
        if !package.and_then(|p| p.get(field)).is_some_and(inherits) {
            messages.push(format!("needs {field}.workspace = true"));
        }
    }
    if package.and_then(|p| p.get("description")).is_none() {
        messages.push("needs a description".to_owned());
    }
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, value) in table
            .get(kind)
            .and_then(Value::as_table)
            .into_iter()
            .flatten()
        {
            if !inherits(value) {
                messages.push(format!(
                    "{name}: write its version in the workspace's Cargo.toml"
                ));
            }
        }
    }
    messages
        .into_iter()
        .map(|message| Problem::about(path, message))
        .collect()
}

fn inherits(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::{super::messages, *};

    const GOOD: &str = "
        [package]
        name = 'a'
        description = 'A thing'
        version.workspace = true
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        publish.workspace = true
        [dependencies]
        sha2.workspace = true
        tokio = { workspace = true, features = ['rt'] }
        [lints]
        workspace = true";

    #[test]
    fn a_manifest_that_inherits_passes() {
        assert!(manifest("Cargo.toml", GOOD).is_empty());
    }

    #[test]
    fn lints_of_its_own_fail() {
        let text = GOOD.replace("[lints]\n        workspace = true", "[lints.rust]");
        assert_eq!(
            messages(&manifest("a", &text)),
            ["a: needs [lints] workspace = true"]
        );
    }

    #[test]
    fn a_version_of_its_own_fails() {
        let text = GOOD.replace(
            "version.workspace = true\n        edition",
            "version = '1.0.0'\n        edition",
        );
        assert_eq!(
            messages(&manifest("a", &text)),
            ["a: needs version.workspace = true"]
        );
        let text = GOOD.replace("sha2.workspace = true", "sha2 = '0.10'");
        let found = messages(&manifest("a", &text));
        assert_eq!(
            found,
            ["a: sha2: write its version in the workspace's Cargo.toml"]
        );
    }

    #[test]
    fn what_is_not_toml_fails() {
        assert_eq!(manifest("a", "[package").len(), 1);
    }
}
