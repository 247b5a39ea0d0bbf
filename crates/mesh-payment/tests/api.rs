//! The inventory of the public surface: it does not compile when an item changes or goes away.
//!
//! Functions are named with their signatures, structs with all their fields, enums with their variants. A new item is
//! added here when it is added there.
#![expect(
    clippy::type_complexity,
    reason = "a signature is written out, as it is promised"
)]

use lightning_invoice::Bolt11ParseError;
use mesh_payment::{
    AccountError, Accounts, CovenantError, CovenantKind, CovenantLevel, CovenantProof, Invoice,
    InvoiceError, IssuedQuote, KindError, LEAST_ON_CHAIN, LeastLevel, MAX_ACCOUNTS, MAX_CLOCK_SKEW,
    MAX_QUOTE, NONCE_LEN, OutputQuestion, PaymentVerifier, PolicyError, ProofField, ProofKind,
    Question, Quote, QuoteError, QuoteKey, Quoter, QuoterError, Reservation, SettlementError,
    SettlementPolicy, Shortfall, SpendQuestion, TemplateError, Totals, TransactionQuestion,
    Verification, VerificationResult, VerifiedPayment, Verifier, VerifyError,
    bitcoin::{Address, Script, ScriptBuf, Transaction, taproot::ControlBlock},
    ctv, op_template_hash, payable_address,
};
use mesh_types::{
    ChainError, ChainNode, ChainOutput, ChainTransaction, Claim, ClaimKey, HexError,
    InvoiceRequest, MeshError, Msat, Network, NodeAPI, NodeId, OnChainConfig, OutPoint,
    PaymentProof, Settlement, TxHash, UnixTime,
};
use secp256k1::PublicKey;
use std::{
    error::Error,
    fmt::{Debug, Display},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

/// Coerces each function to the signature that it is promised with.
macro_rules! functions {
    ($($function:expr => $signature:ty),* $(,)?) => {
        $(let _: $signature = $function;)*
    };
}

/// Names all fields of a struct, and the types of them.
macro_rules! fields {
    ($($name:ident { $($field:ident: $kind:ty),* $(,)? })*) => {
        $({
            fn _of($name { $($field),* }: $name) {
                $(let _: $kind = $field;)*
            }
        })*
    };
}

#[test]
fn limits_are_constants() {
    let _: (usize, usize) = (MAX_ACCOUNTS, NONCE_LEN);
    let _: (Duration, Msat, Msat) = (MAX_CLOCK_SKEW, MAX_QUOTE, LEAST_ON_CHAIN);
}

#[test]
fn quoting() {
    functions! {
        QuoteKey::derive => fn(&[u8; 32]) -> QuoteKey,
        QuoteKey::on => fn(&QuoteKey, Network) -> QuoteKey,
        QuoteKey::recognises => fn(&QuoteKey, &Quote) -> bool,
        QuoteKey::preimage => fn(&QuoteKey, &Quote) -> [u8; 32],
        Quoter::offer => fn(&Quoter, NodeId, Msat, [u8; NONCE_LEN], UnixTime) -> Result<Quote, QuoterError>,
        Quoter::quote => fn(&Quoter, NodeId, Msat, [u8; NONCE_LEN], UnixTime) -> Result<IssuedQuote, QuoterError>,
        Quote::from_text => fn(&str) -> Result<Quote, QuoteError>,
        Quote::to_text => fn(&Quote) -> String,
        Quote::id_on_chain => fn(&Quote) -> [u8; 32],
        Quote::named_on_chain => fn(&Quote) -> ScriptBuf,
        Quote::named_in_covenant => fn(&Quote) -> ScriptBuf,
    }
    fields! {
        Quoter { payee: NodeId, key: QuoteKey, lifetime: Duration, price_epoch: u32 }
        IssuedQuote { quote: Quote, request: InvoiceRequest }
    }
    // Its tag is nobody's to write.
    let _ = |quote: Quote| {
        let Quote {
            payer,
            payee,
            amount,
            expires_at,
            price_epoch,
            nonce,
            ..
        } = quote;
        let _: (NodeId, NodeId, Msat, UnixTime) = (payer, payee, amount, expires_at);
        let _: (u32, [u8; NONCE_LEN]) = (price_epoch, nonce);
    };
}

#[test]
fn reading_invoices() {
    functions! {
        Invoice::parse => fn(&str) -> Result<Invoice, InvoiceError>,
        Invoice::amount => fn(&Invoice) -> Option<Msat>,
        Invoice::payment_hash => fn(&Invoice) -> &[u8; 32],
        Invoice::expires_at => fn(&Invoice) -> UnixTime,
        Invoice::timestamp => fn(&Invoice) -> UnixTime,
        Invoice::description => fn(&Invoice) -> Option<&str>,
        Invoice::is_on => fn(&Invoice, Network) -> bool,
        Invoice::is_signed_by => fn(&Invoice, &PublicKey) -> bool,
        Invoice::payee => fn(&Invoice) -> Result<PublicKey, InvoiceError>,
    }
}

#[test]
fn verifying() {
    functions! {
        Verifier::verify => fn(&Verifier, &PaymentProof, UnixTime) -> Result<VerifiedPayment, VerifyError>,
        Verifier::begin => fn(&Verifier, &PaymentProof, UnixTime) -> Result<Verification, VerifyError>,
        OutputQuestion::outpoint => fn(&OutputQuestion) -> OutPoint,
        OutputQuestion::answer => fn(OutputQuestion, &ChainOutput) -> Result<Verification, VerifyError>,
        SpendQuestion::tx_hash => fn(&SpendQuestion) -> TxHash,
        SpendQuestion::answer =>
            fn(SpendQuestion, Option<&ChainTransaction>) -> Result<VerifiedPayment, VerifyError>,
        TransactionQuestion::tx_hash => fn(&TransactionQuestion) -> TxHash,
        TransactionQuestion::answer =>
            fn(TransactionQuestion, Option<&ChainTransaction>) -> Result<VerifiedPayment, VerifyError>,
        VerifiedPayment::claim => fn(&VerifiedPayment) -> Claim,
        VerifiedPayment::key => fn(&VerifiedPayment) -> ClaimKey,
        VerifiedPayment::payer => fn(&VerifiedPayment) -> NodeId,
        VerifiedPayment::amount => fn(&VerifiedPayment) -> Msat,
        VerifiedPayment::expires_at => fn(&VerifiedPayment) -> UnixTime,
    }
    fields! {
        Verifier {
            node_id: NodeId,
            network: Network,
            quote_key: Option<QuoteKey>,
            payee_key: Option<PublicKey>,
            settlement: SettlementPolicy,
        }
    }
    // Exhaustive: whoever matches on them is told of a new one.
    let _ = |begun: Verification| match begun {
        Verification::Verified(payment) => drop::<VerifiedPayment>(payment),
        Verification::Asks(Question::Output(question)) => drop::<OutputQuestion>(question),
        Verification::Asks(Question::Spend(question)) => drop::<SpendQuestion>(question),
        Verification::Asks(Question::Transaction(question)) => {
            drop::<TransactionQuestion>(question)
        }
    };
}

#[test]
fn verifying_behind_a_node() {
    functions! {
        PaymentVerifier::new => fn(Arc<dyn NodeAPI>) -> PaymentVerifier,
        PaymentVerifier::with_quote_key => fn(PaymentVerifier, QuoteKey) -> PaymentVerifier,
        PaymentVerifier::with_settlement => fn(PaymentVerifier, Network, SettlementPolicy) -> PaymentVerifier,
    }
    fields! {
        VerificationResult {
            verified: bool,
            amount_sats: u64,
            amount_msats: u64,
            payer: Option<NodeId>,
            error: Option<VerifyError>,
        }
    }
    // Their futures can be spawned on any runtime.
    fn sent<T>(future: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send {
        future
    }
    let _ = async |verifier: PaymentVerifier, question: Question, chain: &dyn ChainNode| {
        let proof: PaymentProof = unreachable_proof();
        let _: Result<VerificationResult, MeshError> = sent(verifier.verify(&proof)).await;
        let _: Result<Verifier, MeshError> = sent(verifier.verifier()).await;
        let _: Result<Result<VerifiedPayment, VerifyError>, ChainError> =
            sent(question.put_to(chain)).await;
    };
}

/// Some proof: the futures above are made, and never run.
fn unreachable_proof() -> PaymentProof {
    PaymentProof::OnChainSettlement {
        payment_request_id: String::new(),
        tx_hash: [0; 32],
        amount_sats: 0,
        timestamp: 0,
    }
}

#[test]
fn payments_on_the_chain() {
    functions! {
        SettlementPolicy::default => fn() -> SettlementPolicy,
        payable_address => fn(&Script, Network) -> Option<Address>,
        SettlementPolicy::from_config => fn(&OnChainConfig, Network) -> Result<SettlementPolicy, PolicyError>,
        CovenantProof::from_bytes => fn(&[u8]) -> Result<CovenantProof, CovenantError>,
        CovenantProof::to_bytes => fn(&CovenantProof) -> Vec<u8>,
        CovenantProof::spend => fn(&CovenantProof) -> Transaction,
        CovenantKind::opcode => fn(&CovenantKind) -> &'static str,
        CovenantKind::script => fn(&CovenantKind, &Transaction) -> Result<ScriptBuf, KindError>,
        CovenantLevel::of => fn(&ChainOutput, NonZeroU32) -> CovenantLevel,
        LeastLevel::is_met_by => fn(LeastLevel, CovenantLevel) -> bool,
        LeastLevel::default => fn() -> LeastLevel,
        ctv::template_hash => fn(&Transaction, u32) -> [u8; 32],
        ctv::Template::of => fn(&Transaction) -> ctv::Template,
        ctv::Template::hash => fn(&ctv::Template, u32) -> [u8; 32],
        op_template_hash::template_hash => fn(&Transaction, u32, Option<&[u8]>) -> [u8; 32],
    }
    fields! {
        SettlementPolicy {
            scripts: Vec<ScriptBuf>,
            least_depth: NonZeroU32,
            least_level: LeastLevel,
            ctv_on: Vec<Network>,
            template_hash_on: Vec<Network>,
        }
        CovenantProof { kind: CovenantKind, quote: Quote, template: Transaction }
    }
    let _ = |level: CovenantLevel, least: LeastLevel| match (level, least) {
        (CovenantLevel::CommitmentOnly, LeastLevel::Funded) => 0,
        (CovenantLevel::Funded { depth }, LeastLevel::Confirmed) => depth,
        (CovenantLevel::Confirmed | CovenantLevel::Spent, _) => 1,
        (CovenantLevel::CommitmentOnly | CovenantLevel::Funded { .. }, _) => 2,
    };
    let _ = |control: ControlBlock| {
        [
            CovenantKind::CtvBare,
            CovenantKind::CtvWitnessScript,
            CovenantKind::CtvLeaf {
                control: control.clone(),
            },
            CovenantKind::TemplateHashLeaf { control },
        ]
    };
}

#[test]
fn credit() {
    functions! {
        Accounts::default => fn() -> Accounts,
        Accounts::with_limit => fn(usize) -> Accounts,
        Accounts::put_in => fn(&Accounts, NodeId, Msat) -> Result<Msat, AccountError>,
        Accounts::reserve => fn(&Accounts, &NodeId, Msat) -> Result<Reservation, Shortfall>,
        Accounts::commit => fn(&Accounts, Reservation),
        Accounts::release => fn(&Accounts, Reservation),
        Accounts::take_earned => fn(&Accounts) -> Vec<Settlement>,
        Accounts::take_idle => fn(&Accounts, bool) -> Vec<Settlement>,
        Accounts::take_back => fn(&Accounts, &NodeId) -> Option<Settlement>,
        Accounts::revoke => fn(&Accounts),
        Accounts::credit => fn(&Accounts, &NodeId) -> Msat,
        Accounts::pending => fn(&Accounts, &NodeId) -> Msat,
        Accounts::totals => fn(&Accounts) -> Totals,
        Reservation::amount => fn(&Reservation) -> Msat,
    }
    fields! {
        Shortfall { available: Msat, missing: Msat }
        Totals {
            put_in: u128,
            credit: u128,
            reserved: u128,
            earned: u128,
            unsettled: u128,
            given_back: u128,
            accounts: usize,
        }
    }
}

#[test]
fn reasons_of_a_verifier() {
    let at = UnixTime::from_secs(0);
    let (amount, node) = (Msat::ZERO, NodeId::from_bytes([0; 32]));
    let _: [VerifyError; 17] = [
        VerifyError::Invoice(InvoiceError::Features),
        VerifyError::WrongNetwork {
            expected: Network::Regtest,
        },
        VerifyError::Amountless,
        VerifyError::WrongPreimage,
        VerifyError::FieldMismatch {
            field: ProofField::Amount,
            claimed: 0_u64,
            actual: 0_u64,
        },
        VerifyError::NoQuote,
        VerifyError::Quote(QuoteError::Shape),
        VerifyError::QuoteOfAnotherNode { payee: node },
        VerifyError::ForgedQuote,
        VerifyError::QuoteAmount {
            quoted: amount,
            invoiced: amount,
        },
        VerifyError::Expired { expired_at: at },
        VerifyError::FromTheFuture { made_at: at },
        VerifyError::NotIssuedHere,
        VerifyError::Covenant(CovenantError::Truncated),
        VerifyError::Settlement(SettlementError::Coinbase),
        VerifyError::NotEnabled(ProofKind::Lightning),
        VerifyError::from(CovenantError::from(TemplateError::ScriptSig)),
    ];
    let _ = |field: ProofField, kind: ProofKind| match (field, kind) {
        (ProofField::Amount | ProofField::AmountSats, ProofKind::Lightning) => 0,
        (ProofField::Timestamp | ProofField::Expiry, ProofKind::OnChainSettlement) => 1,
        (_, ProofKind::InstantSettlement | ProofKind::Lightning | ProofKind::OnChainSettlement) => {
            2
        }
    };
    functions! {
        VerifyError::is_pending => fn(&VerifyError) -> bool,
        MeshError::from => fn(VerifyError) -> MeshError,
        VerifyError::from => fn(InvoiceError) -> VerifyError,
        VerifyError::from => fn(QuoteError) -> VerifyError,
        VerifyError::from => fn(CovenantError) -> VerifyError,
        VerifyError::from => fn(SettlementError) -> VerifyError,
        InvoiceError::from => fn(Bolt11ParseError) -> InvoiceError,
        QuoteError::from => fn(HexError) -> QuoteError,
        CovenantError::from => fn(KindError) -> CovenantError,
        CovenantError::from => fn(TemplateError) -> CovenantError,
    }
}

#[test]
fn reasons_of_its_parts() {
    let _: [InvoiceError; 6] = [
        InvoiceError::Parse(Bolt11ParseError::TooShortDataPart),
        InvoiceError::FieldCount {
            field: "p",
            found: 2_usize,
        },
        InvoiceError::Features,
        InvoiceError::Amount,
        InvoiceError::Signature,
        InvoiceError::Expiry,
    ];
    let character = HexError::Character { at: 0 };
    let _: [QuoteError; 2] = [QuoteError::Shape, QuoteError::Hex(character)];
    let amount = Msat::ZERO;
    let _: [QuoterError; 2] = [QuoterError::Nothing, QuoterError::TooMuch { amount }];
    let _: [AccountError; 2] = [AccountError::Full, AccountError::Overflow];
    let _ = |address: String, reason: String, network: Network| {
        [
            PolicyError::Address {
                address: address.clone(),
                reason,
            },
            PolicyError::Network { address, network },
        ]
    };
    let _: [KindError; 4] = [
        KindError::InternalKey,
        KindError::Siblings { siblings: 0_usize },
        KindError::LeafVersion,
        KindError::Parity,
    ];
    let _: [TemplateError; 8] = [
        TemplateError::Version { found: 0_i32 },
        TemplateError::TooLarge,
        TemplateError::Dust { index: 0_usize },
        TemplateError::Inputs { found: 0_usize },
        TemplateError::ScriptSig,
        TemplateError::Locked { lock_time: 0_u32 },
        TemplateError::RelativeLock { sequence: 0_u32 },
        TemplateError::Amounts,
    ];
    let _: [CovenantError; 9] = [
        CovenantError::Truncated,
        CovenantError::Version { found: 0_u8 },
        CovenantError::Kind { found: 0_u8 },
        CovenantError::Quote,
        CovenantError::ControlBlock,
        CovenantError::Template,
        CovenantError::MerklePath,
        CovenantError::Bound(KindError::Parity),
        CovenantError::Unminable(TemplateError::Amounts),
    ];
    let (paid, quoted) = (amount, amount);
    let _: [SettlementError; 16] = [
        SettlementError::TooSmall { quoted },
        SettlementError::NotEnforced {
            opcode: "OP_CHECKTEMPLATEVERIFY",
            network: Network::Regtest,
        },
        SettlementError::NotCommitted,
        SettlementError::MoreOutThanIn {
            out_sats: 0_u64,
            in_sats: 0_u64,
        },
        SettlementError::Level(CovenantLevel::Spent),
        SettlementError::NoSuchOutput {
            index: 0_u32,
            outputs: 0_usize,
        },
        SettlementError::NotOurScript,
        SettlementError::SeveralOutputs { outputs: 0_usize },
        SettlementError::TooLittle { paid, quoted },
        SettlementError::Amounts,
        SettlementError::Unnamed { found: 0_usize },
        SettlementError::OtherQuote,
        SettlementError::NotOnChain,
        SettlementError::OtherTransaction,
        SettlementError::Coinbase,
        SettlementError::TooShallow {
            depth: 0_u32,
            least: 0_u32,
        },
    ];
}

/// Asserts what types can do.
macro_rules! are {
    ($bound:ident: $($kind:ty),* $(,)?) => {
        $({
            const fn _check<T: $bound>() {}
            _check::<$kind>();
        })*
    };
}

trait Shared: Send + Sync + 'static {}
impl<T: Send + Sync + 'static> Shared for T {}

trait Value: Shared + Debug + Clone + Eq {}
impl<T: Shared + Debug + Clone + Eq> Value for T {}

trait Small: Value + Copy {}
impl<T: Value + Copy> Small for T {}

trait Reason: Value + Error {}
impl<T: Value + Error> Reason for T {}

#[test]
fn traits() {
    // What tells how something went can be kept, copied and compared.
    are!(Small: Quote, CovenantLevel, LeastLevel, ProofField, ProofKind, Totals);
    are!(Value: IssuedQuote, CovenantKind, CovenantProof, SettlementPolicy, VerificationResult);
    are!(Reason: VerifyError, InvoiceError, QuoteError, CovenantError, PolicyError);
    are!(Reason: KindError, TemplateError, SettlementError, QuoterError, AccountError, Shortfall);
    are!(Copy: KindError, TemplateError, SettlementError, QuoterError, AccountError, Shortfall);
    are!(Display: CovenantLevel, ProofField, ProofKind);
    are!(Default: Accounts, LeastLevel, SettlementPolicy, Totals);
    // What works is shared between threads.
    are!(Shared: Accounts, Invoice, PaymentVerifier, QuoteKey, Quoter, Verifier, ctv::Template);
    are!(Clone: Invoice, PaymentVerifier, QuoteKey, Quoter, Verifier, ctv::Template);
    are!(Debug: Accounts, Invoice, PaymentVerifier, QuoteKey, Quoter, Verifier, ctv::Template);
    // What is money moves between threads, and there is one of it.
    are!(Shared: VerifiedPayment, Verification, Question, OutputQuestion, SpendQuestion, TransactionQuestion, Reservation);
    are!(Debug: VerifiedPayment, Verification, Question, OutputQuestion, SpendQuestion, TransactionQuestion, Reservation);
    are!(Eq: VerifiedPayment, Verification, Question, OutputQuestion, SpendQuestion, TransactionQuestion, Reservation);
}

/// Money that could be copied would be money twice.
///
/// A type that is `Clone` would give `is_clone` two meanings, and the call would not compile.
#[test]
fn what_is_money_cannot_be_copied() {
    trait Marked<A> {
        fn is_clone() {}
    }
    struct Cloneable;
    impl<T> Marked<()> for T {}
    impl<T: Clone> Marked<Cloneable> for T {}
    let _ = <VerifiedPayment as Marked<_>>::is_clone;
    let _ = <Verification as Marked<_>>::is_clone;
    let _ = <Question as Marked<_>>::is_clone;
    let _ = <OutputQuestion as Marked<_>>::is_clone;
    let _ = <SpendQuestion as Marked<_>>::is_clone;
    let _ = <TransactionQuestion as Marked<_>>::is_clone;
    let _ = <Reservation as Marked<_>>::is_clone;
}
