use lightning_invoice::{Bolt11Invoice, Currency};
use mesh_types::{InvoiceRequest, LightningError, Msat, Network};
use sha2::{Digest as _, Sha256};

/// What a BOLT11 text says, once its signature is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invoice {
    pub(crate) payment_hash: [u8; 32],
    pub(crate) amount: Msat,
    pub(crate) payee_key: [u8; 33],
    currency: Money,
}

/// The networks that a BOLT11 prefix tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Money {
    Bitcoin,
    AnyTestnet,
    Signet,
    Regtest,
}

impl Invoice {
    /// Reads a BOLT11 text; the error is a sentence.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let invoice: Bolt11Invoice = text
            .parse()
            .map_err(|error| format!("this is no BOLT11 invoice: {error}"))?;
        let amount = invoice.amount_milli_satoshis().filter(|msat| *msat > 0);
        let currency = match invoice.currency() {
            Currency::Bitcoin => Money::Bitcoin,
            Currency::BitcoinTestnet => Money::AnyTestnet,
            Currency::Signet => Money::Signet,
            Currency::Regtest => Money::Regtest,
            Currency::Simnet => return Err("the invoice is for simnet".to_owned()),
        };
        let payment_hash: &[u8; 32] = invoice.payment_hash().as_ref();
        Ok(Self {
            payment_hash: *payment_hash,
            amount: Msat::from_msat(amount.ok_or("the invoice names no amount")?),
            payee_key: invoice.get_payee_pub_key().serialize(),
            currency,
        })
    }

    /// Its network; `expected` where BOLT11 does not tell the two testnets apart.
    #[cfg(feature = "lnbits")]
    pub(crate) fn network(&self, expected: Network) -> Network {
        if self.is_on(expected) {
            return expected;
        }
        match self.currency {
            Money::Bitcoin => Network::Bitcoin,
            Money::AnyTestnet => Network::Testnet,
            Money::Signet => Network::Signet,
            Money::Regtest => Network::Regtest,
        }
    }

    /// Whether it can be paid on `network`. BOLT11 writes both testnets alike.
    pub(crate) fn is_on(&self, network: Network) -> bool {
        self.currency == Money::of(network)
    }
}

impl Money {
    const fn of(network: Network) -> Self {
        match network {
            Network::Bitcoin => Self::Bitcoin,
            Network::Testnet | Network::Testnet4 => Self::AnyTestnet,
            Network::Signet => Self::Signet,
            Network::Regtest => Self::Regtest,
        }
    }
}

/// The hash that an invoice for this preimage names.
pub(crate) fn payment_hash(preimage: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(preimage).into()
}

/// Checks what every back end would refuse, before it is asked.
pub(crate) fn check_request(request: &InvoiceRequest) -> Result<(), LightningError> {
    if request.amount == Msat::ZERO {
        return refused("an invoice asks for more than nothing");
    }
    if request.expiry.as_secs() == 0 {
        return refused("an invoice lives for a second at least");
    }
    Ok(())
}

/// Checks that an invoice reads as it was asked for. `payment_hash`: where the back end takes our preimage.
///
/// # Security
/// An invoice for less would be an hour's service for a coin; one of another network, for play money.
pub(crate) fn check_issued(
    text: &str,
    amount: Msat,
    payment_hash: Option<[u8; 32]>,
    network: Network,
) -> Result<Invoice, LightningError> {
    let invoice = Invoice::read(text).map_err(|why| {
        LightningError::Refused(format!("it issued an invoice that does not read: {why}"))
    })?;
    if !invoice.is_on(network) {
        return refused("it issued an invoice of another network than this node's");
    }
    if invoice.amount != amount {
        return refused("its invoice is for another amount than was asked for");
    }
    if payment_hash.is_some_and(|hash| hash != invoice.payment_hash) {
        return refused("its invoice has another payment hash than the preimage's");
    }
    Ok(invoice)
}

fn refused<T>(why: &str) -> Result<T, LightningError> {
    Err(LightningError::Refused(why.to_owned()))
}
