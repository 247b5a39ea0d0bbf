use super::outpoint;
use bitcoin::{Transaction, absolute::LockTime};
use mesh_types::OutPoint;
use thiserror::Error;

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
    if !input.script_sig.is_empty() {
        return Err(TemplateError::ScriptSig);
    }
    if input.sequence.enables_absolute_lock_time() && template.lock_time != LockTime::ZERO {
        return Err(TemplateError::Locked {
            lock_time: template.lock_time.to_consensus_u32(),
        });
    }
    // A lock of nothing is none, and a version below zero is one far above 2 (BIP 68).
    let is_locked = input.sequence.to_consensus_u32() & 0x0000_ffff != 0;
    if template.version.0.cast_unsigned() >= 2
        && input.sequence.is_relative_lock_time()
        && is_locked
    {
        return Err(TemplateError::RelativeLock {
            sequence: input.sequence.to_consensus_u32(),
        });
    }
    let values = template.output.iter().map(|output| output.value);
    let out = values
        .into_iter()
        .try_fold(bitcoin::Amount::ZERO, |sum, value| sum.checked_add(value))
        .filter(|sum| *sum <= bitcoin::Amount::MAX_MONEY)
        .ok_or(TemplateError::Amounts)?;
    Ok((outpoint(&input.previous_output), out.to_sat()))
}
