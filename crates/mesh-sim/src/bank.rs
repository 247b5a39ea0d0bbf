use crate::node::NETWORK;
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};
use mesh_payment::{
    Invoice, Quote,
    bitcoin::hashes::{Hash as _, sha256},
};
use mesh_types::{ClaimKey, InvoiceRequest, Msat, NodeId, PaymentProof, UnixTime};
use secp256k1::{Secp256k1, SecretKey, SignOnly};
use std::{collections::BTreeMap, fmt, time::Duration};

/// How many invoices a payer has from a node at once, as a node's manager has it.
pub(crate) const QUOTES_BURST: u64 = 20;

/// The Lightning network: real BOLT11 invoices, and payments that are a line in a book.
///
/// It stands for the wallets of all nodes. Whether a proof is good is not its business: that is verified by the node that is
/// shown it, as a real one does.
pub(crate) struct Bank {
    secp: Secp256k1<SignOnly>,
    key: SecretKey,
    invoices: BTreeMap<ClaimKey, Issued>,
    /// What each node has received, by its number.
    received_msat: Vec<u64>,
    pub(crate) paid_msat: u64,
    pub(crate) payments: u64,
}

/// An invoice of somebody.
#[derive(Debug, Clone, Copy)]
struct Issued {
    preimage: [u8; 32],
    /// For whom the node has issued it.
    payee: u32,
    payer: NodeId,
    amount: Msat,
    is_paid: bool,
}

impl Bank {
    pub(crate) fn new(nodes: usize) -> Self {
        let Ok(key) = SecretKey::from_slice(&[3; 32]) else {
            unreachable!("it is a number below the curve's order");
        };
        Self {
            secp: Secp256k1::signing_only(),
            key,
            invoices: BTreeMap::new(),
            received_msat: vec![0; nodes],
            paid_msat: 0,
            payments: 0,
        }
    }

    /// The invoice of a node's wallet for `request`; `None` when it would be none.
    pub(crate) fn issue(
        &mut self,
        payee: u32,
        payer: NodeId,
        request: &InvoiceRequest,
        now: UnixTime,
    ) -> Option<String> {
        let hash = sha256::Hash::hash(&request.preimage);
        let invoice = InvoiceBuilder::new(Currency::Regtest)
            .description(request.description.clone())
            .amount_milli_satoshis(request.amount.to_msat())
            .payment_hash(hash)
            .payment_secret(PaymentSecret([9; 32]))
            .duration_since_epoch(Duration::from_secs(now.to_secs()))
            .expiry_time(request.expiry)
            .min_final_cltv_expiry_delta(18)
            .build_signed(|digest| self.secp.sign_ecdsa_recoverable(digest, &self.key))
            .ok()?;
        let issued = Issued {
            preimage: request.preimage,
            payee,
            payer,
            amount: request.amount,
            is_paid: false,
        };
        let key = ClaimKey::from_payment_hash(hash.to_byte_array());
        self.invoices.insert(key, issued);
        Some(invoice.to_string())
    }

    /// Pays an invoice that quotes `payer` credit with `payee`, at most `limit`, and answers with what shows the payment.
    pub(crate) fn pay(
        &mut self,
        payer: NodeId,
        payee: NodeId,
        invoice: &str,
        limit: Msat,
    ) -> Option<PaymentProof> {
        let parsed = Invoice::parse(invoice).ok()?;
        let quote = Quote::from_text(parsed.description()?).ok()?;
        let is_for_us = quote.payer == payer && quote.payee == payee;
        let amount = parsed.amount().filter(|amount| *amount <= limit)?;
        if !is_for_us || !parsed.is_on(NETWORK) {
            return None;
        }
        let key = ClaimKey::from_payment_hash(*parsed.payment_hash());
        let issued = self.invoices.get_mut(&key)?;
        if std::mem::replace(&mut issued.is_paid, true) {
            return None;
        }
        self.received_msat[issued.payee as usize] += amount.to_msat();
        self.paid_msat += amount.to_msat();
        self.payments += 1;
        Some(PaymentProof::Lightning {
            invoice: invoice.to_owned(),
            preimage: issued.preimage,
            amount_msats: amount.to_msat(),
            timestamp: parsed.timestamp().to_secs(),
            expires_at: parsed.expires_at().to_secs(),
        })
    }

    /// What was paid to `payee` under `key`, and by whom.
    pub(crate) fn paid(&self, key: &ClaimKey, payee: u32) -> Option<(NodeId, Msat)> {
        let issued = self.invoices.get(key)?;
        let is_paid = issued.is_paid && issued.payee == payee;
        is_paid.then_some((issued.payer, issued.amount))
    }

    pub(crate) fn received_msat(&self, node: u32) -> u64 {
        self.received_msat[node as usize]
    }
}

impl fmt::Debug for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bank")
            .field("payments", &self.payments)
            .finish_non_exhaustive()
    }
}
