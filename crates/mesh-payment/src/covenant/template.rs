use super::outpoint;
use bitcoin::{Amount, Transaction, Weight, absolute::LockTime};
use mesh_types::OutPoint;
use std::ops::RangeInclusive;
use thiserror::Error;

/// The versions that a template may have.
///
/// 1 to 3, because nodes relay no others.
const VERSIONS: RangeInclusive<i32> = 1..=3;

/// The most that the scripts of a template may cost to check, and the most that it may weigh.
///
/// What Bitcoin Core relays at most (`MAX_STANDARD_TX_SIGOPS_COST`, `MAX_STANDARD_TX_WEIGHT`); far below a block's limits.
const MOST_SIGOPS_COST: usize = 16_000;
const MOST_WEIGHT: Weight = Weight::from_wu(400_000);

/// What keeps a template from being a payment that can be taken at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// With another input beside the covenant's coin, two covenants could share one transaction, and one payment.
    #[error("the template has {found} inputs, not one")]
    Inputs {
        /// How many.
        found: usize,
    },
    /// No node relays transactions of this version.
    #[error("the template has version {found}, and 1 to 3 are relayed")]
    Version {
        /// The version.
        found: i32,
    },
    /// Its scripts cost more to check, or it is larger, than what nodes relay.
    #[error("the template is too large, or too costly to check, to be relayed")]
    TooLarge,
    /// An output is worth less than it costs to spend it, or burns coins: no node relays it.
    #[error("the template's output {index} is dust, or burns coins, and is not relayed")]
    Dust {
        /// Which output.
        index: usize,
    },
    /// None of the accepted forms of covenant is spent with a scriptSig.
    #[error("the template's input has a scriptSig")]
    ScriptSig,
    /// It can only be mined after a time or height.
    #[error("the template is locked until {lock_time}")]
    Locked {
        /// The lock time as consensus has it.
        lock_time: u32,
    },
    /// It can only be mined when its coin has become older.
    #[error("the template's input has a relative lock, sequence {sequence:#010x}")]
    RelativeLock {
        /// The sequence number.
        sequence: u32,
    },
    /// The amounts of its outputs add up to more than there is.
    #[error("the template's outputs are more than there is")]
    Amounts,
}

/// Checks that whoever holds the template can have it mined at once, with the covenant's coin alone; says which coin that
/// is, and how many satoshi it has to hold.
pub(super) fn check(template: &Transaction) -> Result<(OutPoint, u64), TemplateError> {
    let [input] = template.input.as_slice() else {
        return Err(TemplateError::Inputs {
            found: template.input.len(),
        });
    };
    if !VERSIONS.contains(&template.version.0) {
        return Err(TemplateError::Version {
            found: template.version.0,
        });
    }
    if !input.script_sig.is_empty() {
        return Err(TemplateError::ScriptSig);
    }
    if input.sequence.enables_absolute_lock_time() && template.lock_time != LockTime::ZERO {
        return Err(TemplateError::Locked {
            lock_time: template.lock_time.to_consensus_u32(),
        });
    }
    // A lock of nothing is none (BIP 68).
    let is_locked = input.sequence.to_consensus_u32() & 0x0000_ffff != 0;
    if template.version.0 >= 2 && input.sequence.is_relative_lock_time() && is_locked {
        return Err(TemplateError::RelativeLock {
            sequence: input.sequence.to_consensus_u32(),
        });
    }
    check_relay(template)?;
    let values = template.output.iter().map(|output| output.value);
    let out = values
        .into_iter()
        .try_fold(Amount::ZERO, |sum, value| sum.checked_add(value))
        .filter(|sum| *sum <= Amount::MAX_MONEY)
        .ok_or(TemplateError::Amounts)?;
    Ok((outpoint(&input.previous_output), out.to_sat()))
}

/// Checks that nodes relay the template, by the rules that hold on all of them; its fee is not among them.
fn check_relay(template: &Transaction) -> Result<(), TemplateError> {
    // The coin's own script has no more to check than the template itself.
    if template.weight() > MOST_WEIGHT || template.total_sigop_cost(|_| None) > MOST_SIGOPS_COST {
        return Err(TemplateError::TooLarge);
    }
    for (index, output) in template.output.iter().enumerate() {
        let is_fine = if output.script_pubkey.is_op_return() {
            output.value == Amount::ZERO
        } else {
            output.value >= output.script_pubkey.minimal_non_dust()
        };
        if !is_fine {
            return Err(TemplateError::Dust { index });
        }
    }
    Ok(())
}
