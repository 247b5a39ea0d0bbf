//! Verifies the covenant proof that a file describes, by what the file says of the chain.
//!
//! ```text
//! cargo run -p mesh-payment --example ctv_proof -- FILE
//! ```
//!
//! Without a file it writes one that is good, says where, and verifies that.
#![expect(clippy::print_stdout, reason = "it is a program")]

use mesh_payment::{
    CovenantKind, CovenantLevel, CovenantProof, LeastLevel, Question, QuoteKey, Quoter,
    SettlementPolicy, Verification, VerifiedPayment, Verifier, VerifyError,
    bitcoin::{
        self, Amount, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, WPubkeyHash, Witness,
        absolute::LockTime, consensus::serialize, hashes::Hash as _, hex::FromHex as _,
        transaction::Version,
    },
};
use mesh_types::{
    ChainOutput, ChainTransaction, Msat, Network, NodeId, OutPoint, PaymentProof, UnixTime,
    from_hex, to_hex,
};
use serde_json::{Value, json};
use std::{
    env,
    error::Error,
    fmt::{self, Write as _},
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

const HELP: &str = "\
Verifies the covenant proof that FILE describes, by what FILE says of the chain.

Usage: ctv_proof [FILE]

FILE is a JSON object; all bytes are in lower-case hex:
  network          the network of this node: \"regtest\"
  ctv_enforced     whether that network enforces BIP-119
  node_id          32 bytes: this node
  quote_key_seed   32 bytes: the secret that its quotes' key is derived from
  our_script       the script that pays this node
  least_depth      how deep the covenant's coin has to be
  least_level      \"confirmed\", or \"funded\" where the mempool will do
  now              Unix seconds
  covenant_proof   the covenant, encoded as docs/payment.md says
  output_index     which of its outputs pays us
  amount_sats      what that output pays
  timestamp        when the quote ends, Unix seconds
  coin             what the chain knows of the coin: \"missing\", \"spent\", or
                   {\"script_pubkey\": …, \"value_sats\": …, \"depth\": …}
  spend_depth      where the coin is not there: how deep the transaction is that its
                   template makes, or null where that is not there either

Without FILE it writes one to a temporary folder and verifies that.
It exits with 0 when the proof is good, 1 when it is refused, 2 when FILE cannot be read.

Example: cargo run -p mesh-payment --example ctv_proof -- proof.json
";

const KEYS: [&str; 14] = [
    "network",
    "ctv_enforced",
    "node_id",
    "quote_key_seed",
    "our_script",
    "least_depth",
    "least_level",
    "now",
    "covenant_proof",
    "output_index",
    "amount_sats",
    "timestamp",
    "coin",
    "spend_depth",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(Report { text, is_good }) => {
            print!("{text}");
            ExitCode::from(u8::from(!is_good))
        }
        Err(error) => {
            println!("ctv_proof: {error}\nTry --help.");
            ExitCode::from(2)
        }
    }
}

/// What there is to print, and whether the proof was good.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) is_good: bool,
}

pub(crate) fn run(arguments: &[String]) -> Result<Report, Box<dyn Error>> {
    let (path, head) = match arguments {
        [] => {
            let path = write_sample()?;
            let head = format!(
                "wrote {}: change it, and verify it again\n\n",
                path.display()
            );
            (path, head)
        }
        [help] if help == "--help" || help == "-h" => {
            return Ok(Report {
                text: HELP.to_owned(),
                is_good: true,
            });
        }
        [file] if !file.starts_with('-') => (PathBuf::from(file), String::new()),
        _ => return Err("expected one FILE".into()),
    };
    let report = File::read(&path)?.verify()?;
    Ok(Report {
        text: head + &report.text,
        ..report
    })
}

/// What the file says.
struct File {
    verifier: Verifier,
    proof: PaymentProof,
    coin: ChainOutput,
    spend: Option<ChainTransaction>,
    now: UnixTime,
}

impl File {
    fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let file = Fields(serde_json::from_str(&text)?);
        file.check_keys()?;
        let network = file.text("network")?.parse()?;
        let seed = from_hex(file.text("quote_key_seed")?)?;
        let verifier = Verifier {
            node_id: NodeId::from_bytes(from_hex(file.text("node_id")?)?),
            network,
            quote_key: Some(QuoteKey::derive(&seed).on(network)),
            payee_key: None,
            settlement: SettlementPolicy {
                scripts: vec![ScriptBuf::from(file.bytes("our_script")?)],
                least_depth: NonZeroU32::try_from(u32::try_from(file.number("least_depth")?)?)?,
                least_level: match file.text("least_level")? {
                    "confirmed" => LeastLevel::Confirmed,
                    "funded" => LeastLevel::Funded,
                    other => {
                        return Err(
                            format!("least_level {other:?}: expected confirmed or funded").into(),
                        );
                    }
                },
                ctv_on: match file.truth("ctv_enforced")? {
                    true => vec![network],
                    false => Vec::new(),
                },
                template_hash_on: Vec::new(),
            },
        };
        let covenant_proof = file.bytes("covenant_proof")?;
        Ok(Self {
            verifier,
            spend: file.spend(&covenant_proof)?,
            proof: PaymentProof::InstantSettlement {
                covenant_proof,
                output_index: u32::try_from(file.number("output_index")?)?,
                merkle_proof: Vec::new(),
                amount_sats: file.number("amount_sats")?,
                timestamp: file.number("timestamp")?,
            },
            coin: file.coin()?,
            now: UnixTime::from_secs(file.number("now")?),
        })
    }

    /// Judges the proof as far as that goes alone, then by what the chain says.
    fn verify(self) -> Result<Report, Box<dyn Error>> {
        let mut text = String::new();
        let verdict = self.judge(&mut text)?;
        match &verdict {
            Ok(payment) => {
                let (amount, payer) = (payment.amount(), payment.payer());
                writeln!(text, "verdict   good: {amount} for {payer}")?;
                writeln!(text, "claim     {:?}", payment.key())?;
            }
            Err(error) => {
                let advice = if error.is_pending() {
                    " (show it again later)"
                } else {
                    ""
                };
                writeln!(text, "verdict   refused: {error}{advice}")?;
            }
        }
        Ok(Report {
            text,
            is_good: verdict.is_ok(),
        })
    }

    fn judge(&self, text: &mut String) -> Result<Result<VerifiedPayment, VerifyError>, fmt::Error> {
        let mut begun = self.verifier.begin(&self.proof, self.now);
        loop {
            begun = match begun {
                Ok(Verification::Verified(payment)) => return Ok(Ok(payment)),
                Err(error) => return Ok(Err(error)),
                Ok(Verification::Asks(Question::Output(question))) => {
                    let OutPoint { tx_hash, index } = question.outpoint();
                    let least_depth = self.verifier.settlement.least_depth;
                    let level = CovenantLevel::of(&self.coin, least_depth);
                    writeln!(text, "asks      what became of {tx_hash}:{index}")?;
                    writeln!(text, "level     {level}")?;
                    question.answer(&self.coin)
                }
                Ok(Verification::Asks(Question::Spend(question))) => {
                    writeln!(text, "asks      whether there is {}", question.tx_hash())?;
                    let payment = question.answer(self.spend.as_ref());
                    payment.map(Verification::Verified)
                }
                Ok(Verification::Asks(Question::Transaction(question))) => {
                    let payment = question.answer(None);
                    payment.map(Verification::Verified)
                }
            };
        }
    }
}

/// The file's fields, each of which has to be there.
struct Fields(Value);

impl Fields {
    fn check_keys(&self) -> Result<(), String> {
        let object = self.0.as_object().ok_or("expected a JSON object")?;
        match object.keys().find(|key| !KEYS.contains(&key.as_str())) {
            Some(key) => Err(format!("unknown field {key:?}")),
            None => Ok(()),
        }
    }

    fn field<'a, T>(
        &'a self,
        key: &str,
        kind: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, String> {
        let found = self.0.get(key).and_then(read);
        found.ok_or_else(|| format!("expected {kind} in {key:?}"))
    }

    fn text(&self, key: &str) -> Result<&str, String> {
        self.field(key, "a text", Value::as_str)
    }

    fn number(&self, key: &str) -> Result<u64, String> {
        self.field(key, "a whole number", Value::as_u64)
    }

    fn truth(&self, key: &str) -> Result<bool, String> {
        self.field(key, "true or false", Value::as_bool)
    }

    fn bytes(&self, key: &str) -> Result<Vec<u8>, String> {
        let read = |value: &Value| Vec::from_hex(value.as_str()?).ok();
        self.field(key, "bytes in hex", read)
    }

    fn coin(&self) -> Result<ChainOutput, Box<dyn Error>> {
        let coin = self.field("coin", "the coin", Some)?;
        match coin.as_str() {
            Some("missing") => return Ok(ChainOutput::Missing),
            Some("spent") => return Ok(ChainOutput::Spent),
            _ => {}
        }
        let coin = Fields(coin.clone());
        Ok(ChainOutput::Unspent {
            script_pubkey: coin.bytes("script_pubkey")?,
            value_sats: coin.number("value_sats")?,
            depth: u32::try_from(coin.number("depth")?)?,
            is_coinbase: false,
        })
    }

    /// The transaction that the template makes, where the chain has it.
    fn spend(&self, covenant_proof: &[u8]) -> Result<Option<ChainTransaction>, Box<dyn Error>> {
        if self
            .field("spend_depth", "null or a number", Some)?
            .is_null()
        {
            return Ok(None);
        }
        let covenant = CovenantProof::from_bytes(covenant_proof)?;
        Ok(Some(ChainTransaction {
            bytes: serialize(&covenant.spend()),
            depth: u32::try_from(self.number("spend_depth")?)?,
        }))
    }
}

/// Writes a file whose proof is good, where the next call of this program can find it.
fn write_sample() -> Result<PathBuf, Box<dyn Error>> {
    let folder = env::temp_dir().join(format!("ctv_proof-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let path = folder.join("proof.json");
    fs::write(&path, serde_json::to_string_pretty(&sample()?)?)?;
    Ok(path)
}

/// A payer's covenant, two blocks deep: it pays 5,000 satoshi to the node that quoted, and the rest back.
pub(crate) fn sample() -> Result<Value, Box<dyn Error>> {
    let (seed, node_id) = ([3; 32], NodeId::from_bytes([1; 32]));
    let now = UnixTime::from_secs(1_790_000_000);
    let quoter = Quoter {
        payee: node_id,
        key: QuoteKey::derive(&seed).on(Network::Regtest),
        lifetime: Duration::from_secs(3_600),
        price_epoch: 0,
    };
    let payer = NodeId::from_bytes([2; 32]);
    let quote = quoter.offer(payer, Msat::from_msat(5_000_000), [4; 16], now)?;
    let script = |seed| ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([seed; 20]));
    let output = |sats, script_pubkey| TxOut {
        value: Amount::from_sat(sats),
        script_pubkey,
    };
    let template = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: bitcoin::OutPoint::new(Txid::from_byte_array([7; 32]), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![
            output(5_000, script(1)),
            output(40_000, script(2)),
            output(0, quote.named_in_covenant()),
        ],
    };
    let proof = CovenantProof {
        kind: CovenantKind::CtvWitnessScript,
        quote,
        template,
    };
    let coin_script = proof.kind.script(&proof.template)?;
    Ok(json!({
        "network": Network::Regtest.as_str(),
        "ctv_enforced": true,
        "node_id": to_hex(node_id.as_bytes()),
        "quote_key_seed": to_hex(&seed),
        "our_script": to_hex(script(1).as_bytes()),
        "least_depth": 2,
        "least_level": "confirmed",
        "now": now.to_secs(),
        "covenant_proof": to_hex(&proof.to_bytes()),
        "output_index": 0,
        "amount_sats": 5_000,
        "timestamp": quote.expires_at.to_secs(),
        "coin": {
            "script_pubkey": to_hex(coin_script.as_bytes()),
            "value_sats": 45_500,
            "depth": 2,
        },
        "spend_depth": null,
    }))
}
