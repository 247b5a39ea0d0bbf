use super::ask::{ask, connect, print, print_json};
use crate::{
    cli::TopologyArgs,
    command_error::CommandError,
    control::{Answer, Request},
    drawing::{dot, draw},
};

/// Shows the mesh as a node knows it.
pub(crate) async fn topology(args: &TopologyArgs) -> Result<(), CommandError> {
    let mut client = connect(&args.control).await?;
    let Answer::Topology(mesh) = ask(&mut client, Request::Topology {}).await? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        return print_json(&mesh);
    }
    print(&if args.dot { dot(&mesh) } else { draw(&mesh) })
}
