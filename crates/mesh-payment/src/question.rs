use crate::{OutputQuestion, TransactionQuestion, VerifiedPayment, VerifyError};
use mesh_types::{ChainError, ChainNode};

/// How far a proof has come without asking anybody.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a verified payment is money: claim it"]
pub enum Verification {
    /// It is good.
    Verified(VerifiedPayment),
    /// It is good if the chain says so.
    Asks(Question),
}

/// What only the chain knows. Whoever can ask it puts the question in his own way, now or later, and goes on with the
/// answer.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "without an answer nothing is paid"]
pub enum Question {
    /// What became of an output?
    Output(OutputQuestion),
    /// Which transaction is that, and how deep?
    Transaction(TransactionQuestion),
}

impl Question {
    /// Puts the question to `chain`: the async form.
    ///
    /// # Errors
    /// [`ChainError`] when it could not be decided; what it was decided to is in the answer.
    pub async fn put_to(
        self,
        chain: &dyn ChainNode,
    ) -> Result<Result<VerifiedPayment, VerifyError>, ChainError> {
        Ok(match self {
            Self::Output(question) => {
                let found = chain.output(question.outpoint()).await?;
                question.answer(&found)
            }
            Self::Transaction(question) => {
                let found = chain.transaction(question.tx_hash()).await?;
                question.answer(found.as_ref())
            }
        })
    }
}
