use super::macaroon::bake;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bitcoin::hex::DisplayHex as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

/// The letters on a line of a PEM file.
const LINE: usize = 64;

/// What a front is known by, kept in a folder.
pub(super) struct Identity {
    pub(super) listener: TcpListener,
    pub(super) acceptor: TlsAcceptor,
    /// What the header has to be.
    pub(super) macaroon: String,
    pub(super) tls_cert: PathBuf,
    pub(super) macaroon_file: PathBuf,
}

impl Identity {
    /// Finds it in the folder, or makes it.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let tls_cert = folder.join("tls.cert");
        let tls_key = folder.join("tls.key");
        if !tls_cert.exists() {
            certify(&tls_cert, &tls_key)?;
        }
        let macaroon_file = folder.join("mesh.macaroon");
        if !macaroon_file.exists() {
            let mut chance = [0; 48];
            getrandom::fill(&mut chance).map_err(io::Error::other)?;
            write_secret(&macaroon_file, &bake(&chance))?;
        }
        Ok(Self {
            listener: listen(&folder.join("restlisten"))?,
            acceptor: acceptor(&tls_cert, &tls_key)?,
            macaroon: fs::read(&macaroon_file)?.to_lower_hex_string(),
            tls_cert,
            macaroon_file,
        })
    }
}

/// Listens where the file says; on a free port when there is no file yet.
fn listen(file: &Path) -> io::Result<TcpListener> {
    match fs::read_to_string(file) {
        Ok(text) => {
            let address: SocketAddr = text.parse().map_err(io::Error::other)?;
            TcpListener::bind(address)
        }
        Err(_) => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            fs::write(file, listener.local_addr()?.to_string())?;
            Ok(listener)
        }
    }
}

/// Makes a certificate as LND does: signed by itself, and an authority at once.
fn certify(tls_cert: &Path, tls_key: &Path) -> io::Result<()> {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = params.self_signed(&key).map_err(io::Error::other)?;
    write_secret(tls_key, pem("PRIVATE KEY", &key.serialize_der()).as_bytes())?;
    fs::write(tls_cert, pem("CERTIFICATE", certificate.der()))
}

fn acceptor(tls_cert: &Path, tls_key: &Path) -> io::Result<TlsAcceptor> {
    let certificate = CertificateDer::from_pem_slice(&fs::read(tls_cert)?);
    let certificate = certificate.map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(tls_key)?).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn pem(kind: &str, bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut pem = format!("-----BEGIN {kind}-----\n");
    let mut rest = text.as_str();
    while let Some((line, after)) = rest.split_at_checked(LINE) {
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str(rest);
    pem.push_str(&format!("\n-----END {kind}-----\n"));
    pem
}

/// Writes a file that only its owner reads.
fn write_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(content)
}
