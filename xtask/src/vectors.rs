use crate::{
    error::Error,
    shell::{answers, expect_success, program, stream},
    tree::Tree,
};

/// Compares the golden vectors with what independent Python encoders make of them.
///
/// Runs `python3 crates/*/tests/vectors/generate.py --check`. A script prints a line `N vectors
/// agree`, and ends with an error when one does not. Where python3 is missing nothing is run;
/// the Rust side of the same vectors is part of `cargo xtask test`.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = "Example: cargo xtask vectors")]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: &Args) -> Result<(), Error> {
    if !answers("python3", &["--version"]) {
        say!("vectors: skipped, python3 is not installed");
        return Ok(());
    }
    let tree = Tree::load()?;
    let scripts: Vec<_> = tree
        .files()
        .map(|(path, _)| path)
        .filter(|p| is_generator(p))
        .collect();
    if scripts.is_empty() {
        return Err(Error::Parts {
            tool: "vectors",
            names: vec!["there is no crates/*/tests/vectors/generate.py".to_owned()],
        });
    }
    let mut agree = 0;
    let mut failed = Vec::new();
    for script in &scripts {
        let mut command = program("python3");
        command.args([script, "--check"]);
        let mut counted = None;
        let status = stream(&mut command, |line| counted = count(line).or(counted))?;
        match (expect_success(&command, status), counted) {
            (Ok(()), Some(count)) => agree += count,
            (Ok(()), None) => {
                failed.push(format!("{script} (does not say how many vectors agree)"))
            }
            (Err(_), _) => failed.push((*script).to_owned()),
        }
    }
    say!(
        "vectors: {agree} agree, checked by {} independent encoder(s)",
        scripts.len()
    );
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::Parts {
        tool: "vectors",
        names: failed,
    })
}

fn is_generator(path: &str) -> bool {
    path.starts_with("crates/") && path.ends_with("/tests/vectors/generate.py")
}

fn count(line: &str) -> Option<u64> {
    line.trim().strip_suffix(" vectors agree")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_closing_line_of_a_script_counts() {
        assert_eq!(count("41 vectors agree\r"), Some(41));
        assert_eq!(count("vector 3 differs"), None);
        assert_eq!(count("some vectors agree"), None);
    }
}
