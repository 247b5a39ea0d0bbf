use crate::{ChainConfig, MAX_SECRET_LEN, OpenError, error::CallError};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::header::HeaderValue;
use mesh_secret::{SecretError, SecretFrom};
use std::{io::ErrorKind, path::PathBuf};
use zeroize::Zeroizing;

/// Who asks: read from where it is kept each time, because a node that starts makes a new cookie.
#[derive(Debug)]
pub(crate) enum Credentials {
    Cookie(PathBuf),
    User { user: String, password: SecretFrom },
}

/// What a request shows of them, and what no message may repeat.
pub(crate) struct Shown {
    pub(crate) header: HeaderValue,
    basic: Zeroizing<String>,
    password: Zeroizing<String>,
}

impl Credentials {
    pub(crate) fn of(config: &ChainConfig) -> Result<Self, OpenError> {
        match (&config.cookie, &config.user, &config.password) {
            (Some(cookie), None, None) => Ok(Self::Cookie(cookie.clone())),
            (None, Some(user), Some(password)) if !user.contains(':') => Ok(Self::User {
                user: user.clone(),
                password: password.clone(),
            }),
            (None, Some(_), Some(_)) => Err(OpenError::Setting {
                setting: "user",
                why: "has a colon, which no user of a Bitcoin node has",
            }),
            _ => Err(OpenError::Setting {
                setting: "cookie",
                why: "or else `user` and `password` are needed, and not both",
            }),
        }
    }

    /// Reads them.
    pub(crate) fn show(&self) -> Result<Shown, CallError> {
        match self {
            Self::Cookie(path) => {
                let cookie = SecretFrom::File(path.clone()).read(MAX_SECRET_LEN);
                let cookie = cookie.map_err(|error| match &error {
                    // A node that has not started yet has no cookie.
                    SecretError::File { source, .. } if source.kind() == ErrorKind::NotFound => {
                        CallError::Away(error.to_string())
                    }
                    _ => CallError::Denied(error.to_string()),
                })?;
                let text = std::str::from_utf8(cookie.bytes()).ok();
                let pair = text.and_then(|text| text.trim_end().split_once(':'));
                let (user, password) = pair.ok_or_else(|| {
                    let path = path.display();
                    CallError::Denied(format!("{path} holds no cookie of a Bitcoin node"))
                })?;
                shown(user, password)
            }
            Self::User { user, password } => {
                let secret = password.read(MAX_SECRET_LEN);
                let secret = secret.map_err(|error| CallError::Denied(error.to_string()))?;
                let text = std::str::from_utf8(secret.bytes());
                let text =
                    text.map_err(|_| CallError::Denied(format!("{password} holds no text")))?;
                shown(user, text.trim_end_matches(['\r', '\n']))
            }
        }
    }

    /// What to do when a node does not take them.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::Cookie(_) => "this cookie: name the one in the folder of its network",
            Self::User { .. } => "this user and password",
        }
    }
}

fn shown(user: &str, password: &str) -> Result<Shown, CallError> {
    let pair = Zeroizing::new(format!("{user}:{password}"));
    let basic = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    let header = Zeroizing::new(format!("Basic {}", basic.as_str()));
    let header = HeaderValue::from_str(&header);
    let mut header = header.map_err(|_| CallError::Denied("the password is no text".to_owned()))?;
    header.set_sensitive(true);
    Ok(Shown {
        header,
        basic,
        password: Zeroizing::new(password.to_owned()),
    })
}

/// The most of a node's own words that a message repeats, in characters: a sentence or two.
const MAX_SAID: usize = 200;

impl Shown {
    /// Gives a node's own words for a message: short, on one line, and without what was shown to it.
    pub(crate) fn said(&self, text: &str) -> String {
        let mut text = text.replace(self.basic.as_str(), "…");
        if !self.password.is_empty() {
            text = text.replace(self.password.as_str(), "…");
        }
        let mut line: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(MAX_SAID)
            .collect();
        if text.chars().nth(MAX_SAID).is_some() {
            line.push('…');
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_is_not_repeated_and_the_rest_is_one_short_line() {
        let shown = shown("mesh", "hunter2").unwrap();
        let echo = "Basic bWVzaDpodW50ZXIy\nof mesh with hunter2";
        assert_eq!(shown.said(echo), "Basic … of mesh with …");
        assert_eq!(shown.said(&"é".repeat(1_000)).chars().count(), MAX_SAID + 1);
    }
}
