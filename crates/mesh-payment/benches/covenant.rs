//! Payments on the chain: hashing templates beside the bare SHA-256, and judging proofs up to the question and the answer.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench that cannot set up its work has nothing to measure"
)]

#[path = "../tests/chain/mod.rs"]
mod chain;
#[path = "../tests/issuer/mod.rs"]
mod issuer;

use bitcoin::{ScriptBuf, Transaction, consensus::serialize};
use chain::{
    Covenant, FORMS, OnChain, input, our_script, output, policy, transaction, with_policy,
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use issuer::NOW;
use mesh_payment::{Question, Verification, Verifier, ctv};
use mesh_types::PaymentProof;
use sha2::{Digest, Sha256};
use std::hint::black_box;

/// A payment to `outputs` scripts, of both lengths that wallets usually make.
fn paying(inputs: u8, outputs: u64) -> Transaction {
    let taproot = ScriptBuf::from([&[0x51, 32], [3; 32].as_slice()].concat());
    let scripts = [our_script(), taproot].into_iter().cycle();
    let outputs = (10_000..10_000 + outputs).zip(scripts);
    let outputs = outputs.map(|(value_sats, script)| output(value_sats, script));
    transaction((0..inputs).map(input).collect(), outputs.collect())
}

/// What a template hash is of, laid out beforehand: two lists that are hashed first, and what stands around their hashes.
struct Layout {
    sequences: Vec<u8>,
    outputs: Vec<u8>,
    whole: [u8; 84],
}

impl Layout {
    fn of(tx: &Transaction) -> Self {
        let count = |len: usize| u32::try_from(len).unwrap().to_le_bytes();
        let mut whole = [0; 84];
        whole[..4].copy_from_slice(&tx.version.0.to_le_bytes());
        whole[4..8].copy_from_slice(&tx.lock_time.to_consensus_u32().to_le_bytes());
        whole[8..12].copy_from_slice(&count(tx.input.len()));
        whole[44..48].copy_from_slice(&count(tx.output.len()));
        let sequences = tx.input.iter().map(|it| serialize(&it.sequence));
        Self {
            sequences: sequences.flatten().collect(),
            outputs: tx.output.iter().flat_map(serialize).collect(),
            whole,
        }
    }

    /// The hashes of the lists are known beforehand too: what nobody can have.
    fn hash_of_known(&self, whole: &[u8; 84]) -> [u8; 32] {
        let layout = black_box(self);
        black_box(Sha256::digest(&layout.sequences));
        black_box(Sha256::digest(&layout.outputs));
        Sha256::digest(black_box(whole)).into()
    }

    /// The hashes of the lists are put into their places.
    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.whole()).into()
    }

    fn whole(&self) -> [u8; 84] {
        let layout = black_box(self);
        let mut whole = layout.whole;
        whole[12..44].copy_from_slice(&Sha256::digest(&layout.sequences));
        whole[48..80].copy_from_slice(&Sha256::digest(&layout.outputs));
        whole
    }
}

/// Owed: at most 1.2 times the floor.
fn template_hash(c: &mut Criterion) {
    for (inputs, outputs) in [(1, 2), (1, 3), (2, 2), (3, 5), (1, 100)] {
        let tx = paying(inputs, outputs);
        let layout = Layout::of(&tx);
        assert_eq!(layout.hash(), ctv::template_hash(&tx, 0));
        let whole = layout.whole();
        let mut group = c.benchmark_group(format!("template of {inputs} in, {outputs} out"));
        group.bench_function("floor: SHA-256 of bytes all known before", |b| {
            b.iter(|| layout.hash_of_known(&whole))
        });
        group.bench_function("floor: SHA-256 of the same bytes", |b| {
            b.iter(|| layout.hash())
        });
        group.bench_function("hash", |b| b.iter(|| ctv::template_hash(black_box(&tx), 0)));
        group.finish();
    }
}

/// A further index of a template that is kept costs one block of SHA-256.
fn second_index(c: &mut Criterion) {
    let template = ctv::Template::of(&paying(2, 3));
    let mut group = c.benchmark_group("another index of a template");
    group.bench_function("floor: SHA-256 of 36 bytes", |b| {
        b.iter(|| Sha256::digest(black_box([7_u8; 36])))
    });
    group.bench_function("hash", |b| b.iter(|| black_box(&template).hash(1)));
    group.finish();
}

fn ask(verifier: &Verifier, proof: &PaymentProof) -> Question {
    match verifier.begin(black_box(proof), NOW) {
        Ok(Verification::Asks(question)) => question,
        other => panic!("{other:?}"),
    }
}

/// Everything but the chain, then what the chain says.
fn covenants(c: &mut Criterion) {
    let verifier = with_policy(policy());
    for form in FORMS {
        let covenant = Covenant::good(form);
        let (proof, coin) = (covenant.proof(), covenant.coin(1));
        let mut group = c.benchmark_group(format!("covenant, {form:?}"));
        group.bench_function("floor: template hash", |b| {
            b.iter(|| ctv::template_hash(black_box(&covenant.template), 0))
        });
        group.bench_function("judge up to the question", |b| {
            b.iter(|| ask(&verifier, &proof))
        });
        group.bench_function("judge the answer", |b| {
            b.iter_batched(
                || ask(&verifier, &proof),
                |question| match question {
                    Question::Output(question) => {
                        assert!(question.answer(black_box(&coin)).is_ok())
                    }
                    other => panic!("{other:?}"),
                },
                BatchSize::SmallInput,
            )
        });
        group.finish();
    }
}

fn settlements(c: &mut Criterion) {
    let verifier = with_policy(policy());
    let on_chain = OnChain::good();
    let (proof, found) = (on_chain.proof(), on_chain.found(1));
    let mut group = c.benchmark_group("on-chain settlement");
    group.bench_function("floor: read the transaction and its id", |b| {
        b.iter(|| {
            let read: Transaction =
                bitcoin::consensus::deserialize(black_box(&found.bytes)).unwrap();
            read.compute_txid()
        })
    });
    group.bench_function("judge up to the question", |b| {
        b.iter(|| ask(&verifier, &proof))
    });
    group.bench_function("judge the answer", |b| {
        b.iter_batched(
            || ask(&verifier, &proof),
            |question| match question {
                Question::Transaction(question) => {
                    assert!(question.answer(Some(black_box(&found))).is_ok())
                }
                other => panic!("{other:?}"),
            },
            BatchSize::SmallInput,
        )
    });
    group.finish();
}

criterion_group!(benches, template_hash, second_index, covenants, settlements);
criterion_main!(benches);
