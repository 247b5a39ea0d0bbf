use crate::{
    config::Backend,
    control::{LightningCall, LightningReport},
};
use blvm_mesh::LightningError;
use mesh_lightning::Opened;

/// The Lightning node inside this one, where there is one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Embedded {
    #[cfg(feature = "ldk")]
    ldk: Option<std::sync::Arc<mesh_lightning::Ldk>>,
}

impl Embedded {
    /// The one that was opened; none where a wallet elsewhere was.
    #[cfg_attr(
        not(feature = "ldk"),
        expect(unused_variables, reason = "then there is none")
    )]
    pub(crate) fn of(opened: &Opened) -> Self {
        Self {
            #[cfg(feature = "ldk")]
            ldk: opened.embedded.clone(),
        }
    }

    #[cfg(feature = "ldk")]
    pub(crate) fn ldk(&self) -> Option<&mesh_lightning::Ldk> {
        self.ldk.as_deref()
    }

    /// Stops it; what is asked afterwards is refused.
    pub(crate) async fn close(&self) {
        #[cfg(feature = "ldk")]
        if let Some(ldk) = &self.ldk {
            ldk.close().await;
        }
    }

    /// Does what its operator asks.
    ///
    /// - `backend`: the node's kind of wallet, for the words where it is another's to manage.
    pub(crate) async fn answer(
        &self,
        call: LightningCall,
        backend: Backend,
    ) -> Result<LightningReport, LightningError> {
        #[cfg(feature = "ldk")]
        if let Some(ldk) = &self.ldk {
            return ldk::answer(ldk, call).await;
        }
        let _ = call;
        Err(LightningError::Refused(
            match backend {
                Backend::None => "this node has no Lightning back end: see [lightning]",
                Backend::Sandbox => "the sandbox has no channels: its money is play money",
                Backend::Cln => "channels are managed by the node's own tool, lightning-cli",
                Backend::Lnd => "channels are managed by the node's own tool, lncli",
                Backend::Lnbits => "channels are managed by the operator of the LNbits server",
                Backend::Ldk => "the Lightning node is stopped",
                Backend::Module => "channels are managed by the node's module blvm-lightning",
            }
            .to_owned(),
        ))
    }
}

#[cfg(feature = "ldk")]
mod ldk {
    use crate::control::{ChannelReport, LightningCall, LightningReport, OpenCall, WalletReport};
    use blvm_mesh::{LightningError, from_hex, to_hex};
    use mesh_lightning::{Ldk, LdkChannel, LdkStatus, OpenChannel};

    pub(super) async fn answer(
        ldk: &Ldk,
        call: LightningCall,
    ) -> Result<LightningReport, LightningError> {
        Ok(match call {
            LightningCall::Status {} => LightningReport::Status(wallet(ldk.status().await?)),
            LightningCall::Address {} => LightningReport::Address {
                address: ldk.deposit_address().await?,
            },
            LightningCall::Open(call) => {
                let channel = to_hex(&ldk.open_channel(open(call)?).await?);
                LightningReport::Opened { channel }
            }
            LightningCall::Close { channel, force } => {
                ldk.close_channel(&channel, force).await?;
                LightningReport::Closing {}
            }
        })
    }

    fn open(call: OpenCall) -> Result<OpenChannel, LightningError> {
        let peer = from_hex(&call.peer);
        let peer = peer.map_err(|error| LightningError::Refused(format!("the peer: {error}")))?;
        Ok(OpenChannel {
            peer,
            address: call.address,
            amount_sats: call.amount_sats,
            push_sats: call.push_sats,
            is_private: call.private,
        })
    }

    fn wallet(status: LdkStatus) -> WalletReport {
        WalletReport {
            node_id: to_hex(&status.node_id),
            alias: status.alias,
            listening: status.listening,
            height: status.height,
            on_chain_sats: status.on_chain_sats,
            spendable_sats: status.spendable_sats,
            reserved_sats: status.reserved_sats,
            in_channels_sats: status.in_channels_sats,
            closing_sats: status.closing_sats,
            channels: status.channels.iter().map(channel).collect(),
        }
    }

    fn channel(channel: &LdkChannel) -> ChannelReport {
        ChannelReport {
            id: to_hex(&channel.id),
            peer: to_hex(&channel.peer),
            capacity_sats: channel.capacity_sats,
            can_send_msat: channel.can_send_msat,
            can_receive_msat: channel.can_receive_msat,
            ready: channel.is_ready,
            usable: channel.is_usable,
            announced: channel.is_announced,
            confirmations: channel.confirmations,
            confirmations_needed: channel.confirmations_needed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_there_is_none_it_says_whose_the_channels_are() {
        for (backend, whose) in [
            (Backend::None, "see [lightning]"),
            (Backend::Sandbox, "play money"),
            (Backend::Cln, "lightning-cli"),
            (Backend::Lnd, "lncli"),
            (Backend::Lnbits, "operator of the LNbits server"),
            (Backend::Module, "module blvm-lightning"),
        ] {
            let call = LightningCall::Status {};
            let error = Embedded::default().answer(call, backend).await;
            let said = error.unwrap_err().to_string();
            assert!(said.contains(whose), "{said}");
        }
    }
}
