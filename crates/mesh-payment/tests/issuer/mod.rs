//! A node that quotes and whose wallet really signs BOLT11 invoices; everything about it is fixed.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it expects"
)]
#![allow(dead_code, reason = "each test file uses its own part of it")]

use lightning_invoice::{
    Currency, InvoiceBuilder, PaymentSecret, RawBolt11Invoice, RawTaggedField,
    SignedRawBolt11Invoice, TaggedField,
};
use mesh_payment::{IssuedQuote, QuoteKey, Quoter, SettlementPolicy, Verifier};
use mesh_types::{Msat, Network, NodeId, PaymentProof, UnixTime, to_hex};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{All, Message, PublicKey, Secp256k1, SecretKey};
use sha2::{Digest, Sha256};
use std::{sync::LazyLock, time::Duration};

pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_790_000_000);
pub(crate) const LIFETIME: Duration = Duration::from_secs(600);
pub(crate) const PAYER: NodeId = NodeId::from_bytes([0xaa; 32]);
pub(crate) const AMOUNT: Msat = Msat::from_msat(5_000_000);

static SECP: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);

/// A mesh node with a Lightning wallet.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) wallet: SecretKey,
    pub(crate) quoter: Quoter,
}

impl Node {
    /// The node under test.
    pub(crate) fn ours() -> Self {
        Self::with_seed(1)
    }

    /// Somebody else's node.
    pub(crate) fn theirs() -> Self {
        Self::with_seed(2)
    }

    pub(crate) fn with_seed(seed: u8) -> Self {
        let id = NodeId::from_bytes([seed; 32]);
        Self {
            id,
            wallet: SecretKey::from_slice(&[seed; 32]).unwrap(),
            quoter: Quoter {
                payee: id,
                key: QuoteKey::derive(&[seed; 32]).on(Network::Regtest),
                lifetime: LIFETIME,
                price_epoch: 7,
            },
        }
    }

    pub(crate) fn payee_key(&self) -> PublicKey {
        PublicKey::from_secret_key(&SECP, &self.wallet)
    }

    /// Recognises its quotes by key, and its wallet's signature.
    pub(crate) fn verifier(&self) -> Verifier {
        Verifier {
            node_id: self.id,
            network: Network::Regtest,
            quote_key: Some(self.quoter.key.clone()),
            payee_key: Some(self.payee_key()),
            settlement: SettlementPolicy::default(),
        }
    }

    /// Recognises its quotes by key alone.
    pub(crate) fn strict_verifier(&self) -> Verifier {
        Verifier {
            payee_key: None,
            ..self.verifier()
        }
    }

    /// Knows its wallet's signature alone.
    pub(crate) fn signature_verifier(&self) -> Verifier {
        Verifier {
            quote_key: None,
            ..self.verifier()
        }
    }

    pub(crate) fn quote(&self) -> IssuedQuote {
        self.quote_for(PAYER, AMOUNT)
    }

    pub(crate) fn quote_for(&self, payer: NodeId, amount: Msat) -> IssuedQuote {
        self.quoter.quote(payer, amount, [9; 16], NOW).unwrap()
    }

    /// What this node's payer shows after he has paid its quote.
    pub(crate) fn paid(&self) -> PaymentProof {
        self.paid_by(PAYER, AMOUNT)
    }

    pub(crate) fn paid_by(&self, payer: NodeId, amount: Msat) -> PaymentProof {
        self.draft(&self.quote_for(payer, amount)).proof()
    }

    /// The invoice for a quote of this node's, to be signed by its wallet.
    pub(crate) fn draft(&self, issued: &IssuedQuote) -> Draft {
        Draft {
            raw: raw_invoice(issued, &issued.request.preimage),
            preimage: issued.request.preimage,
            signer: self.wallet,
        }
    }

    /// The same from a wallet that picks its own preimages.
    pub(crate) fn draft_with_foreign_preimage(&self, issued: &IssuedQuote) -> Draft {
        let preimage = [0x77; 32];
        Draft {
            raw: raw_invoice(issued, &preimage),
            preimage,
            signer: self.wallet,
        }
    }
}

/// An invoice before it is signed, with the preimage that its payer will learn.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) raw: RawBolt11Invoice,
    pub(crate) preimage: [u8; 32],
    pub(crate) signer: SecretKey,
}

impl Draft {
    pub(crate) fn push(mut self, field: TaggedField) -> Self {
        let field = RawTaggedField::KnownSemantics(field);
        self.raw.data.tagged_fields.push(field);
        self
    }

    /// Drops the fields that `is_meant` picks.
    pub(crate) fn without(mut self, is_meant: impl Fn(&TaggedField) -> bool) -> Self {
        self.raw.data.tagged_fields.retain(|field| match field {
            RawTaggedField::KnownSemantics(field) => !is_meant(field),
            RawTaggedField::UnknownSemantics(_) => true,
        });
        self
    }

    /// Puts `field` in the place of the one of its kind.
    pub(crate) fn with(self, field: TaggedField) -> Self {
        let kind = std::mem::discriminant(&field);
        self.without(|other| std::mem::discriminant(other) == kind)
            .push(field)
    }

    pub(crate) fn with_description(self, text: &str) -> Self {
        self.with(description(text))
    }

    pub(crate) fn signed(&self) -> SignedRawBolt11Invoice {
        self.signed_by(|digest| SECP.sign_ecdsa_recoverable(digest, &self.signer))
    }

    /// Signed in the high-S form, which recovers to the same key.
    pub(crate) fn signed_high_s(&self) -> SignedRawBolt11Invoice {
        self.signed_by(|digest| {
            let low = SECP.sign_ecdsa_recoverable(digest, &self.signer);
            let (id, mut bytes) = low.serialize_compact();
            let s = SecretKey::from_slice(&bytes[32..]).unwrap().negate();
            bytes[32..].copy_from_slice(s.as_ref());
            let other_id = RecoveryId::from_i32(id.to_i32() ^ 1).unwrap();
            RecoverableSignature::from_compact(&bytes, other_id).unwrap()
        })
    }

    fn signed_by(&self, sign: impl Fn(&Message) -> RecoverableSignature) -> SignedRawBolt11Invoice {
        let signed: Result<_, ()> = self.raw.clone().sign(|digest| Ok(sign(digest)));
        signed.unwrap()
    }

    pub(crate) fn text(&self) -> String {
        self.signed().to_string()
    }

    /// The proof whose fields agree with the invoice.
    pub(crate) fn proof(&self) -> PaymentProof {
        self.proof_of(&self.signed())
    }

    pub(crate) fn proof_of(&self, signed: &SignedRawBolt11Invoice) -> PaymentProof {
        let timestamp = self.raw.data.timestamp.as_unix_timestamp();
        let expiry_secs = self
            .raw
            .expiry_time()
            .map_or(3_600, |expiry| expiry.as_seconds());
        PaymentProof::Lightning {
            invoice: signed.to_string(),
            preimage: self.preimage,
            amount_msats: self.raw.amount_pico_btc().unwrap_or(0) / 10,
            timestamp,
            expires_at: timestamp.saturating_add(expiry_secs),
        }
    }
}

pub(crate) fn description(text: &str) -> TaggedField {
    TaggedField::Description(lightning_invoice::Description::new(text.to_owned()).unwrap())
}

pub(crate) fn hash_of(preimage: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(preimage).into()
}

fn raw_invoice(issued: &IssuedQuote, preimage: &[u8; 32]) -> RawBolt11Invoice {
    let end = Duration::from_secs(issued.quote.expires_at.to_secs());
    let made_at = end.checked_sub(issued.request.expiry).unwrap();
    InvoiceBuilder::new(Currency::Regtest)
        .amount_milli_satoshis(issued.request.amount.to_msat())
        .description(issued.request.description.clone())
        .payment_hash(to_hex(&hash_of(preimage)).parse().unwrap())
        .payment_secret(PaymentSecret([0x11; 32]))
        .duration_since_epoch(made_at)
        .expiry_time(issued.request.expiry)
        .min_final_cltv_expiry_delta(80)
        .build_raw()
        .unwrap()
}
