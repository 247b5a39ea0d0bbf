mod alone;
mod picture;

use crate::{
    error::Error,
    workspace::{Package, Workspace},
};
use picture::{PICTURE, Room};

/// Checks that crates depend on each other only as docs/architecture.md draws it.
///
/// Plain, dev and build dependencies of every member are compared with the table in
/// xtask/src/graph/picture.rs; a crate that the table does not know is an error. Then the
/// dependency tree of each light crate, as `cargo test -p` builds it on its own, is searched
/// for what must not be in it: HTTP, databases, TLS, tokio above mesh-manager, tokio's net
/// feature in it; and that of the program for LDK, which takes minutes to build.
#[derive(Debug, Default, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Example: cargo xtask graph --print"
)]
pub(crate) struct Args {
    /// Print the picture with the edges that exist
    #[arg(long)]
    print: bool,

    /// Print the edges that exist, for Graphviz: cargo xtask graph --dot | dot -Tsvg
    #[arg(long, conflicts_with = "print")]
    dot: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let edges = edges(&workspace.members());
    if args.dot {
        say!("{}", dot(&edges));
        return Ok(());
    }
    if args.print {
        say!("{}", text(&edges));
    }
    check(&workspace, &edges)
}

fn check(workspace: &Workspace, edges: &[Edge]) -> Result<(), Error> {
    let members = workspace.members();
    let names: Vec<_> = members.iter().map(|p| p.name.as_str()).collect();
    let mut problems = against_picture(&names, edges);
    say!(
        "graph: {} crates, {} edges between them, {} against the picture",
        names.len(),
        edges.len(),
        problems.len()
    );
    problems.extend(alone::check(&names)?);
    for problem in &problems {
        say!("graph: {problem}");
    }
    match problems.len() {
        0 => Ok(()),
        count => Err(Error::Problems {
            tool: "graph",
            count,
        }),
    }
}

/// One crate of ours that names another.
#[derive(Debug, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    /// Empty for a plain dependency.
    kind: String,
}

fn edges(members: &[&Package]) -> Vec<Edge> {
    let mut edges = Vec::new();
    for from in members {
        for to in from.dependencies.iter().filter(|to| to.source.is_none()) {
            edges.push(Edge {
                from: from.name.clone(),
                to: to.name.clone(),
                kind: to.kind.clone().unwrap_or_default(),
            });
        }
    }
    edges
}

fn against_picture(members: &[&str], edges: &[Edge]) -> Vec<String> {
    let mut problems = Vec::new();
    for name in members {
        if picture::room(name).is_none() {
            problems.push(format!(
                "{name} is not in the picture (xtask/src/graph/picture.rs)"
            ));
        }
    }
    for edge in edges {
        if !picture::room(&edge.from).is_some_and(|room| room.may_use(&edge.to)) {
            problems.push(format!(
                "{} must not have {} as a {} dependency",
                edge.from,
                edge.to,
                if edge.kind.is_empty() {
                    "plain"
                } else {
                    &edge.kind
                }
            ));
        }
    }
    problems
}

fn text(edges: &[Edge]) -> String {
    let mut out = picture::DRAWING.to_owned();
    for Room { name, .. } in PICTURE {
        let mut uses: Vec<_> = edges
            .iter()
            .filter(|edge| edge.from == *name)
            .map(label)
            .collect();
        uses.dedup();
        if !uses.is_empty() {
            out.push_str(&format!("{name} uses {}\n", uses.join(", ")));
        }
    }
    out.push('\n');
    out
}

fn label(edge: &Edge) -> String {
    if edge.kind.is_empty() {
        edge.to.clone()
    } else {
        format!("{} ({})", edge.to, edge.kind)
    }
}

fn dot(edges: &[Edge]) -> String {
    let mut out = "digraph crates {\n  rankdir = BT\n  node [shape = box]\n".to_owned();
    for Edge { from, to, kind } in edges {
        let style = if kind.is_empty() { "solid" } else { "dashed" };
        out.push_str(&format!("  \"{from}\" -> \"{to}\" [style = {style}]\n"));
    }
    out.push_str("}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str, kind: &str) -> Edge {
        Edge {
            from: from.to_owned(),
            to: to.to_owned(),
            kind: kind.to_owned(),
        }
    }

    #[test]
    fn edges_that_point_up_pass() {
        let edges = [
            edge("mesh-payment", "mesh-types", ""),
            edge("blvm-mesh", "mesh-payment", "dev"),
        ];
        assert!(against_picture(&["mesh-types", "mesh-payment", "blvm-mesh"], &edges).is_empty());
    }

    #[test]
    fn siblings_must_not_name_each_other_even_in_tests() {
        let edges = [edge("mesh-payment", "mesh-replay", "dev")];
        let problems = against_picture(&["mesh-payment", "mesh-replay"], &edges);
        assert_eq!(
            problems,
            ["mesh-payment must not have mesh-replay as a dev dependency"]
        );
    }

    #[test]
    fn edges_that_point_down_fail() {
        let edges = [edge("mesh-types", "mesh-manager", "build")];
        assert_eq!(
            against_picture(&["mesh-types", "mesh-manager"], &edges).len(),
            1
        );
    }

    #[test]
    fn a_crate_outside_the_picture_fails() {
        let problems = against_picture(&["mesh-magic"], &[]);
        assert!(
            problems
                .iter()
                .any(|p| p.starts_with("mesh-magic is not in the picture"))
        );
    }

    #[test]
    fn dot_draws_each_edge() {
        assert!(dot(&[edge("a", "b", "")]).contains("\"a\" -> \"b\""));
    }
}
