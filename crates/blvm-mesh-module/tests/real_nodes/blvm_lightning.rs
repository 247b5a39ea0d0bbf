//! The wallet that another module of the node is.

mod stand_in;

use crate::{
    payer::{PAID, Payer, WhyNot},
    program,
};
use blvm_mesh::{
    Incoming, Invoice, InvoiceRequest, LightningError, LightningNode as _, Msat, NodeId, Outgoing,
    PayLimits, PaymentProof, RefusalCode,
};
use blvm_mesh_module::regtest::{DEADLINE, RealHome, RealNode, Settings};
use blvm_mesh_node::{
    Brought, NodeConfig, Service, Unwatched,
    config::Backend,
    control::{Answer, FailureKind, Request},
};
use lightning_invoice::Currency;
use stand_in::{Fault, Modules, StandIn, Twist, Wish};
use std::{fs, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

const AMOUNT: Msat = Msat::from_msat(123_000);

fn request() -> InvoiceRequest {
    InvoiceRequest {
        amount: AMOUNT,
        preimage: [9; 32],
        description: "a quote".to_owned(),
        expiry: Duration::from_secs(600),
    }
}

fn hash(invoice: &str) -> [u8; 32] {
    *Invoice::parse(invoice).unwrap().payment_hash()
}

/// Why a client has not done what it was asked: that the module is away, or that its answer is none.
fn refused<T: std::fmt::Debug>(outcome: Result<T, LightningError>) -> String {
    match outcome {
        Err(LightningError::Refused(why)) => why,
        other => unreachable!("{other:?}"),
    }
}

fn is_away<T: std::fmt::Debug>(outcome: Result<T, LightningError>) {
    assert!(
        matches!(outcome, Err(LightningError::Unreachable(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn an_invoice_is_issued_and_known_as_paid_when_the_module_says_so_by_whoever_asks_next() {
    let module = Arc::new(StandIn::default());
    let modules = Modules::with(&module).await;
    let client = modules.client();
    let info = client.info().await.unwrap();
    assert!(info.is_shared && !info.takes_preimages);
    let invoice = client.create_invoice(request()).await.unwrap();
    let read = Invoice::parse(&invoice).unwrap();
    assert_eq!(read.amount(), Some(AMOUNT));
    assert_eq!(read.description(), Some("a quote"));
    assert_eq!(read.payee().unwrap().serialize(), info.payee_key);

    let hash = hash(&invoice);
    assert_eq!(client.incoming(hash).await, Ok(Incoming::Unpaid));
    assert_eq!(client.incoming([7; 32]).await, Ok(Incoming::NotOurs));
    let none = client.settled_behind(0, Duration::ZERO).await;
    assert_eq!(none, Ok(Vec::new()));
    drop(client);

    // The next life of the mesh knows what the one before has issued.
    let client = modules.client();
    module.pay(&invoice);
    let told = client.settled_behind(0, DEADLINE).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].payment_hash, hash);
    assert_eq!(
        (told[0].amount, told[0].description.as_str()),
        (AMOUNT, "a quote")
    );
    let settled = Incoming::Settled { amount: AMOUNT };
    assert_eq!(client.incoming(hash).await, Ok(settled));
    let again = client.settled_behind(0, Duration::ZERO).await;
    assert_eq!(again, Ok(told.clone()), "who has lost the answer");
    let behind = client.settled_behind(told[0].place, Duration::ZERO).await;
    assert_eq!(behind, Ok(Vec::new()));
    drop(client);

    // What was paid stays so without the module.
    modules.unload().await;
    let client = modules.client();
    assert_eq!(client.incoming(hash).await, Ok(settled));
}

#[tokio::test]
async fn what_is_paid_first_is_told_first_and_nothing_twice() {
    let module = Arc::new(StandIn::default());
    let modules = Modules::with(&module).await;
    let client = modules.client();
    let mut invoices = Vec::new();
    for _ in 0..150 {
        invoices.push(client.create_invoice(request()).await.unwrap());
    }
    let first = invoices[149].clone();
    module.pay(&first);
    let settled = client.incoming(hash(&first)).await;
    assert_eq!(settled, Ok(Incoming::Settled { amount: AMOUNT }));
    for invoice in &invoices {
        module.pay(invoice);
    }
    let (mut place, mut told) = (0, Vec::new());
    while told.len() < invoices.len() {
        let more = client.settled_behind(place, DEADLINE).await.unwrap();
        assert!(more.iter().all(|invoice| invoice.place > place));
        place = more.last().unwrap().place;
        told.extend(more.into_iter().map(|invoice| invoice.payment_hash));
    }
    assert_eq!(told[0], hash(&first));
    let mut expected: Vec<[u8; 32]> = invoices.iter().map(|invoice| hash(invoice)).collect();
    expected.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn it_pays_nobody() {
    let module = Arc::new(StandIn::default());
    let modules = Modules::with(&module).await;
    let client = modules.client();
    let invoice = client.create_invoice(request()).await.unwrap();
    let limits = PayLimits {
        max_fee: AMOUNT,
        patience: DEADLINE,
    };
    let said = refused(client.pay_invoice(&invoice, limits).await);
    assert!(said.contains("no call to pay with"), "{said}");
    let outgoing = client.outgoing(hash(&invoice)).await;
    assert_eq!(outgoing, Ok(Outgoing::NotPaid));
}

#[tokio::test]
async fn an_invoice_that_is_not_what_was_asked_for_is_handed_to_nobody() {
    let module = Arc::new(StandIn::default());
    let modules = Modules::with(&module).await;
    let client = modules.client();
    client.info().await.unwrap();
    let others: [(Twist, &str); 8] = [
        (|wish| wish.amount_msats -= 1, "another amount"),
        (|wish| wish.amount_msats += 1, "another amount"),
        (|wish| wish.description.clear(), "another description"),
        (|wish| wish.description.push('!'), "another description"),
        (|wish| wish.currency = Currency::Bitcoin, "another network"),
        (|wish| wish.expiry /= 2, "another time"),
        (|wish| wish.expiry *= 100, "another time"),
        (|wish| wish.key = 2, "another key"),
    ];
    for (other, why) in others {
        module.does(Fault::Other(other));
        let said = refused(client.create_invoice(request()).await);
        assert!(said.contains(why), "{said}");
    }
    // One of another network says who signs neither.
    let stranger = modules.client_beside();
    module.does(Fault::Other(|wish| wish.currency = Currency::Bitcoin));
    is_away(stranger.info().await);
}

#[tokio::test]
async fn answers_that_no_wallet_gives_are_refused_and_make_no_payment() {
    let module = Arc::new(StandIn::default());
    let modules = Modules::with(&module).await;
    let client = modules.client();
    let invoice = client.create_invoice(request()).await.unwrap();
    let huge = format!(
        "{{\"verified\":true,\"amount_msats\":123000,\"a\":\"{}\"}}",
        "a".repeat(20_000)
    );
    let deep = "[".repeat(10_000);
    for bytes in [
        "",
        "{",
        "null",
        "[]",
        "true",
        "{}",
        "\u{feff}{}",
        huge.as_str(),
        deep.as_str(),
        r#"{"verified":"true","amount_msats":123000}"#,
        r#"{"verified":1,"amount_msats":123000}"#,
        r#"{"verified":true}"#,
        r#"{"verified":true,"amount_msats":null}"#,
        r#"{"verified":true,"amount_msats":0}"#,
        r#"{"verified":true,"amount_msats":122999}"#,
        r#"{"verified":true,"amount_msats":246001}"#,
        r#"{"verified":true,"amount_msats":-123000}"#,
        r#"{"verified":true,"amount_msats":123000.0}"#,
        r#"{"verified":true,"amount_msats":1e400}"#,
        r#"{"verified":true,"amount_msats":18446744073709551616}"#,
        r#"{"verified":false,"verified":true,"amount_msats":123000}"#,
        r#"{"invoice":5}"#,
        r#"{"invoice":""}"#,
        r#"{"invoice":"lnbcrt1"}"#,
    ] {
        module.does(Fault::Bytes(bytes.as_bytes().to_vec()));
        let said = refused(client.incoming(hash(&invoice)).await);
        let is_a_line = said.len() < 400 && !said.contains(['\r', '\n']);
        assert!(is_a_line, "{said}");
        refused(client.create_invoice(request()).await);
        // With nothing but nonsense there is no wallet to wait for.
        is_away(client.settled_behind(0, Duration::ZERO).await);
    }
    module.does(Fault::Error("no\nway ".repeat(1_000)));
    let said = refused(client.incoming(hash(&invoice)).await);
    assert!(said.len() < 700 && !said.contains('\n'), "{said}");
    module.does(None);
    assert_eq!(client.incoming(hash(&invoice)).await, Ok(Incoming::Unpaid));
}

#[tokio::test]
async fn a_module_that_is_not_there_or_never_answers_is_away_until_it_is_back() {
    let module = Arc::new(StandIn::default());
    let modules = Modules::with(&module).await;
    modules.unload().await;
    let client = modules.client();
    is_away(client.info().await);
    modules.load(&module).await;
    client.info().await.unwrap();
    let invoice = client.create_invoice(request()).await.unwrap();
    for fault in [Fault::Lost, Fault::Silent] {
        module.does(fault);
        let (created, found, told) = tokio::join!(
            client.create_invoice(request()),
            client.incoming(hash(&invoice)),
            client.settled_behind(0, Duration::ZERO),
        );
        is_away(created);
        is_away(found);
        is_away(told);
    }
    module.does(None);
    module.pay(&invoice);
    let told = client.settled_behind(0, Duration::ZERO).await.unwrap();
    assert_eq!(told.len(), 1);
}

#[tokio::test]
async fn a_mesh_inside_a_node_is_paid_through_its_module_with_a_proof_and_without() {
    let module = Arc::new(StandIn::default());
    let modules = Modules::with(&module).await;
    let root = tempfile::tempdir().unwrap();
    let home = RealHome::new(root.path(), "paid").unwrap();
    let text = format!(
        "[mesh]\nnetwork = \"regtest\"\nlisten_addr = \"{}\"\nprice_per_packet_msat = 600000\nprice_per_kib_msat = 0\n\
         [lightning]\nbackend = \"blvm-lightning\"\n",
        home.mesh
    );
    let config = NodeConfig::parse(&text, &home.mesh_dir()).unwrap();
    let brought = Brought {
        lightning: Some(Arc::new(modules.client())),
        ..Brought::default()
    };
    let mesh = Service::start(&config, Arc::new(Unwatched), brought)
        .await
        .unwrap();
    let payer = Payer::of(&home).await;
    let quoted = async |payer: NodeId| mesh.node().manager().quote_for(payer, PAID).await.unwrap();

    // With the right preimage, but not paid: whoever issued it could hand that out.
    let invoice = quoted(payer.id()).await;
    let early = proof(&invoice, module.preimage(&invoice));
    let sent = payer.send(Some(&early)).await;
    assert_eq!(sent, Err(WhyNot::Refused(RefusalCode::ProofPending)));
    // Another module has the node sign an invoice with the same quote, and pays it to itself.
    let copied = module.issue(&Wish {
        amount_msats: PAID.to_msat(),
        description: Invoice::parse(&invoice)
            .unwrap()
            .description()
            .unwrap()
            .to_owned(),
        expiry: Duration::from_secs(600),
        currency: Currency::Regtest,
        key: 1,
    });
    let sent = payer.send(Some(&proof(&copied, module.pay(&copied)))).await;
    assert_eq!(sent, Err(WhyNot::Refused(RefusalCode::ProofInvalid)));

    let paid = proof(&invoice, module.pay(&invoice));
    assert_eq!(payer.send(Some(&paid)).await, Ok(()));
    let again = payer.send(Some(&paid)).await;
    assert_eq!(again, Err(WhyNot::Refused(RefusalCode::ProofReplayed)));

    // Three packets are paid for; a fourth is, when what was paid by anybody's wallet is found.
    for _ in 0..2 {
        assert_eq!(payer.send(None).await, Ok(()));
    }
    assert_eq!(payer.send(None).await, Err(WhyNot::Unpaid));
    module.pay(&quoted(payer.id()).await);
    let end = Instant::now() + DEADLINE;
    while payer.send(None).await != Ok(()) {
        assert!(Instant::now() < end, "it is not credited");
        sleep(Duration::from_millis(200)).await;
    }
    mesh.stop().await;
}

#[tokio::test]
async fn a_node_without_the_module_runs_and_quotes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let home = RealHome::new(root.path(), "without").unwrap();
    home.configure(Settings::default()).unwrap();
    let text = fs::read_to_string(home.config()).unwrap();
    let sandbox = format!(
        "\"sandbox\"\npath = \"{}\"",
        root.path().join("sandbox").display()
    );
    assert!(text.contains(&sandbox), "{text}");
    fs::write(home.config(), text.replace(&sandbox, "\"blvm-lightning\"")).unwrap();
    let node = RealNode::start(program(), &home).await.unwrap();
    assert_eq!(node.status().await.unwrap().lightning, Backend::Module);
    let quote = Request::Quote {
        payer: home.id(),
        amount_sats: 5,
    };
    let answer = node.ask(quote).await.unwrap();
    assert!(
        matches!(&answer, Answer::Failed(failure) if failure.kind == FailureKind::Busy),
        "{answer:?}"
    );
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

fn proof(invoice: &str, preimage: [u8; 32]) -> PaymentProof {
    let read = Invoice::parse(invoice).unwrap();
    PaymentProof::Lightning {
        invoice: invoice.to_owned(),
        preimage,
        amount_msats: read.amount().unwrap().to_msat(),
        timestamp: read.timestamp().to_secs(),
        expires_at: read.expires_at().to_secs(),
    }
}
