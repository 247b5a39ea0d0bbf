//! Three LDK nodes in a line, with channels between them, in a process of its own: for programs that cannot have LDK in theirs.
//!
//! It reads a folder from the first line of its input, writes a line when payments can go over the channels, and ends with its
//! input. In the folder are the sockets `near`, `middle` and `far`, at which each node answers as Core Lightning does.

use mesh_regtest::{ClnFront, LightningNetwork, NetworkError, Plan};
use std::{
    io::{self, BufRead as _, Write as _},
    path::Path,
};

const NODES: [&str; 3] = ["near", "middle", "far"];

fn main() -> Result<(), NetworkError> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let folder = Path::new(line.trim_end());
    let network = LightningNetwork::start(&Plan::line(&NODES))?;
    let fronts = NODES.map(|name| {
        let front = ClnFront::start(network.peer(name)?, &folder.join(name))?;
        Ok::<_, NetworkError>(front)
    });
    let _fronts = fronts.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut out = io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()?;
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
