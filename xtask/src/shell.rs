use crate::error::Error;
use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
};

/// The top of the checkout.
pub(crate) fn root() -> PathBuf {
    // cargo sets the variable for `cargo xtask`; the constant serves a binary that is started by hand.
    let xtask = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or(xtask.clone(), PathBuf::from)
}

/// A program that will run at the top of the checkout.
pub(crate) fn program(name: impl Into<OsString>) -> Command {
    let mut command = Command::new(name.into());
    command.current_dir(root());
    command
}

/// The cargo that runs this tool.
pub(crate) fn cargo() -> Command {
    program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Says what it runs, runs it, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    say!("$ {}", words(command));
    run_unsaid(command)
}

/// Runs it, and fails when it fails: for what prints something that is read by others.
pub(crate) fn run_unsaid(command: &mut Command) -> Result<(), Error> {
    let status = command
        .status()
        .map_err(|source| start_error(command, source))?;
    expect_success(command, status)
}

/// Runs it quietly and gives its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| start_error(command, source))?;
    expect_success(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Says what it runs, runs it, repeats each line of its standard output and shows the line to `each`.
pub(crate) fn stream(
    command: &mut Command,
    mut each: impl FnMut(&str),
) -> Result<ExitStatus, Error> {
    say!("$ {}", words(command));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| start_error(command, source))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.map_err(|source| start_error(command, source))?;
            let line = String::from_utf8_lossy(&line);
            say!("{line}");
            each(&line);
        }
    }
    child.wait().map_err(|source| start_error(command, source))
}

/// Whether a program answers when it is called with `args`.
pub(crate) fn answers(name: &str, args: &[&str]) -> bool {
    program(name)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

pub(crate) fn expect_success(command: &Command, status: ExitStatus) -> Result<(), Error> {
    if status.success() {
        return Ok(());
    }
    Err(Error::Command {
        command: words(command),
        status,
    })
}

fn start_error(command: &Command, source: std::io::Error) -> Error {
    Error::Start {
        command: words(command),
        source,
    }
}

fn words(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    let mut words = vec![name.to_string_lossy()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy()));
    words.join(" ")
}
