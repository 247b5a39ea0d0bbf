use super::{
    digest::LineDigest,
    line::{EXPORT_VERSION, FORMAT, Header, Hex, Line},
    pages::each,
    totals::{self, Counts, Exported},
};
use crate::{
    backend::Snapshot,
    record::{Account, ClaimRecord, Debit, Deposit, PaymentLine},
};
use mesh_types::{DaySpent, NodeId, PaymentProof, Refund, StoreError, Watched};
use serde::Serialize;
use std::io::{self, Write};
use thiserror::Error;

/// Why an export is not whole.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The export cannot be written.
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
}

/// Writes all that `books` hold.
pub(super) async fn export(
    books: &mut dyn Snapshot,
    into: impl Write + Send,
) -> Result<Exported, ExportError> {
    let totals = totals::sum(books).await?;
    let mut out = Out {
        into,
        digest: LineDigest::default(),
        line: Vec::new(),
    };
    out.write(&Header {
        format: FORMAT.to_owned(),
        version: EXPORT_VERSION,
        totals,
        next_sequence: books.next_sequence().await?,
        swept_at_ms: books.swept_at().await?,
    })?;
    if let Some(secret) = books.identity().await? {
        let secret = Hex(secret);
        out.write(&Line::Identity { secret })?;
    }
    let counts = lists(books, &mut out).await?;
    out.end(Exported {
        totals,
        counts,
        sha256: [0; 32],
    })
}

async fn lists<W: Write + Send>(
    books: &mut dyn Snapshot,
    out: &mut Out<W>,
) -> Result<Counts, ExportError> {
    let mut counts = Counts::default();
    each!(books.accounts from None, by |account: &Account| account.payer, |account| {
        out.count(&mut counts.accounts, Line::from(account))?;
    });
    each!(books.deposits from None, by |deposit: &Deposit| deposit.serial, |deposit| {
        out.count(&mut counts.deposits, Line::from(deposit))?;
    });
    each!(books.debits from None, by |debit: &Debit| (debit.period, debit.payer), |debit| {
        out.count(&mut counts.debits, Line::from(debit))?;
    });
    each!(books.claims from None, by |claim: &ClaimRecord| claim.key, |claim| {
        out.count(&mut counts.claims, Line::from(claim))?;
    });
    each!(books.watched from None, by |watched: &Watched| watched.key, |watched| {
        out.count(&mut counts.watched, Line::from(watched))?;
    });
    each!(books.payments from None, by |line: &PaymentLine| line.serial, |line| {
        out.count(&mut counts.payments, Line::from(line))?;
    });
    each!(books.spent from None, by |day: &DaySpent| (day.day, day.payee), |day| {
        out.count(&mut counts.spent, Line::from(day))?;
    });
    each!(books.refunds from None, by |refund: &Refund| refund.payment_hash, |refund| {
        out.count(&mut counts.refunds, Line::from(refund))?;
    });
    for (payee, proof) in in_order(books.kept_proofs().await?)? {
        out.count(&mut counts.proofs, Line::Proof { payee, proof })?;
    }
    Ok(counts)
}

/// Proofs by their payees, and those of one payee by their text: so that one ledger makes one export.
fn in_order(
    proofs: Vec<(NodeId, PaymentProof)>,
) -> Result<Vec<(NodeId, PaymentProof)>, ExportError> {
    let keyed = proofs.into_iter().map(|(payee, proof)| {
        let text = serde_json::to_vec(&proof).map_err(io::Error::from)?;
        Ok(((payee, text), proof))
    });
    let mut keyed = keyed.collect::<Result<Vec<_>, ExportError>>()?;
    keyed.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let proofs = keyed.into_iter().map(|((payee, _), proof)| (payee, proof));
    Ok(proofs.collect())
}

/// Where the lines go, and what they come to.
struct Out<W> {
    into: W,
    digest: LineDigest,
    /// Kept from line to line for its room.
    line: Vec<u8>,
}

impl<W: Write> Out<W> {
    fn write(&mut self, line: &impl Serialize) -> Result<(), ExportError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line).map_err(io::Error::from)?;
        self.digest.add(&self.line);
        self.line.push(b'\n');
        self.into.write_all(&self.line)?;
        Ok(())
    }

    fn count(&mut self, count: &mut u64, line: Line) -> Result<(), ExportError> {
        *count = count.saturating_add(1);
        self.write(&line)
    }

    fn end(mut self, exported: Exported) -> Result<Exported, ExportError> {
        let sha256 = std::mem::take(&mut self.digest).finish();
        self.write(&Line::End {
            counts: exported.counts,
            totals: exported.totals,
            sha256: Hex(sha256),
        })?;
        self.into.flush()?;
        Ok(Exported { sha256, ..exported })
    }
}
