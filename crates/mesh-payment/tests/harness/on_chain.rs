//! Any on-chain settlement, and any answer of the chain: no panic, and it is verified when a judge that is written
//! naively finds nothing wrong, and never otherwise.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]
#![allow(dead_code, reason = "each test file uses its own part of it")]

#[path = "template.rs"]
pub(crate) mod template;

use bitcoin::{
    Amount, ScriptBuf, Transaction, TxOut,
    consensus::{deserialize, serialize},
};
use mesh_payment::{
    Question, Quote, QuoteKey, Quoter, SettlementPolicy, Verification, VerifiedPayment, Verifier,
    VerifyError,
};
use mesh_types::{
    ChainTransaction, Claim, ClaimKey, Msat, Network, NodeId, PaymentProof, TxHash, UnixTime,
    from_hex,
};
use std::{num::NonZeroU32, sync::LazyLock, time::Duration};
use template::{naive_txid, tagged};

/// When every proof is judged.
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_790_000_000);
/// The node under test, which is the same as in the other tests.
pub(crate) const NODE: NodeId = NodeId::from_bytes([1; 32]);

/// Set in the flags when the quote is a good one, whatever stands there.
pub(crate) const GOOD_QUOTE: u8 = 1;
/// Set when the transaction is to name the quote, whatever its OP_RETURN output holds.
pub(crate) const NAMED: u8 = 2;
/// Set when the amount and the timestamp are to agree with what they repeat.
pub(crate) const AGREE: u8 = 4;
/// Set when the first output is to pay this node what the quote asks for, and its own value more.
pub(crate) const PAYS: u8 = 8;
/// Set when the transaction is to be the one that the proof names.
pub(crate) const RIGHT_HASH: u8 = 16;
/// Set when the chain has the transaction.
pub(crate) const FOUND: u8 = 32;
/// Set when the node has no quote key.
pub(crate) const NO_KEY: u8 = 64;

pub(crate) static QUOTER: LazyLock<Quoter> = LazyLock::new(|| Quoter {
    payee: NODE,
    key: QuoteKey::derive(&[1; 32]).on(Network::Regtest),
    lifetime: Duration::from_secs(600),
    price_epoch: 7,
});

/// A quote of the node under test.
pub(crate) static QUOTE: LazyLock<Quote> = LazyLock::new(|| {
    let (payer, amount) = (NodeId::from_bytes([0xaa; 32]), Msat::from_msat(5_000_000));
    QUOTER.offer(payer, amount, [9; 16], NOW).unwrap()
});

/// An on-chain settlement, and what the chain says of it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) flags: u8,
    pub(crate) least_depth: u8,
    pub(crate) depth: u32,
    pub(crate) amount_sats: u64,
    pub(crate) timestamp: u64,
    pub(crate) tx_hash: [u8; 32],
    pub(crate) payment_request_id: String,
    /// What the chain answers with.
    pub(crate) found: Vec<u8>,
}

/// Judges `data` as an on-chain settlement.
pub(crate) fn run(data: &[u8]) {
    if let Some(case) = Case::read(data) {
        case.judge();
    }
}

impl Case {
    /// Reads what [`Case::write`] lays out, and mends what its flags say.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        let (&[flags, least_depth], rest) = data.split_first_chunk()?;
        let (&depth, rest) = rest.split_first_chunk()?;
        let (&amount_sats, rest) = rest.split_first_chunk()?;
        let (&timestamp, rest) = rest.split_first_chunk()?;
        let (&tx_hash, rest) = rest.split_first_chunk()?;
        let (&[len], rest) = rest.split_first_chunk()?;
        let (text, found) = rest.split_at_checked(usize::from(len))?;
        let mut case = Self {
            flags,
            least_depth,
            depth: u32::from_be_bytes(depth),
            amount_sats: u64::from_be_bytes(amount_sats),
            timestamp: u64::from_be_bytes(timestamp),
            tx_hash,
            payment_request_id: std::str::from_utf8(text).ok()?.to_owned(),
            found: found.to_vec(),
        };
        case.mend();
        Some(case)
    }

    /// Lays it out: flags, the least depth, depth, amount, timestamp, transaction id, the quote's text behind its
    /// length, and the transaction.
    pub(crate) fn write(&self) -> Vec<u8> {
        let text = self.payment_request_id.as_bytes();
        [
            &[self.flags, self.least_depth],
            self.depth.to_be_bytes().as_slice(),
            &self.amount_sats.to_be_bytes(),
            &self.timestamp.to_be_bytes(),
            &self.tx_hash,
            &[u8::try_from(text.len()).unwrap()],
            text,
            &self.found,
        ]
        .concat()
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn mend(&mut self) {
        if self.has(GOOD_QUOTE) {
            self.payment_request_id = QUOTE.to_text();
        }
        let quote = Quote::from_text(&self.payment_request_id).ok();
        let Ok(mut transaction) = deserialize::<Transaction>(&self.found) else {
            return;
        };
        if let Some(quote) = quote {
            if self.has(PAYS) {
                pay(&mut transaction, 0, &quote);
            }
            if self.has(NAMED) {
                name(&mut transaction, naive_name("on-chain", &quote));
            }
            if self.has(AGREE) {
                self.timestamp = quote.expires_at.to_secs();
            }
        }
        let paid = transaction.output.iter().find(|it| is_ours(it));
        if let (Some(output), true) = (paid, self.has(AGREE)) {
            self.amount_sats = output.value.to_sat();
        }
        if self.has(RIGHT_HASH) {
            self.tx_hash = naive_txid(&transaction);
        }
        self.found = serialize(&transaction);
    }

    fn least(&self) -> u32 {
        1 + u32::from(self.least_depth % 4)
    }

    pub(crate) fn proof(&self) -> PaymentProof {
        PaymentProof::OnChainSettlement {
            payment_request_id: self.payment_request_id.clone(),
            tx_hash: self.tx_hash,
            amount_sats: self.amount_sats,
            timestamp: self.timestamp,
        }
    }

    /// Judges it, compares the verdict with the naive one, and answers it.
    pub(crate) fn judge(&self) -> Option<Claim> {
        let verifier = verifier(SettlementPolicy {
            least_depth: NonZeroU32::new(self.least()).unwrap(),
            ..SettlementPolicy::default()
        });
        let verifier = Verifier {
            quote_key: verifier.quote_key.filter(|_| !self.has(NO_KEY)),
            ..verifier
        };
        let claim = settle(self.verdict(&verifier));
        assert_eq!(claim, self.naive_claim(), "{self:?}");
        if claim.is_some() {
            let unasked = settle(verifier.verify(&self.proof(), NOW));
            assert_eq!(unasked, None, "without a chain nothing is verified");
        }
        claim
    }

    fn verdict(&self, verifier: &Verifier) -> Result<VerifiedPayment, VerifyError> {
        let Verification::Asks(Question::Transaction(question)) =
            verifier.begin(&self.proof(), NOW)?
        else {
            panic!("{self:?} asks for no transaction");
        };
        assert_eq!(question.tx_hash().as_bytes(), &self.tx_hash);
        let found = ChainTransaction {
            bytes: self.found.clone(),
            depth: self.depth,
        };
        question.answer(self.has(FOUND).then_some(&found))
    }

    /// What is credited, if anything: rules P-15 to P-17, P-22 and P-23 by hand.
    fn naive_claim(&self) -> Option<Claim> {
        let quote = Quote::from_text(&self.payment_request_id).ok()?;
        let transaction: Transaction = deserialize(&self.found).ok()?;
        let is_coinbase = match transaction.input.as_slice() {
            [input] => {
                let point = input.previous_output;
                *AsRef::<[u8; 32]>::as_ref(&point.txid) == [0; 32] && point.vout == u32::MAX
            }
            _ => false,
        };
        let numbered = (0_u32..).zip(&transaction.output);
        let ours: Vec<_> = numbered.filter(|(_, output)| is_ours(output)).collect();
        let [(index, output)] = ours.as_slice() else {
            return None;
        };
        let amount_msat = naive_amount(output, &quote)?;
        let is_good = self.has(FOUND)
            && !self.has(NO_KEY)
            && is_quote_good(&quote)
            && naive_txid(&transaction) == self.tx_hash
            && !is_coinbase
            && self.amount_sats == output.value.to_sat()
            && self.timestamp == quote.expires_at.to_secs()
            && is_named(&transaction, &naive_name("on-chain", &quote))
            && self.depth >= self.least();
        let key = [self.tx_hash.as_slice(), &index.to_be_bytes()].concat();
        is_good.then(|| Claim {
            key: ClaimKey::from_tagged_hash(tagged("blvm-mesh/1/claim/on-chain", &key)),
            payer: quote.payer,
            amount: Msat::from_msat(amount_msat),
            expires_at: quote.expires_at,
            on_chain: Some(TxHash::from_bytes(self.tx_hash)),
        })
    }
}

/// The node under test; two scripts are its own.
pub(crate) fn verifier(settlement: SettlementPolicy) -> Verifier {
    Verifier {
        node_id: NODE,
        network: Network::Regtest,
        quote_key: Some(QUOTER.key.clone()),
        payee_key: None,
        settlement: SettlementPolicy {
            scripts: [9, 1].map(naive_p2wpkh).into(),
            ..settlement
        },
    }
}

/// The claim of a verdict, or nothing when it is a refusal that a log can hold.
pub(crate) fn settle(verdict: Result<VerifiedPayment, VerifyError>) -> Option<Claim> {
    verdict
        .map(|payment| payment.claim())
        .map_err(|refusal| {
            let refusal = refusal.to_string();
            assert!(!refusal.is_empty() && !refusal.contains(char::is_control));
        })
        .ok()
}

fn naive_p2wpkh(seed: u8) -> ScriptBuf {
    ScriptBuf::from([[0, 20].as_slice(), &[seed; 20]].concat())
}

pub(crate) fn is_ours(output: &TxOut) -> bool {
    [9, 1].map(naive_p2wpkh).contains(&output.script_pubkey)
}

/// Millisatoshi, when `output` is this node's and covers the quote.
pub(crate) fn naive_amount(output: &TxOut, quote: &Quote) -> Option<u64> {
    let msat = u128::from(output.value.to_sat()) * 1_000;
    let covers = is_ours(output) && msat >= u128::from(quote.amount.to_msat());
    u64::try_from(msat).ok().filter(|_| covers)
}

/// By this node, and not over.
pub(crate) fn is_quote_good(quote: &Quote) -> bool {
    let is_made_here = QUOTER.key.recognises(quote);
    let is_alive = NOW.to_millis() < quote.expires_at.to_millis();
    is_made_here && quote.payee == NODE && is_alive && quote.amount.to_msat() >= 1_000_000
}

/// The script of the output that names `quote` as the payment of a kind.
pub(crate) fn naive_name(kind: &str, quote: &Quote) -> ScriptBuf {
    let text = quote.to_text();
    let hex = text.strip_prefix("mesh-quote:1:").unwrap();
    let bytes: [u8; 116] = from_hex(hex).unwrap();
    let name = tagged(&format!("blvm-mesh/1/{kind}"), &bytes);
    ScriptBuf::from([[0x6a, 32].as_slice(), &name].concat())
}

/// Whether `name` is there, as the one OP_RETURN output that is.
pub(crate) fn is_named(transaction: &Transaction, name: &ScriptBuf) -> bool {
    let scripts = transaction.output.iter().map(|it| &it.script_pubkey);
    let marks: Vec<_> = scripts.filter(|it| is_mark(it)).collect();
    marks == [name]
}

/// Puts `name` in the place of the first OP_RETURN output, or behind the others.
pub(crate) fn name(transaction: &mut Transaction, name: ScriptBuf) {
    let mut outputs = transaction.output.iter_mut();
    match outputs.find(|it| is_mark(&it.script_pubkey)) {
        Some(output) => output.script_pubkey = name,
        None => transaction.output.push(TxOut {
            value: Amount::ZERO,
            script_pubkey: name,
        }),
    }
}

/// Has the output at `index` pay this node what `quote` asks for, and what it held besides.
pub(crate) fn pay(transaction: &mut Transaction, index: usize, quote: &Quote) {
    if let Some(output) = transaction.output.get_mut(index) {
        let quoted_sats = quote.amount.to_msat().div_ceil(1_000);
        let sats = output.value.to_sat().saturating_add(quoted_sats);
        output.value = Amount::from_sat(sats);
        output.script_pubkey = naive_p2wpkh(1);
    }
}

fn is_mark(script: &ScriptBuf) -> bool {
    script.as_bytes().first() == Some(&0x6a)
}
