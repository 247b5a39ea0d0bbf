use mesh_types::LightningError;

/// Why a call to a back end has no result. Messages hold no secret.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Nothing was sent, or it was not looked at.
    NotSent(String),
    /// It was sent, and there is no answer, or none that can be read.
    Lost(String),
    /// The back end does not let us do this at all.
    #[cfg_attr(
        not(any(feature = "lnd", feature = "lnbits")),
        allow(dead_code, reason = "sockets have no keys")
    )]
    Denied(String),
    /// The back end answers with an error, under its own number for it.
    #[cfg_attr(
        not(any(feature = "cln", feature = "lnd", feature = "lnbits")),
        allow(dead_code, reason = "a node inside the program has no numbers")
    )]
    Refused {
        /// The number.
        code: i64,
        /// What it says.
        message: String,
    },
}

impl From<CallError> for LightningError {
    /// For every call but a payment.
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent(why) | CallError::Lost(why) => Self::Unreachable(why),
            CallError::Denied(why) => Self::Refused(why),
            CallError::Refused { message, .. } => Self::Refused(message),
        }
    }
}
