//! Certificates of the doubles, made anew for each test.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::sync::Arc;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

/// A server's side of TLS, and the PEM text that a client pins.
pub(crate) struct Certified {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) pem: String,
}

fn params(names: &[&str], is_authority: bool) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

/// As LND makes its own: signed by itself, and an authority at once.
pub(crate) fn own() -> Certified {
    let key = KeyPair::generate().unwrap();
    let certificate = params(&["localhost"], true).self_signed(&key).unwrap();
    let pem = pem(certificate.der());
    certified(certificate.der().clone(), &key, pem)
}

/// Signed by an authority, which is what the client pins, for a server of this name.
pub(crate) fn signed(name: &str) -> Certified {
    let issuer_key = KeyPair::generate().unwrap();
    let issuer_params = params(&[], true);
    let issuer_pem = pem(issuer_params.self_signed(&issuer_key).unwrap().der());
    let issuer = Issuer::new(issuer_params, issuer_key);
    let key = KeyPair::generate().unwrap();
    let certificate = params(&[name], false).signed_by(&key, &issuer).unwrap();
    certified(certificate.der().clone(), &key, issuer_pem)
}

fn certified(certificate: CertificateDer<'static>, key: &KeyPair, pem: String) -> Certified {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Certified {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        pem,
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
