use super::{Folder, Once, publish, read};
use blvm_mesh::{from_hex, to_hex};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    fs,
    io::{self, ErrorKind},
};

/// The invoices of one wallet that are settled, in the order in which the wallet found them so. The first has place 1.
///
/// The payers only leave notes. The wallet gives a number to each note when it finds it, and writes that down before it
/// tells, so no note can come to stand before one that was told.
#[derive(Debug, Default)]
pub(super) struct Order {
    hashes: Vec<[u8; 32]>,
    known: HashSet<[u8; 32]>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Placed {
    payment_hash: String,
}

impl Folder {
    /// The payment hashes of this wallet's invoices that were settled behind `place`, with theirs, `most` of them at most.
    pub(in crate::sandbox) fn settled_behind(
        &self,
        place: u64,
        most: usize,
    ) -> io::Result<Vec<(u64, [u8; 32])>> {
        let mut order = self.order.lock();
        self.read_places(&mut order)?;
        for hash in self.without_place(&order)? {
            // Of two programs with the same wallet one writes a number, and the other reads it and takes the next.
            while !order.known.contains(&hash) {
                let text = serde_json::to_vec(&Placed {
                    payment_hash: to_hex(&hash),
                })?;
                match publish(&self.own, &name(order.hashes.len()), &text)? {
                    Once::First => order.push(hash),
                    Once::Again | Once::Full => self.read_places(&mut order)?,
                }
            }
        }
        let behind = (1..).zip(&order.hashes).filter(|(each, _)| *each > place);
        Ok(behind
            .take(most)
            .map(|(place, hash)| (place, *hash))
            .collect())
    }

    /// Reads the places that were written since.
    fn read_places(&self, order: &mut Order) -> io::Result<()> {
        while let Some(placed) = read::<Placed>(&self.own.join(name(order.hashes.len())))? {
            let hash = from_hex(&placed.payment_hash);
            order.push(hash.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?);
        }
        Ok(())
    }

    /// The paid invoices without a place, the oldest first.
    fn without_place(&self, order: &Order) -> io::Result<Vec<[u8; 32]>> {
        let mut found = Vec::new();
        for file in fs::read_dir(&self.own)? {
            let file = file?;
            let name = file.file_name();
            let hex = name.to_str().and_then(|name| name.strip_suffix(".paid"));
            let hash = hex.and_then(|hex| from_hex(hex).ok());
            if let Some(hash) = hash.filter(|hash| !order.known.contains(hash)) {
                found.push((file.metadata()?.modified()?, hash));
            }
        }
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, hash)| hash).collect())
    }
}

impl Order {
    fn push(&mut self, hash: [u8; 32]) {
        self.hashes.push(hash);
        self.known.insert(hash);
    }
}

/// The file of the place after so many.
fn name(before: usize) -> String {
    format!("{}.place", before.saturating_add(1))
}
