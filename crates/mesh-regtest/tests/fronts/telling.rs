//! What the fronts tell of invoices as they are paid, in the words of Core Lightning and of LND.

use super::{
    scene::{AMOUNT, FEE, LIMITS, Scene, request},
    sides::{ClnSide, LndSide, Side},
};
use mesh_types::to_hex;
use serde_json::{Value, json};
use std::{fs, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::ring,
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};

/// Issues an invoice and pays it; gives its payment hash in hex.
async fn pay_one<S: Side>(scene: &Scene<S>) -> String {
    let before = scene.purse();
    let text = scene.payee.client().create_invoice(request()).await;
    let text = text.unwrap();
    let paid = scene.payer.client().pay_invoice(&text, LIMITS).await;
    let invoice: mesh_regtest::ldk_node::lightning_invoice::Bolt11Invoice = text.parse().unwrap();
    paid.unwrap();
    scene.has_spent(before, AMOUNT.checked_add(FEE).unwrap());
    to_hex(invoice.payment_hash().as_ref())
}

async fn wait_any(side: &ClnSide, last: u64, seconds: u64) -> Value {
    let params = json!({ "lastpay_index": last, "timeout": seconds });
    let request =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "waitanyinvoice", "params": params });
    let mut stream = UnixStream::connect(side.socket()).await.unwrap();
    let request = request.to_string();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    serde_json::from_slice(&answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn core_lightning_tells_of_each_paid_invoice_in_order_also_after_a_restart() {
    let mut scene = Scene::<ClnSide>::enter();
    let mut last = 0;
    while let Some(index) = wait_any(&scene.payee, last, 0).await["result"]["pay_index"].as_u64() {
        assert_eq!(index, last + 1);
        last = index;
    }
    assert_eq!(wait_any(&scene.payee, last, 0).await["error"]["code"], 904);
    let (told, hash) = tokio::join!(wait_any(&scene.payee, last, 30), pay_one(&scene));
    assert_eq!(told["result"]["payment_hash"], hash);
    assert_eq!(told["result"]["status"], "paid");
    assert_eq!(told["result"]["pay_index"], last + 1);
    let next = pay_one(&scene).await;
    scene.kill(|scene| &mut scene.payee);
    scene.revive(|scene| &mut scene.payee);
    assert_eq!(wait_any(&scene.payee, last, 0).await, told);
    let told = wait_any(&scene.payee, last + 1, 0).await;
    assert_eq!(told["result"]["payment_hash"], next);
}

/// Takes any certificate: our client's tests are about that, these are about what is told.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Sends a request to LND's front, with a macaroon, and leaves the answer to be read.
async fn ask(side: &LndSide, path: &str, macaroon: &str) -> TlsStream<TcpStream> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let tcp = TcpStream::connect(side.front().address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, tcp).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nGrpc-Metadata-macaroon: {macaroon}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn follow(side: &LndSide, path: &str) -> TlsStream<TcpStream> {
    let macaroon = to_hex(&fs::read(side.front().macaroon()).unwrap());
    ask(side, path, &macaroon).await
}

/// The next line of JSON in an answer.
async fn line(stream: &mut (impl AsyncRead + Unpin)) -> Value {
    let mut text = Vec::new();
    let reading = async {
        loop {
            text.push(stream.read_u8().await.unwrap());
            let end = text.ends_with(b"}") || text.ends_with(b"\n");
            let last = text.rsplit(|byte| *byte == b'\n').find(|it| !it.is_empty());
            if let Some(Ok(value)) = last.filter(|_| end).map(serde_json::from_slice)
                && Value::is_object(&value)
            {
                return value;
            }
        }
    };
    timeout(Duration::from_secs(30), reading).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lnd_tells_of_each_paid_invoice_in_order_also_after_a_restart() {
    let mut scene = Scene::<LndSide>::enter();
    // Whoever names no index is told of what comes, and of nothing that was.
    let mut news = follow(&scene.payee, "/v1/invoices/subscribe").await;
    let head = line_of_head(&mut news).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let hash = pay_one(&scene).await;
    let added = line(&mut news).await;
    assert_eq!(added["result"]["state"], "OPEN");
    let settled = line(&mut news).await["result"].take();
    assert_eq!(settled["state"], "SETTLED");
    assert_eq!(settled["r_hash"], added["result"]["r_hash"]);
    let index: u64 = settled["settle_index"].as_str().unwrap().parse().unwrap();
    let path = format!("/v1/invoice/{hash}");
    assert_eq!(line(&mut follow(&scene.payee, &path).await).await, settled);
    pay_one(&scene).await;
    scene.kill(|scene| &mut scene.payee);
    scene.revive(|scene| &mut scene.payee);
    let since = format!("/v1/invoices/subscribe?settle_index={index}");
    let told = line(&mut follow(&scene.payee, &since).await).await;
    assert_eq!(told["result"]["settle_index"], (index + 1).to_string());
    let newest = "/v1/invoices?reversed=true&num_max_invoices=1";
    let listed = line(&mut follow(&scene.payee, newest).await).await;
    assert_eq!(listed["invoices"][0], told["result"]);
}

/// The first line of an answer, which comes before there is any news.
async fn line_of_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n") {
        text.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lnd_takes_no_other_macaroon() {
    let scene = Scene::<LndSide>::enter();
    for wrong in ["", "00"] {
        let mut answer = ask(&scene.payee, "/v1/getinfo", wrong).await;
        let head = line_of_head(&mut answer).await;
        assert!(head.starts_with("HTTP/1.1 500"), "{head}");
        let error = line(&mut answer).await;
        let words = error["message"].as_str().unwrap();
        assert!(words.contains("verification failed"), "{words}");
    }
}
