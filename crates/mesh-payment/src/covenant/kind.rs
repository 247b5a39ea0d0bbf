use crate::{ctv, op_template_hash};
use bitcoin::{
    ScriptBuf, Transaction, Witness,
    key::{Secp256k1, TapTweak as _},
    opcodes::{Opcode, all::OP_EQUAL, all::OP_NOP4},
    secp256k1::VerifyOnly,
    taproot::{ControlBlock, LeafVersion, TapNodeHash},
};
use std::sync::LazyLock;
use thiserror::Error;

/// The opcode of BIP-446, one of tapscript's OP_SUCCESSx.
const OP_TEMPLATEHASH: u8 = 0xce;

/// The point that BIP-341 gives for *no key*: its discrete logarithm is nobody's.
const NO_KEY: [u8; 32] = [
    0x50, 0x92, 0x9b, 0x74, 0xc1, 0xa0, 0x49, 0x54, 0xb7, 0x8b, 0x4b, 0x60, 0x35, 0xe9, 0x7a, 0x5e,
    0x07, 0x8a, 0x5a, 0x0f, 0x28, 0xec, 0x96, 0xd5, 0x47, 0xbf, 0xee, 0x9a, 0xce, 0x80, 0x3a, 0xc0,
];

static SECP: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// How an output is bound to a template.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CovenantKind {
    /// `<hash> OP_CHECKTEMPLATEVERIFY` is the output's script.
    CtvBare,
    /// `<hash> OP_CHECKTEMPLATEVERIFY` is the output's witness script (P2WSH).
    CtvWitnessScript,
    /// `<hash> OP_CHECKTEMPLATEVERIFY` is the one leaf of a taproot output without a key.
    CtvLeaf {
        /// What its spender shows beside the script.
        control: ControlBlock,
    },
    /// `<hash> OP_TEMPLATEHASH OP_EQUAL` is the one leaf of a taproot output without a key.
    TemplateHashLeaf {
        /// What its spender shows beside the script.
        control: ControlBlock,
    },
}

/// Why a taproot output is not bound to its leaf alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KindError {
    /// Whoever has the internal key can spend the output without the script.
    #[error(
        "the taproot output's internal key may be somebody's: expected BIP-341's point without a key"
    )]
    InternalKey,
    /// Another leaf may let somebody spend the output without the template.
    #[error(
        "the taproot output has {siblings} branches beside the covenant's leaf, and they may hold anything"
    )]
    Siblings {
        /// How many hashes the control block carries.
        siblings: usize,
    },
    /// The leaf is not a tapscript.
    #[error("the covenant's leaf is not a tapscript")]
    LeafVersion,
    /// The parity in the control block is not that of the output's key.
    #[error("the control block's parity is not that of the output's key")]
    Parity,
}

impl CovenantKind {
    /// The name of the opcode that holds the output's spender to the template.
    pub const fn opcode(&self) -> &'static str {
        match self {
            Self::CtvBare | Self::CtvWitnessScript | Self::CtvLeaf { .. } => {
                "OP_CHECKTEMPLATEVERIFY"
            }
            Self::TemplateHashLeaf { .. } => "OP_TEMPLATEHASH",
        }
    }

    /// The script of the output that can be spent by `template` and by nothing else, where its one input is.
    ///
    /// # Errors
    /// [`KindError`] when a taproot output could be spent in another way too.
    pub fn script(&self, template: &Transaction) -> Result<ScriptBuf, KindError> {
        match self {
            Self::CtvBare => Ok(check_template(template)),
            Self::CtvWitnessScript => Ok(check_template(template).to_p2wsh()),
            Self::CtvLeaf { control } => taproot(&check_template(template), control),
            Self::TemplateHashLeaf { control } => taproot(&equal_template(template), control),
        }
    }

    /// What has to be shown when the coin is spent by `template`: nobody has to sign.
    pub(super) fn witness(&self, template: &Transaction) -> Witness {
        match self {
            Self::CtvBare => Witness::new(),
            Self::CtvWitnessScript => Witness::from_slice(&[check_template(template).as_bytes()]),
            Self::CtvLeaf { control } => {
                let script = check_template(template);
                Witness::from_slice(&[script.as_bytes(), &control.serialize()])
            }
            Self::TemplateHashLeaf { control } => {
                let script = equal_template(template);
                Witness::from_slice(&[script.as_bytes(), &control.serialize()])
            }
        }
    }
}

fn check_template(template: &Transaction) -> ScriptBuf {
    bitcoin::script::Builder::new()
        .push_slice(ctv::template_hash(template, 0))
        .push_opcode(OP_NOP4)
        .into_script()
}

fn equal_template(template: &Transaction) -> ScriptBuf {
    bitcoin::script::Builder::new()
        .push_slice(op_template_hash::template_hash(template, 0, None))
        .push_opcode(Opcode::from(OP_TEMPLATEHASH))
        .push_opcode(OP_EQUAL)
        .into_script()
}

/// The output whose one way to be spent is `leaf`.
fn taproot(leaf: &ScriptBuf, control: &ControlBlock) -> Result<ScriptBuf, KindError> {
    if control.internal_key.serialize() != NO_KEY {
        return Err(KindError::InternalKey);
    }
    let siblings = control.merkle_branch.len();
    if siblings != 0 {
        return Err(KindError::Siblings { siblings });
    }
    if control.leaf_version != LeafVersion::TapScript {
        return Err(KindError::LeafVersion);
    }
    let root = TapNodeHash::from_script(leaf, LeafVersion::TapScript);
    let (key, parity) = control.internal_key.tap_tweak(&SECP, Some(root));
    if parity != control.output_key_parity {
        return Err(KindError::Parity);
    }
    Ok(ScriptBuf::new_p2tr_tweaked(key))
}
