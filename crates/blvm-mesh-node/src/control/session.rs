use super::{
    Answer, Call, DeliveryReport, Failure, FailureKind, LineError, MAX_CALL_BYTES, NotSentReport,
    PriceCall, QuoteReport, RefundCall, RefundReport, Reply, Request, SendCall, SentReport,
    StatusReport, TriedReport, ledger::LedgerCall, line::read_line, server::Desk, stop::Stop,
};
use crate::{hex::parse_hex, ledger_desk, on_chain_desk, surroundings};
use blvm_mesh::{
    Delivery, Engine, Invoice, MAX_PAYLOAD_LEN, MeshError, Msat, NodeId, SendOptions, to_hex,
};
use std::{collections::VecDeque, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::spawn_blocking,
    time::timeout,
};

/// How long a connection may say nothing, or take nothing, before it is closed.
///
/// A minute, because programs ask at once, and people type a line in less.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// One control connection: calls, each answered before the next is read.
#[derive(Debug)]
pub(super) struct Session {
    desk: Arc<Desk>,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    held: Held,
}

/// Deliveries that were handed over and are not taken yet; they go back when this is dropped.
#[derive(Debug)]
struct Held {
    desk: Arc<Desk>,
    deliveries: VecDeque<Delivery>,
    /// How many of them, from the first on, the last answer told.
    told: usize,
}

impl Session {
    pub(super) fn new(desk: Arc<Desk>, stream: UnixStream) -> Self {
        let (read_half, writer) = stream.into_split();
        let held = Held {
            desk: Arc::clone(&desk),
            deliveries: VecDeque::new(),
            told: 0,
        };
        Self {
            desk,
            reader: BufReader::new(read_half),
            writer,
            held,
        }
    }

    /// Answers calls until the connection ends, something is wrong with it, or `stop` says so.
    pub(super) async fn run(mut self, mut stop: Stop) {
        loop {
            let line = tokio::select! {
                biased;
                () = stop.said() => return,
                line = timeout(IDLE_TIMEOUT, read_line(&mut self.reader, MAX_CALL_BYTES)) => line,
            };
            let (answer, is_last) = match line {
                Ok(Ok(Some(line))) => (self.answer(&line, &mut stop).await, false),
                Ok(Ok(None)) => return,
                Ok(Err(error @ LineError::TooLong { .. })) => {
                    (failed(FailureKind::Call, error), true)
                }
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a control connection ended");
                    return;
                }
                Err(_) => (
                    failed(FailureKind::Call, "nothing was asked for too long"),
                    true,
                ),
            };
            if let Err(error) = self.write(answer).await {
                tracing::debug!(%error, "an answer was not read");
                return;
            }
            if is_last {
                return;
            }
        }
    }

    async fn answer(&mut self, line: &[u8], stop: &mut Stop) -> Answer {
        match Call::from_line(line) {
            Err(error) => failed(FailureKind::Call, error),
            Ok(Call { request, .. }) => match request {
                Request::Status {} => {
                    Answer::Status(Box::new(StatusReport::of(&self.desk.node).await))
                }
                Request::Peers {} => {
                    Answer::Peers(surroundings::neighbours(self.desk.node.manager()).await)
                }
                Request::Routes(call) => {
                    self.look(move |engine| {
                        Answer::Routes(surroundings::routes(engine.routes(), &call))
                    })
                    .await
                }
                Request::Topology {} => {
                    self.look(|engine| Answer::Topology(Box::new(surroundings::topology(engine))))
                        .await
                }
                Request::Send(call) => self.send(call).await,
                Request::Price(call) => self.price(call).await,
                Request::Quote { payer, amount_sats } => self.quote(payer, amount_sats).await,
                Request::OnChain(call) => {
                    match on_chain_desk::answer(self.desk.node.manager(), call).await {
                        Ok(report) => Answer::OnChain(Box::new(report)),
                        Err(failure) => Answer::Failed(failure),
                    }
                }
                Request::Receive { max, wait_secs } => {
                    let wait = Duration::from_secs(wait_secs.into());
                    self.receive(max.into(), wait, stop).await
                }
                Request::Taken {} => {
                    self.held.taken();
                    Answer::Done {}
                }
                Request::Refund(call) => self.refund(call).await,
                Request::Ledger(call) => self.ledger(call, stop).await,
                Request::Lightning(call) => {
                    let node = &self.desk.node;
                    match node.embedded().answer(call, node.backend()).await {
                        Ok(report) => Answer::Lightning(report),
                        Err(error) => failed(FailureKind::Lightning, error),
                    }
                }
            },
        }
    }

    /// Looks at the routes beside the packets: in a large mesh that takes its time.
    async fn look(&self, at: impl FnOnce(&Engine) -> Answer + Send + 'static) -> Answer {
        let manager = self.desk.node.manager().clone();
        let looking = spawn_blocking(move || at(manager.engine()));
        looking
            .await
            .unwrap_or_else(|error| failed(FailureKind::Other, error))
    }

    async fn send(&self, call: SendCall) -> Answer {
        let payload = match parse_hex(&call.payload_hex, MAX_PAYLOAD_LEN) {
            Ok(payload) => payload,
            Err(error) => return failed(FailureKind::Call, format!("payload_hex: {error}")),
        };
        let options = SendOptions {
            limit: Msat::from_sats_saturating(call.limit_sats),
            packets_ahead: call.packets_ahead.into(),
            tops_up: true,
            timeout: Duration::from_secs(call.timeout_secs.into()),
            deadline: Duration::from_secs(call.deadline_secs.into()),
            is_sealed: !call.in_clear,
        };
        let manager = self.desk.node.manager();
        match manager.send(call.destination, payload, options).await {
            Ok(sent) => Answer::Sent(SentReport {
                sequence: sent.sequence,
                route: sent.route.to_vec(),
                fee_msat: sent.fee.to_msat(),
                deposited_msat: sent.deposited.to_msat(),
                tries: sent.tries.iter().map(TriedReport::from).collect(),
            }),
            Err(error) if error.tries.is_empty() => Answer::Failed(with_advice(error.reason)),
            Err(error) => Answer::NotSent(Box::new(NotSentReport {
                may_have_arrived: error.may_have_arrived,
                tries: error.tries.iter().map(TriedReport::from).collect(),
                failure: with_advice(error.reason),
            })),
        }
    }

    async fn price(&self, call: PriceCall) -> Answer {
        let options = SendOptions {
            timeout: Duration::from_secs(call.timeout_secs.into()),
            is_sealed: !call.in_clear,
            ..SendOptions::default()
        };
        let bytes = usize::try_from(call.bytes).unwrap_or(usize::MAX);
        let manager = self.desk.node.manager();
        let asked = manager.quote_route(call.destination, bytes, &options);
        match asked.await {
            Ok(price) => Answer::Priced(price.into()),
            Err(error) => Answer::Failed(with_advice(error)),
        }
    }

    async fn quote(&self, payer: NodeId, amount_sats: u64) -> Answer {
        let node = &self.desk.node;
        let amount = Msat::from_sats_saturating(amount_sats);
        let quoted = node.manager().quote_for(payer, amount).await;
        let read = quoted.and_then(|text| {
            let invoice = Invoice::parse(&text);
            let invoice = invoice.map_err(|error| MeshError::LightningError(error.to_string()))?;
            Ok(QuoteReport {
                payer,
                amount_msat: amount.to_msat(),
                payment_hash: to_hex(invoice.payment_hash()),
                expires_at: invoice.expires_at().to_secs(),
                invoice: text,
                sandbox: node.sandbox().is_some(),
            })
        });
        read.map_or_else(
            |error| Answer::Failed(error.into()),
            |report| Answer::Quoted(Box::new(report)),
        )
    }

    async fn refund(&self, call: RefundCall) -> Answer {
        let manager = self.desk.node.manager();
        let refunded = async {
            let timeout = Duration::from_secs(call.timeout_secs.into());
            let route = manager.route_within(&call.node, 0, timeout).await?;
            let position = route.len().saturating_sub(1);
            let amount = call.amount_sats.map(Msat::from_sats_saturating);
            manager.refund(&route, position, amount, timeout).await
        };
        match refunded.await {
            Ok(refunded) => Answer::Refunded(RefundReport {
                node: refunded.by,
                amount_msat: refunded.amount.to_msat(),
                fee_msat: refunded.fee.to_msat(),
                credit_msat: refunded.credit.to_msat(),
                arrived: refunded.has_arrived,
            }),
            Err(error) => Answer::Failed(error.into()),
        }
    }

    /// Hands over what has arrived; what was handed over before and not taken comes first.
    async fn receive(&mut self, most: usize, wait: Duration, stop: &mut Stop) -> Answer {
        let held = &mut self.held.deliveries;
        let manager = self.desk.node.manager();
        if held.len() < most {
            let mut returned = self.desk.returned.lock();
            let count = returned.len().min(most - held.len());
            held.extend(returned.drain(..count));
        }
        held.extend(manager.poll_deliveries(most.saturating_sub(held.len())));
        if held.is_empty() && !wait.is_zero() {
            tokio::select! {
                biased;
                () = stop.said() => {}
                () = hung_up(&mut self.reader) => {}
                next = timeout(wait, manager.next_delivery()) => held.extend(next),
            }
            held.extend(manager.poll_deliveries(most.saturating_sub(held.len())));
        }
        self.held.told = self.held.deliveries.len().min(most);
        Answer::Deliveries(self.held.deliveries.iter().take(most).map(report).collect())
    }

    /// Asks the books; who hangs up, or a node that stops, ends what takes long.
    async fn ledger(&mut self, call: LedgerCall, stop: &mut Stop) -> Answer {
        let desk = Arc::clone(&self.desk);
        let Some(store) = desk.node.store() else {
            return failed(
                FailureKind::Store,
                "this node keeps no ledger: what it takes and owes is forgotten when it stops",
            );
        };
        let takes_long = matches!(call, LedgerCall::Verify {} | LedgerCall::Export { .. });
        tokio::select! {
            biased;
            () = stop.said() => failed(FailureKind::Busy, "the node stops"),
            () = hung_up(&mut self.reader), if takes_long => failed(FailureKind::Call, "nobody waits any more"),
            answered = ledger_desk::answer(store, call) => match answered {
                Ok(report) => Answer::Ledger(Box::new(report)),
                Err(error) => failed(FailureKind::Store, error),
            },
        }
    }

    async fn write(&mut self, answer: Answer) -> io::Result<()> {
        let line = Reply::new(answer).to_line()?;
        match timeout(IDLE_TIMEOUT, self.writer.write_all(&line)).await {
            Ok(written) => written,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Held {
    fn taken(&mut self) {
        self.deliveries
            .drain(..self.told.min(self.deliveries.len()));
        self.told = 0;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.deliveries.is_empty() {
            return;
        }
        let mut returned = self.desk.returned.lock();
        while let Some(delivery) = self.deliveries.pop_back() {
            returned.push_front(delivery);
        }
    }
}

/// Waits until the other end has closed the connection.
async fn hung_up(reader: &mut BufReader<OwnedReadHalf>) {
    if let Ok([_, ..]) = reader.fill_buf().await {
        // The next call is there already; it is read after this one is answered.
        std::future::pending::<()>().await;
    }
}

fn report(delivery: &Delivery) -> DeliveryReport {
    DeliveryReport {
        source: delivery.source,
        sequence: delivery.sequence,
        sealed: delivery.is_sealed,
        payload_hex: to_hex(&delivery.payload),
    }
}

fn failed(kind: FailureKind, message: impl std::fmt::Display) -> Answer {
    Answer::Failed(Failure::new(kind, message))
}

/// Says what a person can do about it, where something can be done.
fn with_advice(error: MeshError) -> Failure {
    let mut failure = Failure::from(error);
    let advice = match failure.kind {
        FailureKind::Routing => {
            "; see what is known with: blvm-mesh topology, and how this node is linked with: blvm-mesh peers"
        }
        FailureKind::Lightning => "; a node pays with what [lightning] names",
        _ => "",
    };
    failure.message.push_str(advice);
    failure
}
