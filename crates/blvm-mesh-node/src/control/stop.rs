use tokio::sync::watch;

/// Waits for the word that the node is to stop.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(super) const fn new(word: watch::Receiver<bool>) -> Self {
        Self(word)
    }

    /// Returns once the word has been said, or nobody is left to say it.
    pub(super) async fn said(&mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
