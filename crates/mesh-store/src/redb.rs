//! The store in a file: redb, a copy-on-write B-tree, for one process.
//!
//! Every transaction is committed in two phases, with what redb needs to open the file quickly as part of it. So the
//! last commit is sound whenever the process ends, opening reads no more than a few pages, and a damaged file is an
//! error: redb goes back to an earlier commit only where the last one was made in one phase.

mod backend;
mod batch;
mod compaction;
mod fault;
#[cfg(test)]
mod faulty_disk;
mod import;
mod lock;
mod open;
mod payments;
mod reader;
mod refunds;
mod rows;
mod snapshot;
#[cfg(test)]
mod survival;
mod tables;

pub(crate) use open::{compact, open};
