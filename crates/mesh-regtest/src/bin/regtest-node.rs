//! One LDK node with both its fronts, in a process of its own, which a test can kill.
//!
//! It reads a `PeerConfig` from the first line of its input, writes its key and a script that its wallet owns in one line
//! when it is ready, and ends with its input. Its fronts are in the folder `fronts` of its own.

use mesh_regtest::{ClnFront, LndFront, NetworkError, Peer, PeerConfig};
use std::{
    fs,
    io::{self, BufRead as _, Write as _},
    sync::Arc,
};

fn main() -> Result<(), NetworkError> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let config: PeerConfig = serde_json::from_str(&line).map_err(io::Error::other)?;
    let fronts = config.folder.join("fronts");
    fs::create_dir_all(&fronts)?;
    let peer = Arc::new(Peer::start(config)?);
    let _cln = ClnFront::start(&peer, &fronts.join("lightning-rpc"))?;
    let _lnd = LndFront::start(&peer, &fronts.join("lnd"))?;
    let script = peer
        .node()?
        .onchain_payment()
        .new_address()?
        .script_pubkey();
    let mut out = io::stdout().lock();
    writeln!(out, "{} {}", peer.node_id(), script.to_hex_string())?;
    out.flush()?;
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
