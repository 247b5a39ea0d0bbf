use super::{DecodeError, MAX_CALLS, METHODS};
use blvm_mesh::MeshError;
use blvm_node::{
    module::traits::ModuleError,
    rpc::errors::{RpcError, RpcErrorCode},
};
use thiserror::Error;

/// Why a call was not answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApiError {
    /// There is no such method.
    #[error("unknown method {method:.40}: expected one of {}", METHODS.join(", "))]
    UnknownMethod {
        /// Its name.
        method: String,
    },
    /// The bytes are not its request.
    #[error("the request of {method}: {source}")]
    Request {
        /// The method.
        method: String,
        /// What is wrong with them.
        source: DecodeError,
    },
    /// What is asked cannot be done here.
    #[error("{0}")]
    Refused(String),
    /// Too many calls at once.
    #[error("{MAX_CALLS} calls are waiting for the mesh already; later may do")]
    TooManyCalls,
    /// The mesh is no more.
    #[error("the mesh has stopped")]
    Stopped,
    /// The mesh could not do it.
    #[error(transparent)]
    Mesh(#[from] MeshError),
}

/// JSON-RPC's own range for what a server makes of its failures.
const SERVER_ERROR: i32 = -32_000;

impl From<ApiError> for ModuleError {
    fn from(error: ApiError) -> Self {
        let text = error.to_string();
        match error {
            ApiError::Request { .. } => Self::SerializationError(text),
            ApiError::TooManyCalls => Self::ResourceLimitExceeded(text),
            ApiError::UnknownMethod { .. }
            | ApiError::Refused(_)
            | ApiError::Stopped
            | ApiError::Mesh(_) => Self::OperationError(text),
        }
    }
}

impl From<ApiError> for RpcError {
    fn from(error: ApiError) -> Self {
        let text = error.to_string();
        match error {
            ApiError::UnknownMethod { .. } | ApiError::Request { .. } | ApiError::Refused(_) => {
                Self::invalid_params(text)
            }
            ApiError::TooManyCalls | ApiError::Stopped | ApiError::Mesh(_) => {
                Self::new(RpcErrorCode::ServerError(SERVER_ERROR), text)
            }
        }
    }
}
