use blvm_mesh::{LightningNode, Msat, Network, PayLimits, SystemClock, load_or_create_identity};
use blvm_mesh_node::SandboxLightning;
use std::{path::Path, sync::Arc, time::Duration};

/// Pays from another wallet of the same sandbox.
pub(crate) async fn pay(root: &Path, invoice: &str) {
    let key = load_or_create_identity(&root.join("wallet.key")).unwrap();
    let wallet = SandboxLightning::open(
        &root.join("sandbox"),
        &key.secret_bytes(),
        Network::Regtest,
        Arc::new(SystemClock),
    );
    let limits = PayLimits {
        max_fee: Msat::ZERO,
        patience: Duration::from_secs(5),
    };
    wallet.unwrap().pay_invoice(invoice, limits).await.unwrap();
}
