use crate::Rejection;
use serde_json::{Value, json};

/// Numbers of bitcoind's errors.
pub(super) mod code {
    pub(in crate::rpc) const MISC: i64 = -1;
    pub(in crate::rpc) const TYPE: i64 = -3;
    pub(in crate::rpc) const ADDRESS_OR_KEY: i64 = -5;
    pub(in crate::rpc) const PARAMETER: i64 = -8;
    pub(in crate::rpc) const DESERIALIZATION: i64 = -22;
    pub(in crate::rpc) const VERIFY: i64 = -25;
    pub(in crate::rpc) const REJECTED: i64 = -26;
    pub(in crate::rpc) const ALREADY_IN_CHAIN: i64 = -27;
    pub(in crate::rpc) const INVALID_REQUEST: i64 = -32600;
    pub(in crate::rpc) const NO_SUCH_METHOD: i64 = -32601;
    pub(in crate::rpc) const PARSE: i64 = -32700;
}

/// Why a call is not answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RpcError {
    pub(super) code: i64,
    pub(super) message: String,
}

impl RpcError {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message }
    }

    pub(super) fn json(&self) -> Value {
        json!({ "code": self.code, "message": self.message })
    }

    /// The HTTP status of the only answer, as bitcoind chooses it.
    pub(super) fn status(&self) -> u16 {
        match self.code {
            code::INVALID_REQUEST => 400,
            code::NO_SUCH_METHOD => 404,
            _ => 500,
        }
    }
}

impl From<Rejection> for RpcError {
    fn from(rejection: Rejection) -> Self {
        let code = match rejection {
            Rejection::MissingOrSpent | Rejection::FeeTooHigh => code::VERIFY,
            Rejection::AlreadyInChain => code::ALREADY_IN_CHAIN,
            _ => code::REJECTED,
        };
        Self::new(code, rejection.to_string())
    }
}
