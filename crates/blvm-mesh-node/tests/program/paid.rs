use super::{Home, Ran, Running, free_port};
use blvm_mesh::NodeId;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// A source that has paid a destination for two packets of 9 sats each, and has 27 of its 45 sats left.
pub(crate) struct Paid {
    pub(crate) destination: Home,
    pub(crate) source: NodeId,
    /// The source, which does not run any more.
    pub(crate) payer: Home,
    running: Option<Running>,
    root: TempDir,
}

impl Paid {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let port = free_port();
        let listening = format!("listen_addr = \"127.0.0.1:{port}\"");
        let priced = "price_per_packet_msat = 9000\nprice_per_kib_msat = 0";
        let destination = Home::new(
            root.path(),
            "destination",
            &format!("{listening}\n{priced}"),
        );
        let to = destination.id;
        let dialling =
            format!("listen_addr = \"127.0.0.1:0\"\npeers = [\"{to}@127.0.0.1:{port}\"]");
        let source = Home::new(
            root.path(),
            "source",
            &format!("{dialling}\nmode = \"open\""),
        );
        let running = destination.start();
        let sending = source.start();
        running.expect("link up");
        sending.expect("link up");
        for data in ["one", "two"] {
            let send = [
                "send",
                &to.to_string(),
                "--data",
                data,
                "--packets-ahead",
                "5",
            ];
            source.ask(&send);
        }
        sending.stop();
        Self {
            destination,
            source: source.id,
            payer: source,
            running: Some(running),
            root,
        }
    }

    pub(crate) fn ledger(&self, args: &[&str]) -> Ran {
        self.destination.command(&[&["ledger"], args].concat(), &[])
    }

    /// Stops the node that was paid.
    pub(crate) fn stop(&mut self) {
        let code = self.running.take().and_then(Running::stop);
        assert_eq!(code, Some(0));
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A home beside it, of the same settings but for `node`, and without a key of its own.
    pub(crate) fn sibling(&self, name: &str, node: &str) -> Home {
        let home = Home::new(self.root.path(), name, "listen_addr = \"127.0.0.1:0\"");
        let text = fs::read_to_string(&home.config).unwrap();
        fs::write(&home.config, format!("{text}\n[node]\n{node}\n")).unwrap();
        fs::remove_file(home.config.with_file_name("identity.key")).unwrap();
        home
    }
}

#[track_caller]
pub(crate) fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

/// Waits until everything that was earned is booked.
pub(crate) fn booked(home: &Home) {
    for _ in 0..1_000 {
        let status = home.ask(&["status"]);
        if status.pointer("/money/unbooked_msat") == Some(&0.into()) {
            return;
        }
    }
    panic!("it is never booked");
}
