use super::{
    checked::{CheckedLines, ImportError},
    pages::PAGE,
    totals::Exported,
};
use crate::{record::Record, writer::Writer};
use mesh_types::StoreError;
use std::io::{self, BufRead};
use tokio::sync::mpsc;

/// How many pages are read ahead of the store.
///
/// Four, because reading then never waits for one write, and a page takes some hundred KiB.
const PAGES_AHEAD: usize = 4;

/// Reads an export on a thread of its own, and fills the store with it.
pub(super) async fn import(
    writer: &Writer,
    from: impl BufRead + Send + 'static,
) -> Result<Exported, ImportError> {
    let (pages, records) = mpsc::channel(PAGES_AHEAD);
    let reading = tokio::task::spawn_blocking(move || feed(from, &pages));
    let imported = writer.import(records).await;
    let read = reading
        .await
        .map_err(|error| ImportError::Read(io::Error::other(error)))?;
    match (read, imported) {
        (Ok(Some(exported)), Ok(())) => Ok(exported),
        // What is wrong with the export is why the store has nothing.
        (Err(error), _) => Err(error),
        (Ok(_), Err(error)) => Err(error.into()),
        (Ok(None), Ok(())) => Err(ImportError::Store(StoreError::Unknown(
            "it was satisfied before the end".to_owned(),
        ))),
    }
}

/// Sends all records, and [`Record::End`] once the export was found to be whole; `None` when the store stopped listening.
fn feed(
    from: impl BufRead,
    pages: &mpsc::Sender<Vec<Record>>,
) -> Result<Option<Exported>, ImportError> {
    let mut lines = CheckedLines::new(from);
    let mut page = Vec::with_capacity(PAGE);
    while let Some(record) = lines.next_record()? {
        page.push(record);
        if page.len() >= PAGE && pages.blocking_send(std::mem::take(&mut page)).is_err() {
            return Ok(None);
        }
    }
    let exported = lines.exported()?;
    page.push(Record::End);
    Ok(pages.blocking_send(page).ok().map(|()| exported))
}
