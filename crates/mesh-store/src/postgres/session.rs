use super::fault::Fault;
use crate::error::OpenError;
use sqlx::{
    ConnectOptions as _, PgConnection,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use std::time::Duration;
use tokio::time::timeout;

/// How long making a connection may take.
///
/// Ten seconds, because a server that starts, or is busy with everybody who comes back at once, takes its time; no packet
/// waits for it.
pub(super) const CONNECTING: Duration = Duration::from_secs(10);

/// How long a read waits for a connection.
///
/// Three seconds, because it is somebody's status page, or a packet that will not wait much longer.
const READING_WAITS: Duration = Duration::from_secs(3);

/// The most connections that read.
///
/// Four, because reads are status pages, reports and the first packet of a payer; changes have a connection of their own.
const READERS: u32 = 4;

/// What a URL may say behind the `?`.
///
/// Only these, because a name that is mistyped would be left out silently: `sslmode`, or a password that ends in a log.
const PARAMETERS: [&str; 14] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
    "ssl-root-cert",
];

/// Settings of the connection that writes.
///
/// - A commit is on the server's disk before it is answered, whatever the database says of itself.
/// - Nobody waits longer than seconds for a row or a statement, and a process that was stopped in the middle of a
///   transaction lets go of its rows.
/// - A machine that fell silent is noticed within half a minute, so that its gateway counts as dead.
/// - Every statement names its rows by their keys, so that a scan is never the better plan, however small the tables were
///   when the statement was prepared.
const WRITING: &str = "select
    set_config('synchronous_commit', case current_setting('synchronous_commit')
        when 'off' then 'on' else current_setting('synchronous_commit') end, false),
    set_config('statement_timeout', '8s', false),
    set_config('lock_timeout', '5s', false),
    set_config('idle_in_transaction_session_timeout', '10s', false),
    set_config('tcp_keepalives_idle', '10', false),
    set_config('tcp_keepalives_interval', '5', false),
    set_config('tcp_keepalives_count', '3', false),
    set_config('enable_seqscan', 'off', false),
    set_config('jit', 'off', false)";

/// Settings of the connections that read.
const READING: &str = "select
    set_config('default_transaction_read_only', 'on', false),
    set_config('statement_timeout', '30s', false),
    set_config('idle_in_transaction_session_timeout', '600s', false),
    set_config('jit', 'off', false)";

/// Understands a URL.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, OpenError> {
    let refused = |reason: String| OpenError::Url { reason };
    let query = url.split_once('?').map_or("", |(_, query)| query);
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let name = part.split_once('=').map_or(part, |(name, _)| name);
        if !PARAMETERS.contains(&name) {
            return Err(refused(format!("it does not know {name:?}")));
        }
    }
    let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| match error {
        sqlx::Error::Configuration(reason) => refused(reason.to_string()),
        _ => refused("it is malformed".to_owned()),
    })?;
    let named = options.get_application_name().is_some();
    let options = options.disable_statement_logging();
    Ok(if named {
        options
    } else {
        options.application_name("blvm-mesh")
    })
}

/// Connects for changes.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Fault> {
    let connecting = async {
        let mut conn = options.connect().await?;
        sqlx::query(WRITING).execute(&mut conn).await?;
        Ok(conn)
    };
    match timeout(CONNECTING, connecting).await {
        Ok(connected) => connected.map_err(|error: sqlx::Error| Fault::Lost(error.to_string())),
        Err(_) => Err(Fault::Lost(format!(
            "no connection within {} seconds",
            CONNECTING.as_secs()
        ))),
    }
}

/// Makes ready to connect for reading.
pub(super) fn readers(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(READING_WAITS)
        .after_connect(|conn, _| {
            Box::pin(async move { sqlx::query(READING).execute(conn).await.map(|_| ()) })
        })
        .connect_lazy_with(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_does_not_say_right_is_refused_without_showing_a_password() {
        for url in [
            "postgres://mesh:s3cret@db/mesh?pasword=s3cret",
            "postgres://mesh:s3cret@db/mesh?sslmod=verify-full",
            "postgres://mesh:s3cret@db/mesh?sslmode=verify",
            "postgres://mesh:s3cret@db:port/mesh",
            "postgres://mesh:s3cret@db:99999/mesh",
        ] {
            let refused = options(url).unwrap_err();
            assert!(matches!(refused, OpenError::Url { .. }), "{url}");
            assert!(!refused.to_string().contains("s3cret"), "{refused}");
            assert!(!format!("{refused:?}").contains("s3cret"), "{refused:?}");
        }
        assert!(options("postgres:///mesh?host=/run/postgresql&sslmode=prefer").is_ok());
    }
}
