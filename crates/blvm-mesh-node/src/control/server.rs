use super::{
    Answer, Failure, FailureKind, Reply, SocketError, session::Session, socket::Socket, stop::Stop,
};
use crate::node::Node;
use blvm_mesh::Delivery;
use parking_lot::Mutex;
use std::{collections::VecDeque, io, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::AsyncWriteExt,
    net::UnixStream,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

/// Connections that are served at one time.
///
/// 32, because one person and a few scripts use a node, and each may hold a reply of the longest kind.
pub const MAX_SESSIONS: usize = 32;

/// How long what was asked may go on when the node shuts down.
///
/// Ten seconds, because a send that is waiting for an answer may have paid already, and its proof is lost with it.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// How long nothing is accepted after the system could not give a connection: descriptors come back in time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the control socket of a node.
#[derive(Debug)]
pub struct Server {
    socket: Socket,
}

/// What the sessions of one node share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) node: Arc<Node>,
    /// Deliveries that were handed over and not taken; they come before those that arrive. Bounded by what one call takes,
    /// for each session.
    pub(super) returned: Mutex<VecDeque<Delivery>>,
}

impl Server {
    /// Listens at `path`, which nobody but the user who runs this process can reach.
    ///
    /// # Errors
    /// [`SocketError`] says what to do about it.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        Ok(Self {
            socket: Socket::bind(path)?,
        })
    }

    /// Serves until `stop` says so, and then lets what was asked come to its end.
    ///
    /// The node is the caller's alone again afterwards, unless something took longer than it may.
    pub async fn run(self, node: Arc<Node>, stop: watch::Receiver<bool>) {
        let mut stop = Stop::new(stop);
        let desk = Arc::new(Desk {
            node,
            returned: Mutex::default(),
        });
        let mut sessions = JoinSet::new();
        let for_sessions = stop.clone();
        loop {
            tokio::select! {
                () = stop.said() => break,
                Some(_) = sessions.join_next() => {}
                accepted = self.socket.listener.accept() => match accepted {
                    Ok((stream, _)) => self.welcome(stream, &desk, &for_sessions, &mut sessions).await,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept control connections");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.socket);
        let ended = async { while sessions.join_next().await.is_some() {} };
        if timeout(SHUTDOWN_GRACE, ended).await.is_err() {
            tracing::warn!("what was asked over the control socket is cut off");
            sessions.shutdown().await;
        }
    }

    async fn welcome(
        &self,
        mut stream: UnixStream,
        desk: &Arc<Desk>,
        stop: &Stop,
        sessions: &mut JoinSet<()>,
    ) {
        if !self.is_owner(&stream) {
            return;
        }
        if sessions.len() >= MAX_SESSIONS {
            let full = Failure::new(FailureKind::Busy, "too many control connections are open");
            if let Err(error) = turn_away(&mut stream, full).await {
                tracing::debug!(%error, "a control connection was not told that it is one too many");
            }
            return;
        }
        let session = Session::new(Arc::clone(desk), stream);
        sessions.spawn(session.run(stop.clone()));
    }

    /// Whether the user at the other end is the one who runs this node. The folder keeps others out already.
    fn is_owner(&self, stream: &UnixStream) -> bool {
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == self.socket.owner => true,
            Ok(peer) => {
                tracing::warn!(
                    uid = peer.uid(),
                    "another user's control connection is refused"
                );
                false
            }
            Err(error) => {
                tracing::warn!(%error, "a control connection without a user is refused");
                false
            }
        }
    }
}

async fn turn_away(stream: &mut UnixStream, failure: Failure) -> io::Result<()> {
    let line = Reply::new(Answer::Failed(failure)).to_line()?;
    // A short line fits in the socket's buffer: this does not wait for the reader.
    stream.write_all(&line).await
}
