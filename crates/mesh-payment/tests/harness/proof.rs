//! Any proof of payment: no panic, whatever is verified is what the proof shows, and its invoice is read as
//! lightning-invoice reads it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]
#![allow(dead_code, reason = "each test file uses its own part of it")]

use lightning_invoice::{Bolt11Invoice, SignedRawBolt11Invoice};
use mesh_payment::{Invoice, InvoiceError, QuoteKey, SettlementPolicy, Verifier, VerifyError};
use mesh_types::{Claim, ClaimKey, Msat, Network, NodeId, PaymentProof, UnixTime, to_hex};
use secp256k1::{PublicKey, Secp256k1, SecretKey};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// When every proof is judged.
const NOW: UnixTime = UnixTime::from_secs(1_790_000_000);

/// Who signs the invoices of the node under test, which is the same as in the other tests.
static PAYEE_KEY: LazyLock<PublicKey> = LazyLock::new(|| {
    let wallet = SecretKey::from_slice(&[1; 32]).unwrap();
    PublicKey::from_secret_key(&Secp256k1::new(), &wallet)
});

/// Set in the first byte when the text lacks its checksum, so that a fuzzer gets behind it.
pub(crate) const ADD_CHECKSUM: u8 = 1;
/// Set in the first byte when the proof's fields are to agree with the invoice, whatever bytes stand there.
pub(crate) const AGREE: u8 = 2;
/// Flags, preimage, amount, timestamp and expiry stand before the invoice.
pub(crate) const TEXT_AT: usize = 1 + 32 + 8 + 8 + 8;

/// Judges `data` as a proof.
pub(crate) fn run(data: &[u8]) {
    if let Some(proof) = read(data) {
        judge(&proof);
        if let PaymentProof::Lightning { invoice, .. } = &proof {
            read_alike(invoice);
        }
    }
}

/// Reads an invoice in both ways.
fn read_alike(text: &str) {
    let library = text.parse::<SignedRawBolt11Invoice>();
    let ours = match Invoice::parse(text) {
        Ok(ours) => ours,
        // Where we are stricter: repeated fields, and numbers beyond their type.
        Err(InvoiceError::FieldCount { .. } | InvoiceError::Amount | InvoiceError::Expiry) => {
            return;
        }
        Err(_) => {
            let accepted = library.map(Bolt11Invoice::from_signed);
            return assert!(!matches!(accepted, Ok(Ok(_))), "{text}");
        }
    };
    let library = library.unwrap();
    let raw = library.raw_invoice();
    let hash = raw.payment_hash().map(|hash| hash.0.to_string());
    assert_eq!(hash, Some(to_hex(ours.payment_hash())));
    let amount = raw.amount_pico_btc();
    assert_eq!(
        amount,
        ours.amount().map(|amount| amount.to_msat() * 10),
        "{text}"
    );
    let description = raw.description().map(|text| text.as_inner().0.as_str());
    assert_eq!(description, ours.description());
    // The library hashes what it would write. Where that is the text, both hash the same.
    let is_as_written = library.to_string() == text.to_lowercase();
    if let (true, None, Ok(key)) = (
        is_as_written,
        raw.payee_pub_key(),
        library.recover_payee_pub_key(),
    ) {
        assert!(ours.is_signed_by(&key.0));
    }
}

/// Judges `proof` with and without each key, and answers what they agree on.
pub(crate) fn judge(proof: &PaymentProof) -> Option<Claim> {
    let both = verify(&verifier(true, true), proof);
    let strict = verify(&verifier(true, false), proof);
    let by_signature = verify(&verifier(false, true), proof);
    assert!(verify(&verifier(false, false), proof).is_err());
    if let Ok(claim) = strict {
        assert_eq!(both, Ok(claim), "a second key takes nothing away");
    }
    if let Ok(claim) = both {
        assert!(strict == Ok(claim) || by_signature == Ok(claim));
    }
    both.or(by_signature).ok()
}

/// Lays a proof out as [`run`] reads it.
pub(crate) fn write(flags: u8, proof: &PaymentProof) -> Vec<u8> {
    let PaymentProof::Lightning {
        invoice,
        preimage,
        amount_msats,
        timestamp,
        expires_at,
    } = proof
    else {
        return Vec::new();
    };
    let numbers = [amount_msats, timestamp, expires_at].map(|number| number.to_be_bytes());
    [
        &[flags],
        preimage.as_slice(),
        numbers.as_flattened(),
        invoice.as_bytes(),
    ]
    .concat()
}

/// Appends the checksum of BIP-173 to a human-readable part, a `1` and data.
pub(crate) fn with_checksum(body: &str) -> Option<String> {
    const CHARSET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let (prefix, data) = body.rsplit_once('1')?;
    let mut values: Vec<usize> = prefix.bytes().map(|byte| usize::from(byte >> 5)).collect();
    values.push(0);
    values.extend(prefix.bytes().map(|byte| usize::from(byte & 31)));
    for character in data.chars() {
        values.push(CHARSET.find(character)?);
    }
    values.extend([0; 6]);
    let checksum = values.into_iter().fold(1, feed) ^ 1;
    let digit = |at: usize| CHARSET.as_bytes()[(checksum >> (5 * (5 - at))) & 31];
    let tail = (0..6).map(|at| char::from(digit(at)));
    Some(body.chars().chain(tail).collect())
}

fn feed(state: usize, value: usize) -> usize {
    const GENERATOR: [usize; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    let top = state >> 25;
    let shifted = ((state & 0x1ff_ffff) << 5) ^ value;
    (0..5)
        .filter(|bit| top >> bit & 1 == 1)
        .fold(shifted, |state, bit| state ^ GENERATOR[bit])
}

/// Takes the fields of a proof from its own invoice, where that can be read.
pub(crate) fn agreeing(invoice: String, preimage: [u8; 32]) -> Option<PaymentProof> {
    let read = Invoice::parse(&invoice).ok()?;
    Some(PaymentProof::Lightning {
        preimage,
        amount_msats: read.amount().map_or(0, Msat::to_msat),
        timestamp: read.timestamp().to_secs(),
        expires_at: read.expires_at().to_secs(),
        invoice,
    })
}

/// Reads a proof as [`write`] lays it out.
pub(crate) fn read(data: &[u8]) -> Option<PaymentProof> {
    let (&[flags], rest) = data.split_first_chunk()?;
    let (&preimage, rest) = rest.split_first_chunk()?;
    let (&amount, rest) = rest.split_first_chunk()?;
    let (&timestamp, rest) = rest.split_first_chunk()?;
    let (&expires_at, text) = rest.split_first_chunk()?;
    let text = std::str::from_utf8(text).ok()?;
    let invoice = if flags & ADD_CHECKSUM == 0 {
        text.to_owned()
    } else {
        with_checksum(text)?
    };
    if flags & AGREE != 0 {
        return agreeing(invoice, preimage);
    }
    Some(PaymentProof::Lightning {
        invoice,
        preimage,
        amount_msats: u64::from_be_bytes(amount),
        timestamp: u64::from_be_bytes(timestamp),
        expires_at: u64::from_be_bytes(expires_at),
    })
}

fn verify(verifier: &Verifier, proof: &PaymentProof) -> Result<Claim, VerifyError> {
    let verdict = verifier.verify(proof, NOW).map(|payment| payment.claim());
    if let Err(refusal) = &verdict {
        let refusal = refusal.to_string();
        assert!(!refusal.is_empty() && !refusal.contains(char::is_control));
    }
    if let (Ok(claim), PaymentProof::Lightning { preimage, .. }) = (&verdict, proof) {
        let hash = Sha256::digest(preimage).into();
        assert_eq!(claim.key, ClaimKey::from_payment_hash(hash));
        assert!(claim.amount > Msat::ZERO);
        assert!(claim.expires_at.is_alive_at(NOW));
    }
    verdict
}

fn verifier(with_quote_key: bool, with_payee_key: bool) -> Verifier {
    Verifier {
        node_id: NodeId::from_bytes([1; 32]),
        network: Network::Regtest,
        quote_key: with_quote_key.then(|| QuoteKey::derive(&[1; 32]).on(Network::Regtest)),
        payee_key: with_payee_key.then(|| *PAYEE_KEY),
        settlement: SettlementPolicy::default(),
    }
}
