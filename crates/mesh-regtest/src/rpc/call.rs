use super::error::{RpcError, code};
use serde_json::Value;
use std::str::FromStr;

/// The digits of a hash.
const HASH_LEN: usize = 64;

/// One call: a method, and what it is given.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: Value,
    /// Whether it is JSON-RPC 2.0, whose errors have an HTTP status of their own no more.
    pub(super) is_v2: bool,
    pub(super) method: String,
    pub(super) params: Params,
}

/// What a method is given, by place or by name.
#[derive(Debug)]
pub(super) struct Params(Value);

impl Call {
    pub(super) fn read(mut request: Value) -> Result<Self, RpcError> {
        let invalid = |what: &str| RpcError::new(code::INVALID_REQUEST, what);
        let Some(fields) = request.as_object_mut() else {
            return Err(invalid("Invalid Request object"));
        };
        let method = match fields.remove("method") {
            Some(Value::String(method)) => method,
            None => return Err(invalid("Missing method")),
            Some(_) => return Err(invalid("Method must be a string")),
        };
        let params = match fields.remove("params") {
            None | Some(Value::Null) => Value::Array(Vec::new()),
            Some(params @ (Value::Array(_) | Value::Object(_))) => params,
            Some(_) => return Err(invalid("Params must be an array or object")),
        };
        Ok(Self {
            id: fields.remove("id").unwrap_or(Value::Null),
            is_v2: fields.get("jsonrpc").and_then(Value::as_str) == Some("2.0"),
            method,
            params: Params(params),
        })
    }
}

impl Params {
    /// A parameter; `None` when it is left out, or null.
    pub(super) fn get(&self, place: usize, name: &str) -> Option<&Value> {
        let value = match &self.0 {
            Value::Array(values) => values.get(place),
            values => values.get(name),
        };
        value.filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, place: usize, name: &str) -> Result<&str, RpcError> {
        let value = self.needed(place, name)?;
        let text = value.as_str();
        text.ok_or_else(|| wrong_type(place, name, value, "string"))
    }

    pub(super) fn number(&self, place: usize, name: &str) -> Result<i64, RpcError> {
        let value = self.needed(place, name)?;
        let number = value.as_i64();
        number.ok_or_else(|| wrong_type(place, name, value, "number"))
    }

    /// A number within the limits of another type.
    pub(super) fn within<T: TryFrom<i64>>(&self, place: usize, name: &str) -> Result<T, RpcError> {
        let number = self.number(place, name)?;
        let out = || RpcError::new(code::MISC, "JSON integer out of range");
        T::try_from(number).map_err(|_| out())
    }

    /// A yes or no, which old callers write as a number.
    pub(super) fn flag(&self, place: usize, name: &str, default: bool) -> Result<bool, RpcError> {
        match self.get(place, name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(number != 0),
                None => Err(wrong_type(place, name, value, "bool")),
            },
        }
    }

    /// A hash, of 64 hex digits.
    pub(super) fn hash<T: FromStr>(&self, place: usize, name: &str) -> Result<T, RpcError> {
        hash(self.text(place, name)?, name)
    }

    fn needed(&self, place: usize, name: &str) -> Result<&Value, RpcError> {
        let missing = || RpcError::new(code::MISC, format!("the parameter {name} is missing"));
        self.get(place, name).ok_or_else(missing)
    }
}

pub(super) fn hash<T: FromStr>(text: &str, name: &str) -> Result<T, RpcError> {
    text.parse().map_err(|_| {
        let message = if text.len() == HASH_LEN {
            format!("{name} must be hexadecimal string (not '{text}')")
        } else {
            let len = text.len();
            format!("{name} must be of length {HASH_LEN} (not {len}, for '{text}')")
        };
        RpcError::new(code::PARAMETER, message)
    })
}

fn wrong_type(place: usize, name: &str, value: &Value, expected: &str) -> RpcError {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let place = place.saturating_add(1);
    let message = format!(
        "Wrong type passed:\n{{\n    \"Position {place} ({name})\": \"JSON value of type {found} is not of expected type {expected}\"\n}}"
    );
    RpcError::new(code::TYPE, message)
}
