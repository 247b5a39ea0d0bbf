//! The sandbox wallet: real invoices, no money, each paid once.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

use blvm_mesh::{
    Clock, Incoming, Invoice, InvoiceRequest, LightningError, LightningNode, Msat, Network, NodeId,
    Outgoing, PaidInvoice, PayLimits, PaymentProof, QuoteKey, Quoter, SettlementPolicy, UnixTime,
    Verifier,
};
use blvm_mesh_node::{SandboxBalance, SandboxError, SandboxLightning};
use lightning_invoice::{Bolt11Invoice, Currency};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const START: u64 = 1_790_000_000;
const NO_FEE: PayLimits = PayLimits {
    max_fee: Msat::ZERO,
    patience: Duration::from_secs(5),
};

struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.0.load(Ordering::Relaxed))
    }
}

fn clock() -> Arc<Hand> {
    Arc::new(Hand(AtomicU64::new(START)))
}

fn wallet(folder: &Path, seed: u8) -> SandboxLightning {
    open(folder, seed, &clock())
}

fn open(folder: &Path, seed: u8, clock: &Arc<Hand>) -> SandboxLightning {
    let clock: Arc<dyn Clock> = Arc::<Hand>::clone(clock);
    SandboxLightning::open(folder, &[seed; 32], Network::Regtest, clock).unwrap()
}

fn request(preimage: u8) -> InvoiceRequest {
    InvoiceRequest {
        amount: Msat::from_msat(3_000),
        preimage: [preimage; 32],
        description: "a quote".to_owned(),
        expiry: Duration::from_secs(600),
    }
}

fn paid(preimage: [u8; 32]) -> PaidInvoice {
    PaidInvoice {
        preimage,
        fee: Msat::ZERO,
    }
}

fn failed(result: Result<PaidInvoice, LightningError>) -> String {
    match result {
        Err(LightningError::PaymentFailed(why)) => why,
        other => panic!("expected a failed payment, not {other:?}"),
    }
}

#[tokio::test]
async fn its_invoices_are_bolt11_on_regtest_signed_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let payee = wallet(folder.path(), 1);
    let text = payee.create_invoice(request(7)).await.unwrap();
    let read: Bolt11Invoice = text.parse().unwrap();
    assert!(text.starts_with("lnbcrt30n1"), "{text}");
    assert_eq!(read.currency(), Currency::Regtest);
    assert_eq!(read.amount_milli_satoshis(), Some(3_000));
    assert_eq!(read.recover_payee_pub_key().serialize(), payee.payee_key());
    assert_eq!(read.expiry_time(), Duration::from_secs(600));
    assert_eq!(read.description().to_string(), "a quote");
    assert_eq!(read.duration_since_epoch(), Duration::from_secs(START));
    assert!(Invoice::parse(&text).unwrap().is_on(Network::Regtest));
    let info = payee.info().await.unwrap();
    assert_eq!(
        (info.payee_key, info.network),
        (payee.payee_key(), Network::Regtest)
    );
}

#[tokio::test]
async fn paying_gives_the_preimage_once() {
    let folder = tempfile::tempdir().unwrap();
    let (payee, payer) = (wallet(folder.path(), 1), wallet(folder.path(), 2));
    let invoice = payee.create_invoice(request(7)).await.unwrap();
    assert_eq!(payer.pay_invoice(&invoice, NO_FEE).await, Ok(paid([7; 32])));
    // Asked again it pays nothing more, and says the same.
    assert_eq!(payer.pay_invoice(&invoice, NO_FEE).await, Ok(paid([7; 32])));
    let third = wallet(folder.path(), 3);
    assert!(failed(third.pay_invoice(&invoice, NO_FEE).await).contains("paid already"));
}

#[tokio::test]
async fn what_became_of_an_invoice_and_of_a_payment_can_be_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let (payee, payer) = (wallet(folder.path(), 1), wallet(folder.path(), 2));
    let invoice = payee.create_invoice(request(7)).await.unwrap();
    let hash = *Invoice::parse(&invoice).unwrap().payment_hash();
    assert_eq!(payee.incoming(hash).await, Ok(Incoming::Unpaid));
    assert_eq!(payer.incoming(hash).await, Ok(Incoming::NotOurs));
    assert_eq!(payer.outgoing(hash).await, Ok(Outgoing::NotPaid));
    payer.pay_invoice(&invoice, NO_FEE).await.unwrap();
    let amount = Msat::from_msat(3_000);
    assert_eq!(payee.incoming(hash).await, Ok(Incoming::Settled { amount }));
    assert_eq!(
        payer.outgoing(hash).await,
        Ok(Outgoing::Paid(paid([7; 32])))
    );
    assert_eq!(payee.outgoing(hash).await, Ok(Outgoing::NotPaid));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_payments_of_one_invoice_at_once_exactly_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let payee = wallet(folder.path(), 1);
    let invoice = payee.create_invoice(request(7)).await.unwrap();
    let mut payments = tokio::task::JoinSet::new();
    for seed in 2..34 {
        let (payer, invoice) = (wallet(folder.path(), seed), invoice.clone());
        payments.spawn(async move { payer.pay_invoice(&invoice, NO_FEE).await });
    }
    let outcomes = payments.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let received = payee.balance().unwrap().received;
    assert_eq!(received, Msat::from_msat(3_000));
}

#[tokio::test]
async fn the_sums_are_of_the_folder_and_survive_the_wallet() {
    let folder = tempfile::tempdir().unwrap();
    let (payee, payer) = (wallet(folder.path(), 1), wallet(folder.path(), 2));
    for preimage in [7, 8] {
        let invoice = payee.create_invoice(request(preimage)).await.unwrap();
        payer.pay_invoice(&invoice, NO_FEE).await.unwrap();
    }
    payee.create_invoice(request(9)).await.unwrap();
    drop((payee, payer));
    let both = Msat::from_msat(6_000);
    let received = SandboxBalance {
        received: both,
        sent: Msat::ZERO,
    };
    let sent = SandboxBalance {
        received: Msat::ZERO,
        sent: both,
    };
    assert_eq!(wallet(folder.path(), 1).balance().unwrap(), received);
    assert_eq!(wallet(folder.path(), 2).balance().unwrap(), sent);
}

#[test]
fn it_opens_on_no_network_with_real_or_public_coins() {
    let folder = tempfile::tempdir().unwrap();
    for network in [
        Network::Bitcoin,
        Network::Testnet,
        Network::Testnet4,
        Network::Signet,
    ] {
        let opened = SandboxLightning::open(folder.path(), &[1; 32], network, clock());
        let error = opened.unwrap_err();
        assert!(matches!(error, SandboxError::Network { network: found } if found == network));
        assert!(error.to_string().contains("sandbox"));
    }
}

#[tokio::test]
async fn an_expired_invoice_is_not_paid() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let (payee, payer) = (
        open(folder.path(), 1, &clock),
        open(folder.path(), 2, &clock),
    );
    let invoice = payee.create_invoice(request(7)).await.unwrap();
    clock.0.store(START + 600, Ordering::Relaxed);
    assert!(failed(payer.pay_invoice(&invoice, NO_FEE).await).contains("expired"));
    clock.0.store(START + 599, Ordering::Relaxed);
    assert_eq!(payer.pay_invoice(&invoice, NO_FEE).await, Ok(paid([7; 32])));
}

#[tokio::test]
async fn an_invoice_of_another_folder_is_not_paid() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let invoice = wallet(there.path(), 1)
        .create_invoice(request(7))
        .await
        .unwrap();
    let payer = wallet(here.path(), 2);
    assert!(
        failed(payer.pay_invoice(&invoice, NO_FEE).await).contains("no wallet of this sandbox")
    );
}

#[tokio::test]
async fn a_wallet_pays_neither_itself_nor_what_is_no_invoice() {
    let folder = tempfile::tempdir().unwrap();
    let payee = wallet(folder.path(), 1);
    let invoice = payee.create_invoice(request(7)).await.unwrap();
    assert!(failed(payee.pay_invoice(&invoice, NO_FEE).await).contains("does not pay itself"));
    let payer = wallet(folder.path(), 2);
    for text in ["", "lnbc1", "not an invoice"] {
        assert!(failed(payer.pay_invoice(text, NO_FEE).await).contains("not a BOLT11 invoice"));
    }
}

#[tokio::test]
async fn no_invoice_is_issued_for_nothing_or_twice_for_one_preimage() {
    let folder = tempfile::tempdir().unwrap();
    let payee = wallet(folder.path(), 1);
    let nothing = InvoiceRequest {
        amount: Msat::ZERO,
        ..request(7)
    };
    assert!(matches!(
        payee.create_invoice(nothing).await,
        Err(LightningError::Refused(_))
    ));
    payee.create_invoice(request(7)).await.unwrap();
    let again = payee.create_invoice(request(7)).await;
    assert!(matches!(again, Err(LightningError::Refused(why)) if why.contains("sandbox")));
}

#[tokio::test]
async fn a_node_verifies_a_sandbox_payment_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let (payee, payer) = (wallet(folder.path(), 1), wallet(folder.path(), 2));
    let (node, source) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
    let key = QuoteKey::derive(&[1; 32]);
    let now = UnixTime::from_secs(START);
    let quoter = Quoter {
        payee: node,
        key: key.clone(),
        lifetime: Duration::from_secs(600),
        price_epoch: 0,
    };
    let issued = quoter
        .quote(source, Msat::from_msat(3_000), [9; 16], now)
        .unwrap();
    let invoice = payee.create_invoice(issued.request).await.unwrap();
    let preimage = payer.pay_invoice(&invoice, NO_FEE).await.unwrap().preimage;
    let proof = PaymentProof::Lightning {
        invoice,
        preimage,
        amount_msats: 3_000,
        timestamp: START,
        expires_at: START + 600,
    };
    let verifier = Verifier {
        node_id: node,
        network: Network::Regtest,
        quote_key: Some(key),
        payee_key: None,
        settlement: SettlementPolicy::default(),
    };
    let payment = verifier.verify(&proof, now).unwrap();
    assert_eq!(
        (payment.payer(), payment.amount()),
        (source, Msat::from_msat(3_000))
    );
}

#[tokio::test]
async fn its_files_are_the_owners_alone_and_say_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("sandbox");
    let (payee, payer) = (wallet(&root, 1), wallet(&root, 2));
    let invoice = payee.create_invoice(request(7)).await.unwrap();
    payer.pay_invoice(&invoice, NO_FEE).await.unwrap();
    let note = fs::read_to_string(root.join("README")).unwrap();
    assert!(note.contains("No real money"), "{note}");
    let own = root.join(blvm_mesh::to_hex(&payee.payee_key()));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&root), mode(&own)), (0o700, 0o700));
    let mut kinds = Vec::new();
    for file in fs::read_dir(own).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        kinds.push(path.extension().unwrap().to_str().unwrap().to_owned());
    }
    kinds.sort();
    assert_eq!(kinds, ["invoice", "paid"]);
}
