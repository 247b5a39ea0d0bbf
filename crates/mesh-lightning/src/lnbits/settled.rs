use super::{
    Lnbits, PAYMENTS,
    answer::{Listed, Settled, read},
};
use crate::{MAX_WAIT, call::CallError};
use hyper::Method;
use mesh_types::{MAX_SETTLED, SettledInvoice};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How often LNbits is asked for what is settled: every two seconds, which a payer does not mind, and a server that counts
/// the requests of an address (two hundred a minute, unless it was changed) does not either.
const POLL: Duration = Duration::from_secs(2);

/// How late LNbits may show what it has settled, by its own clock, in microseconds: an hour, in which a database recovers,
/// and a clock is put right. For as long it is looked at again.
const LATE_MICROS: u64 = 3_600_000_000;

/// Payments that are listed at one time: a hundred, because one takes 1,500 bytes, and with much that extensions have
/// added still less than the longest answer's share.
const PAGE_LEN: usize = 100;

/// Pages that are looked through: a hundred thousand invoices of a wallet.
const MAX_PAGES: usize = 1_000;

/// Told invoices that are remembered: as many as are looked through. They take 5 MB.
const MAX_TOLD: usize = PAGE_LEN * MAX_PAGES;

/// What was told of, until LNbits would not show anything of the same time any more.
///
/// LNbits has no list that only grows, but a time for each payment, which it takes some time before others can see the
/// payment. So a place is such a time, and what is a little older than the place is looked at, too: it is told if it was
/// not told before, as something that has just been settled. It counts as told when somebody asks behind the place that
/// it was told with, so it is told again to a caller that lost the answer.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<[u8; 32], (u64, u64)>>);

impl Told {
    /// The places with which invoices were told, and their times.
    fn places(&self) -> MutexGuard<'_, HashMap<[u8; 32], (u64, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves those alone that a caller at `place` has not had.
    fn keep_new(&self, place: u64, found: &mut Vec<Settled>) {
        let places = self.places();
        found.retain(|settled| {
            let told = places.get(&settled.payment_hash);
            told.is_none_or(|(told, _)| *told > place)
        });
    }

    /// Gives places that none has that was told before `place`, in the order of time, and remembers them.
    fn tell(&self, place: u64, found: Vec<Settled>) -> Vec<SettledInvoice> {
        let mut places = self.places();
        places.retain(|_, (_, micros)| *micros >= place.saturating_sub(LATE_MICROS));
        if places.len() >= MAX_TOLD {
            places.clear();
        }
        let mut last = place;
        let tell = |settled: Settled| {
            last = settled.micros.max(last.saturating_add(1));
            places.insert(settled.payment_hash, (last, settled.micros));
            SettledInvoice {
                payment_hash: settled.payment_hash,
                description: settled.description,
                amount: settled.amount,
                place: last,
            }
        };
        found.into_iter().map(tell).collect()
    }
}

impl Lnbits {
    pub(super) async fn told_behind(
        &self,
        place: u64,
        patience: Duration,
    ) -> Result<Vec<SettledInvoice>, CallError> {
        let until = Instant::now() + patience.min(MAX_WAIT);
        loop {
            let found = self.settled_since(place).await?;
            if !found.is_empty() {
                return Ok(self.told.tell(place, found));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Vec::new());
            }
            sleep(left.min(POLL)).await;
        }
    }

    /// The oldest that a caller at `place` has not had, the oldest first.
    async fn settled_since(&self, place: u64) -> Result<Vec<Settled>, CallError> {
        let since = place.saturating_sub(LATE_MICROS);
        let mut found = Vec::new();
        for page in 0..MAX_PAGES {
            let offset = page.saturating_mul(PAGE_LEN);
            let listed = self.page(offset).await?;
            let is_last = listed.len() < PAGE_LEN;
            let mut is_old = false;
            for each in listed {
                if let Some(settled) = each.settled()? {
                    is_old |= settled.micros < since;
                    found.push(settled);
                }
            }
            found.retain(|settled| settled.micros >= since);
            self.told.keep_new(place, &mut found);
            found.sort_by_key(|settled| (settled.micros, settled.payment_hash));
            found.dedup_by_key(|settled| settled.payment_hash);
            found.truncate(MAX_SETTLED);
            if is_last || is_old {
                return Ok(found);
            }
        }
        Err(CallError::Refused {
            code: 0,
            message: format!(
                "LNbits lists more than {MAX_TOLD} paid invoices: take another wallet for the mesh"
            ),
        })
    }

    /// What came in, the newest first.
    async fn page(&self, offset: usize) -> Result<Vec<Listed>, CallError> {
        let path = format!(
            "{PAYMENTS}?status=success&amount%5Bgt%5D=0&sortby=updated_at&direction=desc&limit={PAGE_LEN}&offset={offset}"
        );
        read(&self.http.ask(Method::GET, &path, None).await?)
    }
}
