mod order;

use blvm_mesh::{UnixTime, from_hex, to_hex};
use order::Order;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Unpaid invoices that one wallet keeps at a time.
///
/// 4,096, because a quote lives ten minutes and each payer may ask for two a second: three payers who never pay do not
/// fill it, and a full one is still listed in milliseconds.
pub(super) const MAX_UNPAID: usize = 4_096;

/// The most bytes of a record; what is longer was not written here: the longest description has 639, of which JSON makes
/// six each.
const MAX_RECORD_BYTES: u64 = 8_192;

const NOTE: &str =
    "Sandbox wallets of blvm-mesh play Lightning in this folder. No real money is here.\n";

/// The folder that all sandbox wallets share: a folder for each wallet, named by its key, and in it two files for each
/// invoice, named by its payment hash: `.invoice` holds the preimage, `.paid` says who paid. The files `.place`, which are
/// numbered, say in which order a wallet found its invoices paid.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    own: PathBuf,
    max_unpaid: usize,
    /// Unpaid invoices of this wallet, as far as is known.
    unpaid: Mutex<usize>,
    order: Mutex<Order>,
}

/// An invoice that waits to be paid.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invoiced {
    pub(super) preimage: String,
    pub(super) amount_msat: u64,
    /// Empty in folders of before.
    #[serde(default)]
    pub(super) description: String,
    /// Unix seconds.
    pub(super) expires_at: u64,
}

/// An invoice that was paid.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settled {
    /// The key of the payer's wallet, in hex.
    pub(super) payer: String,
    pub(super) amount_msat: u64,
}

/// What became of a file that can be written once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Once {
    /// It is there now.
    First,
    /// It was there before.
    Again,
    /// There is no room for it.
    Full,
}

impl Folder {
    pub(super) fn open(root: &Path, payee: &[u8; 33]) -> io::Result<Self> {
        let own = root.join(to_hex(payee));
        DirBuilder::new().recursive(true).mode(0o700).create(&own)?;
        publish(root, "README", NOTE.as_bytes())?;
        let folder = Self {
            root: root.to_owned(),
            own,
            max_unpaid: MAX_UNPAID,
            unpaid: Mutex::new(0),
            order: Mutex::new(Order::default()),
        };
        *folder.unpaid.lock() = folder.sweep(None)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.root
    }

    pub(super) fn put_invoice(
        &self,
        hash: &[u8; 32],
        record: &Invoiced,
        now: UnixTime,
    ) -> io::Result<Once> {
        let mut unpaid = self.unpaid.lock();
        if *unpaid >= self.max_unpaid {
            *unpaid = self.sweep(Some(now))?;
            if *unpaid >= self.max_unpaid {
                return Ok(Once::Full);
            }
        }
        let put = put(&self.own, hash, "invoice", record)?;
        *unpaid += usize::from(put == Once::First);
        Ok(put)
    }

    pub(super) fn invoice(
        &self,
        payee: &[u8; 33],
        hash: &[u8; 32],
    ) -> io::Result<Option<Invoiced>> {
        read(&self.root.join(to_hex(payee)).join(name(hash, "invoice")))
    }

    pub(super) fn put_settled(
        &self,
        payee: &[u8; 33],
        hash: &[u8; 32],
        record: &Settled,
    ) -> io::Result<Once> {
        put(&self.root.join(to_hex(payee)), hash, "paid", record)
    }

    /// Who has paid an invoice; `None` when nobody has.
    pub(super) fn settled(&self, payee: &[u8; 33], hash: &[u8; 32]) -> io::Result<Option<Settled>> {
        read(&self.root.join(to_hex(payee)).join(name(hash, "paid")))
    }

    /// The keys of all wallets of the folder.
    pub(super) fn payees(&self) -> io::Result<Vec<[u8; 33]>> {
        let mut payees = Vec::new();
        for wallet in fs::read_dir(&self.root)? {
            let name = wallet?.file_name();
            payees.extend(name.to_str().and_then(|hex| from_hex(hex).ok()));
        }
        Ok(payees)
    }

    /// Shows every payment of the folder, with the key of the wallet that received it.
    pub(super) fn each_settled(&self, mut show: impl FnMut([u8; 33], Settled)) -> io::Result<()> {
        for payee in self.payees()? {
            for file in fs::read_dir(self.root.join(to_hex(&payee)))? {
                let path = file?.path();
                if path.extension().is_some_and(|kind| kind == "paid")
                    && let Some(settled) = read(&path)?
                {
                    show(payee, settled);
                }
            }
        }
        Ok(())
    }

    /// Counts this wallet's unpaid invoices, and removes those that have expired at `now`.
    fn sweep(&self, now: Option<UnixTime>) -> io::Result<usize> {
        let mut unpaid = 0;
        for file in fs::read_dir(&self.own)? {
            let path = file?.path();
            let is_invoice = path.extension().is_some_and(|kind| kind == "invoice");
            if !is_invoice || path.with_extension("paid").exists() {
                continue;
            }
            let has_expired = now.is_some_and(|now| {
                let record: io::Result<Option<Invoiced>> = read(&path);
                matches!(record, Ok(Some(record)) if !UnixTime::from_secs(record.expires_at).is_alive_at(now))
            });
            if has_expired {
                fs::remove_file(&path)?;
            } else {
                unpaid += 1;
            }
        }
        Ok(unpaid)
    }
}

fn name(hash: &[u8; 32], kind: &str) -> String {
    format!("{}.{kind}", to_hex(hash))
}

fn put(folder: &Path, hash: &[u8; 32], kind: &str, record: &impl Serialize) -> io::Result<Once> {
    let mut text = serde_json::to_vec(record)?;
    text.push(b'\n');
    publish(folder, &name(hash, kind), &text)
}

/// Writes a file that only its owner can read, whole or not at all, unless it is there.
fn publish(folder: &Path, name: &str, text: &[u8]) -> io::Result<Once> {
    let mut tag = [0; 8];
    getrandom::fill(&mut tag).map_err(io::Error::other)?;
    let draft = folder.join(format!(".{}.new", to_hex(&tag)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(&draft)?.write_all(text)?;
    // A link, not a rename: of two processes that write the same file, one fails.
    let linked = fs::hard_link(&draft, folder.join(name));
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => Ok(Once::First),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Once::Again),
        Err(error) => Err(error),
    }
}

/// Reads a record; `None` when there is none.
fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(MAX_RECORD_BYTES).read_to_end(&mut text)?;
    Ok(Some(serde_json::from_slice(&text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_000);

    fn hash(number: usize) -> [u8; 32] {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
        hash
    }

    fn invoiced(expires_at: u64) -> Invoiced {
        Invoiced {
            preimage: String::new(),
            amount_msat: 1,
            description: "mesh \"1\"".to_owned(),
            expires_at,
        }
    }

    #[test]
    fn unpaid_invoices_are_bounded_and_the_expired_make_room() {
        let root = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(root.path(), &[2; 33]).unwrap();
        assert_eq!(folder.max_unpaid, MAX_UNPAID);
        folder.max_unpaid = 3;
        let put = |number, expires_at, now| {
            let record = invoiced(expires_at);
            folder.put_invoice(&hash(number), &record, now).unwrap()
        };
        for number in 0..3 {
            assert_eq!(put(number, 1_060, NOW), Once::First);
        }
        assert_eq!(put(3, 2_000, NOW), Once::Full);
        let later = UnixTime::from_secs(1_060);
        assert_eq!(put(3, 2_000, later), Once::First);
        assert_eq!(folder.sweep(None).unwrap(), 1);
        let kept = |number| folder.invoice(&[2; 33], &hash(number)).unwrap();
        assert_eq!((kept(0), kept(3)), (None, Some(invoiced(2_000))));
    }

    #[test]
    fn a_wallet_that_opens_again_counts_what_is_unpaid() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path(), &[2; 33]).unwrap();
        for number in 0..3 {
            folder
                .put_invoice(&hash(number), &invoiced(2_000), NOW)
                .unwrap();
        }
        let settled = Settled {
            payer: String::new(),
            amount_msat: 1,
        };
        let put = folder.put_settled(&[2; 33], &hash(0), &settled).unwrap();
        assert_eq!(put, Once::First);
        let again = Folder::open(root.path(), &[2; 33]).unwrap();
        assert_eq!(*again.unpaid.lock(), 2);
    }

    #[test]
    fn a_record_that_was_not_written_here_is_an_error_and_not_a_payment() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path(), &[2; 33]).unwrap();
        let path = folder.own.join(name(&hash(0), "invoice"));
        for text in ["", "{}", "{\"preimage\":1}", &"x".repeat(5_000)] {
            fs::write(&path, text).unwrap();
            assert!(folder.invoice(&[2; 33], &hash(0)).is_err(), "{text}");
        }
    }
}
