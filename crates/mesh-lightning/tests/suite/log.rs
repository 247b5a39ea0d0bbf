//! What the log says of a back end that misbehaves.

use super::{
    AMOUNT, LIMITS, Pair,
    faults::{each_meets, repeats},
    wallet::{Fault, Op},
};
use mesh_types::Network;
use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};
use tracing::{Level, subscriber::DefaultGuard};

/// All that is logged on this thread, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn captured(&self) -> DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn leaks(&self, secrets: &[String]) -> bool {
        repeats(&self.text(), secrets)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) async fn no_line_of_the_log_repeats_a_secret(pair: impl Pair) {
    let log = Log::default();
    let _captured = log.captured();
    let settings = pair.settings();
    for fault in [Fault::Echoes, Fault::Garbage, Fault::Truncated, Fault::Huge] {
        // What opening finds is logged there, and all else by who called.
        pair.wallet().breaks(Op::Info, fault);
        let opened = mesh_lightning::open(&settings, Network::Regtest).await;
        tracing::trace!(?settings, ?opened);
        for error in each_meets(&pair, fault).await {
            tracing::trace!(%error, ?error);
        }
        let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
        for op in [Op::Fee, Op::Pay] {
            pair.wallet().breaks(op, fault);
            let paid = pair.node().pay_invoice(&text, LIMITS).await;
            tracing::trace!(?paid);
        }
        pair.wallet().breaks(Op::Settled, fault);
        let told = pair.node().settled_behind(1, LIMITS.patience).await;
        tracing::trace!(?told);
    }
    let said = log.text();
    assert!(
        said.contains("no word from the Lightning back end"),
        "{said}"
    );
    assert!(!log.leaks(&pair.secrets()), "{said}");
    // It would have been seen.
    for secret in pair.secrets() {
        let canary = Log::default();
        let _captured = canary.captured();
        tracing::trace!(secret, "a line that must not be");
        assert!(canary.leaks(&[secret]));
    }
}
