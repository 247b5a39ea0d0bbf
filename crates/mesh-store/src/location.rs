use std::{fmt, path::PathBuf, str::FromStr};
use thiserror::Error;

/// Where a node keeps its money; in text `redb:PATH` or `postgres://USER@HOST/DATABASE`.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A file, for one process.
    Redb(PathBuf),
    /// A PostgreSQL database, for any number of gateways. The URL may hold a password.
    Postgres(String),
}

/// Why a text is no store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LocationError {
    /// It begins with neither.
    #[error("expected \"redb:PATH\" or \"postgres://USER@HOST/DATABASE\"")]
    Kind,
    /// There is no path behind `redb:`.
    #[error("expected the path of a file behind \"redb:\"")]
    NoPath,
}

impl FromStr for StoreLocation {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        if let Some(path) = text.strip_prefix("redb:") {
            if path.is_empty() {
                return Err(LocationError::NoPath);
            }
            return Ok(Self::Redb(PathBuf::from(path)));
        }
        let is_postgres = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        if is_postgres {
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(LocationError::Kind)
    }
}

impl fmt::Display for StoreLocation {
    /// Writes it as it is read, without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redb(path) => write!(f, "redb:{}", path.display()),
            Self::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreLocation({self})")
    }
}

/// Leaves out what is between the user's name and the last `@`, and any `password=` behind.
///
/// The last `@` of all, because a password that was written as it is may hold any of `:/?#@`: better that too little is
/// shown of a wrong URL than any of a password.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => {
            let end = user.find([':', '/', '?', '#', '@']).unwrap_or(user.len());
            (user.get(..end), rest)
        }
        None => (None, rest),
    };
    let authority = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, tail) = rest.split_at(authority);
    let authority = match user {
        Some(user) => format!("{user}@{host}"),
        None => host.to_owned(),
    };
    let tail = match tail.split_once('?') {
        Some((path, query)) => {
            let kept: Vec<_> = query
                .split('&')
                .filter(|part| !part.starts_with("password="))
                .collect();
            if kept.is_empty() {
                path.to_owned()
            } else {
                format!("{path}?{}", kept.join("&"))
            }
        }
        None => tail.to_owned(),
    };
    format!("{scheme}://{authority}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://mesh:s3cret@db/mesh", "postgres://mesh@db/mesh"),
            (
                "postgresql://mesh:p@ss@db:5432/mesh?sslmode=verify-full&password=x",
                "postgresql://mesh@db:5432/mesh?sslmode=verify-full",
            ),
            ("postgres:///mesh?password=x", "postgres:///mesh"),
            (
                "postgres://mesh:s3cret/s3cret@db/mesh",
                "postgres://mesh@db/mesh",
            ),
            ("postgres://mesh:s3cret?s3cret@db", "postgres://mesh@db"),
            (
                "postgres://mesh:@s3cret@#s3cret@db/m",
                "postgres://mesh@db/m",
            ),
            ("postgres://:s3cret@db/m", "postgres://@db/m"),
            ("postgres://db/mesh", "postgres://db/mesh"),
        ] {
            let location: StoreLocation = url.parse().unwrap();
            assert_eq!(location.to_string(), shown);
            assert!(!format!("{location:?}").contains("s3cret"));
        }
    }

    #[test]
    fn what_is_no_store_is_refused() {
        for text in ["", "redb", "sqlite:a", "mysql://db", "/var/lib/mesh.redb"] {
            assert_eq!(
                text.parse::<StoreLocation>(),
                Err(LocationError::Kind),
                "{text}"
            );
        }
        assert_eq!("redb:".parse::<StoreLocation>(), Err(LocationError::NoPath));
    }
}
