//! The ledger over a store in memory.

mod moving;
mod reading;
mod spending;

use super::{
    export::export,
    memory::{Contents, Memory},
    *,
};
use crate::record::{ClaimRecord, PaymentLine, Record};
use mesh_types::{
    ClaimKey, DaySpent, Msat, OwnPayment, PacketTag, PaymentOutcome, PaymentProof, PaymentReason,
    Refund, Route, Spent, TxHash, Watched,
};
use proptest::{collection::vec, option, prelude::*};
use std::collections::BTreeMap;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap()
}

fn payer(byte: u8) -> NodeId {
    NodeId::from_bytes([byte; 32])
}

/// What `journal` comes to: deposits as (payer, amount), and debits as (hour, payer, amount).
fn contents(deposits: &[(u8, u32)], debits: &[(u16, u8, u32)]) -> Contents {
    let mut contents = Contents::default();
    for (at, (who, amount)) in deposits.iter().enumerate() {
        let serial = u64::try_from(at).unwrap() + 1;
        let mut key = [*who; 32];
        key[..8].copy_from_slice(&serial.to_be_bytes());
        contents.put(Record::Deposit(Deposit {
            serial,
            at: UnixTime::from_millis(1_790_000_000_123 + serial),
            payer: payer(*who),
            amount: Msat::from_msat((*amount).into()),
            key: ClaimKey::from_payment_hash(key),
        }));
    }
    for (hour, who, amount) in debits {
        let period = UnixTime::from_secs(1_790_000_000 / 3_600 * 3_600 + u64::from(*hour) * 3_600);
        contents.put(Record::Debit(Debit {
            period,
            payer: payer(*who),
            amount: Msat::from_msat((*amount).into()),
            packets: u64::from(*amount) / 3 + 1,
        }));
    }
    let mut sums = BTreeMap::<NodeId, (u64, u64, u64, u64)>::new();
    for deposit in contents.deposits.values() {
        let sum = sums.entry(deposit.payer).or_default();
        *sum = (sum.0 + 1, sum.1 + deposit.amount.to_msat(), sum.2, sum.3);
    }
    for debit in contents.debits.values() {
        let sum = sums.entry(debit.payer).or_default();
        *sum = (
            sum.0,
            sum.1,
            sum.2 + debit.packets,
            sum.3 + debit.amount.to_msat(),
        );
    }
    for (payer, (deposits, deposited, packets, spent)) in sums {
        contents.put(Record::Account(Account {
            payer,
            deposited: Msat::from_msat(deposited),
            credit: Msat::from_msat(deposited.saturating_sub(spent)),
            earned: Msat::from_msat(spent),
            refunded: Msat::ZERO,
            frozen: Msat::ZERO,
            deposits,
            packets,
        }));
    }
    contents
}

fn lightning(byte: u8) -> PaymentProof {
    PaymentProof::Lightning {
        invoice: format!("lnbcrt{byte}\"\\\u{1}é"),
        preimage: [byte; 32],
        amount_msats: u64::MAX,
        timestamp: 1,
        expires_at: u64::from(byte),
    }
}

fn small() -> Contents {
    let mut contents = contents(
        &[(1, 5_000), (2, 7_000), (1, 300)],
        &[(0, 1, 400), (1, 1, 100)],
    );
    contents.identity = Some([0x5e; 32]);
    contents.next_sequence = 1_790_000_000_000_000;
    contents.swept_at = UnixTime::from_secs(1_790_000_000);
    contents.put(Record::Claim(ClaimRecord {
        key: ClaimKey::from_payment_hash([9; 32]),
        by: PacketTag::from_bytes([8; 16]),
        expires_at: UnixTime::from_secs(1_790_000_600),
    }));
    contents.put(Record::Proof(payer(4), lightning(4)));
    contents.put(watched(1, 1, 300, true));
    contents.put(watched(2, 2, 7_000, false));
    put_payments(&mut contents, &[(4, 9, 1), (5, 0, 0), (4, 7, 2)]);
    put_refunds(&mut contents, &[(1, 1_000, 0), (1, 500, 1), (2, 900, 2)]);
    contents
}

/// Payments of this node's own as (payee, amount, outcome), a day between each and the next, with their sums.
fn put_payments(contents: &mut Contents, payments: &[(u8, u16, u8)]) {
    let route = Route::new(vec![payer(1), payer(2), payer(3)]).unwrap();
    for ((payee, amount, outcome), serial) in payments.iter().zip(2..) {
        let at = UnixTime::from_secs(1_790_000_000 + serial * 86_400);
        let payment = OwnPayment {
            payment_hash: [u8::try_from(serial).unwrap(); 32],
            at,
            payee: payer(*payee),
            amount: Msat::from_msat((*amount).into()),
            fee: Msat::from_msat(if *outcome == 2 { 0 } else { 3 }),
            reason: match serial % 3 {
                0 => PaymentReason::Manual,
                1 => PaymentReason::Packet {
                    route: route.clone(),
                    sequence: u64::MAX,
                },
                _ => PaymentReason::TopUp {
                    route: route.clone(),
                    sequence: 0,
                },
            },
            outcome: match outcome {
                0 => PaymentOutcome::Unknown,
                1 => PaymentOutcome::Paid { at },
                _ => PaymentOutcome::Failed { at },
            },
        };
        let spent = payment.spent();
        contents.put(Record::Payment(PaymentLine { serial, payment }));
        if spent != Spent::default() {
            contents.put(Record::Spent(DaySpent {
                day: at.day(),
                payee: payer(*payee),
                spent,
                folded: Spent::default(),
            }));
        }
    }
}

/// Refunds as (payer, amount, outcome), taken out of the accounts.
fn put_refunds(contents: &mut Contents, refunds: &[(u8, u64, u8)]) {
    for ((of, amount, outcome), number) in refunds.iter().zip(1..) {
        let at = UnixTime::from_secs(1_790_000_000);
        let refund = Refund {
            payment_hash: [number; 32],
            payer: payer(*of),
            at,
            amount: Msat::from_msat(*amount),
            fee: Msat::from_msat(if *outcome == 2 { 0 } else { 20 }),
            invoice: if *outcome == 0 { "lnbcrt1" } else { "" }.to_owned(),
            outcome: match outcome {
                0 => PaymentOutcome::Unknown,
                1 => PaymentOutcome::Paid { at },
                _ => PaymentOutcome::Failed { at },
            },
        };
        let taken = refund.taken().unwrap();
        let account = contents.accounts.get_mut(&payer(*of)).unwrap();
        account.credit = account.credit.checked_sub(taken).unwrap();
        account.refunded = account.refunded.checked_add(taken).unwrap();
        contents.put(Record::Refund(refund));
    }
}

/// A payment to the payer `of` that is watched.
fn watched(key: u8, of: u8, amount: u32, is_frozen: bool) -> Record {
    Record::Watched(Watched {
        key: ClaimKey::from_tagged_hash([key; 32]),
        payer: payer(of),
        amount: Msat::from_msat(amount.into()),
        tx_hash: TxHash::from_bytes([0xab; 32]),
        is_frozen,
    })
}

/// Journals of a few payers, in which nobody spends more than there is.
fn ledgers() -> impl Strategy<Value = Contents> {
    let journal = (
        vec((0..6_u8, 1_000_000..2_000_000_u32), 0..20),
        vec((0..900_u16, 0..6_u8, 1..1_000_u32), 0..30),
    );
    let claims = vec(any::<([u8; 32], [u8; 16], u32)>(), 0..8);
    let watching = vec((any::<u8>(), 0..6_u8, any::<u32>(), any::<bool>()), 0..8);
    let node = (
        option::of(any::<[u8; 32]>()),
        any::<(u32, u32)>(),
        vec((0..3_u8, 0..200_u8), 0..5),
        vec((0..3_u8, any::<u16>(), 0..3_u8), 0..9),
    );
    (journal, claims, watching, node).prop_map(
        |((deposits, debits), claims, watching, (identity, (next, swept), proofs, payments))| {
            let has_deposit = |who: u8| deposits.iter().any(|(payer, _)| *payer == who);
            let debits: Vec<_> = debits
                .into_iter()
                .filter(|(_, who, _)| has_deposit(*who))
                .collect();
            let mut contents = contents(&deposits, &debits);
            contents.identity = identity;
            contents.next_sequence = next.into();
            contents.swept_at = UnixTime::from_millis(swept.into());
            for (key, by, expires_at) in claims {
                contents.put(Record::Claim(ClaimRecord {
                    key: ClaimKey::from_payment_hash(key),
                    by: PacketTag::from_bytes(by),
                    expires_at: UnixTime::from_secs(expires_at.into()),
                }));
            }
            // Each payment once: what is frozen is added up as they come.
            let watching: BTreeMap<_, _> = watching.into_iter().map(|it| (it.0, it)).collect();
            for (key, of, amount, is_frozen) in watching.into_values() {
                if has_deposit(of) {
                    contents.put(watched(key, of, amount, is_frozen));
                }
            }
            put_payments(&mut contents, &payments);
            for (payee, proof) in proofs {
                let proof = (payer(payee), lightning(proof));
                if !contents.proofs.contains(&proof) {
                    contents.proofs.push(proof);
                }
            }
            contents
        },
    )
}

fn exported(contents: &Contents) -> (Vec<u8>, Exported) {
    let mut file = Vec::new();
    let sums = runtime().block_on(export(&mut contents.clone(), &mut file));
    (file, sums.unwrap())
}
