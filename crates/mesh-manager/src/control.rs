use crate::{Answer, Budgets, Draft, MeshManager, Refusal, Refused, pending::Heard};
use mesh_protocol::{ControlMessage, RefusalCode};
use mesh_types::{Msat, NodeId, Price, Route, StoreError};

impl MeshManager {
    /// Answers a message of another mesh, or hands it to whoever waits for it.
    pub(crate) async fn answer(&self, answer: Answer) -> Result<(), Refused> {
        let Answer {
            from,
            sequence,
            message,
            back,
            ..
        } = answer;
        let about = match message {
            ControlMessage::QuoteRequest { amount } => {
                let quote = self.quote_message(from, sequence, amount).await;
                self.reply(back, or_busy(quote, sequence)).await;
                return Ok(());
            }
            ControlMessage::Deposit => {
                let credit = self.credit_of(from).await;
                let credited = credit.map(|credit| ControlMessage::Credited { sequence, credit });
                self.reply(back, or_busy(credited, sequence)).await;
                return Ok(());
            }
            ControlMessage::RefundRequest { invoice } => {
                self.hear_refund_request(from, sequence, invoice, back)
                    .await;
                return Ok(());
            }
            ControlMessage::OnChainQuoteRequest { amount } => {
                let answer = self.on_chain_quote_message(from, sequence, amount);
                self.reply(back, answer).await;
                return Ok(());
            }
            ControlMessage::Refused { sequence, .. }
            | ControlMessage::PaymentRequired { sequence, .. }
            | ControlMessage::Quote { sequence, .. }
            | ControlMessage::Credited { sequence, .. }
            | ControlMessage::Refunded { sequence, .. }
            | ControlMessage::OnChainQuote { sequence, .. }
            | ControlMessage::Delivered { sequence } => sequence,
            ControlMessage::Gossip(message) => return self.learn(from, message).await,
        };
        if self.pending().answer(about, Heard { from, message }) {
            return Ok(());
        }
        Err(self.engine().refuse(Refusal::Unasked, None))
    }

    /// Tells the source of a refused packet why, with a quote when it has to pay.
    pub(crate) async fn tell(&self, refused: &Refused) {
        let Some(tell) = &refused.tell else { return };
        let (sequence, source) = (tell.sequence, tell.back.destination());
        let message = match refused.refusal {
            Refusal::PaymentRequired { price, missing } => {
                let invoice = self
                    .invoice_for(source, missing, &self.engine().invoices_in_refusals)
                    .await;
                ControlMessage::PaymentRequired {
                    sequence,
                    price,
                    missing,
                    invoice,
                }
            }
            ref refusal => ControlMessage::Refused {
                sequence,
                code: refusal.code(),
            },
        };
        self.reply(tell.back.clone(), message).await;
    }

    /// # Errors
    /// When the store does not answer: then a payment could not be credited, and nobody is asked for one.
    async fn quote_message(
        &self,
        payer: NodeId,
        sequence: u64,
        amount: Msat,
    ) -> Result<ControlMessage, StoreError> {
        let price: Price = self.engine().price();
        let credit = self.credit_of(payer).await?;
        let invoice = if amount == Msat::ZERO {
            None
        } else {
            self.invoice_for(payer, amount, &self.engine().quotes_asked_for)
                .await
        };
        Ok(ControlMessage::Quote {
            sequence,
            price,
            credit,
            invoice,
        })
    }

    /// An invoice that buys `payer` credit; `None` when this node cannot issue one now, or has issued enough.
    async fn invoice_for(&self, payer: NodeId, amount: Msat, budget: &Budgets) -> Option<String> {
        match self.issue_quote(payer, amount, budget).await {
            Ok(invoice) => Some(invoice),
            Err(error) => {
                tracing::info!(%payer, %amount, %error, "no invoice for a quote");
                None
            }
        }
    }

    /// Sends a reply. One that cannot be sent is lost like a packet on the wire: the other side asks again.
    pub(crate) async fn reply(&self, back: Route, message: ControlMessage) {
        let to = back.destination();
        let sent = async {
            self.engine()
                .keys
                .admit_route(&back, self.shared.node_api.now())?;
            let composed = self.compose(Draft::control(back, &message, None)?).await?;
            self.transmit(composed.next, composed.bytes).await
        };
        if let Err(error) = sent.await {
            tracing::debug!(%to, %error, "a reply was not sent");
        }
    }
}

/// What is said while the store does not answer.
fn or_busy(answer: Result<ControlMessage, StoreError>, sequence: u64) -> ControlMessage {
    answer.unwrap_or_else(|error| {
        tracing::info!(%error, "a question about money is answered with busy");
        ControlMessage::Refused {
            sequence,
            code: RefusalCode::Busy,
        }
    })
}
