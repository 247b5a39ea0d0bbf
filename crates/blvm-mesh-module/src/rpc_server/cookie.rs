use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::{HeaderMap, header::AUTHORIZATION};
use std::{
    fmt,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use subtle::ConstantTimeEq;

/// The user of a cookie, as bitcoind's clients know it.
const USER: &str = "__cookie__";

/// The longest login that is decoded.
const MAX_LOGIN_LEN: usize = 256;

/// A password that is new at each start, and its file, which goes when this does.
pub(super) struct Cookie {
    path: PathBuf,
    /// User and password.
    login: String,
}

impl Cookie {
    /// Writes it so that the file, whoever looks, is a whole cookie that only its owner can read.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let login = format!("{USER}:{}", blvm_mesh::to_hex(&secret));
        let fresh = path.with_extension("new");
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = File::options();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(login.as_bytes())?;
        fs::rename(&fresh, path)?;
        Ok(Self {
            path: path.to_owned(),
            login,
        })
    }

    /// Whether whoever sent these has read it.
    pub(super) fn opens(&self, headers: &HeaderMap) -> bool {
        let mut sent = headers.get_all(AUTHORIZATION).iter();
        let (Some(sent), None) = (sent.next(), sent.next()) else {
            return false;
        };
        let login = sent.to_str().ok().and_then(|sent| sent.split_once(' '));
        let Some((scheme, login)) = login else {
            return false;
        };
        if !scheme.eq_ignore_ascii_case("basic") || login.len() > MAX_LOGIN_LEN {
            return false;
        }
        let decoded = BASE64_STANDARD.decode(login.trim());
        decoded.is_ok_and(|login| login.ct_eq(self.login.as_bytes()).into())
    }
}

impl Drop for Cookie {
    fn drop(&mut self) {
        // Another may have put his there meanwhile.
        if fs::read_to_string(&self.path).is_ok_and(|written| written == self.login) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
