use crate::{
    control::{
        Failure, FailureKind, OnChainCall, OnChainReport, ShowCall, ShownReport, ToPayReport,
    },
    text::bitcoins,
};
use bitcoin::{Txid, hashes::Hash as _};
use blvm_mesh::{
    MeshError, MeshManager, Msat, Network, OnChainDeposit, OnChainPayment, OnChainQuote, Quote,
    TxHash, to_hex,
};
use std::time::Duration;

/// Answers what is asked about payments on the chain.
pub(crate) async fn answer(
    manager: &MeshManager,
    call: OnChainCall,
) -> Result<OnChainReport, Failure> {
    match call {
        OnChainCall::Quote { payer, amount_sats } => {
            to_pay(manager.quote_on_chain(payer, Msat::from_sats_saturating(amount_sats))?)
        }
        OnChainCall::Ask {
            node,
            amount_sats,
            timeout_secs,
        } => {
            let timeout = Duration::from_secs(timeout_secs.into());
            let asked = manager.request_on_chain_quote(
                node,
                Msat::from_sats_saturating(amount_sats),
                timeout,
            );
            to_pay(asked.await?)
        }
        OnChainCall::Show(call) => show(manager, &call).await,
    }
}

async fn show(manager: &MeshManager, call: &ShowCall) -> Result<OnChainReport, Failure> {
    let wrong = |why: String| Failure::new(FailureKind::Call, why);
    let quote = Quote::from_text(&call.quote).map_err(|error| wrong(format!("quote: {error}")))?;
    if quote.payee != call.node {
        return Err(wrong(format!(
            "quote: it is by {}, and not by {}",
            quote.payee, call.node
        )));
    }
    let txid: Txid = call
        .txid
        .parse()
        .map_err(|error| wrong(format!("txid: {error}")))?;
    let payment = OnChainPayment {
        quote,
        tx_hash: TxHash::from_bytes(txid.to_byte_array()),
        amount: call
            .paid_sats
            .map_or(quote.amount, Msat::from_sats_saturating),
    };
    let timeout = Duration::from_secs(call.timeout_secs.into());
    let payee = quote.payee;
    let shown = match manager.deposit_on_chain(payment, timeout).await? {
        OnChainDeposit::Credited { credit } => ShownReport::Credited {
            payee,
            credit_msat: credit.to_msat(),
        },
        OnChainDeposit::Waits { why } => ShownReport::Waits {
            payee,
            reason: why,
            expires_at: quote.expires_at.to_secs(),
        },
    };
    Ok(OnChainReport::Shown(shown))
}

fn to_pay(offered: OnChainQuote) -> Result<OnChainReport, Failure> {
    let address = offered.address().ok_or_else(|| {
        let why = "the last of on_chain.addresses is none that wallets know".to_owned();
        Failure::from(MeshError::ConfigError(why))
    })?;
    let OnChainQuote {
        quote,
        network,
        least_depth,
        ..
    } = offered;
    let amount_sats = quote.amount.to_sats_floor();
    let address = address.to_string();
    let op_return = to_hex(&quote.id_on_chain());
    Ok(OnChainReport::ToPay(ToPayReport {
        payer: quote.payer,
        payee: quote.payee,
        network,
        bitcoin_cli: bitcoin_cli(network, &address, amount_sats, &op_return),
        address,
        amount_sats,
        op_return,
        least_depth: least_depth.get(),
        expires_at: quote.expires_at.to_secs(),
        quote: quote.to_text(),
    }))
}

/// The call of Bitcoin Core's wallet that pays: the address and the OP_RETURN output are all that is put in.
fn bitcoin_cli(network: Network, address: &str, amount_sats: u64, op_return: &str) -> String {
    let (chain, fee) = match network {
        Network::Bitcoin => ("", ""),
        Network::Testnet => (" -testnet", ""),
        Network::Testnet4 => (" -testnet4", ""),
        Network::Signet => (" -signet", ""),
        // Nobody can tell there what others pay.
        Network::Regtest => (" -regtest", " fee_rate=1"),
    };
    let amount = bitcoins(amount_sats);
    let outputs = format!(r#"[{{"{address}":{amount}}},{{"data":"{op_return}"}}]"#);
    format!("bitcoin-cli{chain} -named send outputs='{outputs}'{fee}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_for_bitcoin_core_names_its_chain_and_both_outputs() {
        let line = bitcoin_cli(Network::Bitcoin, "bc1qaddress", 123_456, "00ff");
        assert_eq!(
            line,
            r#"bitcoin-cli -named send outputs='[{"bc1qaddress":0.00123456},{"data":"00ff"}]'"#
        );
        let line = bitcoin_cli(Network::Testnet4, "tb1qaddress", 1_000, "00ff");
        assert!(
            line.starts_with("bitcoin-cli -testnet4 -named send "),
            "{line}"
        );
        assert!(line.contains(r#""tb1qaddress":0.00001000}"#), "{line}");
    }
}
