use mesh_types::StoreError;
use sqlx::error::DatabaseError;

/// What an error means for what was asked.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection is gone, or of no use.
    Lost(String),
    /// The server has undone it, and says that it may be tried again.
    Again(String),
    /// The server has undone it.
    Undone(String),
    /// The server has undone it, because it breaks a rule of the schema: it never will be done.
    Broken(String),
    /// The store took this process for dead.
    Revoked,
    /// These runs hold what is wanted, and are dead: once they are buried it may be tried again.
    Dead(Vec<i32>),
}

impl Fault {
    /// Says it in words; the server's words never hold a password.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Lost(reason)
            | Self::Again(reason)
            | Self::Undone(reason)
            | Self::Broken(reason) => reason,
            Self::Revoked => "it took this process for dead",
            Self::Dead(_) => "dead gateways hold what is wanted",
        }
    }

    /// As the answer to something that only read, or that was surely not done.
    pub(super) fn into_unavailable(self) -> StoreError {
        StoreError::Unavailable(self.reason().to_owned())
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(told) => from_server(told.as_ref()),
            sqlx::Error::RowNotFound
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Encode(_)
            | sqlx::Error::Decode(_) => Self::Undone(error.to_string()),
            _ => Self::Lost(error.to_string()),
        }
    }
}

/// PostgreSQL, "Appendix A. PostgreSQL Error Codes".
fn from_server(told: &dyn DatabaseError) -> Fault {
    let reason = told.message().to_owned();
    let code = told.code().unwrap_or_default();
    match code.as_ref() {
        // Serialization failure, deadlock, and a claim that another gateway forgot at this very moment.
        "40001" | "40P01" => Fault::Again(reason),
        // The session ends: idle too long in a transaction, idle too long, or the transaction took too long.
        "25P03" | "25P04" => Fault::Lost(reason),
        // A standby; the next connection may reach the one that is written to.
        "25006" => Fault::Lost(reason),
        // Canceled statement: the session goes on.
        "57014" => Fault::Undone(reason),
        code if code.starts_with("08") || code.starts_with("57P") => Fault::Lost(reason),
        code if code.starts_with("22") || code.starts_with("23") => Fault::Broken(reason),
        _ => Fault::Undone(reason),
    }
}
