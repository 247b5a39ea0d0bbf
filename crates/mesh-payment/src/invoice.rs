use crate::checksum;
use bech32::{Fe32, Fe32IterExt};
use lightning_invoice::{Bolt11ParseError, Currency, RawBolt11Invoice, TaggedField};
use mesh_types::{Msat, Network, UnixTime};
use secp256k1::{
    Message, PublicKey, Secp256k1, VerifyOnly,
    ecdsa::{self, RecoverableSignature, RecoveryId},
};
use sha2::{Digest, Sha256};
use std::{iter, sync::LazyLock, time::Duration};
use thiserror::Error;

/// The expiry of an invoice that names none (BOLT 11, field `x`).
const DEFAULT_EXPIRY: Duration = Duration::from_secs(3_600);

/// Characters of an invoice's signature: 64 bytes and the recovery id, five bits a character.
const SIGNATURE_CHARACTERS: usize = 104;

/// By how much secp256k1's field is larger than the order of its group (SEC 2).
const FIELD_ABOVE_ORDER: [u8; 32] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x45, 0x51, 0x23, 0x19, 0x50, 0xb7, 0x5f,
    0xc4, 0x40, 0x2d, 0xa1, 0x72, 0x2f, 0xc9, 0xba, 0xee,
];

static SECP: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// A BOLT11 invoice that parses and is unambiguous, with its signature not yet checked.
///
/// Whoever needs to know who signed it asks [`Invoice::is_signed_by`]; an invoice that carries a preimage of ours
/// needs no signature to be recognised, which saves the dearest step.
#[derive(Debug, Clone)]
pub struct Invoice {
    raw: RawBolt11Invoice,
    // Prefix and data as they came, which is what the signature is over.
    prefix: String,
    signed: Vec<Fe32>,
    signature: ecdsa::Signature,
    recovery_id: RecoveryId,
    amount: Option<Msat>,
    payment_hash: [u8; 32],
    expires_at: UnixTime,
}

/// Why a text is not an invoice that we can judge.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvoiceError {
    /// It is not BOLT11. In text, what the invoice brings of itself is escaped.
    #[error("not a BOLT11 invoice: {}", .0.to_string().escape_debug())]
    Parse(#[from] Bolt11ParseError),
    /// A field that has to be there once is missing, or one that may be there once is repeated.
    #[error("the invoice has {found} fields of kind {field}, not one")]
    FieldCount {
        /// The BOLT11 letter, or letters where either will do.
        field: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A feature bit that we do not know is required, or the mandatory ones are missing.
    #[error("the invoice requires features that are not known, or lacks payment_secret")]
    Features,
    /// The amount is not a whole number of millisatoshi, or too large.
    #[error("the invoice's amount is not a whole number of millisatoshi")]
    Amount,
    /// Nobody can have signed it, or the payee whom it names has not.
    #[error("the invoice is not signed by its payee")]
    Signature,
    /// The timestamp and expiry are beyond any clock.
    #[error("the invoice's expiry is out of range")]
    Expiry,
}

impl Invoice {
    /// Parses the text and checks all that BOLT11 asks of a reader, the signature excepted.
    ///
    /// # Errors
    /// [`InvoiceError`] names what is wrong.
    ///
    /// # Source
    /// BOLT 11, "Tagged Fields" and "Feature Bits".
    pub fn parse(text: &str) -> Result<Self, InvoiceError> {
        let (prefix, mut signed) = checksum::split(text)?;
        let fields_len = signed.len().checked_sub(SIGNATURE_CHARACTERS);
        let signature = signed.split_off(fields_len.ok_or(Bolt11ParseError::TooShortDataPart)?);
        let (signature, recovery_id) = read_signature(&signature)?;
        let raw = RawBolt11Invoice::from_raw(&prefix, &signed)?;
        check_counts(raw.known_tagged_fields())?;
        let features = raw.features().ok_or(InvoiceError::Features)?;
        if features.requires_unknown_bits() || !features.supports_payment_secret() {
            return Err(InvoiceError::Features);
        }
        let amount = match (raw.amount_pico_btc(), raw.hrp.raw_amount) {
            (Some(pico_btc), _) if pico_btc % 10 == 0 => Some(Msat::from_msat(pico_btc / 10)),
            (None, None) => None,
            _ => return Err(InvoiceError::Amount),
        };
        let hash = raw.payment_hash().ok_or(InvoiceError::FieldCount {
            field: "p",
            found: 0,
        })?;
        let payment_hash = *AsRef::<[u8; 32]>::as_ref(&hash.0);
        let lifetime = raw
            .expiry_time()
            .map_or(DEFAULT_EXPIRY, |expiry| *expiry.as_duration());
        let expires_at_secs = raw
            .data
            .timestamp
            .as_unix_timestamp()
            .checked_add(lifetime.as_secs())
            .filter(|secs| *secs <= UnixTime::from_millis(u64::MAX).to_secs())
            .ok_or(InvoiceError::Expiry)?;
        let expires_at = UnixTime::from_secs(expires_at_secs);
        Ok(Self {
            amount,
            payment_hash,
            expires_at,
            raw,
            prefix,
            signed,
            signature,
            recovery_id,
        })
    }

    /// What it asks; `None` when the payer may choose.
    pub const fn amount(&self) -> Option<Msat> {
        self.amount
    }

    /// The hash whose preimage proves the payment.
    pub const fn payment_hash(&self) -> &[u8; 32] {
        &self.payment_hash
    }

    /// From when on it can no longer be paid, by its own timestamp and expiry.
    pub const fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// When it was made, by its own word.
    pub fn timestamp(&self) -> UnixTime {
        UnixTime::from_secs(self.raw.data.timestamp.as_unix_timestamp())
    }

    /// Its description; `None` when it carries the hash of one.
    pub fn description(&self) -> Option<&str> {
        self.raw
            .description()
            .map(|text| text.as_inner().0.as_str())
    }

    /// Says whether its prefix is that of `network`. Testnet 3 and 4 share `lntb`.
    pub fn is_on(&self, network: Network) -> bool {
        let currency = match network {
            Network::Bitcoin => Currency::Bitcoin,
            Network::Testnet | Network::Testnet4 => Currency::BitcoinTestnet,
            Network::Signet => Currency::Signet,
            Network::Regtest => Currency::Regtest,
        };
        self.raw.hrp.currency == currency
    }

    /// Says whether `key` has signed it.
    ///
    /// One verification, where BOLT11 readers usually recover: it is cheaper, and says the same when the expected key
    /// is known. The recovery id, which serves only those who do not know the key, is not looked at. A high-S form is
    /// accepted as recovery accepts it, unless the invoice names its payee (field `n`): then BOLT11 has the reader
    /// verify, and wants the low form.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let mut signature = self.signature;
        match self.raw.payee_pub_key() {
            Some(named) if named.0 != *key => return false,
            Some(_) => {}
            None => signature.normalize_s(),
        }
        let digest = Message::from_digest(self.signed_hash());
        SECP.verify_ecdsa(&digest, &signature, key).is_ok()
    }

    /// The key that has signed it, for a reader who expects none in particular: the payee whom it names (field `n`), or the
    /// one that its signature recovers to.
    ///
    /// It says who the payee is, not that he is anybody one knows: whoever expects a key asks [`Invoice::is_signed_by`],
    /// which is cheaper.
    ///
    /// # Errors
    /// [`InvoiceError::Signature`] when no key has, or the named one has not.
    pub fn payee(&self) -> Result<PublicKey, InvoiceError> {
        if let Some(named) = self.raw.payee_pub_key() {
            let has_signed = self.is_signed_by(&named.0);
            return has_signed.then_some(named.0).ok_or(InvoiceError::Signature);
        }
        let compact = self.signature.serialize_compact();
        let digest = Message::from_digest(self.signed_hash());
        RecoverableSignature::from_compact(&compact, self.recovery_id)
            .and_then(|signature| SECP.recover_ecdsa(&digest, &signature))
            .map_err(|_| InvoiceError::Signature)
    }

    /// The hash that the signature is of: over the text as it came, so that no reading of it can differ.
    fn signed_hash(&self) -> [u8; 32] {
        let bits = self.signed.len().saturating_mul(5);
        let padding = iter::repeat_n(Fe32::Q, 2);
        let fields = self.signed.iter().copied().chain(padding).fes_to_bytes();
        let fields: Vec<u8> = fields.take(bits.div_ceil(8)).collect();
        Sha256::new()
            .chain_update(&self.prefix)
            .chain_update(fields)
            .finalize()
            .into()
    }
}

fn read_signature(characters: &[Fe32]) -> Result<(ecdsa::Signature, RecoveryId), InvoiceError> {
    let bytes: Vec<u8> = characters.iter().copied().fes_to_bytes().collect();
    let (compact, id) = bytes
        .split_first_chunk::<64>()
        .ok_or(Bolt11ParseError::TooShortDataPart)?;
    let id = id.first().ok_or(Bolt11ParseError::TooShortDataPart)?;
    // Recovery ids 2 and 3 say that the point's x is above the group's order, where few fit below the field's.
    if *id > 3 || (*id > 1 && compact.first_chunk() >= Some(&FIELD_ABOVE_ORDER)) {
        return Err(InvoiceError::Signature);
    }
    let id = RecoveryId::from_i32(i32::from(*id)).map_err(Bolt11ParseError::from)?;
    let signature = ecdsa::Signature::from_compact(compact).map_err(Bolt11ParseError::from)?;
    Ok((signature, id))
}

/// Checks that what a payment hangs on is named once: payment hash, secret, description and features, and at most
/// once the payee and the expiry. Readers may differ in which of two they take.
fn check_counts<'a>(fields: impl Iterator<Item = &'a TaggedField>) -> Result<(), InvoiceError> {
    let (mut hashes, mut secrets, mut descriptions, mut features) = (0, 0, 0, 0);
    let (mut payees, mut expiries) = (0, 0);
    for field in fields {
        let count: &mut usize = match field {
            TaggedField::PaymentHash(_) => &mut hashes,
            TaggedField::PaymentSecret(_) => &mut secrets,
            TaggedField::Description(_) | TaggedField::DescriptionHash(_) => &mut descriptions,
            TaggedField::Features(_) => &mut features,
            TaggedField::PayeePubKey(_) => &mut payees,
            TaggedField::ExpiryTime(_) => &mut expiries,
            _ => continue,
        };
        *count = count.saturating_add(1);
    }
    for (field, found, least) in [
        ("p", hashes, 1),
        ("s", secrets, 1),
        ("d or h", descriptions, 1),
        ("9", features, 1),
        ("n", payees, 0),
        ("x", expiries, 0),
    ] {
        if found < least || found > 1 {
            return Err(InvoiceError::FieldCount { field, found });
        }
    }
    Ok(())
}
