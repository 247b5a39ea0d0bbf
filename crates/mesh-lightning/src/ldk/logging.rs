use crate::said::said;
use ldk_node::logger::{LogLevel, LogRecord, LogWriter};
use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Passes LDK's log on to `tracing`, and remembers the last error, which says more than the word that LDK answers with.
#[derive(Default)]
pub(super) struct Log {
    last_error: Mutex<Option<String>>,
}

impl Log {
    /// What went wrong last.
    pub(super) fn last_error(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogWriter for Log {
    /// # Security
    /// LDK logs invoices and what is in them; [`said`] takes out everything that looks like a key.
    fn log(&self, record: LogRecord<'_>) {
        match record.level {
            LogLevel::Error => {
                let text = said(&record.args.to_string());
                // What LDK calls an error is mostly a peer that is away.
                tracing::warn!(target: "ldk", from = record.module_path, "{text}");
                *self.lock() = Some(text);
            }
            LogLevel::Warn => {
                let text = said(&record.args.to_string());
                tracing::info!(target: "ldk", from = record.module_path, "{text}");
            }
            LogLevel::Info => {
                let text = said(&record.args.to_string());
                tracing::debug!(target: "ldk", from = record.module_path, "{text}");
            }
            LogLevel::Debug | LogLevel::Trace | LogLevel::Gossip => {}
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}
