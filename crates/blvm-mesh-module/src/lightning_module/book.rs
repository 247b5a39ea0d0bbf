use blvm_mesh::{Invoice, MAX_SETTLED, Msat, SettledInvoice, UnixTime};
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition, WriteTransaction,
};
use std::{
    fmt,
    fs::DirBuilder,
    io,
    ops::Bound,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use thiserror::Error;

/// The most invoices that may be open at one time: sixteen thousand, because each is asked about again and again, and what
/// nobody pays is forgotten an hour after it has expired.
pub const MAX_OPEN_INVOICES: u64 = 16_384;

/// How long an invoice is asked about after its end: an hour, in which a payment that was on its way then has arrived.
const AFTER_ITS_END: Duration = Duration::from_secs(3_600);

type Hash = [u8; 32];

/// By payment hash: the text of an invoice that is not paid.
const OPEN: TableDefinition<'_, &Hash, &str> = TableDefinition::new("open");
/// By payment hash: the place of one that is.
const PLACES: TableDefinition<'_, &Hash, u64> = TableDefinition::new("places");
/// By place: payment hash, what has arrived in millisatoshi, and the text.
const SETTLED: TableDefinition<'_, u64, (&Hash, u64, &str)> = TableDefinition::new("settled");
/// When which invoice may be forgotten, in seconds, if it is not one that has still to be told of.
const ENDS: TableDefinition<'_, (u64, &Hash), ()> = TableDefinition::new("ends");

/// The invoices that the module has issued for this mesh, in a file of their own: it tells of one only to who shows it.
pub(super) struct Book {
    file: Database,
    /// Up to which place the mesh has been told of all that is settled.
    told: AtomicU64,
}

/// What is noted of an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// Its text.
    Open(String),
    /// What has arrived.
    Settled(Msat),
}

/// Why what was issued cannot be noted or found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BookError {
    /// The folder cannot be made.
    #[error("the folder of the notes on invoices cannot be made: {0}")]
    Folder(io::Error),
    /// The file cannot be read or written.
    #[error("the notes on invoices, blvm-lightning.redb: {0}")]
    File(Box<redb::Error>),
    /// So many invoices wait to be paid.
    #[error("{MAX_OPEN_INVOICES} invoices wait to be paid already")]
    Full,
}

impl BookError {
    /// Whether another program has the notes open.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self, Self::File(error) if matches!(**error, redb::Error::DatabaseAlreadyOpen))
    }
}

impl<E: Into<redb::Error>> From<E> for BookError {
    fn from(error: E) -> Self {
        Self::File(Box::new(error.into()))
    }
}

impl Book {
    /// Opens the notes in a folder, which may hold other files.
    pub(super) fn open(folder: &Path) -> Result<Self, BookError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(BookError::Folder)?;
        let file = Database::create(folder.join("blvm-lightning.redb"))?;
        let write = file.begin_write()?;
        write.open_table(OPEN)?;
        write.open_table(PLACES)?;
        write.open_table(SETTLED)?;
        write.open_table(ENDS)?;
        write.commit()?;
        Ok(Self {
            file,
            told: AtomicU64::new(0),
        })
    }

    /// Forgets what is over where there is no room for one more.
    ///
    /// # Errors
    /// [`BookError::Full`] when that makes none.
    pub(super) fn make_room(&self, now: UnixTime) -> Result<(), BookError> {
        let open = self.file.begin_read()?.open_table(OPEN)?.len()?;
        if open < MAX_OPEN_INVOICES {
            return Ok(());
        }
        let write = self.file.begin_write()?;
        self.forget_over(&write, now)?;
        if write.open_table(OPEN)?.len()? >= MAX_OPEN_INVOICES {
            return Err(BookError::Full);
        }
        Ok(write.commit()?)
    }

    /// Notes an invoice that is about to be handed out, and forgets what is over.
    pub(super) fn issue(
        &self,
        hash: &Hash,
        text: &str,
        over: UnixTime,
        now: UnixTime,
    ) -> Result<(), BookError> {
        let write = self.file.begin_write()?;
        self.forget_over(&write, now)?;
        {
            let mut open = write.open_table(OPEN)?;
            if open.len()? >= MAX_OPEN_INVOICES {
                return Err(BookError::Full);
            }
            open.insert(hash, text)?;
            let end = over.plus(AFTER_ITS_END).to_secs();
            write.open_table(ENDS)?.insert((end, hash), ())?;
        }
        Ok(write.commit()?)
    }

    fn forget_over(&self, write: &WriteTransaction, now: UnixTime) -> Result<(), BookError> {
        let mut open = write.open_table(OPEN)?;
        let mut ends = write.open_table(ENDS)?;
        let mut places = write.open_table(PLACES)?;
        let mut settled = write.open_table(SETTLED)?;
        let told = self.told.load(Ordering::Relaxed);
        let past = ..(now.to_secs(), &[0; 32]);
        for ended in ends.extract_from_if(past, |_, ()| true)? {
            let (key, _) = ended?;
            let (_, hash) = key.value();
            open.remove(hash)?;
            let place = places.get(hash)?.map(|place| place.value());
            // What has not been told of is kept for good, as nobody knows when it will be.
            if let Some(place) = place.filter(|place| *place <= told) {
                places.remove(hash)?;
                settled.remove(place)?;
            }
        }
        Ok(())
    }

    /// Notes that an invoice is paid, and gives it a place behind all others; one that has a place keeps it.
    pub(super) fn settle(&self, hash: &Hash, amount: Msat, now: UnixTime) -> Result<(), BookError> {
        let write = self.file.begin_write()?;
        {
            let mut open = write.open_table(OPEN)?;
            let mut settled = write.open_table(SETTLED)?;
            // Paid and noted by another meanwhile, or over and forgotten.
            let Some(text) = open.remove(hash)? else {
                return Ok(());
            };
            let last = settled.last()?.map_or(0, |(place, _)| place.value());
            let last = last.max(self.told.load(Ordering::Relaxed));
            // Of a clock, so that places go on where a file is lost.
            let micros = now.to_millis().saturating_mul(1_000);
            let place = micros.max(last.saturating_add(1));
            settled.insert(place, (hash, amount.to_msat(), text.value()))?;
            write.open_table(PLACES)?.insert(hash, place)?;
        }
        Ok(write.commit()?)
    }

    /// What is noted of the invoice of a payment hash.
    pub(super) fn find(&self, hash: &Hash) -> Result<Option<Note>, BookError> {
        let read = self.file.begin_read()?;
        if let Some(text) = read.open_table(OPEN)?.get(hash)? {
            return Ok(Some(Note::Open(text.value().to_owned())));
        }
        let Some(place) = read.open_table(PLACES)?.get(hash)? else {
            return Ok(None);
        };
        let settled = read.open_table(SETTLED)?.get(place.value())?;
        Ok(settled.map(|row| Note::Settled(Msat::from_msat(row.value().1))))
    }

    /// Open invoices, those behind a payment hash first, each once.
    pub(super) fn open_behind(
        &self,
        hash: &Hash,
        most: usize,
    ) -> Result<Vec<(Hash, String)>, BookError> {
        let read = self.file.begin_read()?;
        let open = read.open_table(OPEN)?;
        let rest = open.range::<&Hash>((Bound::Excluded(hash), Bound::Unbounded))?;
        let mut found = Vec::new();
        for row in rest.chain(open.range::<&Hash>(..=hash)?).take(most) {
            let (hash, text) = row?;
            found.push((*hash.value(), text.value().to_owned()));
        }
        Ok(found)
    }

    /// The invoices that were settled behind a place, the oldest first. Those up to the place have been told.
    pub(super) fn settled_behind(&self, place: u64) -> Result<Vec<SettledInvoice>, BookError> {
        self.told.fetch_max(place, Ordering::Relaxed);
        let read = self.file.begin_read()?;
        let settled = read.open_table(SETTLED)?;
        let mut found = Vec::new();
        for row in settled.range(place.saturating_add(1)..)?.take(MAX_SETTLED) {
            let (place, row) = row?;
            let (hash, amount, text) = row.value();
            let invoice = Invoice::parse(text).ok();
            let description = invoice.as_ref().and_then(Invoice::description);
            found.push(SettledInvoice {
                payment_hash: *hash,
                description: description.unwrap_or_default().to_owned(),
                amount: Msat::from_msat(amount),
                place: place.value(),
            });
        }
        Ok(found)
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("told", &self.told)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Book {
    /// Opens as many invoices as may be, but for `but`, which never end.
    pub(super) fn fill(&self, but: u64) {
        let write = self.file.begin_write().unwrap();
        let mut open = write.open_table(OPEN).unwrap();
        for number in but..MAX_OPEN_INVOICES {
            open.insert(&tests::hash(number), "lnbcrt1").unwrap();
        }
        drop(open);
        write.commit().unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const END: UnixTime = UnixTime::from_secs(1_800_000_600);
    const AMOUNT: Msat = Msat::from_msat(5);

    fn book() -> (Book, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Book::open(folder.path()).unwrap(), folder)
    }

    pub(super) fn hash(number: u64) -> Hash {
        let mut hash = [0; 32];
        hash[24..].copy_from_slice(&number.to_be_bytes());
        hash
    }

    /// Issues another, which is when what is over is forgotten.
    fn issue(book: &Book, number: u64, now: UnixTime) {
        let over = now.plus(Duration::from_secs(600));
        book.issue(&hash(number), "lnbcrt1", over, now).unwrap();
    }

    #[test]
    fn what_nobody_has_paid_is_forgotten_an_hour_after_its_end_and_what_was_paid_when_it_was_told()
    {
        let (book, _folder) = book();
        for number in [1, 2, 3] {
            issue(&book, number, NOW);
        }
        book.settle(&hash(2), AMOUNT, NOW).unwrap();
        let told = book.settled_behind(0).unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(book.settled_behind(told[0].place).unwrap(), []);
        book.settle(&hash(3), AMOUNT, NOW).unwrap();

        issue(&book, 4, END.plus(AFTER_ITS_END));
        assert!(book.find(&hash(1)).unwrap().is_some(), "not yet");
        issue(
            &book,
            5,
            END.plus(AFTER_ITS_END).plus(Duration::from_secs(1)),
        );
        assert_eq!(book.find(&hash(1)).unwrap(), None);
        assert_eq!(book.find(&hash(2)).unwrap(), None);
        let settled = Some(Note::Settled(AMOUNT));
        assert_eq!(book.find(&hash(3)).unwrap(), settled, "nobody has heard");
        assert_eq!(book.settled_behind(told[0].place).unwrap().len(), 1);
    }

    #[test]
    fn an_invoice_has_one_place_which_is_behind_all_others_whatever_the_clock_says() {
        let (book, folder) = book();
        for number in 0..5 {
            issue(&book, number, NOW);
        }
        let before = UnixTime::from_secs(1);
        for (number, when) in [(3, NOW), (1, before), (1, NOW), (4, NOW), (0, before)] {
            book.settle(&hash(number), AMOUNT, when).unwrap();
        }
        book.settle(&hash(9), AMOUNT, NOW).unwrap();
        let told = book.settled_behind(0).unwrap();
        let hashes: Vec<Hash> = told.iter().map(|invoice| invoice.payment_hash).collect();
        assert_eq!(hashes, [3, 1, 4, 0].map(hash));
        assert!(told.is_sorted_by(|one, next| one.place < next.place));
        drop(book);
        let book = Book::open(folder.path()).unwrap();
        assert_eq!(book.settled_behind(0).unwrap(), told);
        // Where the file was lost, the mesh still knows up to where it was told.
        let (lost, _folder) = self::book();
        let last = told.last().unwrap().place;
        assert_eq!(lost.settled_behind(last).unwrap(), []);
        issue(&lost, 7, NOW);
        lost.settle(&hash(7), AMOUNT, before).unwrap();
        assert_eq!(lost.settled_behind(last).unwrap().len(), 1);
    }

    #[test]
    fn no_more_than_the_most_are_open_until_one_is_paid_or_over() {
        let (book, _folder) = book();
        book.fill(1);
        book.make_room(NOW).unwrap();
        issue(&book, 0, NOW);
        let more = hash(MAX_OPEN_INVOICES);
        let full = book.issue(&more, "lnbcrt1", END, NOW);
        assert!(matches!(full, Err(BookError::Full)), "{full:?}");
        let full = book.make_room(END);
        assert!(matches!(full, Err(BookError::Full)), "{full:?}");
        book.settle(&hash(9), AMOUNT, NOW).unwrap();
        book.issue(&more, "lnbcrt1", END, NOW).unwrap();
        let over = END.plus(AFTER_ITS_END).plus(Duration::from_secs(1));
        book.make_room(over).unwrap();
        assert_eq!(book.find(&hash(0)).unwrap(), None, "it made room");
    }

    #[test]
    fn open_invoices_come_round_and_round() {
        let (book, _folder) = book();
        for number in 0..5 {
            issue(&book, number, NOW);
        }
        let behind = |number, most| {
            let found = book.open_behind(&hash(number), most).unwrap();
            found.into_iter().map(|(hash, _)| hash).collect::<Vec<_>>()
        };
        assert_eq!(behind(2, 3), [3, 4, 0].map(hash));
        assert_eq!(behind(2, 64), [3, 4, 0, 1, 2].map(hash));
        assert_eq!(behind(9, 2), [0, 1].map(hash));
    }

    #[test]
    fn a_second_program_cannot_open_the_same_notes() {
        let (_book, folder) = book();
        let error = Book::open(folder.path()).unwrap_err();
        assert!(error.is_held());
        assert!(error.to_string().contains("blvm-lightning.redb"), "{error}");
    }
}
