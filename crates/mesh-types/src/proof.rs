use serde::{Deserialize, Serialize};

/// What a payer shows as evidence of a payment.
///
/// These are claims of whoever sent them: nothing here is trusted until `mesh-payment` has verified it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PaymentProof {
    /// A BOLT11 invoice and the preimage of its payment hash.
    Lightning {
        /// The invoice, as its issuer encoded it.
        invoice: String,
        /// The preimage of the invoice's payment hash.
        preimage: [u8; 32],
        /// The amount paid; has to be the invoice's own.
        amount_msats: u64,
        /// Unix seconds; has to be the invoice's own.
        timestamp: u64,
        /// Unix seconds; has to be the invoice's own.
        expires_at: u64,
    },
    /// A transaction that pays one of our payment requests.
    OnChainSettlement {
        /// The text of the quote that it pays.
        payment_request_id: String,
        /// The transaction id, in internal byte order.
        tx_hash: [u8; 32],
        /// The amount paid; has to be that of the output that pays.
        amount_sats: u64,
        /// Unix seconds; has to be the end of the quote.
        timestamp: u64,
    },
    /// A covenant (BIP-119) that can only be spent by paying us.
    InstantSettlement {
        /// The covenant: its kind, its quote, its script path and its template, whose input names its coin.
        covenant_proof: Vec<u8>,
        /// Which output of the template pays us.
        output_index: u32,
        /// Has to be empty: the chain is asked instead.
        merkle_proof: Vec<[u8; 32]>,
        /// The amount of that output.
        amount_sats: u64,
        /// Unix seconds; has to be the end of the quote.
        timestamp: u64,
    },
}

/// A proof on its way, with the hop that it pays.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProofForHop {
    /// The position in the route of the node that was paid: 1 is the node after the source.
    pub hop: u8,
    /// The proof.
    pub proof: PaymentProof,
}
