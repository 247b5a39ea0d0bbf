mod folder;

use async_trait::async_trait;
use bitcoin::{
    hashes::{Hash, sha256},
    secp256k1::{PublicKey, Secp256k1, SecretKey, SignOnly},
};
use blvm_mesh::{
    Clock, Incoming, InvoiceRequest, LightningError, LightningInfo, LightningNode, MAX_SETTLED,
    Msat, Network, Outgoing, PaidInvoice, PayLimits, SettledInvoice,
};
use folder::{Folder, Invoiced, Once, Settled};
use lightning_invoice::{Bolt11Invoice, Currency, InvoiceBuilder, PaymentSecret};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use thiserror::Error;
use tokio::time::{Instant, sleep};

/// The final CLTV delta that its invoices name, in blocks: what Lightning nodes commonly ask.
const FINAL_CLTV_DELTA: u64 = 18;

/// How often the folder is looked at for what is settled: five times a second, which nobody waits for, and in which the
/// folder of ten thousand payments is read in a few hundredths.
const POLL: Duration = Duration::from_millis(200);

/// The longest wait for an invoice to be settled: a day, so that no deadline is beyond what a clock can say.
const MAX_WAIT: Duration = Duration::from_secs(86_400);

/// A sandbox wallet: it plays Lightning with the other wallets of a shared folder, and **moves no money**.
///
/// The invoices are real BOLT11, signed by the wallet's key, on regtest. Instead of a payment through channels, the payer
/// takes the preimage from the folder, where the payee has put it, and leaves a note that the invoice is paid. So
/// everything that a mesh does with a payment is as it will be with a Lightning node, but a proof proves nothing.
pub struct SandboxLightning {
    folder: Folder,
    curve: Secp256k1<SignOnly>,
    secret: SecretKey,
    payee_key: PublicKey,
    clock: Arc<dyn Clock>,
    is_silent: AtomicBool,
}

/// What a sandbox wallet has received and sent. It is play money: there is no bound on what can be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SandboxBalance {
    /// Received.
    pub received: Msat,
    /// Sent.
    pub sent: Msat,
}

/// Why a sandbox wallet cannot be opened or read.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// A sandbox invoice must not look like real money.
    #[error("the sandbox wallet proves no money and works on regtest alone, not on {network}")]
    Network {
        /// The network that was asked for.
        network: Network,
    },
    /// The 32 bytes are no secret key.
    #[error("the sandbox wallet's key is not a secp256k1 secret key")]
    Key,
    /// The folder cannot be used.
    #[error("the sandbox folder {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl SandboxLightning {
    /// Opens the wallet of a key in a folder, which is made when it is not there.
    ///
    /// # Errors
    /// [`SandboxError`]; any network but regtest is one.
    pub fn open(
        folder: &Path,
        secret: &[u8; 32],
        network: Network,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SandboxError> {
        if network != Network::Regtest {
            return Err(SandboxError::Network { network });
        }
        let secret = SecretKey::from_slice(secret).map_err(|_| SandboxError::Key)?;
        let curve = Secp256k1::signing_only();
        let payee_key = secret.public_key(&curve);
        let opened = Folder::open(folder, &payee_key.serialize());
        let folder = opened.map_err(|source| SandboxError::Folder {
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            folder,
            curve,
            secret,
            payee_key,
            clock,
            is_silent: AtomicBool::new(false),
        })
    }

    /// Tells from now on nothing of what it receives, as a wallet does that cannot: proofs alone are credited.
    pub fn fall_silent(&self) {
        self.is_silent.store(true, Ordering::Relaxed);
    }

    /// The compressed public key that signs this wallet's invoices.
    pub fn payee_key(&self) -> [u8; 33] {
        self.payee_key.serialize()
    }

    /// Adds up what the folder says of this wallet.
    ///
    /// # Errors
    /// [`SandboxError::Folder`] when it cannot be read.
    pub fn balance(&self) -> Result<SandboxBalance, SandboxError> {
        let payee = self.payee_key();
        let mut balance = SandboxBalance::default();
        let summed = self.folder.each_settled(|payee_of, settled| {
            let amount = Msat::from_msat(settled.amount_msat);
            let add = |sum: Msat| sum.checked_add(amount).unwrap_or(Msat::MAX);
            if payee_of == payee {
                balance.received = add(balance.received);
            }
            if settled.payer == blvm_mesh::to_hex(&payee) {
                balance.sent = add(balance.sent);
            }
        });
        summed.map_err(|source| SandboxError::Folder {
            path: self.folder.path().to_owned(),
            source,
        })?;
        Ok(balance)
    }

    fn sign(&self, request: &InvoiceRequest, hash: sha256::Hash) -> Result<String, LightningError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| cannot_reach(error.to_string()))?;
        let made_at = Duration::from_secs(self.clock.now().to_secs());
        let invoice = InvoiceBuilder::new(Currency::Regtest)
            .amount_milli_satoshis(request.amount.to_msat())
            .description(request.description.clone())
            .payment_hash(hash)
            .payment_secret(PaymentSecret(secret))
            .duration_since_epoch(made_at)
            .expiry_time(request.expiry)
            .min_final_cltv_expiry_delta(FINAL_CLTV_DELTA)
            .build_signed(|digest| self.curve.sign_ecdsa_recoverable(digest, &self.secret));
        match invoice {
            Ok(invoice) => Ok(invoice.to_string()),
            Err(error) => Err(LightningError::Refused(format!("sandbox: {error}"))),
        }
    }

    fn settled(&self, place: u64) -> io::Result<Vec<SettledInvoice>> {
        let payee = self.payee_key();
        let mut told = Vec::new();
        for (place, payment_hash) in self.folder.settled_behind(place, MAX_SETTLED)? {
            let lost = || io::Error::other("a note of a payment that was there is gone");
            let settled = self.folder.settled(&payee, &payment_hash)?;
            let invoiced = self.folder.invoice(&payee, &payment_hash)?;
            told.push(SettledInvoice {
                payment_hash,
                description: invoiced.map(|it| it.description).unwrap_or_default(),
                amount: Msat::from_msat(settled.ok_or_else(lost)?.amount_msat),
                place,
            });
        }
        Ok(told)
    }

    /// Checks what a wallet checks before it pays; answers with the amount.
    fn check(&self, invoice: &Bolt11Invoice) -> Result<Msat, LightningError> {
        if invoice.currency() != Currency::Regtest {
            return Err(failed("the sandbox pays regtest invoices alone"));
        }
        let now = Duration::from_secs(self.clock.now().to_secs());
        if invoice.expires_at().is_none_or(|end| end <= now) {
            return Err(failed("the invoice has expired"));
        }
        if invoice.recover_payee_pub_key() == self.payee_key {
            return Err(failed("a wallet does not pay itself"));
        }
        let amount = invoice.amount_milli_satoshis().filter(|msat| *msat > 0);
        amount
            .map(Msat::from_msat)
            .ok_or_else(|| failed("the invoice names no amount"))
    }
}

// The files are small and local, so they are read and written in place, without threads of their own.
#[async_trait]
impl LightningNode for SandboxLightning {
    async fn info(&self) -> Result<LightningInfo, LightningError> {
        Ok(LightningInfo {
            payee_key: self.payee_key(),
            network: Network::Regtest,
            takes_preimages: true,
            is_shared: false,
        })
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<String, LightningError> {
        if request.amount == Msat::ZERO {
            return Err(LightningError::Refused(
                "sandbox: an invoice asks for more than nothing".to_owned(),
            ));
        }
        let hash = sha256::Hash::hash(&request.preimage);
        let invoice = self.sign(&request, hash)?;
        let now = self.clock.now();
        let record = Invoiced {
            preimage: blvm_mesh::to_hex(&request.preimage),
            amount_msat: request.amount.to_msat(),
            description: request.description,
            expires_at: now.plus(request.expiry).to_secs(),
        };
        let put = self.folder.put_invoice(&hash.to_byte_array(), &record, now);
        match put.map_err(|error| cannot_reach(error.to_string()))? {
            Once::First => Ok(invoice),
            Once::Again => Err(LightningError::Refused(
                "sandbox: there is an invoice for this preimage already".to_owned(),
            )),
            Once::Full => Err(LightningError::Refused(
                "sandbox: too many of this wallet's invoices are unpaid".to_owned(),
            )),
        }
    }

    async fn pay_invoice(
        &self,
        invoice: &str,
        _: PayLimits,
    ) -> Result<PaidInvoice, LightningError> {
        let invoice: Bolt11Invoice = invoice
            .parse()
            .map_err(|error| failed(format!("not a BOLT11 invoice: {error}")))?;
        let amount = self.check(&invoice)?;
        let payee = invoice.recover_payee_pub_key().serialize();
        let hash = invoice.payment_hash().to_byte_array();
        let issued = self.folder.invoice(&payee, &hash);
        let issued = issued
            .map_err(|error| cannot_reach(error.to_string()))?
            .ok_or_else(|| failed("no wallet of this sandbox folder has issued the invoice"))?;
        let preimage: [u8; 32] = blvm_mesh::from_hex(&issued.preimage)
            .map_err(|error| failed(format!("the folder's preimage: {error}")))?;
        if sha256::Hash::hash(&preimage).to_byte_array() != hash
            || issued.amount_msat != amount.to_msat()
        {
            return Err(failed(
                "the folder knows the invoice otherwise than it reads",
            ));
        }
        let settled = Settled {
            payer: blvm_mesh::to_hex(&self.payee_key()),
            amount_msat: amount.to_msat(),
        };
        let put = self.folder.put_settled(&payee, &hash, &settled);
        let is_ours = match put.map_err(|error| cannot_reach(error.to_string()))? {
            Once::First => true,
            Once::Again | Once::Full => {
                let paid = self.folder.settled(&payee, &hash);
                let paid = paid.map_err(|error| cannot_reach(error.to_string()))?;
                paid.is_some_and(|paid| paid == settled)
            }
        };
        if is_ours {
            Ok(PaidInvoice {
                preimage,
                fee: Msat::ZERO,
            })
        } else {
            Err(failed("the invoice is paid already, by another wallet"))
        }
    }

    async fn incoming(&self, payment_hash: [u8; 32]) -> Result<Incoming, LightningError> {
        let payee = self.payee_key();
        let unreadable = |error: io::Error| cannot_reach(error.to_string());
        if let Some(settled) = self
            .folder
            .settled(&payee, &payment_hash)
            .map_err(unreadable)?
        {
            let amount = Msat::from_msat(settled.amount_msat);
            return Ok(Incoming::Settled { amount });
        }
        let invoice = self.folder.invoice(&payee, &payment_hash);
        let invoice = invoice.map_err(unreadable)?;
        Ok(invoice.map_or(Incoming::NotOurs, |_| Incoming::Unpaid))
    }

    async fn outgoing(&self, payment_hash: [u8; 32]) -> Result<Outgoing, LightningError> {
        let unreadable = |error: io::Error| cannot_reach(error.to_string());
        let own = blvm_mesh::to_hex(&self.payee_key());
        for payee in self.folder.payees().map_err(unreadable)? {
            let settled = self.folder.settled(&payee, &payment_hash);
            if settled
                .map_err(unreadable)?
                .is_none_or(|it| it.payer != own)
            {
                continue;
            }
            let issued = self.folder.invoice(&payee, &payment_hash);
            let issued = issued.map_err(unreadable)?;
            let issued = issued.ok_or_else(|| failed("the folder has lost a paid invoice"))?;
            let preimage = blvm_mesh::from_hex(&issued.preimage)
                .map_err(|error| failed(format!("the folder's preimage: {error}")))?;
            return Ok(Outgoing::Paid(PaidInvoice {
                preimage,
                fee: Msat::ZERO,
            }));
        }
        Ok(Outgoing::NotPaid)
    }

    async fn settled_behind(
        &self,
        place: u64,
        patience: Duration,
    ) -> Result<Vec<SettledInvoice>, LightningError> {
        let until = Instant::now() + patience.min(MAX_WAIT);
        loop {
            if self.is_silent.load(Ordering::Relaxed) {
                let reason = "sandbox: it does not tell what it receives".to_owned();
                return Err(LightningError::Refused(reason));
            }
            let told = self.settled(place);
            let told = told.map_err(|error| cannot_reach(error.to_string()))?;
            let left = until.saturating_duration_since(Instant::now());
            if !told.is_empty() || left.is_zero() {
                return Ok(told);
            }
            sleep(left.min(POLL)).await;
        }
    }
}

fn cannot_reach(why: String) -> LightningError {
    LightningError::Unreachable(format!("sandbox: {why}"))
}

fn failed(why: impl fmt::Display) -> LightningError {
    LightningError::PaymentFailed(format!("sandbox: {why}"))
}

impl fmt::Debug for SandboxLightning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxLightning")
            .field("folder", &self.folder)
            .field("payee_key", &self.payee_key)
            .finish_non_exhaustive()
    }
}
