use super::picture::{MANAGER, PICTURE, Room, room};
use crate::{
    error::Error,
    shell::{cargo, output},
};
use std::collections::BTreeMap;

/// Stacks that a light crate does not bring to whoever takes it: HTTP, TLS, databases, sockets.
const HEAVY: &[&str] = &[
    "actix-web",
    "aws-lc-rs",
    "axum",
    "h2",
    "hyper",
    "isahc",
    "libsqlite3-sys",
    "mio",
    "native-tls",
    "openssl",
    "openssl-sys",
    "postgres",
    "quinn",
    "redb",
    "reqwest",
    "ring",
    "rocksdb",
    "rusqlite",
    "rustls",
    "sled",
    "socket2",
    "sqlx",
    "tokio-postgres",
    "tonic",
    "ureq",
    "warp",
];

/// Checks what each light member brings along, with its tests and without, when it is built on its own.
pub(super) fn check(members: &[&str]) -> Result<Vec<String>, Error> {
    let mut problems = Vec::new();
    for light in PICTURE
        .iter()
        .filter(|room| room.light && members.contains(&room.name))
    {
        let plain = tree(light.name, "normal,build")?;
        let tests = tree(light.name, "normal,build,dev")?;
        say!(
            "graph: {:<14} alone: {:>3} other crates, {:>3} with its tests",
            light.name,
            plain.len().saturating_sub(1),
            tests.len().saturating_sub(1)
        );
        problems.extend(in_tree(light, &tests));
    }
    for (name, never) in NOT_BY_DEFAULT {
        if members.contains(name)
            && tree(name, "normal,build,dev")?
                .keys()
                .any(|package| package.split(' ').next() == Some(never))
        {
            problems.push(format!("{name} brings {never} without being asked to"));
        }
    }
    Ok(problems)
}

/// What a crate brings along by a feature alone, because it takes minutes to build.
const NOT_BY_DEFAULT: &[(&str, &str)] = &[
    ("blvm-mesh-node", "ldk-node"),
    ("mesh-lightning", "ldk-node"),
    ("mesh-regtest", "ldk-node"),
];

/// The crates of a dependency tree with their features.
type Crates = BTreeMap<String, String>;

fn tree(name: &str, edges: &str) -> Result<Crates, Error> {
    // Features are decided here as `cargo test -p` does; cargo metadata mixes all members' wishes.
    let args = [
        "tree", "-p", name, "-e", edges, "--prefix", "none", "--format", "{p}|{f}",
    ];
    Ok(parse(&output(cargo().args(args))?))
}

fn parse(text: &str) -> Crates {
    text.lines()
        .filter_map(|line| {
            let (package, features) = line.trim_end_matches(" (*)").split_once('|')?;
            let mut words = package.split(' ');
            Some((
                format!("{} {}", words.next()?, words.next()?),
                features.to_owned(),
            ))
        })
        .collect()
}

fn in_tree(light: &Room, crates: &Crates) -> Vec<String> {
    let mut problems = Vec::new();
    for (package, features) in crates {
        let name = package.split(' ').next().unwrap_or_default();
        let problem = if HEAVY.contains(&name) {
            "is too heavy for it"
        } else if room(name).is_some() && name != light.name && !light.may_reach(name) {
            "is not above it in the picture"
        } else if name == "tokio" && light.name != MANAGER && !light.may_reach(MANAGER) {
            "begins in mesh-manager"
        } else if name == "tokio" && features.split(',').any(|f| f == "net" || f == "full") {
            "must not have its net feature here"
        } else {
            continue;
        };
        problems.push(format!("{} brings {package}, which {problem}", light.name));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(name: &str, tree: &str) -> Vec<String> {
        in_tree(room(name).expect("in the picture"), &parse(tree))
    }

    #[test]
    fn a_light_tree_passes() {
        let tree =
            "mesh-payment v0.1.0 (/x)|default\nmesh-types v0.1.0 (/x)|\nsha2 v0.10.9|std (*)";
        assert!(problems("mesh-payment", tree).is_empty());
    }

    #[test]
    fn two_versions_of_a_crate_count_twice_and_a_repeated_line_once() {
        assert_eq!(parse("a v1.0.0|x\na v2.0.0|x\na v1.0.0|x (*)").len(), 2);
    }

    #[test]
    fn siblings_fail_however_they_came() {
        let problems = problems("mesh-payment", "mesh-replay v0.1.0 (/x)|");
        assert_eq!(
            problems,
            ["mesh-payment brings mesh-replay v0.1.0, which is not above it in the picture"]
        );
    }

    #[test]
    fn http_stacks_fail() {
        assert_eq!(problems("blvm-mesh", "hyper v1.0.0|").len(), 1);
    }

    #[test]
    fn tokio_begins_in_the_manager_and_has_no_net_there() {
        assert_eq!(problems("mesh-replay", "tokio v1.50.0|sync").len(), 1);
        assert_eq!(problems("mesh-manager", "tokio v1.50.0|net,sync").len(), 1);
        assert!(problems("mesh-manager", "tokio v1.50.0|rt,sync").is_empty());
        assert!(problems("blvm-mesh", "tokio v1.50.0|rt,sync").is_empty());
    }
}
