use super::RpcMethods;
use blvm_node::rpc::errors::RpcError;
use serde_json::{Map, Value, json};

/// Answers one call of JSON-RPC; nothing, where the caller has given it no id and so wants no answer.
pub(super) async fn answer(body: &[u8], methods: &dyn RpcMethods) -> Option<Value> {
    let call = match serde_json::from_slice(body) {
        Ok(Value::Object(call)) => call,
        Ok(_) => return refused("one call, an object, is expected in each request"),
        Err(error) => {
            return Some(RpcError::parse_error(error.to_string()).to_json(Some(Value::Null)));
        }
    };
    let Call { id, method, params } = match Call::read(call) {
        Ok(call) => call,
        Err(reason) => return refused(reason),
    };
    let answered = methods.call(&method, params).await;
    let id = id?;
    Some(match answered {
        Ok(result) => json!({"jsonrpc": "2.0", "result": result, "id": id}),
        Err(error) => error.to_json(Some(id)),
    })
}

struct Call {
    id: Option<Value>,
    method: String,
    params: Value,
}

impl Call {
    /// The version is not looked at: bitcoind's callers write 1.0, and mean the same.
    fn read(mut call: Map<String, Value>) -> Result<Self, &'static str> {
        let id = call.remove("id");
        if matches!(
            id,
            Some(Value::Array(_) | Value::Object(_) | Value::Bool(_))
        ) {
            return Err("id: a number or a text is expected");
        }
        let Some(Value::String(method)) = call.remove("method") else {
            return Err("method: a text is expected");
        };
        let params = call.remove("params").unwrap_or_default();
        match params {
            Value::Null | Value::Array(_) | Value::Object(_) => Ok(Self { id, method, params }),
            _ => Err("params: a list or an object is expected"),
        }
    }
}

fn refused(reason: &str) -> Option<Value> {
    Some(RpcError::invalid_request(reason).to_json(Some(Value::Null)))
}
