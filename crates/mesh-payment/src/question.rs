use crate::{OutputQuestion, SpendQuestion, TransactionQuestion, VerifiedPayment, VerifyError};
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
    /// Has a covenant's own template spent its coin?
    Spend(SpendQuestion),
    /// Which transaction is that, and how deep?
    Transaction(TransactionQuestion),
}

impl Question {
    /// Puts the question, and what follows from its answer, to `chain`: the async form.
    ///
    /// # Errors
    /// [`ChainError`] when it could not be decided; what it was decided to is in the answer.
    pub async fn put_to(
        self,
        chain: &dyn ChainNode,
    ) -> Result<Result<VerifiedPayment, VerifyError>, ChainError> {
        let mut asking = self;
        loop {
            let answered = match asking {
                Self::Output(question) => {
                    let found = chain.output(question.outpoint()).await?;
                    question.answer(&found)
                }
                Self::Spend(question) => {
                    let found = chain.transaction(question.tx_hash()).await?;
                    question.answer(found.as_ref()).map(Verification::Verified)
                }
                Self::Transaction(question) => {
                    let found = chain.transaction(question.tx_hash()).await?;
                    question.answer(found.as_ref()).map(Verification::Verified)
                }
            };
            match answered {
                Ok(Verification::Asks(next)) => asking = next,
                Ok(Verification::Verified(payment)) => return Ok(Ok(payment)),
                Err(error) => return Ok(Err(error)),
            }
        }
    }
}
