use crate::Quote;
use hmac::{Hmac, Mac};
use mesh_types::Network;
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The secret under which a node authenticates its quotes and derives their preimages.
///
/// # Security
/// Whoever knows it can make preimages without paying.
#[derive(Clone)]
pub struct QuoteKey(Zeroizing<[u8; 32]>);

impl QuoteKey {
    /// Derives the key from a node's identity secret, one way.
    pub fn derive(identity_secret: &[u8; 32]) -> Self {
        Self(Zeroizing::new(hmac(
            identity_secret,
            &[b"blvm-mesh/1/quote-key"],
        )))
    }

    /// The key for one network, one way: a quote that was paid with a test network's coins is none on any other.
    ///
    /// # Security
    /// Nothing else binds a quote to its network: whoever holds a preimage can write its invoice anew under another
    /// prefix. A node whose identity serves on more than one network quotes and verifies with `derive(…).on(network)`.
    #[must_use]
    pub fn on(&self, network: Network) -> Self {
        let label = network.as_str().as_bytes();
        Self(Zeroizing::new(hmac(
            &self.0,
            &[b"blvm-mesh/1/network/", label],
        )))
    }

    /// Stamps `quote` with the tag that [`QuoteKey::recognises`] looks for.
    pub(crate) fn stamp(&self, quote: Quote) -> Quote {
        Quote {
            tag: self.tag(&quote),
            ..quote
        }
    }

    /// Says whether this key has stamped `quote`, in constant time.
    pub fn recognises(&self, quote: &Quote) -> bool {
        self.tag(quote).ct_eq(&quote.tag).into()
    }

    /// The preimage of the invoice issued for `quote`: a MAC over every field of it.
    ///
    /// # Security
    /// It has to reach nobody but the Lightning back end that issues the invoice.
    pub fn preimage(&self, quote: &Quote) -> [u8; 32] {
        hmac(&self.0, &[b"blvm-mesh/1/preimage", &quote.fields()])
    }

    fn tag(&self, quote: &Quote) -> [u8; 16] {
        let full = hmac(&self.0, &[b"blvm-mesh/1/quote-tag", &quote.fields()]);
        full.first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Debug for QuoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuoteKey(secret)")
    }
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // A key shorter than a block is padded with zeros (RFC 2104).
    let mut block = [0; 64];
    for (slot, byte) in block.iter_mut().zip(key) {
        *slot = *byte;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
