use super::{
    Lnd,
    answer::{Listed, Page, failure, read, read_line},
};
use crate::{MAX_WAIT, call::CallError, http::Answering};
use hyper::Method;
use mesh_types::{MAX_SETTLED, SettledInvoice};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The place of the first invoice that a node has settled.
const FIRST: u64 = 1;

/// Invoices that are listed at one time: fifty, because one takes two thousand bytes, and with a hundred parts still less
/// than the longest answer's share.
const PAGE_LEN: u64 = 50;

/// Pages that are looked through for the first settled invoice: a million invoices, of which none was paid, are no node's.
const MAX_PAGES: u32 = 20_000;

/// The least time in which LND has to begin to tell what it has: a second, because a node of many years reads its list for
/// a part of that.
const LEAST_WAIT: Duration = Duration::from_secs(1);

/// How long more is read after the first: what LND has is on its way then.
const LINGER: Duration = Duration::from_millis(300);

/// The most that is read of a stream, in bytes: it tells of each invoice that is issued, too, and a busy shop issues as
/// many in an hour.
const MAX_STREAM_LEN: usize = 64 << 20;

impl Lnd {
    /// What is settled behind a place.
    ///
    /// The stream tells exactly that, in its order, and goes on with what is settled now. But it takes place 0 for "nothing
    /// of the past": it is asked from the first on then, and the first is looked for in the list, before, so that it is
    /// not waited for, and after, where it may have been settled between the two.
    pub(super) async fn told_behind(
        &self,
        place: u64,
        patience: Duration,
    ) -> Result<Vec<SettledInvoice>, CallError> {
        if place == 0
            && let Some(first) = self.first_settled().await?
        {
            return Ok(vec![first]);
        }
        let mut told = self.streamed(place, patience).await?;
        if place == 0 && told.first().is_none_or(|invoice| invoice.place > FIRST) {
            told.splice(0..0, self.first_settled().await?);
        } else if told.is_empty() {
            // A stream that has nothing to tell does not even begin an answer: is anybody there?
            self.page(0, 1).await?;
        }
        Ok(told)
    }

    async fn page(&self, behind: u64, len: u64) -> Result<Page, CallError> {
        let path = format!("/v1/invoices?index_offset={behind}&num_max_invoices={len}");
        read(&self.http.ask(Method::GET, &path, None).await?)
    }

    async fn first_settled(&self) -> Result<Option<SettledInvoice>, CallError> {
        let mut behind = 0;
        for _ in 0..MAX_PAGES {
            let page = self.page(behind, PAGE_LEN).await?;
            if page.invoices.is_empty() || page.last_index_offset <= behind {
                return Ok(None);
            }
            behind = page.last_index_offset;
            for listed in page.invoices {
                let settled = listed.settled_behind(0)?;
                if settled.as_ref().is_some_and(|it| it.place == FIRST) {
                    return Ok(settled);
                }
            }
        }
        Err(CallError::Refused {
            code: 0,
            message: "LND has too many invoices to look for the first one that was paid".to_owned(),
        })
    }

    async fn streamed(
        &self,
        place: u64,
        patience: Duration,
    ) -> Result<Vec<SettledInvoice>, CallError> {
        let from = place.max(FIRST);
        let path = format!("/v1/invoices/subscribe?settle_index={from}");
        let patience = patience.clamp(LEAST_WAIT, MAX_WAIT);
        let until = Instant::now() + patience;
        let started = self.http.start_within(Method::GET, &path, patience);
        let Some(mut stream) = started.await? else {
            return Ok(Vec::new());
        };
        if stream.status() != 200 {
            return Err(failure(&stream.whole().await?));
        }
        let mut told = Vec::new();
        match read_settled(&mut stream, place, until, &mut told).await {
            // What was told before it went wrong is good, and the rest is told the next time.
            Err(error) if told.is_empty() => Err(error),
            _ => {
                told.sort_by_key(|invoice: &SettledInvoice| invoice.place);
                told.dedup();
                Ok(told)
            }
        }
    }
}

/// Waits for a first one, and then takes those that come with it.
async fn read_settled(
    stream: &mut Answering,
    place: u64,
    mut until: Instant,
    told: &mut Vec<SettledInvoice>,
) -> Result<(), CallError> {
    let mut len = 0_usize;
    while told.len() < MAX_SETTLED {
        let Ok(line) = timeout_at(until, stream.line()).await else {
            return Ok(());
        };
        let ended = || CallError::Lost("LND stopped telling of invoices".to_owned());
        let line = line?.ok_or_else(ended)?;
        len = len.saturating_add(line.len());
        if len > MAX_STREAM_LEN {
            return Err(CallError::Lost(format!(
                "what LND tells of invoices is longer than {MAX_STREAM_LEN} bytes"
            )));
        }
        let listed: Listed = read_line(&line)?;
        if let Some(settled) = listed.settled_behind(place)? {
            if told.is_empty() {
                until = Instant::now() + LINGER;
            }
            told.push(settled);
        }
    }
    Ok(())
}
