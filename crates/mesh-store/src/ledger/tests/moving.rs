use super::*;
use crate::ledger::line::Header;
use mesh_types::MAX_WATCHED;
use sha2::{Digest, Sha256};
use std::io::Cursor;

/// The export with other lines before its last, whose digest is made to fit.
fn resealed(file: &[u8], change: impl FnOnce(&mut Vec<String>)) -> Vec<u8> {
    let text = str::from_utf8(file).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let mut last = lines.pop().unwrap();
    change(&mut lines);
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let digest: [u8; 32] = Sha256::digest(&body).into();
    let at = last.find("sha256").unwrap() + "sha256\":\"".len();
    last.replace_range(at..at + 64, &mesh_types::to_hex(&digest));
    format!("{body}{last}\n").into_bytes()
}

fn refused(file: &[u8]) -> String {
    check_export(file).unwrap_err().to_string()
}

#[test]
fn a_cut_export_is_refused_wherever_it_was_cut() {
    let (file, sums) = exported(&small());
    assert_eq!(check_export(file.as_slice()).unwrap(), sums);
    for end in 0..file.len() {
        let error = check_export(&file[..end]).unwrap_err();
        assert!(matches!(error, ImportError::Cut), "{end}: {error}");
    }
}

#[test]
fn a_changed_byte_is_refused_wherever_it_is() {
    let (file, _) = exported(&small());
    for at in 0..file.len() {
        for mask in [0x01, 0x02, 0x10, 0x20, 0x80] {
            let mut changed = file.clone();
            changed[at] ^= mask;
            assert!(
                check_export(changed.as_slice()).is_err(),
                "byte {at} by {mask:#x}"
            );
        }
    }
}

#[test]
fn what_follows_the_last_line_is_refused() {
    let (file, _) = exported(&small());
    for more in ["\n", " ", "{}\n"] {
        let error = check_export([&file, more.as_bytes()].concat().as_slice()).unwrap_err();
        assert!(matches!(error, ImportError::Trailing), "{error}");
    }
}

#[test]
fn a_line_that_stands_twice_or_out_of_order_is_refused() {
    let (file, _) = exported(&small());
    let lines = file.split(|byte| *byte == b'\n').count() - 2;
    for at in 1..lines {
        let twice = resealed(&file, |lines| lines.insert(at, lines[at].clone()));
        assert!(refused(&twice).contains("stands twice, or not in its place"));
        if at + 1 < lines {
            let swapped = resealed(&file, |lines| lines.swap(at, at + 1));
            assert!(refused(&swapped).contains("not in its place"), "line {at}");
        }
        let missing = resealed(&file, |lines| drop(lines.remove(at)));
        // The identity is the one line that an export may lack; the digest of a file without it was made by hand.
        assert_eq!(
            check_export(missing.as_slice()).is_err(),
            at != 1,
            "line {at}"
        );
    }
}

#[test]
fn another_spelling_of_the_same_is_refused() {
    let (file, _) = exported(&small());
    let changed = |from: &str, to: &str| {
        resealed(&file, |lines| {
            let line = lines.iter_mut().find(|line| line.contains(from)).unwrap();
            *line = line.replace(from, to);
        })
    };
    for (from, to, why) in [
        (
            "\"serial\":2,",
            "\"serial\": 2,",
            "not written as an export is",
        ),
        (
            "\"serial\":2,",
            "\"serial\":2,\"more\":1,",
            "unknown field `more`",
        ),
        ("\"deposit\":", "\"gift\":", "unknown variant `gift`"),
        ("0909", "09AA", "not one of 0-9a-f"),
        (
            "\"timestamp\":1",
            "\"timestamp\":1,\"x\":1",
            "not written as an export is",
        ),
    ] {
        let why_not = refused(&changed(from, to));
        assert!(why_not.starts_with("line "), "{why_not}");
        assert!(why_not.contains(why), "{why_not}");
    }
}

#[test]
fn another_version_is_refused_with_both_versions_named() {
    let (file, _) = exported(&small());
    let newer = resealed(&file, |lines| {
        lines[0] = lines[0].replace("\"version\":1", "\"version\":2,\"shards\":7");
    });
    let error = refused(&newer);
    assert!(
        error.contains("version 2") && error.contains("version 1"),
        "{error}"
    );
}

#[test]
fn what_is_no_export_is_called_so() {
    let long = vec![b'x'; MAX_EXPORT_LINE + 9];
    for file in [
        b"{}\n".as_slice(),
        b"hello\n",
        b"{\"format\":\"x\",\"version\":1}\n",
        &long,
    ] {
        assert!(matches!(check_export(file), Err(ImportError::Foreign)));
    }
}

#[test]
fn sums_that_the_lines_do_not_come_to_are_refused() {
    let (file, _) = exported(&small());
    let header = resealed(&file, |lines| {
        lines[0] = lines[0].replace("\"packets\":", "\"packets\":1");
    });
    assert!(refused(&header).contains("its totals"));
    let account = resealed(&file, |lines| {
        let credit = lines
            .iter_mut()
            .find(|line| line.contains("\"credit_msat\":7000"));
        let line = credit.unwrap();
        *line = line.replace("\"credit_msat\":7000", "\"credit_msat\":7001");
    });
    assert!(refused(&account).contains("its totals"));
    let claim = resealed(&file, |lines| lines.retain(|line| !line.contains("claim")));
    assert!(refused(&claim).contains("the number of its lines"));
}

#[test]
fn without_watched_payments_an_export_is_what_it_was_before_there_were_any() {
    let mut contents = small();
    contents.watched.clear();
    contents.payments.clear();
    contents.spent.clear();
    let (file, sums) = exported(&contents);
    assert!(!str::from_utf8(&file).unwrap().contains("watched"));
    assert!(!str::from_utf8(&file).unwrap().contains("payments"));
    assert_eq!(check_export(file.as_slice()).unwrap(), sums);
    let text = str::from_utf8(&file).unwrap();
    let none = text.replace("\"proofs\":", "\"watched\":0,\"proofs\":");
    assert!(refused(none.as_bytes()).contains("not written as an export is"));
}

#[test]
fn more_watched_payments_than_there_ever_are_are_refused() {
    let mut contents = contents(&[(1, 5_000)], &[]);
    for number in 0..=MAX_WATCHED {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
        contents.put(Record::Watched(Watched {
            key: ClaimKey::from_tagged_hash(key),
            payer: payer(1),
            amount: Msat::ZERO,
            tx_hash: TxHash::from_bytes(key),
            is_frozen: false,
        }));
    }
    let why_not = refused(&exported(&contents).0);
    assert!(
        why_not.contains("one payment more than the 65536"),
        "{why_not}"
    );
    contents.watched.pop_first();
    let (file, sums) = exported(&contents);
    assert_eq!(check_export(file.as_slice()).unwrap(), sums);
}

#[test]
fn a_refused_export_leaves_the_store_empty() {
    let (file, sums) = exported(&small());
    runtime().block_on(async {
        let memory = Memory::default();
        let store = memory.open();
        for end in [0, 1, file.len() / 2, file.len() - 1] {
            let cut = Cursor::new(file[..end].to_vec());
            let error = store.ledger().import(cut).await.unwrap_err();
            assert!(matches!(error, ImportError::Cut), "{error}");
            assert_eq!(memory.contents(), Contents::default());
        }
        let imported = store
            .ledger()
            .import(Cursor::new(file.clone()))
            .await
            .unwrap();
        assert_eq!(imported, sums);
        let again = store.ledger().import(Cursor::new(file)).await.unwrap_err();
        assert!(again.to_string().contains("not empty"), "{again}");
        assert_eq!(memory.contents(), small());
    });
}

#[test]
fn the_first_line_says_what_follows() {
    let (file, sums) = exported(&small());
    let first = file.split(|byte| *byte == b'\n').next().unwrap();
    let header: Header = serde_json::from_slice(first).unwrap();
    assert_eq!(header.totals, sums.totals);
    assert_eq!(sums.totals.deposited, Msat::from_msat(12_300));
    assert_eq!(sums.totals.credit, Msat::from_msat(10_260));
    assert_eq!(sums.totals.earned, Msat::from_msat(500));
    assert_eq!(sums.totals.refunded, Msat::from_msat(1_540));
    let counts = Counts {
        accounts: 2,
        deposits: 3,
        debits: 2,
        claims: 1,
        watched: 2,
        payments: 3,
        spent: 2,
        refunds: 3,
        proofs: 1,
    };
    assert_eq!(sums.counts, counts);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_export_that_is_imported_is_exported_the_same(contents in ledgers()) {
        let (file, sums) = exported(&contents);
        prop_assert_eq!(check_export(file.as_slice()).unwrap(), sums);
        let memory = Memory::default();
        runtime().block_on(async {
            let imported = memory.open().ledger().import(Cursor::new(file.clone())).await.unwrap();
            assert_eq!(imported, sums);
        });
        let (again, _) = exported(&memory.contents());
        prop_assert_eq!(again, file);
    }
}
