use crate::OpenError;
use hyper::Uri;
use tokio_rustls::rustls::pki_types::ServerName;

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) is_secure: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Host and port as they were written.
    pub(crate) authority: String,
    /// What stands before every path, without a slash at its end.
    pub(crate) prefix: String,
}

impl Endpoint {
    /// Reads a URL. `setting`: where it was written, for the message.
    pub(crate) fn read(setting: &'static str, url: &str) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Address {
            setting,
            text: url.to_owned(),
            why,
        };
        let uri: Uri = url.parse().map_err(|_| wrong("it does not read"))?;
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("it begins with neither https:// nor http://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(OpenError::Address {
                setting,
                text: "…".to_owned(),
                why: "a key does not belong into an address",
            });
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(wrong("it names no host"));
        }
        Ok(Self {
            is_secure,
            port: authority
                .port_u16()
                .unwrap_or(if is_secure { 443 } else { 80 }),
            host,
            authority: authority.to_string(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Whether what is sent to it stays on this machine.
    #[cfg(any(feature = "lnbits", feature = "ldk"))]
    pub(crate) fn is_here(&self) -> bool {
        let number: Result<std::net::IpAddr, _> = self.host.parse();
        self.host == "localhost" || number.is_ok_and(|number| number.is_loopback())
    }

    /// The name under which the server's certificate is looked at.
    pub(crate) fn server_name(
        &self,
        setting: &'static str,
    ) -> Result<ServerName<'static>, OpenError> {
        ServerName::try_from(self.host.clone()).map_err(|_| OpenError::Address {
            setting,
            text: self.authority.clone(),
            why: "its host is neither a name nor a number",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read() {
        let at = Endpoint::read("url", "https://[::1]:8080/pay/").unwrap();
        assert!(at.is_secure);
        assert_eq!((at.host.as_str(), at.port), ("::1", 8080));
        assert_eq!(
            (at.authority.as_str(), at.prefix.as_str()),
            ("[::1]:8080", "/pay")
        );
        at.server_name("url").unwrap();
        assert_eq!(Endpoint::read("url", "http://localhost").unwrap().port, 80);
    }

    #[test]
    fn what_is_no_address_is_said() {
        for text in [
            "",
            "localhost",
            "ftp://a",
            "https://",
            "https:///a",
            "https://a b",
        ] {
            let error = Endpoint::read("url", text).unwrap_err();
            assert!(matches!(error, OpenError::Address { .. }), "{text}");
        }
    }

    #[test]
    fn keys_in_addresses_are_refused_and_not_repeated() {
        for text in ["https://me:hunter2@a", "https://a/?api-key=hunter2"] {
            let error = Endpoint::read("url", text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
