//! LNbits's back end, against LNbits itself with its FakeWallet, where the program `lnbits` is installed.
//!
//! FakeWallet's invoices have no feature bits and are no BOLT11 to us, so the invoices are issued and paid by this test, and
//! what our client says of them is looked at.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops where something is not as it expects, and says what it leaves out"
)]

use mesh_lightning::{Lnbits, LnbitsConfig, SecretFrom};
use mesh_types::{
    Incoming, LightningError, LightningNode, Msat, Network, Outgoing, SettledInvoice, from_hex,
};
use serde_json::{Value, json};
use std::{
    fs::{self, Permissions},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// How often it is looked whether the server answers, and how long at most: half a minute in all.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: usize = 150;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Gives money to a wallet, which FakeWallet has no other way for.
const GIVE: &str = "
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as money:
    money.execute('''insert into apipayments (checking_id, payment_hash, wallet_id, amount, fee, bolt11, status, memo,
        time, created_at, updated_at, extra, labels)
        values ('gift', 'gift', ?, 1000000000, 0, 'gift', 'success', 'gift', 1, 1, 1, '{}', '[]')''', [sys.argv[2]])
";

struct Server {
    child: Child,
    folder: TempDir,
    python: PathBuf,
    port: u16,
}

/// A wallet at the server.
struct Wallet {
    id: String,
    admin_key: String,
    invoice_key: String,
}

impl Server {
    /// Starts LNbits; `None` where it is not installed.
    fn start() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = std::env::split_paths(&path);
        let Some(programs) = folders.find(|folder| folder.join("lnbits").is_file()) else {
            println!("left out: no program `lnbits` is installed");
            return None;
        };
        let python = programs.join("python3");
        // It looks for its own files where it is started.
        let find = "import lnbits, os; print(os.path.dirname(os.path.dirname(lnbits.__file__)))";
        let folder = tempfile::tempdir().unwrap();
        // It leaves a key behind wherever it is imported.
        let found = Command::new(&python)
            .args(["-c", find])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let home = String::from_utf8(found.stdout).unwrap();
        // Not one of those that connections are given: whoever looks for a server there may find himself.
        let from = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
        let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let port = (from..).find(is_free).unwrap();
        // The program `lnbits` is this in a process of its own, which would outlive it.
        let child = Command::new(&python)
            .args(["-m", "uvicorn", "lnbits.__main__:app", "--port"])
            .arg(port.to_string())
            .current_dir(home.trim())
            .env("LNBITS_DATA_FOLDER", folder.path())
            .env("LNBITS_BACKEND_WALLET_CLASS", "FakeWallet")
            .env("FAKE_WALLET_SECRET", "a mesh")
            .env("LNBITS_ADMIN_UI", "false")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            child,
            folder,
            python,
            port,
        };
        for _ in 0..LOOKS {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut answer = String::new();
                let asked = write!(
                    stream,
                    "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                );
                let read = asked.and_then(|()| stream.read_to_string(&mut answer));
                if read.is_ok() && answer.contains(" 200 ") {
                    return Some(server);
                }
            }
            thread::sleep(LOOK);
        }
        panic!("lnbits does not answer");
    }

    fn post(&self, path: &str, key: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Api-Key: {key}\r\nContent-Type: application/json\r\n"
        );
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"))
    }

    fn wallet(&self, name: &str) -> Wallet {
        let made = self.post("/api/v1/account", "", &json!({ "name": name }));
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        Wallet {
            id: text("id"),
            admin_key: text("adminkey"),
            invoice_key: text("inkey"),
        }
    }

    fn give(&self, wallet: &Wallet) {
        let money = self.folder.path().join("database.sqlite3");
        let mut giving = Command::new(&self.python);
        let given = giving.args(["-c", GIVE]).arg(money).arg(&wallet.id);
        assert!(given.status().unwrap().success());
    }

    /// Issues an invoice: its text, and its payment hash.
    fn issue(&self, wallet: &Wallet, sats: u64) -> (String, [u8; 32]) {
        let body = json!({ "out": false, "amount": sats, "memo": format!("mesh {sats}") });
        let made = self.post("/api/v1/payments", &wallet.invoice_key, &body);
        let hash = made["payment_hash"].as_str().unwrap();
        (
            made["bolt11"].as_str().unwrap().to_owned(),
            from_hex(hash).unwrap(),
        )
    }

    fn pay(&self, wallet: &Wallet, text: &str) {
        let body = json!({ "out": true, "bolt11": text });
        let paid = self.post("/api/v1/payments", &wallet.admin_key, &body);
        assert_eq!(paid["status"], "success", "{paid}");
    }

    fn open(&self, key: &str) -> Lnbits {
        let file = self.folder.path().join("key");
        fs::write(&file, key).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let config = LnbitsConfig {
            url: format!("http://127.0.0.1:{}", self.port),
            key: SecretFrom::File(file),
            tls_cert: None,
        };
        Lnbits::open(&config, Network::Bitcoin).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn names(told: &[SettledInvoice]) -> Vec<&str> {
    told.iter().map(|it| it.description.as_str()).collect()
}

#[tokio::test]
async fn what_lnbits_says_is_understood() {
    let Some(server) = Server::start() else {
        return;
    };
    let (payee, payer) = (server.wallet("payee"), server.wallet("payer"));
    server.give(&payer);
    let invoices = [11, 12, 13].map(|sats| server.issue(&payee, sats));
    let (node, paying) = (
        server.open(&payee.invoice_key),
        server.open(&payer.admin_key),
    );
    let now = Duration::ZERO;

    assert_eq!(node.settled_behind(0, now).await, Ok(Vec::new()));
    assert_eq!(node.incoming(invoices[0].1).await, Ok(Incoming::Unpaid));
    server.pay(&payer, &invoices[2].0);
    server.pay(&payer, &invoices[0].0);
    let told = node.settled_behind(0, now).await.unwrap();
    assert_eq!(names(&told), ["mesh 13", "mesh 11"]);
    assert_eq!(told[0].payment_hash, invoices[2].1);
    let amount = Msat::from_msat(13_000);
    assert_eq!(told[0].amount, amount);
    let settled = Ok(Incoming::Settled { amount });
    assert_eq!(node.incoming(invoices[2].1).await, settled);

    let last = told[1].place;
    assert_eq!(node.settled_behind(last, now).await, Ok(Vec::new()));
    server.pay(&payer, &invoices[1].0);
    let told = node.settled_behind(last, Duration::from_secs(60)).await;
    assert_eq!(names(&told.unwrap()), ["mesh 12"]);
    // What went out is nobody's income, and the gift is no invoice.
    assert_eq!(paying.settled_behind(0, now).await, Ok(Vec::new()));
    let outgoing = paying.outgoing(invoices[1].1).await;
    assert!(matches!(outgoing, Ok(Outgoing::Paid(_))), "{outgoing:?}");

    let stranger = server.open("00000000000000000000000000000000");
    let refused = stranger.settled_behind(0, now).await;
    assert!(
        matches!(refused, Err(LightningError::Refused(_))),
        "{refused:?}"
    );
}
