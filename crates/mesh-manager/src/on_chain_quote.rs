use crate::{
    MeshManager,
    exchange::NoAnswer,
    funding::whole_sats,
    manager::random,
    questions::unexpected,
    setup::{ON_CHAIN_LIFETIMES_SECS, SECS_PER_BLOCK},
};
use mesh_payment::{
    LEAST_ON_CHAIN, MAX_CLOCK_SKEW, MAX_QUOTE, NONCE_LEN, Quote, QuoterError, SettlementError,
    bitcoin::{Address, Script, ScriptBuf},
    payable_address,
};
use mesh_protocol::{ControlMessage, RefusalCode};
use mesh_types::{MeshError, Msat, Network, NodeId, UnixTime};
use std::{num::NonZeroU32, time::Duration};

/// What a payer needs in order to pay on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnChainQuote {
    /// The quote, which the transaction or the template has to name.
    pub quote: Quote,
    /// The script that has to be paid.
    pub script_pubkey: ScriptBuf,
    /// On which chain.
    pub network: Network,
    /// How many blocks deep the payment has to be in order to count, its own block included.
    pub least_depth: NonZeroU32,
}

impl OnChainQuote {
    /// The address to which wallets pay; `None` for a script that they would not know.
    pub fn address(&self) -> Option<Address> {
        payable_address(&self.script_pubkey, self.network)
    }
}

/// What was asked, and by whom.
struct Asked {
    payer: NodeId,
    payee: NodeId,
    amount: Msat,
    network: Network,
}

impl MeshManager {
    /// Offers `payer` to deposit `amount` on the chain, in whole satoshi.
    ///
    /// # Errors
    /// [`MeshError::ConfigError`] when this node takes no payments on the chain;
    /// [`MeshError::PaymentVerificationFailed`] when the amount is too little or too much.
    pub fn quote_on_chain(&self, payer: NodeId, amount: Msat) -> Result<OnChainQuote, MeshError> {
        let engine = self.engine();
        let (script, least_depth, network) = {
            let verifier = engine.verifier();
            let settlement = &verifier.settlement;
            let script = settlement.scripts.last().cloned();
            (script, settlement.least_depth, verifier.network)
        };
        let script_pubkey = script.ok_or_else(|| {
            MeshError::ConfigError("on_chain.addresses is empty: nothing is paid there".to_owned())
        })?;
        let amount = worth_a_payment(amount)?;
        let now = self.shared.node_api.now();
        let quote = engine
            .on_chain_quoter
            .offer(payer, amount, random::<NONCE_LEN>()?, now)
            .map_err(|error| MeshError::PaymentVerificationFailed(error.to_string()))?;
        Ok(OnChainQuote {
            quote,
            script_pubkey,
            network,
            least_depth,
        })
    }

    /// Answers a node that wants to pay on the chain. That costs nothing but the answer, and is rationed as invoices are.
    pub(crate) fn on_chain_quote_message(
        &self,
        payer: NodeId,
        sequence: u64,
        amount: Msat,
    ) -> ControlMessage {
        let now = self.shared.node_api.now();
        let is_in_budget = self.engine().quotes_asked_for.take(&payer, 1, now).is_ok();
        let refused = |code| ControlMessage::Refused { sequence, code };
        if !is_in_budget {
            return refused(RefusalCode::Busy);
        }
        match self.quote_on_chain(payer, amount) {
            Ok(offered) => ControlMessage::OnChainQuote {
                sequence,
                network: offered.network,
                least_depth: offered.least_depth,
                script_pubkey: offered.script_pubkey.into_bytes(),
                payment_request_id: offered.quote.to_text(),
            },
            Err(MeshError::Busy(_)) => refused(RefusalCode::Busy),
            Err(error) => {
                tracing::debug!(%payer, %amount, %error, "no quote to be paid on the chain");
                refused(RefusalCode::NotEnabled)
            }
        }
    }

    /// Asks `payee` what has to be paid on the chain for `amount` of credit there, which is rounded up to whole satoshi.
    ///
    /// What it answers is good to be paid by any wallet, and is nobody's credit but this node's: its quote, its amount, its
    /// network and its times have been checked. That the script is the payee's own is its word.
    ///
    /// # Errors
    /// [`MeshError::PaymentVerificationFailed`] when the amount is too little or too much, `payee` takes no payments on the
    /// chain, or it answers something else than was asked for; and when it does not answer.
    pub async fn request_on_chain_quote(
        &self,
        payee: NodeId,
        amount: Msat,
        timeout: Duration,
    ) -> Result<OnChainQuote, MeshError> {
        let amount = worth_a_payment(amount)?;
        let route = self.route_within(&payee, 0, timeout).await?;
        let position = route.len().saturating_sub(1);
        let request = ControlMessage::OnChainQuoteRequest { amount };
        let answer = match self.ask(&route, position, &request, None, timeout).await {
            Ok((_, answer)) => answer,
            Err(NoAnswer::Refused {
                code: RefusalCode::NotEnabled,
                ..
            }) => {
                let reason = format!("{payee} takes no payments on the chain");
                return Err(MeshError::PaymentVerificationFailed(reason));
            }
            Err(why) => return Err(why.into()),
        };
        let asked = Asked {
            payer: self.node_id(),
            payee,
            amount,
            network: self.engine().verifier().network,
        };
        read(answer, &asked, self.shared.node_api.now())
    }
}

/// Rounds up to whole satoshi, and says whether any node quotes so much to be paid on the chain.
fn worth_a_payment(amount: Msat) -> Result<Msat, MeshError> {
    let quoted = whole_sats(amount);
    if quoted < LEAST_ON_CHAIN {
        let error = SettlementError::TooSmall { quoted };
        return Err(MeshError::PaymentVerificationFailed(error.to_string()));
    }
    if quoted > MAX_QUOTE {
        let error = QuoterError::TooMuch { amount };
        return Err(MeshError::PaymentVerificationFailed(error.to_string()));
    }
    Ok(quoted)
}

/// Reads an answer, and checks it against what was asked.
fn read(answer: ControlMessage, asked: &Asked, now: UnixTime) -> Result<OnChainQuote, MeshError> {
    let payee = asked.payee;
    let wrong = |why: &str| {
        MeshError::PaymentVerificationFailed(format!(
            "{payee} answers with what is not to be paid: {why}"
        ))
    };
    let ControlMessage::OnChainQuote {
        network,
        least_depth,
        script_pubkey,
        payment_request_id,
        ..
    } = answer
    else {
        return Err(unexpected(payee, &answer));
    };
    let quote = Quote::from_text(&payment_request_id).map_err(|_| wrong("it is no quote"))?;
    if quote.payer != asked.payer || quote.payee != payee {
        return Err(wrong("its quote is for another payer or by another node"));
    }
    if quote.amount != asked.amount {
        return Err(wrong("its quote is over another amount"));
    }
    if network != asked.network {
        return Err(wrong("it is on another network"));
    }
    if payable_address(Script::from_bytes(&script_pubkey), network).is_none() {
        return Err(wrong("its script has no address that wallets know"));
    }
    check_end(quote.expires_at, least_depth, now).map_err(wrong)?;
    Ok(OnChainQuote {
        quote,
        script_pubkey: ScriptBuf::from_bytes(script_pubkey),
        network,
        least_depth,
    })
}

/// Checks that there is time to pay and to show it, and no more than any node gives: so long a proof may have to be kept.
fn check_end(
    ends_at: UnixTime,
    least_depth: NonZeroU32,
    now: UnixTime,
) -> Result<(), &'static str> {
    let blocks = SECS_PER_BLOCK.saturating_mul(least_depth.get());
    let needed = Duration::from_secs(blocks.into()).saturating_sub(MAX_CLOCK_SKEW);
    if !ends_at.is_alive_at(now.plus(needed)) {
        return Err("it ends too soon to be paid and shown");
    }
    let most = Duration::from_secs((*ON_CHAIN_LIFETIMES_SECS.end()).into());
    if ends_at > now.plus(most).plus(MAX_CLOCK_SKEW) {
        return Err("it ends later than any quote does");
    }
    Ok(())
}
