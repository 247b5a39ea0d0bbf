use crate::{
    ChainConfig, OpenError,
    answer::Waiting,
    credentials::{Credentials, Shown},
    error::CallError,
    http::{Answer, Http},
};
use mesh_types::TxHash;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A Bitcoin node that answers JSON-RPC.
#[derive(Debug)]
pub(crate) struct Rpc {
    http: Http,
    credentials: Credentials,
}

/// The numbers of errors that mean something here.
///
/// # Source
/// `src/rpc/protocol.h` of Bitcoin Core; blvm-node has the same.
pub(crate) mod code {
    pub(crate) const NOT_FOUND: i64 = -5;
    pub(crate) const ALREADY_THERE: i64 = -27;
    pub(crate) const WARMING_UP: i64 = -28;
    pub(crate) const NO_SUCH_METHOD: i64 = -32_601;
    pub(crate) const WRONG_PARAMETER: i64 = -32_602;
}

#[derive(Deserialize)]
struct Answered<T> {
    result: Option<T>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    message: String,
}

impl Rpc {
    pub(crate) fn new(config: &ChainConfig) -> Result<Self, OpenError> {
        Ok(Self {
            http: Http::at(&config.address)?,
            credentials: Credentials::of(config)?,
        })
    }

    pub(crate) const fn http(&self) -> &Http {
        &self.http
    }

    /// Calls a method whose result may be nothing.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Value,
    ) -> Result<Option<T>, CallError> {
        let shown = self.credentials.show()?;
        let body = json!({ "jsonrpc": "1.0", "id": 0, "method": method, "params": params });
        let answer = self.http.post(shown.header.clone(), body.to_string());
        self.read(method, answer.await?, &shown)
    }

    /// Calls a method that has a result.
    pub(crate) async fn needed<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Value,
    ) -> Result<T, CallError> {
        let result = self.call(method, params).await?;
        result.ok_or_else(|| self.strange(method, "it is empty"))
    }

    /// Calls a method that may not find what it is asked for.
    pub(crate) async fn found<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Value,
    ) -> Result<Option<T>, CallError> {
        match self.needed(method, params).await {
            Ok(found) => Ok(Some(found)),
            Err(CallError::Refused { code, .. }) if code == code::NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the mempool has a transaction. blvm-node calls one that it does not have a wrong parameter.
    pub(crate) async fn is_waiting(&self, tx_hash: &TxHash) -> Result<bool, CallError> {
        let params = json!([tx_hash.to_string()]);
        let entry: Result<Option<Waiting>, _> = self.found("getmempoolentry", params).await;
        match entry {
            Ok(entry) => Ok(entry.is_some()),
            Err(CallError::Refused { code, .. }) if code == code::WRONG_PARAMETER => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn strange(&self, method: &str, why: &str) -> CallError {
        let address = self.http.address();
        CallError::Strange(format!(
            "what listens at {address} does not answer {method} as a Bitcoin node does: {why}"
        ))
    }

    fn read<T: DeserializeOwned>(
        &self,
        method: &str,
        answer: Answer,
        shown: &Shown,
    ) -> Result<Option<T>, CallError> {
        let address = self.http.address();
        match answer.status {
            401 | 403 => {
                let hint = self.credentials.hint();
                return Err(CallError::Denied(format!(
                    "the Bitcoin node at {address} does not take {hint}"
                )));
            }
            503 => {
                return Err(CallError::Away(format!(
                    "the Bitcoin node at {address} has too much to do"
                )));
            }
            _ => {}
        }
        let answered: Answered<T> = serde_json::from_slice(&answer.body).map_err(|error| {
            let why = format!(
                "HTTP status {}, {:?} error",
                answer.status,
                error.classify()
            );
            self.strange(method, &why)
        })?;
        match answered.error {
            None => Ok(answered.result),
            Some(Refusal { code, message }) if code == code::WARMING_UP => {
                let message = shown.said(&message);
                Err(CallError::Away(format!(
                    "the Bitcoin node at {address} is starting: {message}"
                )))
            }
            Some(Refusal { code, message }) => Err(CallError::Refused {
                code,
                message: shown.said(&message),
            }),
        }
    }
}
