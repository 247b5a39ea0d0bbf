use super::{books::Books, overview::sums};
use crate::{
    cli::{CompactArgs, ExportArgs, ImportArgs},
    command_error::CommandError,
    commands::ask::{print, print_json},
    config::NodeConfig,
    control::{Client, ClientError, ExportReport, LedgerCall, LedgerReport},
    text::counted,
};
use mesh_store::{Compacted, Exported, ImportError, MeshStore, check_export};
use serde::Serialize;
use std::{
    fs::{DirBuilder, File},
    io::BufReader,
    os::unix::fs::DirBuilderExt,
    path::Path,
};
use tokio::task::spawn_blocking;

/// Has the books written to a new file: by the node itself where it runs.
pub(super) async fn export(args: &ExportArgs) -> Result<(), CommandError> {
    let file = &args.file;
    let path = std::path::absolute(file).map_err(|source| CommandError::Write {
        path: file.clone(),
        source,
    })?;
    if path.to_str().is_none() {
        return Err(CommandError::Usage(format!(
            "{}: the path is not UTF-8",
            path.display()
        )));
    }
    let mut books = Books::open(&args.control).await?;
    let asked = books.ask(LedgerCall::Export { path }).await;
    books.close().await;
    let LedgerReport::Exported(report) = asked? else {
        return Err(CommandError::Unexpected);
    };
    if args.control.json {
        return print_json(&report);
    }
    print(&format!(
        "exported to {}\n{}\n\
         This file holds the node's SECRET KEY and the proofs of its payments: whoever has it is the node.\n\
         Nobody but its owner can read it (mode 0600); keep it so.\n",
        report.path.display(),
        said(&report)
    ))
}

/// Fills an empty store with an export, or only checks the export.
pub(super) async fn import(args: &ImportArgs) -> Result<(), CommandError> {
    let file = File::open(&args.file).map_err(|source| CommandError::File {
        path: args.file.clone(),
        source,
    })?;
    let file = BufReader::new(file);
    let (exported, what) = if args.check {
        let checked = spawn_blocking(move || check_export(file)).await;
        let checked = checked.map_err(|error| ImportError::Read(error.into()))?;
        (checked?, "whole".to_owned())
    } else {
        let config = NodeConfig::load(&args.config)?;
        let what = format!("imported into {}", config.node.store);
        (fill(&config, file).await?, what)
    };
    let report = ExportReport::new(args.file.clone(), exported);
    if args.json {
        return print_json(&report);
    }
    print(&format!(
        "{what}: {}\n{}",
        args.file.display(),
        said(&report)
    ))
}

/// Makes the store's file as small as what it holds.
pub(super) async fn compact(args: &CompactArgs) -> Result<(), CommandError> {
    let config = NodeConfig::load(&args.config)?;
    expect_stopped(&config).await?;
    let store = &config.node.store;
    let Compacted { before, after } = MeshStore::compact(store).await?;
    if args.json {
        return print_json(&CompactReport { before, after });
    }
    let given_back = before.saturating_sub(after);
    print(&format!(
        "{store}: {} of {} given back, {} left\n",
        megabytes(given_back),
        megabytes(before),
        megabytes(after)
    ))
}

/// What a file took and takes, bytes.
#[derive(Debug, Serialize)]
struct CompactReport {
    before: u64,
    after: u64,
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_add(50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

async fn expect_stopped(config: &NodeConfig) -> Result<(), CommandError> {
    let socket = &config.node.control_socket;
    match Client::connect(socket).await {
        Err(ClientError::NotRunning { .. }) => Ok(()),
        Ok(_) => Err(CommandError::NodeRuns {
            socket: socket.clone(),
        }),
        Err(error) => Err(error.into()),
    }
}

async fn fill(config: &NodeConfig, file: BufReader<File>) -> Result<Exported, CommandError> {
    expect_stopped(config).await?;
    make_private(&config.node.data_dir)?;
    let store = MeshStore::open(&config.node.store).await?;
    let imported = store.ledger().import(file).await;
    store.close().await;
    Ok(imported?)
}

fn make_private(folder: &Path) -> Result<(), CommandError> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.map_err(|source| CommandError::Write {
        path: folder.to_owned(),
        source,
    })
}

fn said(report: &ExportReport) -> String {
    let counts = &report.counts;
    let parts = [
        counted(counts.accounts, "account"),
        counted(counts.deposits, "deposit"),
        counted(counts.debits, "debit"),
        counted(counts.claims, "claim"),
        counted(counts.watched, "watched payment"),
        counted(counts.payments, "own payment"),
        counted(counts.proofs, "kept proof"),
    ];
    format!(
        "{}\nSHA-256 {}\n\n{}",
        parts.join(", "),
        report.sha256,
        sums(&report.totals)
    )
}
