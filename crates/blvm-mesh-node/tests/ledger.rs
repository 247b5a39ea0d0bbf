//! The ledger of a real node: read through the node and from its store, verified, backed up and moved.

mod program;

use bitcoin::hashes::{Hash, sha256};
use blvm_mesh::to_hex;
use program::{
    Home,
    paid::{Paid, assert_has, booked},
    run,
};
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn the_books_read_the_same_through_the_node_and_from_its_store() {
    let mut paid = Paid::new();
    booked(&paid.destination);
    let commands: [&[&str]; 12] = [
        &[],
        &["--json"],
        &["--deposits"],
        &["--deposits", "--csv", "--all"],
        &["--deposits", "--json", "--all"],
        &["--debits", "--last", "1"],
        &["--debits", "--csv"],
        &["--debits", "--all"],
        &["--payers"],
        &["--payers", "--json"],
        &["verify"],
        &["verify", "--json"],
    ];
    let through: Vec<_> = commands.map(|args| paid.ledger(args)).into();
    paid.stop();
    let home = &paid.destination;
    for (args, through) in commands.into_iter().zip(through) {
        let beside = home.command(&[&["ledger"], args].concat(), &[]);
        assert_eq!(
            (through.code, beside.code),
            (Some(0), Some(0)),
            "{args:?}: {}{}",
            through.err,
            beside.err
        );
        assert_eq!(through.out, beside.out, "{args:?}");
    }
}

#[test]
fn a_person_a_spreadsheet_and_a_program_read_what_was_paid() {
    let paid = Paid::new();
    booked(&paid.destination);
    let payer = paid.source.to_string();
    let words = paid.ledger(&[]).out;
    assert_has(
        &words,
        &[
            "45.000 sats  in 1 payment, by 1 payer",
            "18.000 sats  on 2 packets",
            "27.000 sats  not spent yet",
            "last deposits",
            "spent by hour",
            &payer,
        ],
    );
    let csv = paid.ledger(&["--deposits", "--csv"]).out;
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines[0], "serial,at_utc,amount_msat,payer,payment");
    let cells: Vec<_> = lines[1].split(',').collect();
    assert_eq!((cells[2], cells[3]), ("45000", payer.as_str()));
    assert!(cells[1].starts_with("20") && cells[1].ends_with('Z'));
    assert_eq!((lines.len(), cells[4].len()), (2, 64));
    let csv = paid.ledger(&["--debits", "--csv"]).out;
    assert!(csv.starts_with("hour_utc,packets,amount_msat,payer\n"));
    // Two packets, in one hour or on both sides of a full one.
    let debits: Vec<_> = csv.lines().skip(1).collect();
    assert!(debits.iter().all(|line| line.contains(":00:00Z,")));
    let spent = |line: &&str| line.split(',').nth(2).unwrap().parse::<u64>().unwrap();
    assert_eq!(debits.iter().map(spent).sum::<u64>(), 18_000);
    let payers = paid.destination.ask(&["ledger", "--payers"]);
    assert_eq!(payers[0]["payer"], payer);
    assert_eq!(payers[0]["credit_msat"], 27_000);
    assert_eq!(payers[0]["earned_msat"], 18_000);
    let status = paid.destination.command(&["status"], &[]).out;
    assert_has(&status, &["store       redb:", "everything is booked"]);
}

#[test]
fn a_backup_while_the_node_runs_is_whole_private_and_fills_an_empty_store() {
    let mut paid = Paid::new();
    booked(&paid.destination);
    let file = paid.file("backup.jsonl");
    let name = file.to_str().unwrap();
    let exported = paid.ledger(&["export", name]);
    assert_eq!(exported.code, Some(0), "{}", exported.err);
    assert_has(
        &exported.out,
        &["SECRET KEY", "0600", "1 account, 1 deposit", "45.000 sats"],
    );
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = paid.ledger(&["export", name]);
    assert_eq!(again.code, Some(1));
    assert_has(&again.err, &["is there already"]);
    assert_eq!(paid.ledger(&["import", name, "--check"]).code, Some(0));
    let busy = paid.ledger(&["import", name]);
    assert_eq!(busy.code, Some(1));
    assert_has(&busy.err, &["a node runs at", "stop it first"]);

    let other = paid.sibling("other", "store = \"redb:money/other.redb\"");
    let nothing = other.command(&["ledger"], &[]);
    assert_eq!(nothing.code, Some(1));
    assert_has(&nothing.err, &["there is no ledger at", "other.redb"]);
    fs::create_dir(other.config.with_file_name("money")).unwrap();
    let imported = other.command(&["ledger", "import", name], &[]);
    assert_eq!(imported.code, Some(0), "{}", imported.err);
    assert_has(&imported.out, &["imported into redb:", "45.000 sats"]);
    let full = other.command(&["ledger", "import", name], &[]);
    assert_eq!(full.code, Some(1));
    assert_has(&full.err, &["only an empty store"]);
    assert_eq!(other.command(&["ledger", "verify"], &[]).code, Some(0));

    let back = paid.file("back.jsonl");
    let moved = other.command(&["ledger", "export", back.to_str().unwrap()], &[]);
    assert_eq!(moved.code, Some(0), "{}", moved.err);
    assert_eq!(fs::read(&back).unwrap(), fs::read(&file).unwrap());
    paid.stop();
    let running = other.start();
    let status = other.ask(&["status"]);
    assert_eq!(status["node_id"], paid.destination.id.to_string());
    assert_eq!(status["money"]["credit_msat"], 27_000);
    running.stop();
}

#[test]
fn an_export_that_was_cut_or_changed_fills_nothing() {
    let paid = Paid::new();
    let file = paid.file("backup.jsonl");
    assert_eq!(
        paid.ledger(&["export", file.to_str().unwrap()]).code,
        Some(0)
    );
    let whole = fs::read(&file).unwrap();
    let cut = whole[..whole.len() - 2].to_vec();
    let mut changed = whole.clone();
    let at = changed
        .windows(5)
        .position(|part| part == b"45000")
        .unwrap();
    changed[at] = b'5';
    let other = paid.sibling("other", "");
    for (bytes, why) in [
        (cut, "cut off"),
        (changed, "line "),
        (b"x\n".to_vec(), "no export"),
    ] {
        let bad = paid.file("bad.jsonl");
        fs::write(&bad, bytes).unwrap();
        for check in [&["--check"] as &[&str], &[]] {
            let ran = other.command(&["ledger", "import", bad.to_str().unwrap()], check);
            assert_eq!(ran.code, Some(1), "{why}");
            assert!(!ran.err.contains("45.000"), "{}", ran.err);
            let said = ran.err.contains(why) || ran.err.contains("changed or damaged");
            assert!(said, "{}", ran.err);
        }
    }
    let good = other.command(&["ledger", "import", file.to_str().unwrap()], &[]);
    assert_eq!(good.code, Some(0), "{}", good.err);
}

#[test]
fn an_empty_ledger_is_told_in_words() {
    let root = tempfile::tempdir().unwrap();
    let home = Home::new(root.path(), "new", "listen_addr = \"127.0.0.1:0\"");
    let running = home.start();
    for (args, words) in [
        (&[] as &[&str], "the ledger is empty"),
        (&["--deposits"], "the ledger is empty"),
        (&["--debits", "--all"], "nothing was spent yet"),
        (&["--payers", "--all"], "the ledger is empty"),
        (&["verify"], "right: the ledger is empty"),
    ] {
        let ran = home.command(&[&["ledger"], args].concat(), &[]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert_has(&ran.out, &[words]);
    }
    assert_eq!(home.ask(&["ledger", "--deposits"]), serde_json::json!([]));
    assert_eq!(
        home.ask(&["ledger", "--payers", "--all"]),
        serde_json::json!([])
    );
    running.stop();
}

#[test]
fn a_store_that_a_silent_node_holds_is_told_as_such() {
    let root = tempfile::tempdir().unwrap();
    let home = Home::new(root.path(), "held", "listen_addr = \"127.0.0.1:0\"");
    let running = home.start();
    fs::remove_file(home.config.with_file_name("control").join("node.sock")).unwrap();
    let export = root.path().join("export");
    for args in [
        &["ledger"] as &[&str],
        &["ledger", "verify"],
        &["ledger", "export", export.to_str().unwrap()],
    ] {
        let ran = home.command(args, &[]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        assert_has(
            &ran.err,
            &["store.redb", "pid", "control socket", "node.sock"],
        );
    }
    assert!(!export.exists());
    drop(running);
}

/// An export of these lines; `end` is its last line up to the digest.
fn sealed(body: &str, end: &str) -> String {
    let digest = sha256::Hash::hash(body.as_bytes()).to_byte_array();
    format!("{body}{end},\"sha256\":\"{}\"}}}}\n", to_hex(&digest))
}

#[test]
fn a_list_of_more_than_one_page_is_printed_whole_and_in_order() {
    const DEPOSITS: u64 = 10_050;
    let root = tempfile::tempdir().unwrap();
    let home = Home::new(root.path(), "long", "listen_addr = \"127.0.0.1:0\"");
    let totals = format!(
        "\"totals\":{{\"accounts\":1,\"deposits\":{DEPOSITS},\"packets\":0,\"deposited_msat\":{DEPOSITS},\
         \"credit_msat\":{DEPOSITS},\"earned_msat\":0}}"
    );
    let payer = home.id;
    let mut body = format!(
        "{{\"format\":\"blvm-mesh ledger\",\"version\":1,{totals},\"next_sequence\":1,\"swept_at_ms\":0}}\n\
         {{\"account\":{{\"payer\":\"{payer}\",\"deposited_msat\":{DEPOSITS},\"credit_msat\":{DEPOSITS},\
         \"earned_msat\":0,\"deposits\":{DEPOSITS},\"packets\":0}}}}\n"
    );
    for serial in 1..=DEPOSITS {
        body += &format!(
            "{{\"deposit\":{{\"serial\":{serial},\"at_ms\":{serial}000,\"payer\":\"{payer}\",\"amount_msat\":1,\
             \"key\":\"{serial:064x}\"}}}}\n"
        );
    }
    let counts = format!(
        "{{\"end\":{{\"counts\":{{\"accounts\":1,\"deposits\":{DEPOSITS},\"debits\":0,\"claims\":0,\"proofs\":0}},{totals}"
    );
    let file = root.path().join("long.jsonl");
    fs::write(&file, sealed(&body, &counts)).unwrap();
    let imported = home.command(&["ledger", "import", file.to_str().unwrap()], &[]);
    assert_eq!(imported.code, Some(0), "{}", imported.err);
    let running = home.start();
    let csv = home
        .command(&["ledger", "--deposits", "--all", "--csv"], &[])
        .out;
    let serials: Vec<u64> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap().parse().unwrap())
        .collect();
    assert!(serials.iter().copied().eq(1..=DEPOSITS));
    let json = home.ask(&["ledger", "--deposits", "--all"]);
    assert_eq!(json.as_array().unwrap().len(), serials.len());
    let last = home.ask(&["ledger", "--deposits", "--last", "10000"]);
    assert_eq!(last[0]["serial"], DEPOSITS);
    assert_eq!(last[9_999]["serial"], 51);
    running.stop();
}

#[test]
fn what_is_watched_and_frozen_is_shown_and_verified() {
    let root = tempfile::tempdir().unwrap();
    let home = Home::new(root.path(), "chain", "listen_addr = \"127.0.0.1:0\"");
    let payer = home.id;
    let totals = "\"totals\":{\"accounts\":1,\"deposits\":2,\"packets\":0,\"deposited_msat\":9000,\
         \"credit_msat\":9000,\"earned_msat\":0}";
    let key = |byte: &str| byte.repeat(32);
    let mut body = format!(
        "{{\"format\":\"blvm-mesh ledger\",\"version\":1,{totals},\"next_sequence\":1,\"swept_at_ms\":0}}\n\
         {{\"account\":{{\"payer\":\"{payer}\",\"deposited_msat\":9000,\"credit_msat\":9000,\
         \"earned_msat\":0,\"deposits\":2,\"packets\":0}}}}\n"
    );
    let payments = [(1, "a1", 7_000, true), (2, "a2", 2_000, false)];
    for (serial, byte, amount, _) in payments {
        body += &format!(
            "{{\"deposit\":{{\"serial\":{serial},\"at_ms\":1,\"payer\":\"{payer}\",\"amount_msat\":{amount},\
             \"key\":\"{}\"}}}}\n",
            key(byte)
        );
    }
    for (_, byte, amount, frozen) in payments {
        body += &format!(
            "{{\"watched\":{{\"key\":\"{}\",\"payer\":\"{payer}\",\"amount_msat\":{amount},\
             \"tx_hash\":\"{}\",\"frozen\":{frozen}}}}}\n",
            key(byte),
            key("cd")
        );
    }
    let counts = format!(
        "{{\"end\":{{\"counts\":{{\"accounts\":1,\"deposits\":2,\"debits\":0,\"claims\":0,\"watched\":2,\
         \"proofs\":0}},{totals}"
    );
    let file = root.path().join("chain.jsonl");
    fs::write(&file, sealed(&body, &counts)).unwrap();
    let imported = home.command(&["ledger", "import", file.to_str().unwrap()], &[]);
    assert_eq!(imported.code, Some(0), "{}", imported.err);
    assert_has(&imported.out, &["2 watched payments"]);

    let running = home.start();
    let shown = home.command(&["ledger"], &[]).out;
    assert_has(
        &shown,
        &[
            "frozen",
            "7.000 sats  of 9.000 sats in 2 payments on the chain",
        ],
    );
    let json = home.ask(&["ledger"]);
    assert_eq!(json["watching"]["payments"], 2);
    assert_eq!(json["watching"]["amount_msat"], 9_000);
    assert_eq!(json["watching"]["frozen_msat"], 7_000);
    let status = home.command(&["status"], &[]).out;
    assert_has(
        &status,
        &["on chain    2 payments watched, 7,000 msat frozen"],
    );
    let json = home.ask(&["status"]);
    assert_eq!(json["money"]["watched"], 2);
    assert_eq!(json["money"]["frozen_msat"], 7_000);
    assert_eq!(json["money"]["credit_msat"], 9_000);
    let verdict = home.ask(&["ledger", "verify"]);
    assert_eq!(verdict["right"], true);
    assert_eq!(verdict["journal"]["frozen_msat"], 7_000);
    let payers = home.ask(&["ledger", "--payers"]);
    assert_eq!(payers[0]["frozen_msat"], 7_000);
    let back = root.path().join("back.jsonl");
    let exported = home.command(&["ledger", "export", back.to_str().unwrap()], &[]);
    assert_eq!(exported.code, Some(0), "{}", exported.err);
    let text = fs::read_to_string(back).unwrap();
    assert_eq!(text.matches("{\"watched\":").count(), 2);
    running.stop();
}

#[test]
fn verify_fails_when_an_account_is_not_what_its_journal_comes_to() {
    let paid = Paid::new();
    let file = paid.file("backup.jsonl");
    booked(&paid.destination);
    assert_eq!(
        paid.ledger(&["export", file.to_str().unwrap()]).code,
        Some(0)
    );
    // One sat of the journal is gone, in a file that is sealed anew.
    let text = fs::read_to_string(&file).unwrap();
    let (body, end) = text.trim_end().rsplit_once('\n').unwrap();
    let body: String = body
        .lines()
        .map(|line| match line.starts_with("{\"deposit\"") {
            true => line.replace("\"amount_msat\":45000", "\"amount_msat\":44000") + "\n",
            false => format!("{line}\n"),
        })
        .collect();
    let (counts, _) = end.rsplit_once(",\"sha256\"").unwrap();
    fs::write(&file, sealed(&body, counts)).unwrap();
    let other = paid.sibling("other", "");
    let imported = other.command(&["ledger", "import", file.to_str().unwrap()], &[]);
    assert_eq!(imported.code, Some(0), "{}", imported.err);
    let verified = other.command(&["ledger", "verify"], &[]);
    assert_eq!(verified.code, Some(1));
    assert_has(
        &verified.out,
        &[
            "WRONG: 1 account is",
            &paid.source.to_string(),
            "45.000",
            "44.000",
            "<--",
        ],
    );
    assert_has(&verified.err, &["error: the ledger is wrong"]);
    let json = other.command(&["ledger", "verify", "--json"], &[]);
    assert_eq!(json.code, Some(1));
    let verdict: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(verdict["right"], false);
    assert_eq!(verdict["listed"][0]["journal"]["deposited_msat"], 44_000);
}

#[test]
fn what_a_node_has_paid_to_others_is_listed_with_its_reason_and_moves_with_its_ledger() {
    let paid = Paid::new();
    let destination = paid.destination.id.to_string();
    let home = &paid.payer;
    let said = home.command(&["ledger", "spent"], &[]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_has(
        &said.out,
        &[
            "spent 45.000 sats and 0.000 sats of Lightning fees in 1 payment",
            &destination,
            "packet ",
        ],
    );
    let spent = home.ask(&["ledger", "spent"]);
    let payment = &spent["payments"][0];
    assert_eq!(payment["payee"], destination);
    assert_eq!(
        (&payment["outcome"], &payment["reason"]),
        (&"paid".into(), &"packet".into())
    );
    assert_eq!(payment["route"][1], destination);
    assert_eq!(spent["days"][0]["sums"], spent["total"]);
    assert_eq!(spent["payees"][0]["sums"]["amount_msat"], 45_000);
    let peer = home.ask(&["ledger", "spent", "--peer", &destination, "--last", "1"]);
    assert_eq!(peer, spent);
    let myself = home.ask(&["ledger", "spent", "--peer", &paid.source.to_string()]);
    assert_eq!(myself["payments"], serde_json::json!([]));
    let before = home.command(&["ledger", "spent", "--day", "2026-01-31"], &[]);
    assert_has(&before.out, &["nothing was spent"]);
    assert_eq!(
        home.command(&["ledger", "spent", "--day", "2026-02-30"], &[])
            .code,
        Some(2)
    );

    let file = paid.file("payer.jsonl");
    let file = file.to_str().unwrap();
    assert_eq!(home.command(&["ledger", "export", file], &[]).code, Some(0));
    let other = paid.sibling("other", "");
    let imported = other.command(&["ledger", "import", file], &[]);
    assert_eq!(imported.code, Some(0), "{}", imported.err);
    assert_eq!(other.ask(&["ledger", "spent"]), spent);
    assert_eq!(other.command(&["ledger", "verify"], &[]).code, Some(0));
    // One sat of the sums is gone, in a file that is sealed anew.
    let text = fs::read_to_string(file).unwrap();
    let (body, end) = text.trim_end().rsplit_once('\n').unwrap();
    let less = body.replace(
        "\"sums\":{\"payments\":1,\"amount_msat\":45000",
        "\"sums\":{\"payments\":1,\"amount_msat\":44000",
    );
    assert_ne!(less, body);
    let (counts, _) = end.rsplit_once(",\"sha256\"").unwrap();
    fs::write(file, sealed(&format!("{less}\n"), counts)).unwrap();
    let wrong = paid.sibling("wrong", "");
    assert_eq!(
        wrong.command(&["ledger", "import", file], &[]).code,
        Some(0)
    );
    let verified = wrong.command(&["ledger", "verify"], &[]);
    assert_eq!(verified.code, Some(1));
    assert_has(
        &verified.out,
        &["WRONG: 1 sum of what was spent", "44.000", "45.000"],
    );
}

#[test]
fn lists_take_csv_and_all_and_nothing_else_does() {
    for args in [
        &["ledger", "--csv"] as &[&str],
        &["ledger", "--all"],
        &["ledger", "--deposits", "--debits"],
        &["ledger", "--deposits", "--csv", "--json"],
        &["ledger", "--deposits", "--all", "--last", "3"],
        &["ledger", "--last", "0"],
        &["ledger", "--last", "10001"],
        &["ledger", "export"],
        &["ledger", "--last", "3", "verify"],
    ] {
        assert_eq!(run(args).code, Some(2), "{args:?}");
    }
}

#[test]
fn a_store_is_compacted_beside_a_stopped_node_and_keeps_its_books() {
    let mut paid = Paid::new();
    booked(&paid.destination);
    let running = paid.ledger(&["compact"]);
    assert_eq!(running.code, Some(1), "{}{}", running.out, running.err);
    assert_has(&running.err, &["a node runs at", "stop it first"]);
    let before = paid.ledger(&["--json"]).out;
    paid.stop();
    let done = paid.ledger(&["compact"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert_has(&done.out, &["redb:", "given back", "left"]);
    let after = paid.destination.command(&["ledger", "--json"], &[]);
    assert_eq!(after.out, before);
}
