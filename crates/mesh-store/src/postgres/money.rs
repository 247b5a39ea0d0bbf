use super::{
    fault::Fault,
    number::{signed, unsigned},
    purse::Purse,
    refunds,
    tally::{Balance, Slot, Tally},
    watched,
};
use crate::backend::Op;
use mesh_types::{NodeId, PacketTag, UnixTime};
use sqlx::{PgConnection, Row as _};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Reads what `ops` are about, and keeps everybody else from changing it until the transaction ends.
///
/// Everybody locks in the same order, claims by key, then refunds, then accounts by payer, then the node's row, so that no two gateways wait
/// for each other. A watched payment has no lock but that of its payer's account: see [`watched::read`].
pub(super) async fn read<'p>(
    conn: &mut PgConnection,
    ops: &[&Op],
    purse: &'p mut Purse,
) -> Result<Tally<'p>, Fault> {
    let slots = claim_slots(conn, ops).await?;
    let refunds = refunds::read(conn, ops).await?;
    let mut payers = BTreeSet::new();
    let mut depositors = BTreeSet::new();
    let (mut on_chain, mut judged) = (BTreeSet::new(), BTreeSet::new());
    for op in ops {
        match op {
            Op::Claim { claim, .. } => {
                if let Some(Slot::Fresh { .. }) = slots.get(claim.key.as_bytes()) {
                    depositors.insert(claim.payer.to_bytes());
                    payers.insert(claim.payer.to_bytes());
                    if claim.on_chain.is_some() {
                        on_chain.insert(*claim.key.as_bytes());
                    }
                }
            }
            Op::Judge { key, .. } => {
                judged.insert(*key.as_bytes());
            }
            Op::Draw { payer, .. } => {
                payers.insert(payer.to_bytes());
            }
            Op::Settle { settlements, .. } => {
                payers.extend(settlements.iter().map(|one| one.payer.to_bytes()));
            }
            Op::BeginRefund(refund) => {
                payers.insert(refund.payer.to_bytes());
            }
            Op::EndRefund(end) => {
                payers.insert(end.payer.to_bytes());
            }
            _ => {}
        }
    }
    payers.extend(watched::payers(conn, &judged).await?);
    let swept_at = if depositors.is_empty() {
        UnixTime::default()
    } else {
        make_accounts(conn, depositors).await?
    };
    let accounts = lock_accounts(conn, payers).await?;
    Ok(Tally {
        swept_at,
        slots,
        accounts,
        watches: watched::read(conn, judged, on_chain).await?,
        refunds,
        purse,
        revoked: false,
        draws_nothing: false,
        lines: Vec::new(),
        debits: BTreeMap::new(),
        short: BTreeSet::new(),
    })
}

/// Makes a row for each payment that is not claimed, and reads those that are.
async fn claim_slots(
    conn: &mut PgConnection,
    ops: &[&Op],
) -> Result<BTreeMap<[u8; 32], Slot>, Fault> {
    let mut slots = BTreeMap::new();
    for op in ops {
        if let Op::Claim { claim, by, .. } = op {
            slots.entry(*claim.key.as_bytes()).or_insert(Slot::Fresh {
                for_first: (*by, claim.expires_at),
            });
        }
    }
    if slots.is_empty() {
        return Ok(slots);
    }
    let (mut keys, mut tags, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for (key, slot) in &slots {
        if let Slot::Fresh {
            for_first: (by, expires_at),
        } = slot
        {
            keys.push(*key);
            tags.push(*by.as_bytes());
            ends.push(signed(expires_at.to_millis()));
        }
    }
    let insert = "insert into blvm_mesh.claim (key, by, expires_at)
        select * from unnest($1::bytea[], $2::bytea[], $3::bigint[])
        on conflict do nothing returning key";
    let made: Vec<[u8; 32]> = sqlx::query_scalar(insert)
        .bind(&keys)
        .bind(&tags)
        .bind(&ends)
        .fetch_all(&mut *conn)
        .await?;
    if made.len() == keys.len() {
        return Ok(slots);
    }
    let made: BTreeSet<_> = made.into_iter().collect();
    keys.retain(|key| !made.contains(key));
    let known: Vec<([u8; 32], [u8; 16])> =
        sqlx::query_as("select key, by from blvm_mesh.claim where key = any($1)")
            .bind(&keys)
            .fetch_all(&mut *conn)
            .await?;
    if known.len() != keys.len() {
        return Err(Fault::Again("a claim was forgotten meanwhile".to_owned()));
    }
    let (mut unshown, mut by_packets) = (Vec::new(), known);
    by_packets.retain(|(key, by)| {
        let is_unshown = PacketTag::from_bytes(*by) == PacketTag::NONE;
        if is_unshown {
            unshown.push(*key);
        }
        !is_unshown
    });
    by_packets.extend(lock_unshown(conn, unshown).await?);
    for (key, by) in by_packets {
        let by = PacketTag::from_bytes(by);
        slots.insert(key, Slot::Known { by });
    }
    Ok(slots)
}

/// Locks claims that no packet has made, of which one may be taking over now, and reads them again.
async fn lock_unshown(
    conn: &mut PgConnection,
    keys: Vec<[u8; 32]>,
) -> Result<Vec<([u8; 32], [u8; 16])>, Fault> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "select key, by from blvm_mesh.claim where key = any($1) order by key
        for no key update";
    let locked: Vec<([u8; 32], [u8; 16])> = sqlx::query_as(sql).bind(&keys).fetch_all(conn).await?;
    if locked.len() != keys.len() {
        return Err(Fault::Again("a claim was forgotten meanwhile".to_owned()));
    }
    Ok(locked)
}

/// Makes accounts where there are none, and reads what claims have been forgotten.
///
/// Read here, after the claims' rows were made: whoever forgot a payment's claim before has said so by now.
async fn make_accounts(
    conn: &mut PgConnection,
    depositors: BTreeSet<[u8; 32]>,
) -> Result<UnixTime, Fault> {
    let depositors: Vec<_> = depositors.into_iter().collect();
    let sql = "with made as (
            insert into blvm_mesh.account (payer) select unnest($1::bytea[]) on conflict do nothing)
        select swept_at from blvm_mesh.node";
    let swept_at: i64 = sqlx::query_scalar(sql)
        .bind(depositors)
        .fetch_one(conn)
        .await?;
    Ok(UnixTime::from_millis(unsigned(swept_at)?))
}

async fn lock_accounts(
    conn: &mut PgConnection,
    payers: BTreeSet<[u8; 32]>,
) -> Result<HashMap<NodeId, Balance>, Fault> {
    if payers.is_empty() {
        return Ok(HashMap::new());
    }
    let payers: Vec<_> = payers.into_iter().collect();
    let sql = "select payer, deposited, credit, drawn, earned, refunded, frozen, deposits,
            packets
        from blvm_mesh.account where payer = any($1) order by payer for no key update";
    let rows = sqlx::query(sql).bind(payers).fetch_all(conn).await?;
    let mut accounts = HashMap::with_capacity(rows.len());
    for row in rows {
        let number = |column: &str| row.try_get::<i64, _>(column).and_then(unsigned);
        let balance = Balance {
            deposited: number("deposited")?,
            credit: number("credit")?,
            drawn: number("drawn")?,
            earned: number("earned")?,
            refunded: number("refunded")?,
            frozen: number("frozen")?,
            deposits: number("deposits")?,
            packets: number("packets")?,
            changed: false,
        };
        accounts.insert(NodeId::from_bytes(row.try_get("payer")?), balance);
    }
    Ok(accounts)
}

/// Writes down what was worked out.
pub(super) async fn write(conn: &mut PgConnection, tally: &Tally<'_>) -> Result<(), Fault> {
    mend_claims(conn, tally).await?;
    write_accounts(conn, tally).await?;
    watched::write(conn, &tally.watches).await?;
    refunds::write(conn, &tally.refunds).await?;
    if !tally.lines.is_empty() {
        let sql = "insert into blvm_mesh.deposit (at, payer, amount, key)
            select * from unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bytea[])";
        let lines = || tally.lines.iter();
        sqlx::query(sql)
            .bind(
                lines()
                    .map(|it| signed(it.at.to_millis()))
                    .collect::<Vec<_>>(),
            )
            .bind(
                lines()
                    .map(|it| it.claim.payer.to_bytes())
                    .collect::<Vec<_>>(),
            )
            .bind(
                lines()
                    .map(|it| signed(it.claim.amount.to_msat()))
                    .collect::<Vec<_>>(),
            )
            .bind(
                lines()
                    .map(|it| *it.claim.key.as_bytes())
                    .collect::<Vec<_>>(),
            )
            .execute(&mut *conn)
            .await?;
    }
    if !tally.debits.is_empty() {
        let sql = "insert into blvm_mesh.debit as d (period, payer, amount, packets)
            select * from unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[])
            on conflict (period, payer) do update set
                amount = d.amount + excluded.amount, packets = d.packets + excluded.packets";
        let (keys, sums) = (|| tally.debits.keys(), || tally.debits.values());
        sqlx::query(sql)
            .bind(
                keys()
                    .map(|it| signed(it.0.to_millis()))
                    .collect::<Vec<_>>(),
            )
            .bind(keys().map(|it| it.1.to_bytes()).collect::<Vec<_>>())
            .bind(sums().map(|it| signed(it.0)).collect::<Vec<_>>())
            .bind(sums().map(|it| signed(it.1)).collect::<Vec<_>>())
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Corrects the rows of payments that were refused, not claimed by the first who asked, or taken over.
async fn mend_claims(conn: &mut PgConnection, tally: &Tally<'_>) -> Result<(), Fault> {
    let mut refused = Vec::new();
    let (mut keys, mut tags, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    let (mut shown_keys, mut shown_by) = (Vec::new(), Vec::new());
    for (key, slot) in &tally.slots {
        match slot {
            Slot::Fresh { .. } => refused.push(*key),
            Slot::Taken {
                for_first,
                by,
                expires_at,
            } if *for_first != (*by, *expires_at) => {
                keys.push(*key);
                tags.push(*by.as_bytes());
                ends.push(signed(expires_at.to_millis()));
            }
            Slot::TakenOver { by } => {
                shown_keys.push(*key);
                shown_by.push(*by.as_bytes());
            }
            Slot::Taken { .. } | Slot::Known { .. } => {}
        }
    }
    if !refused.is_empty() {
        sqlx::query("delete from blvm_mesh.claim where key = any($1)")
            .bind(refused)
            .execute(&mut *conn)
            .await?;
    }
    if !keys.is_empty() {
        let sql = "update blvm_mesh.claim c set by = n.by, expires_at = n.expires_at
            from unnest($1::bytea[], $2::bytea[], $3::bigint[]) as n (key, by, expires_at)
            where c.key = n.key";
        sqlx::query(sql)
            .bind(keys)
            .bind(tags)
            .bind(ends)
            .execute(&mut *conn)
            .await?;
    }
    if !shown_keys.is_empty() {
        let sql = "update blvm_mesh.claim c set by = n.by
            from unnest($1::bytea[], $2::bytea[]) as n (key, by) where c.key = n.key";
        sqlx::query(sql)
            .bind(shown_keys)
            .bind(shown_by)
            .execute(conn)
            .await?;
    }
    Ok(())
}

async fn write_accounts(conn: &mut PgConnection, tally: &Tally<'_>) -> Result<(), Fault> {
    let changed: Vec<_> = tally
        .accounts
        .iter()
        .filter(|(_, balance)| balance.changed)
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Balance) -> u64| -> Vec<i64> {
        changed
            .iter()
            .map(|(_, balance)| signed(of(balance)))
            .collect()
    };
    let payers: Vec<_> = changed.iter().map(|(payer, _)| payer.to_bytes()).collect();
    let sql = "update blvm_mesh.account a set deposited = n.deposited, credit = n.credit,
            drawn = n.drawn, earned = n.earned, frozen = n.frozen, deposits = n.deposits,
            packets = n.packets, refunded = n.refunded
        from unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
            as n (payer, deposited, credit, drawn, earned, frozen, deposits, packets, refunded)
        where a.payer = n.payer";
    sqlx::query(sql)
        .bind(payers)
        .bind(column(|it| it.deposited))
        .bind(column(|it| it.credit))
        .bind(column(|it| it.drawn))
        .bind(column(|it| it.earned))
        .bind(column(|it| it.frozen))
        .bind(column(|it| it.deposits))
        .bind(column(|it| it.packets))
        .bind(column(|it| it.refunded))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes down what this process holds after the transaction.
pub(super) async fn write_purse(
    conn: &mut PgConnection,
    run: i32,
    purse: &Purse,
) -> Result<(), Fault> {
    let (full, empty): (Vec<_>, Vec<_>) =
        purse.changes().into_iter().partition(|(_, held)| *held > 0);
    if !full.is_empty() {
        let sql = "insert into blvm_mesh.purse (run, payer, amount)
            select $1, n.* from unnest($2::bytea[], $3::bigint[]) as n
            on conflict (run, payer) do update set amount = excluded.amount";
        sqlx::query(sql)
            .bind(run)
            .bind(full.iter().map(|it| it.0.to_bytes()).collect::<Vec<_>>())
            .bind(full.iter().map(|it| signed(it.1)).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
    }
    if !empty.is_empty() {
        sqlx::query("delete from blvm_mesh.purse where run = $1 and payer = any($2)")
            .bind(run)
            .bind(empty.iter().map(|it| it.0.to_bytes()).collect::<Vec<_>>())
            .execute(conn)
            .await?;
    }
    Ok(())
}
