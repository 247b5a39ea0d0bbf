use crate::{
    cli::ControlArgs,
    command_error::CommandError,
    config::NodeConfig,
    control::{Answer, Client, Request},
};
use std::io::Write;

/// Connects to the node that the command line means.
pub(super) async fn connect(args: &ControlArgs) -> Result<Client, CommandError> {
    let path = match &args.control {
        Some(path) => path.clone(),
        None => NodeConfig::load(&args.config)?.node.control_socket,
    };
    Ok(Client::connect(&path).await?)
}

/// Asks, and takes a failure for an error.
pub(super) async fn ask(client: &mut Client, request: Request) -> Result<Answer, CommandError> {
    match client.ask(request).await? {
        Answer::Failed(failure) => Err(CommandError::Answered(failure)),
        answer => Ok(answer),
    }
}

/// Writes text to the standard output.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(CommandError::Output)
}

/// Writes JSON to the standard output, in one line.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let line = serde_json::to_string(value).map_err(|error| CommandError::Output(error.into()))?;
    print(&(line + "\n"))
}
