use super::{fault::Fault, number::signed, payments, refunds, watched};
use crate::{
    proof_bytes,
    record::{Account, ClaimRecord, Debit, Deposit, PaymentLine, Record},
};
use mesh_types::{DaySpent, NodeId, PaymentProof, Refund, StoreError, Watched};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::mpsc;

/// Fills an empty ledger, all or nothing.
pub(super) async fn import(
    conn: &mut PgConnection,
    mut records: mpsc::Receiver<Vec<Record>>,
) -> Result<(), StoreError> {
    let unavailable = |error: sqlx::Error| Fault::from(error).into_unavailable();
    let mut tx = conn.begin().await.map_err(unavailable)?;
    let filled = fill(&mut tx, &mut records).await;
    if let Err(fault) = filled {
        tx.rollback().await.map_err(unavailable)?;
        return Err(fault.into_unavailable());
    }
    let committed = tx.commit().await;
    committed.map_err(|error| StoreError::Unknown(Fault::from(error).reason().to_owned()))
}

async fn fill(
    conn: &mut PgConnection,
    records: &mut mpsc::Receiver<Vec<Record>>,
) -> Result<(), Fault> {
    // Nobody changes anything meanwhile, and the pages may take their time.
    sqlx::query("set local idle_in_transaction_session_timeout = 0")
        .execute(&mut *conn)
        .await?;
    sqlx::query("set local statement_timeout = 0")
        .execute(&mut *conn)
        .await?;
    let lock = "lock table blvm_mesh.node, blvm_mesh.claim, blvm_mesh.account, blvm_mesh.deposit,
        blvm_mesh.debit, blvm_mesh.watched, blvm_mesh.payment, blvm_mesh.spent,
        blvm_mesh.kept_proof, blvm_mesh.refund in exclusive mode";
    sqlx::query(lock).execute(&mut *conn).await?;
    let is_empty = "select not exists (select from blvm_mesh.claim)
        and not exists (select from blvm_mesh.account)
        and not exists (select from blvm_mesh.deposit)
        and not exists (select from blvm_mesh.watched)
        and not exists (select from blvm_mesh.payment)
        and not exists (select from blvm_mesh.spent)
        and not exists (select from blvm_mesh.kept_proof)
        and not exists (select from blvm_mesh.refund)
        and exists (select from blvm_mesh.node
            where identity is null and next_sequence = 0 and swept_at = 0)";
    if !sqlx::query_scalar::<_, bool>(is_empty)
        .fetch_one(&mut *conn)
        .await?
    {
        return Err(Fault::Undone("it is not empty".to_owned()));
    }
    while let Some(page) = records.recv().await {
        let mut lists = Lists::default();
        for record in page {
            if matches!(record, Record::End) {
                lists.write(conn).await?;
                watched::freeze_accounts(conn).await?;
                payments::count_on(conn).await?;
                return count_on(conn).await;
            }
            lists.add(record);
        }
        lists.write(conn).await?;
    }
    Err(Fault::Undone("the records end early".to_owned()))
}

/// A page of records, by kind.
#[derive(Default)]
struct Lists {
    identity: Option<[u8; 32]>,
    next_sequence: Option<u64>,
    swept_at: Option<u64>,
    accounts: Vec<Account>,
    deposits: Vec<Deposit>,
    debits: Vec<Debit>,
    claims: Vec<ClaimRecord>,
    watched: Vec<Watched>,
    payments: Vec<PaymentLine>,
    spent: Vec<DaySpent>,
    refunds: Vec<Refund>,
    proofs: Vec<(NodeId, PaymentProof)>,
}

impl Lists {
    fn add(&mut self, record: Record) {
        match record {
            Record::Identity(secret) => self.identity = Some(secret),
            Record::NextSequence(next) => self.next_sequence = Some(next),
            Record::SweptAt(time) => self.swept_at = Some(time.to_millis()),
            Record::Account(account) => self.accounts.push(account),
            Record::Deposit(deposit) => self.deposits.push(deposit),
            Record::Debit(debit) => self.debits.push(debit),
            Record::Claim(claim) => self.claims.push(claim),
            Record::Watched(payment) => self.watched.push(payment),
            Record::Payment(line) => self.payments.push(line),
            Record::Spent(day) => self.spent.push(day),
            Record::Refund(refund) => self.refunds.push(refund),
            Record::Proof(payee, proof) => self.proofs.push((payee, proof)),
            Record::End => {}
        }
    }

    async fn write(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        let node = "update blvm_mesh.node set identity = coalesce($1, identity),
            next_sequence = coalesce($2, next_sequence), swept_at = coalesce($3, swept_at)";
        sqlx::query(node)
            .bind(self.identity)
            .bind(self.next_sequence.map(signed))
            .bind(self.swept_at.map(signed))
            .execute(&mut *conn)
            .await?;
        self.write_accounts(conn).await?;
        self.write_journal(conn).await?;
        let claims = "insert into blvm_mesh.claim (key, by, expires_at)
            select * from unnest($1::bytea[], $2::bytea[], $3::bigint[])";
        sqlx::query(claims)
            .bind(column(&self.claims, |it| *it.key.as_bytes()))
            .bind(column(&self.claims, |it| *it.by.as_bytes()))
            .bind(column(&self.claims, |it| signed(it.expires_at.to_millis())))
            .execute(&mut *conn)
            .await?;
        watched::insert(conn, &self.watched).await?;
        payments::import(conn, &self.payments, &self.spent).await?;
        refunds::import(conn, &self.refunds).await?;
        for (payee, proof) in &self.proofs {
            let bytes =
                proof_bytes::encode(proof).map_err(|error| Fault::Undone(error.to_string()))?;
            sqlx::query("insert into blvm_mesh.kept_proof (payee, proof) values ($1, $2)")
                .bind(payee.to_bytes())
                .bind(bytes)
                .execute(&mut *conn)
                .await?;
        }
        Ok(())
    }

    async fn write_accounts(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        let sql = "insert into blvm_mesh.account
                (payer, deposited, credit, earned, deposits, packets, refunded)
            select * from unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[],
                $5::bigint[], $6::bigint[], $7::bigint[])";
        sqlx::query(sql)
            .bind(column(&self.accounts, |it| it.payer.to_bytes()))
            .bind(column(&self.accounts, |it| signed(it.deposited.to_msat())))
            .bind(column(&self.accounts, |it| signed(it.credit.to_msat())))
            .bind(column(&self.accounts, |it| signed(it.earned.to_msat())))
            .bind(column(&self.accounts, |it| signed(it.deposits)))
            .bind(column(&self.accounts, |it| signed(it.packets)))
            .bind(column(&self.accounts, |it| signed(it.refunded.to_msat())))
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn write_journal(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        let deposits = "insert into blvm_mesh.deposit (serial, at, payer, amount, key)
            overriding system value
            select * from unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[],
                $5::bytea[])";
        sqlx::query(deposits)
            .bind(column(&self.deposits, |it| signed(it.serial)))
            .bind(column(&self.deposits, |it| signed(it.at.to_millis())))
            .bind(column(&self.deposits, |it| it.payer.to_bytes()))
            .bind(column(&self.deposits, |it| signed(it.amount.to_msat())))
            .bind(column(&self.deposits, |it| *it.key.as_bytes()))
            .execute(&mut *conn)
            .await?;
        let debits = "insert into blvm_mesh.debit (period, payer, amount, packets)
            select * from unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[])";
        sqlx::query(debits)
            .bind(column(&self.debits, |it| signed(it.period.to_millis())))
            .bind(column(&self.debits, |it| it.payer.to_bytes()))
            .bind(column(&self.debits, |it| signed(it.amount.to_msat())))
            .bind(column(&self.debits, |it| signed(it.packets)))
            .execute(conn)
            .await?;
        Ok(())
    }
}

fn column<T, C>(list: &[T], of: fn(&T) -> C) -> Vec<C> {
    list.iter().map(of).collect()
}

/// Lets the journal go on behind the last deposit that came.
async fn count_on(conn: &mut PgConnection) -> Result<(), Fault> {
    let sql = "select setval(pg_get_serial_sequence('blvm_mesh.deposit', 'serial'),
        greatest(max(serial), 1), max(serial) is not null) from blvm_mesh.deposit";
    sqlx::query(sql).execute(conn).await?;
    Ok(())
}
