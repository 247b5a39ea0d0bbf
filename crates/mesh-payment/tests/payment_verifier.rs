//! The async shell: what it asks of the node, and when it cannot decide.
#![expect(
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

mod chain;
mod issuer;

use async_trait::async_trait;
use chain::{Covenant, FORMS, OnChain, WrittenChain, policy};
use issuer::{AMOUNT, NOW, Node, PAYER};
use mesh_payment::{PaymentVerifier, ProofKind, SettlementError, VerificationResult, VerifyError};
use mesh_types::{
    ChainError, ChainNode, ChainOutput, ChainTransaction, Clock, Incoming, InvoiceRequest,
    LightningError, LightningInfo, LightningNode, MeshError, MeshEvent, Network, NodeAPI, NodeId,
    OutPoint, Outgoing, PaidInvoice, PayLimits, PaymentProof, TxHash, UnixTime,
};
use mockall::mock;
use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

mock! {
    Api {}

    impl Clock for Api {
        fn now(&self) -> UnixTime;
    }

    #[async_trait]
    impl NodeAPI for Api {
        fn get_node_id(&self) -> NodeId;
        async fn send_mesh_packet_to_peer(
            &self,
            peer_addr: String,
            packet_data: Vec<u8>,
        ) -> Result<(), MeshError>;
        async fn publish_event(&self, event: MeshEvent) -> Result<(), MeshError>;
        fn lightning(&self) -> Option<Arc<dyn LightningNode>>;
        fn chain(&self) -> Option<Arc<dyn ChainNode>>;
    }
}

mock! {
    Chain {}

    #[async_trait]
    impl ChainNode for Chain {
        async fn output(&self, outpoint: OutPoint) -> Result<ChainOutput, ChainError>;
        async fn transaction(
            &self,
            tx_hash: TxHash,
        ) -> Result<Option<ChainTransaction>, ChainError>;
        async fn submit(&self, transaction: Vec<u8>) -> Result<(), ChainError>;
    }
}

mock! {
    Wallet {}

    #[async_trait]
    impl LightningNode for Wallet {
        async fn info(&self) -> Result<LightningInfo, LightningError>;
        async fn create_invoice(&self, request: InvoiceRequest) -> Result<String, LightningError>;
        async fn pay_invoice(
            &self,
            invoice: &str,
            limits: PayLimits,
        ) -> Result<PaidInvoice, LightningError>;
        async fn incoming(&self, payment_hash: [u8; 32]) -> Result<Incoming, LightningError>;
        async fn outgoing(&self, payment_hash: [u8; 32]) -> Result<Outgoing, LightningError>;
    }
}

/// A verifier for our node, whose wallet answers `info`.
fn verifier(info: Result<LightningInfo, LightningError>) -> PaymentVerifier {
    let mut wallet = MockWallet::new();
    wallet.expect_info().return_const(info);
    let wallet: Arc<dyn LightningNode> = Arc::new(wallet);
    let mut api = MockApi::new();
    api.expect_get_node_id().return_const(Node::ours().id);
    api.expect_now().return_const(NOW);
    api.expect_lightning().return_const(Some(wallet));
    PaymentVerifier::new(Arc::new(api))
}

/// A verifier that takes payments on the chain, for our node without a wallet.
fn on_chain_verifier(chain: Option<Arc<dyn ChainNode>>) -> PaymentVerifier {
    let mut api = MockApi::new();
    api.expect_get_node_id().return_const(Node::ours().id);
    api.expect_now().return_const(NOW);
    api.expect_lightning().return_const(None);
    api.expect_chain().return_const(chain);
    PaymentVerifier::new(Arc::new(api))
        .with_quote_key(Node::ours().quoter.key)
        .with_settlement(Network::Regtest, policy())
}

fn good_info() -> LightningInfo {
    LightningInfo {
        payee_key: Node::ours().payee_key().serialize(),
        network: Network::Regtest,
        takes_preimages: true,
        is_shared: false,
    }
}

fn judge(
    verifier: &PaymentVerifier,
    proof: &PaymentProof,
) -> Result<VerificationResult, MeshError> {
    // The mocks answer at once.
    match pin!(verifier.verify(proof)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a mock that waits"),
    }
}

fn refused(error: VerifyError) -> VerificationResult {
    VerificationResult {
        verified: false,
        amount_sats: 0,
        amount_msats: 0,
        payer: None,
        error: Some(error),
    }
}

#[test]
fn a_good_proof_is_verified_with_its_amount_and_payer() {
    let expected = VerificationResult {
        verified: true,
        amount_sats: 5_000,
        amount_msats: AMOUNT.to_msat(),
        payer: Some(PAYER),
        error: None,
    };
    let verdict = judge(&verifier(Ok(good_info())), &Node::ours().paid());
    assert_eq!(verdict, Ok(expected));
}

#[test]
fn a_bad_proof_is_an_answer_with_its_reason() {
    let payee = Node::theirs().id;
    let verdict = judge(&verifier(Ok(good_info())), &Node::theirs().paid());
    assert_eq!(
        verdict,
        Ok(refused(VerifyError::QuoteOfAnotherNode { payee }))
    );
}

#[test]
fn a_proof_of_another_kind_is_answered_with_not_enabled() {
    let proof = PaymentProof::OnChainSettlement {
        payment_request_id: String::new(),
        tx_hash: [0; 32],
        amount_sats: 1,
        timestamp: 0,
    };
    let expected = refused(VerifyError::NotEnabled(ProofKind::OnChainSettlement));
    assert_eq!(judge(&verifier(Ok(good_info())), &proof), Ok(expected));
}

#[test]
fn without_a_quote_key_the_signature_decides() {
    let node = Node::ours();
    let mut resigned = node.draft(&node.quote());
    resigned.signer = Node::theirs().wallet;
    let verdict = judge(&verifier(Ok(good_info())), &resigned.proof());
    assert_eq!(verdict, Ok(refused(VerifyError::NotIssuedHere)));
}

#[test]
fn with_a_quote_key_the_preimage_suffices_and_a_forged_tag_does_not() {
    let node = Node::ours();
    let verifier = verifier(Ok(good_info())).with_quote_key(node.quoter.key.clone());
    let mut resigned = node.draft(&node.quote());
    resigned.signer = Node::theirs().wallet;
    assert!(judge(&verifier, &resigned.proof()).unwrap().verified);
    let mut forger = Node::theirs();
    forger.quoter.payee = node.id;
    let mut forged = forger.draft(&forger.quote());
    forged.signer = node.wallet;
    let verdict = judge(&verifier, &forged.proof());
    assert_eq!(verdict, Ok(refused(VerifyError::ForgedQuote)));
}

#[test]
fn the_wallets_network_is_the_one_that_counts() {
    let info = LightningInfo {
        network: Network::Bitcoin,
        ..good_info()
    };
    let expected = refused(VerifyError::WrongNetwork {
        expected: Network::Bitcoin,
    });
    let verdict = judge(&verifier(Ok(info)), &Node::ours().paid());
    assert_eq!(verdict, Ok(expected));
}

#[test]
fn a_node_without_a_wallet_cannot_decide() {
    let mut api = MockApi::new();
    api.expect_lightning().return_const(None);
    let verdict = judge(&PaymentVerifier::new(Arc::new(api)), &Node::ours().paid());
    assert!(matches!(verdict, Err(MeshError::LightningError(_))));
}

#[test]
fn a_wallet_that_cannot_be_reached_cannot_decide() {
    let down = LightningError::Unreachable("connection refused".to_owned());
    let verdict = judge(&verifier(Err(down.clone())), &Node::ours().paid());
    assert_eq!(verdict, Err(MeshError::LightningError(down.to_string())));
}

#[test]
fn a_wallet_whose_key_is_none_cannot_decide() {
    let info = LightningInfo {
        payee_key: [0xff; 33],
        ..good_info()
    };
    let verdict = judge(&verifier(Ok(info)), &Node::ours().paid());
    assert!(matches!(verdict, Err(MeshError::LightningError(_))));
}

#[test]
fn a_node_with_a_chain_and_no_wallet_takes_payments_on_the_chain() {
    for form in FORMS {
        let (covenant, on_chain) = (Covenant::good(form), OnChain::good());
        let chain = Arc::new(WrittenChain::with(&covenant, &on_chain, 1));
        let verifier = on_chain_verifier(Some(chain));
        for proof in [covenant.proof(), on_chain.proof()] {
            let verdict = judge(&verifier, &proof).unwrap();
            assert_eq!((verdict.verified, verdict.error), (true, None));
            assert_eq!(verdict.amount_msats, AMOUNT.to_msat());
            assert_eq!(verdict.payer, Some(PAYER));
        }
    }
}

#[test]
fn a_payment_that_its_chain_does_not_have_is_an_answer_with_its_reason() {
    let verifier = on_chain_verifier(Some(Arc::new(WrittenChain::default())));
    let verdict = judge(&verifier, &OnChain::good().proof());
    let expected = refused(SettlementError::NotOnChain.into());
    assert_eq!(verdict, Ok(expected));
}

#[test]
fn a_node_without_a_chain_takes_nothing_on_it_and_one_whose_chain_is_away_cannot_decide() {
    let proof = OnChain::good().proof();
    let verdict = judge(&on_chain_verifier(None), &proof);
    let not_enabled = VerifyError::NotEnabled(ProofKind::OnChainSettlement);
    assert_eq!(verdict, Ok(refused(not_enabled)));
    let mut chain = MockChain::new();
    let down = ChainError("connection refused".to_owned());
    chain
        .expect_transaction()
        .return_const(Err::<Option<ChainTransaction>, _>(down.clone()));
    let verdict = judge(&on_chain_verifier(Some(Arc::new(chain))), &proof);
    assert_eq!(verdict, Err(MeshError::Busy(down.to_string())));
}

#[test]
fn a_shared_wallet_has_to_say_that_the_invoice_is_settled() {
    let shared = LightningInfo {
        is_shared: true,
        ..good_info()
    };
    let judged = |found: Incoming| {
        let mut wallet = MockWallet::new();
        wallet.expect_info().return_const(Ok(shared));
        wallet.expect_incoming().return_const(Ok(found));
        let wallet: Arc<dyn LightningNode> = Arc::new(wallet);
        let mut api = MockApi::new();
        api.expect_get_node_id().return_const(Node::ours().id);
        api.expect_now().return_const(NOW);
        api.expect_lightning().return_const(Some(wallet));
        let verdict = judge(&PaymentVerifier::new(Arc::new(api)), &Node::ours().paid());
        verdict.unwrap().error
    };
    assert_eq!(judged(Incoming::Settled { amount: AMOUNT }), None);
    assert_eq!(judged(Incoming::Held), Some(VerifyError::Unsettled));
    assert_eq!(judged(Incoming::Unpaid), Some(VerifyError::Unsettled));
    assert_eq!(judged(Incoming::NotOurs), Some(VerifyError::NotIssuedHere));
}

#[test]
fn a_verifier_prints_without_its_secrets() {
    let verifier = verifier(Ok(good_info())).with_quote_key(Node::ours().quoter.key);
    assert_eq!(
        format!("{verifier:?}"),
        "PaymentVerifier { quote_key: Some(QuoteKey(secret)), .. }"
    );
}
