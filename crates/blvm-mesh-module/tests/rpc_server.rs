//! JSON-RPC of a module's own, as good callers and others use it.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use blvm_mesh_module::{
    COOKIE_FILE, MAX_BODY_BYTES, MAX_CONNECTIONS, RpcBindError, RpcMethods, RpcServer,
};
use blvm_node::rpc::errors::RpcError;
use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

/// Knows one method, which gives back what it was given.
#[derive(Default)]
struct Echo {
    calls: AtomicUsize,
}

#[async_trait]
impl RpcMethods for Echo {
    async fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match method {
            "echo" => Ok(params),
            unknown => Err(RpcError::method_not_found(unknown)),
        }
    }
}

struct Served {
    address: SocketAddr,
    methods: Arc<Echo>,
    folder: TempDir,
    task: JoinHandle<()>,
}

impl Served {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let server = RpcServer::bind(any, folder.path()).await.unwrap();
        let address = server.local_addr().unwrap();
        let methods = Arc::new(Echo::default());
        let answering = Arc::clone(&methods);
        let task = tokio::spawn(async move {
            server.run(answering).await;
        });
        Self {
            address,
            methods,
            folder,
            task,
        }
    }

    fn cookie_file(&self) -> PathBuf {
        self.folder.path().join(COOKIE_FILE)
    }

    fn login(&self) -> String {
        let cookie = fs::read_to_string(self.cookie_file()).unwrap();
        format!(
            "Authorization: Basic {}\r\n",
            BASE64_STANDARD.encode(cookie)
        )
    }

    fn calls(&self) -> usize {
        self.methods.calls.load(Ordering::Relaxed)
    }

    /// Sends a request with these lines in its head, and reads until the server ends the connection.
    async fn sent(&self, method: &str, lines: &str, body: &[u8]) -> String {
        let length = body.len();
        let head =
            format!("{method} / HTTP/1.1\r\nHost: here\r\n{lines}Content-Length: {length}\r\n\r\n");
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that has refused need not read on.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    async fn called(&self, body: &str) -> Value {
        let answer = self.sent("POST", &self.login(), body.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
        serde_json::from_str(body).unwrap()
    }
}

#[tokio::test]
async fn a_call_with_the_cookie_is_answered_with_its_id() {
    let served = Served::start().await;
    for params in [json!({"a": [1, null]}), json!([{"a": 1}]), Value::Null] {
        let call = json!({"jsonrpc": "2.0", "id": "x", "method": "echo", "params": params});
        let answer = served.called(&call.to_string()).await;
        assert_eq!(
            answer,
            json!({"jsonrpc": "2.0", "id": "x", "result": params})
        );
    }
    let answer = served
        .called(r#"{"id": 7, "method": "getblockcount"}"#)
        .await;
    assert_eq!(
        (&answer["id"], &answer["error"]["code"]),
        (&json!(7), &json!(-32_601))
    );
    let unasked = served
        .sent("POST", &served.login(), br#"{"method": "echo"}"#)
        .await;
    assert!(unasked.starts_with("HTTP/1.1 204 "), "{unasked}");
    assert_eq!(served.calls(), 5);
}

#[tokio::test]
async fn a_page_in_a_browser_calls_nothing_and_is_not_asked_for_the_cookie() {
    let served = Served::start().await;
    let call = br#"{"id": 1, "method": "echo"}"#;
    for origin in ["https://example.org", "http://127.0.0.1:8335", "null"] {
        let origin = format!("Origin: {origin}\r\nContent-Type: text/plain\r\n");
        for login in [served.login(), String::new()] {
            let lines = format!("{origin}{login}");
            let answer = served.sent("POST", &lines, call).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{lines}: {answer}");
            assert!(!answer.contains("www-authenticate"), "{answer}");
        }
    }
    assert_eq!(served.calls(), 0);
}

#[tokio::test]
async fn nothing_is_called_without_the_cookie() {
    let served = Served::start().await;
    let call = br#"{"id": 1, "method": "echo"}"#;
    let basic = |login: &str| format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(login));
    let right = served.login();
    for login in [
        String::new(),
        basic("__cookie__:"),
        basic(&format!("__cookie__:{}", "0".repeat(64))),
        basic(&"x".repeat(10_000)),
        right.replace("Basic", "Bearer"),
        right.replace("Basic ", "Basic"),
        right.replace("Basic ", "Basic !"),
        "Authorization: Basic \u{e9}\r\n".to_owned(),
        format!("{}{right}", basic("user:password")),
    ] {
        let answer = served.sent("POST", &login, call).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{login}: {answer}");
    }
    assert_eq!(served.calls(), 0);
}

#[tokio::test]
async fn the_cookie_is_its_owners_alone_new_at_each_start_and_gone_at_the_end() {
    let served = Served::start().await;
    let path = served.cookie_file();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = fs::read_to_string(&path).unwrap();
    let any = "[::1]:0".parse().unwrap();
    let next = RpcServer::bind(any, served.folder.path()).await.unwrap();
    let second = fs::read_to_string(&path).unwrap();
    assert_ne!(first, second);
    served.task.abort();
    let _ = served.task.await;
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        second,
        "it is another's"
    );
    drop(next);
    assert!(!path.exists());
}

#[tokio::test]
async fn an_address_that_others_reach_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let bound = RpcServer::bind(address.parse().unwrap(), folder.path()).await;
        assert!(
            matches!(bound, Err(RpcBindError::NotLoopback { .. })),
            "{address}"
        );
    }
    assert!(!folder.path().join(COOKIE_FILE).exists());
}

#[tokio::test]
async fn what_is_no_call_is_told_so_and_calls_nothing() {
    let served = Served::start().await;
    let deep = format!(
        "{{\"id\": 1, \"method\": \"echo\", \"params\": {}",
        "[".repeat(100_000)
    );
    for (body, code) in [
        ("", -32_700),
        ("{", -32_700),
        (deep.as_str(), -32_700),
        ("[]", -32_600),
        ("7", -32_600),
        (r#"[{"id": 1, "method": "echo"}]"#, -32_600),
        (r#"{"id": 1}"#, -32_600),
        (r#"{"id": 1, "method": 7}"#, -32_600),
        (r#"{"id": {}, "method": "echo"}"#, -32_600),
        (r#"{"id": 1, "method": "echo", "params": 7}"#, -32_600),
    ] {
        let answer = served.called(body).await;
        assert_eq!(answer["error"]["code"], code, "{body:.60}: {answer}");
    }
    let not_posted = served.sent("GET", &served.login(), b"").await;
    assert!(not_posted.starts_with("HTTP/1.1 405 "), "{not_posted}");
    assert_eq!(served.calls(), 0);
}

#[tokio::test]
async fn a_request_without_end_is_not_read_to_it() {
    let served = Served::start().await;
    let login = served.login();
    let long = vec![b' '; MAX_BODY_BYTES + 1];
    let answer = served.sent("POST", &login, &long).await;
    assert!(
        answer.starts_with("HTTP/1.1 413 ") || answer.is_empty(),
        "{answer}"
    );

    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
    let head =
        format!("POST / HTTP/1.1\r\nHost: here\r\n{login}Transfer-Encoding: chunked\r\n\r\n");
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // It ends only when the server will not take more.
    while stream.write_all(chunk.as_bytes()).await.is_ok() {}

    let line = format!("X: {}\r\n", "x".repeat(1 << 20));
    let answer = served.sent("POST", &line, b"").await;
    assert!(
        answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(),
        "{answer}"
    );
    assert_eq!(served.calls(), 0);
    assert_eq!(
        served.called(r#"{"id": 1, "method": "echo"}"#).await["id"],
        1
    );
}

#[tokio::test]
async fn callers_that_say_nothing_keep_others_waiting_and_not_out() {
    let served = Served::start().await;
    let mut silent = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    // All places are taken until the silent are cut off.
    let answer = served.called(r#"{"id": 1, "method": "echo"}"#).await;
    assert_eq!(answer["id"], 1);
    let mut end = Vec::new();
    let _ = silent[0].read_to_end(&mut end).await;
}
