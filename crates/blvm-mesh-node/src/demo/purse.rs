use super::{
    check::differs,
    error::Cause,
    stage::{Actor, Money, PATIENCE},
};
use crate::SandboxError;
use blvm_mesh::{LightningError, LightningNode, MeshError, Msat, Outgoing, PaidInvoice};
use std::{io, sync::Arc, time::Duration};
use tokio::time::timeout;

impl Money {
    /// What the wallet of a node is called.
    pub(super) const fn wallet(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox wallet",
            Self::Lightning => "Lightning node",
        }
    }
}

impl Actor {
    /// What the node's wallet has received, once it is as much as `expected`, or it is late.
    pub(super) async fn received(&self, expected: Msat) -> Result<Msat, Cause> {
        if let Some(sandbox) = self.node.sandbox() {
            return Ok(sandbox.balance().map_err(no_folder)?.received);
        }
        let wallet = self.wallet()?;
        let (mut sum, mut place) = (Msat::ZERO, 0);
        // A payee notes a payment a moment after its payer knows of it.
        let counting = async {
            while sum < expected {
                let settled = wallet.settled_behind(place, PATIENCE).await?;
                for invoice in settled {
                    place = invoice.place;
                    sum = sum.checked_add(invoice.amount).unwrap_or(Msat::MAX);
                }
            }
            let more = wallet.settled_behind(place, Duration::ZERO).await?;
            for invoice in more {
                sum = sum.checked_add(invoice.amount).unwrap_or(Msat::MAX);
            }
            Ok::<_, LightningError>(())
        };
        if let Ok(counted) = timeout(PATIENCE, counting).await {
            counted.map_err(asking)?;
        }
        Ok(sum)
    }

    /// What the node's wallet has sent in the story.
    pub(super) async fn sent(&self) -> Result<Msat, Cause> {
        if let Some(sandbox) = self.node.sandbox() {
            return Ok(sandbox.balance().map_err(no_folder)?.sent);
        }
        let mut sum = Msat::ZERO;
        for (amount, hash) in &self.payments {
            self.paid_for(*hash).await?;
            sum = sum.checked_add(*amount).unwrap_or(Msat::MAX);
        }
        Ok(sum)
    }

    /// What the node's wallet says of a payment that it made.
    pub(super) async fn paid_for(&self, hash: [u8; 32]) -> Result<PaidInvoice, Cause> {
        match self.wallet()?.outgoing(hash).await.map_err(asking)? {
            Outgoing::Paid(paid) => Ok(paid),
            other => Err(differs("what became of the payment", "paid", other)),
        }
    }

    /// Who signs the invoices of the node.
    pub(super) async fn payee_key(&self) -> Result<[u8; 33], Cause> {
        Ok(self.wallet()?.info().await.map_err(asking)?.payee_key)
    }

    fn wallet(&self) -> Result<&Arc<dyn LightningNode>, Cause> {
        let wallet = self.node.lightning();
        wallet.ok_or_else(|| differs("the node's wallet", "one", "none"))
    }
}

fn no_folder(error: SandboxError) -> Cause {
    io::Error::other(error.to_string()).into()
}

pub(super) fn asking(error: LightningError) -> Cause {
    Cause::Mesh {
        doing: "asking a wallet",
        source: MeshError::LightningError(error.to_string()),
    }
}
