use crate::{
    error::Error,
    shell::{output, program, root},
};
use std::{collections::BTreeMap, fs};

/// The files of the checkout that git knows or would add, by their path from the top.
///
/// Texts that no rule reads (fuzz corpora, say) are left empty.
#[derive(Debug, Default)]
pub(crate) struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads the checkout.
    pub(crate) fn load() -> Result<Self, Error> {
        // In a container the checkout often belongs to another user, whose files git would not list.
        let list = output(program("git").args(["-c", "safe.directory=*"]).args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        let mut tree = Self::default();
        for path in list.split_terminator('\0') {
            let full = root().join(path);
            // git still lists a file that has been deleted and not committed.
            if !full.is_file() {
                continue;
            }
            let text = if is_read(path) {
                fs::read_to_string(&full).map_err(|source| Error::File { path: full, source })?
            } else {
                String::new()
            };
            tree.0.insert(path.to_owned(), text);
        }
        Ok(tree)
    }

    /// All paths and texts, sorted.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// README and the documents.
    pub(crate) fn documents(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| {
            *path == "README.md" || (path.starts_with("docs/") && path.ends_with(".md"))
        })
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Whether `path` is a file or a folder with files.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        self.0.contains_key(path) || self.0.keys().any(|file| file.starts_with(&folder))
    }

    /// The folders of the workspace's members, `xtask` among them.
    pub(crate) fn members(&self) -> impl Iterator<Item = &str> {
        let excluded = self.excluded();
        self.0.keys().filter_map(move |path| {
            let folder = path.strip_suffix("/Cargo.toml")?;
            let inside = folder
                .strip_prefix("crates/")
                .is_some_and(|name| !name.contains('/'));
            ((inside && !excluded.iter().any(|e| e == folder)) || folder == "xtask")
                .then_some(folder)
        })
    }

    fn excluded(&self) -> Vec<String> {
        self.text("Cargo.toml")
            .and_then(|text| text.parse::<toml::Table>().ok())
            .and_then(|table| table.get("workspace")?.get("exclude")?.as_array().cloned())
            .unwrap_or_default()
            .iter()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect()
    }
}

fn is_read(path: &str) -> bool {
    [".rs", ".md", ".toml", ".ci/run"]
        .iter()
        .any(|end| path.ends_with(end))
}

#[cfg(test)]
impl<'a> FromIterator<(&'a str, &'a str)> for Tree {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(files: I) -> Self {
        Self(
            files
                .into_iter()
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excluded_folders_and_nested_crates_are_no_members() {
        let tree = Tree::from_iter([
            ("Cargo.toml", "workspace.exclude = [\"crates/outside\"]"),
            ("crates/a/Cargo.toml", ""),
            ("crates/a/nested/Cargo.toml", ""),
            ("crates/outside/Cargo.toml", ""),
            ("xtask/Cargo.toml", ""),
            ("xtask/fuzz/Cargo.toml", ""),
        ]);
        assert_eq!(tree.members().collect::<Vec<_>>(), ["crates/a", "xtask"]);
    }
}
