//! TLS to the server, as the URL asks for it.

use crate::{server::Server, suite::*};
use mesh_store::{MeshStore, OpenError, StoreLocation};
use std::{net::TcpListener, path::Path, process::Command};
use tempfile::TempDir;

/// A port that nobody listens at.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Makes an authority and a certificate for `localhost`; `None`, with a word, where openssl is not installed.
fn certificates() -> Option<TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |arguments: &str| {
        let made = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder.path())
            .output()
            .ok()?;
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        Some(())
    };
    std::fs::write(
        folder.path().join("names"),
        "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    let authority = "req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=authority -keyout ca.key -out ca.crt";
    let Some(()) = openssl(authority) else {
        println!("skipped: openssl is not installed here");
        return None;
    };
    openssl("req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr")?;
    openssl(
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile names -out server.crt",
    )?;
    Some(folder)
}

fn at(port: u16, database: &str, rest: &str) -> StoreLocation {
    format!("postgres://mesh@localhost:{port}/{database}?{rest}")
        .parse()
        .unwrap()
}

async fn is_refused(location: &StoreLocation) {
    let refused = MeshStore::open(location).await.unwrap_err();
    assert!(
        matches!(refused, OpenError::Unavailable { .. }),
        "{location}: {refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_that_asks_for_tls_is_not_served_without() {
    let port = port();
    let Some(server) = Server::start(&format!("-c listen_addresses=localhost -p {port}")) else {
        return;
    };
    server.sql_at(port, "create database plain");
    for mode in ["require", "verify-ca", "verify-full"] {
        is_refused(&at(port, "plain", &format!("sslmode={mode}"))).await;
    }
    let store = MeshStore::open(&at(port, "plain", "sslmode=disable"))
        .await
        .unwrap();
    deposit(&store, claim(1, 50)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_known_by_its_certificate() {
    let Some(certificates) = certificates() else {
        return;
    };
    let path = |name: &str| certificates.path().join(name).display().to_string();
    let port = port();
    let settings = format!(
        "-c listen_addresses=localhost -p {port} -c ssl=on -c ssl_cert_file={} -c ssl_key_file={}",
        path("server.crt"),
        path("server.key")
    );
    let Some(server) = Server::start_with(&settings, |owner| {
        owner.own(certificates.path());
        owner.own(Path::new(&path("server.key")));
    }) else {
        return;
    };
    server.sql_at(port, "create database sealed");
    let (ca, other) = (path("ca.crt"), path("server.crt"));
    let known = format!("sslmode=verify-full&sslrootcert={ca}");
    let store = MeshStore::open(&at(port, "sealed", &known)).await.unwrap();
    deposit(&store, claim(1, 50)).await;
    assert_ne!(
        server.sql_at(port, "select count(*) from pg_stat_ssl where ssl"),
        "0"
    );
    drop(
        MeshStore::open(&at(port, "sealed", "sslmode=require"))
            .await
            .unwrap(),
    );

    is_refused(&at(port, "sealed", "sslmode=verify-full")).await;
    is_refused(&at(port, "sealed", "sslmode=verify-ca")).await;
    is_refused(&at(
        port,
        "sealed",
        &format!("sslmode=verify-full&sslrootcert={other}x"),
    ))
    .await;
    // The certificate is for the name, not for the address.
    let by_address = format!("postgres://mesh@127.0.0.1:{port}/sealed?{known}");
    is_refused(&by_address.parse().unwrap()).await;
}
