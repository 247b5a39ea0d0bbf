//! Whether a packet is paid.
//!
//! A node *quotes*: it authenticates an offer to a payer and issues an invoice for it, remembering nothing
//! ([`Quoter`]). The payer pays and shows a *proof*. A [`Verifier`] turns a good proof into a [`VerifiedPayment`],
//! evidence that nothing else can make, and a bad one into a [`VerifyError`] that says which rule it broke. A verified
//! payment that was claimed for the first time becomes credit in [`Accounts`], from which carried packets are debited.
//!
//! There is no runtime, no network and no clock here: `now` is an argument. [`PaymentVerifier`] is the thin async
//! shell that asks a node for what a [`Verifier`] has to know. The rules are numbered in `docs/payment.md`.
//!
//! ```
//! use mesh_payment::{Accounts, QuoteKey, Quoter, SettlementPolicy, Verifier};
//! use mesh_types::{Msat, Network, NodeId, PaymentProof, UnixTime};
//! use std::time::Duration;
//! # use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};
//! # use mesh_types::{InvoiceRequest, to_hex};
//! # use secp256k1::{Secp256k1, SecretKey};
//! # use sha2::{Digest, Sha256};
//! # struct Wallet;
//! # impl Wallet {
//! #     fn issue(&self, request: &InvoiceRequest, now: UnixTime) -> String {
//! #         let hash = to_hex(&Sha256::digest(request.preimage));
//! #         let key = SecretKey::from_slice(&[1; 32]).unwrap();
//! #         InvoiceBuilder::new(Currency::Regtest)
//! #             .amount_milli_satoshis(request.amount.to_msat())
//! #             .description(request.description.clone())
//! #             .payment_hash(hash.parse().unwrap())
//! #             .payment_secret(PaymentSecret([2; 32]))
//! #             .duration_since_epoch(Duration::from_secs(now.to_secs()))
//! #             .expiry_time(request.expiry)
//! #             .min_final_cltv_expiry_delta(80)
//! #             .build_signed(|digest| Secp256k1::new().sign_ecdsa_recoverable(digest, &key))
//! #             .unwrap()
//! #             .to_string()
//! #     }
//! # }
//! # let wallet = Wallet;
//!
//! let now = UnixTime::from_secs(1_790_000_000);
//! let (node, payer) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
//! let key = QuoteKey::derive(&[3; 32]).on(Network::Regtest);
//!
//! // The node quotes, its wallet issues the invoice, and neither keeps a record in the mesh.
//! let quoter = Quoter {
//!     payee: node,
//!     key: key.clone(),
//!     lifetime: Duration::from_secs(600),
//!     price_epoch: 0,
//! };
//! let issued = quoter.quote(payer, Msat::from_msat(20_000), [4; 16], now)?;
//! let invoice = wallet.issue(&issued.request, now);
//!
//! // The payer pays, learns the preimage, and shows it.
//! let proof = PaymentProof::Lightning {
//!     invoice,
//!     preimage: issued.request.preimage,
//!     amount_msats: 20_000,
//!     timestamp: now.to_secs(),
//!     expires_at: now.to_secs() + 600,
//! };
//!
//! // The node verifies, claims the payment (here would be `payment.claim()`), and credits it.
//! let verifier = Verifier {
//!     node_id: node,
//!     network: Network::Regtest,
//!     quote_key: Some(key),
//!     payee_key: None,
//!     settlement: SettlementPolicy::default(),
//! };
//! let accounts = Accounts::default();
//! let payment = verifier.verify(&proof, now)?;
//! let credit = accounts.put_in(payment.payer(), payment.amount())?;
//! assert_eq!(credit, Msat::from_msat(20_000));
//!
//! // A packet is paid from the credit: reserved while it is on its way out, earned when it is gone.
//! let reservation = accounts.reserve(&payer, Msat::from_msat(1_500))?;
//! accounts.commit(reservation);
//! assert_eq!(accounts.credit(&payer), Msat::from_msat(18_500));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(clippy::arithmetic_side_effects, clippy::as_conversions)]

mod accounts;
mod checksum;
mod covenant;
pub mod ctv;
mod error;
mod invoice;
mod lightning;
mod on_chain;
pub mod op_template_hash;
mod question;
mod quote;
mod quote_key;
mod quoter;
#[cfg(doctest)]
mod readme;
mod settlement;
mod shell;
mod tagged;
mod verified;
mod verifier;

/// The library whose transactions and scripts are spoken of here, of the version that fits.
pub use bitcoin;

pub use accounts::{AccountError, Accounts, MAX_ACCOUNTS, Reservation, Shortfall, Totals};
pub use covenant::{
    CovenantError, CovenantKind, CovenantLevel, CovenantProof, KindError, LeastLevel,
    OutputQuestion, SpendQuestion, TemplateError,
};
pub use error::{ProofField, ProofKind, VerifyError};
pub use invoice::{Invoice, InvoiceError};
pub use on_chain::TransactionQuestion;
pub use question::{Question, Verification};
pub use quote::{NONCE_LEN, Quote, QuoteError};
pub use quote_key::QuoteKey;
pub use quoter::{IssuedQuote, MAX_QUOTE, Quoter, QuoterError};
pub use settlement::{
    LEAST_ON_CHAIN, PolicyError, SettlementError, SettlementPolicy, payable_address,
};
pub use shell::{PaymentVerifier, VerificationResult};
pub use verified::VerifiedPayment;
pub use verifier::{MAX_CLOCK_SKEW, Verifier};
