use super::{
    AMOUNT, LIMITS, Pair, request,
    wallet::{Fault, Op, hash_of},
};
use mesh_types::LightningError;

/// Everything but a payment, each meeting the fault.
pub(crate) async fn each_meets(pair: &impl Pair, fault: Fault) -> Vec<LightningError> {
    let hash = hash_of(&[1; 32]);
    let mut errors = Vec::new();
    for op in [Op::Info, Op::Create, Op::Incoming, Op::Outgoing] {
        pair.wallet().breaks(op, fault);
        errors.push(match op {
            Op::Info => pair.node().info().await.unwrap_err(),
            Op::Create => pair.node().create_invoice(request(1)).await.unwrap_err(),
            Op::Incoming => pair.node().incoming(hash).await.unwrap_err(),
            _ => pair.node().outgoing(hash).await.unwrap_err(),
        });
        if fault == Fault::Silent {
            tokio::time::resume();
        }
    }
    errors
}

/// Whether a text holds a part of a secret: a message is cut, so it need not hold the whole.
pub(crate) fn repeats(text: &str, secrets: &[String]) -> bool {
    let begins = |secret: &String| text.contains(&secret[..12]);
    secrets.iter().any(begins)
}

async fn all_unreachable(pair: &impl Pair, fault: Fault) {
    for error in each_meets(pair, fault).await {
        assert!(
            matches!(error, LightningError::Unreachable(_)),
            "{fault:?}: {error}"
        );
    }
}

pub(crate) async fn a_back_end_that_is_not_there_is_unreachable(mut pair: impl Pair) {
    let (text, hash) = pair.wallet().stranger_invoice(5, AMOUNT);
    pair.stop().await;
    let node = pair.node();
    let errors = [
        node.info().await.unwrap_err(),
        node.create_invoice(request(1)).await.unwrap_err(),
        node.incoming(hash).await.unwrap_err(),
        node.outgoing(hash).await.unwrap_err(),
        node.pay_invoice(&text, LIMITS).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, LightningError::Unreachable(_)), "{error}");
    }
}

pub(crate) async fn a_silent_back_end_is_unreachable_after_its_patience(pair: impl Pair) {
    all_unreachable(&pair, Fault::Silent).await;
}

pub(crate) async fn a_connection_closed_without_an_answer_is_unreachable(pair: impl Pair) {
    all_unreachable(&pair, Fault::Closes).await;
}

pub(crate) async fn garbage_is_said_to_be_garbage(pair: impl Pair) {
    all_unreachable(&pair, Fault::Garbage).await;
}

pub(crate) async fn a_truncated_answer_is_no_answer(pair: impl Pair) {
    all_unreachable(&pair, Fault::Truncated).await;
}

pub(crate) async fn an_answer_without_end_is_cut(pair: impl Pair) {
    for error in each_meets(&pair, Fault::Huge).await {
        assert!(error.to_string().contains("longer than"), "{error}");
    }
}

pub(crate) async fn a_bad_answer_to_a_payment_is_unknown(pair: impl Pair) {
    for (number, fault) in (10..).zip([Fault::Garbage, Fault::Truncated, Fault::Huge]) {
        let (text, _) = pair.wallet().stranger_invoice(number, AMOUNT);
        pair.wallet().breaks(Op::Pay, fault);
        let unknown = pair.node().pay_invoice(&text, LIMITS).await;
        assert!(
            matches!(unknown, Err(LightningError::Unknown(_))),
            "{fault:?}: {unknown:?}"
        );
    }
}

pub(crate) async fn a_back_end_that_comes_back_works_again(pair: impl Pair) {
    pair.wallet().breaks(Op::Info, Fault::Closes);
    pair.node().info().await.unwrap_err();
    pair.node().info().await.unwrap();
}

pub(crate) async fn no_message_repeats_a_secret(pair: impl Pair) {
    let mut texts = vec![pair.debug()];
    for fault in [Fault::Echoes, Fault::Garbage, Fault::Truncated, Fault::Huge] {
        let errors = each_meets(&pair, fault).await;
        texts.extend(errors.iter().map(|error| format!("{error} {error:?}")));
        let (text, _) = pair.wallet().stranger_invoice(5, AMOUNT);
        pair.wallet().breaks(Op::Pay, fault);
        let error = pair.node().pay_invoice(&text, LIMITS).await.unwrap_err();
        texts.push(format!("{error} {error:?}"));
    }
    for text in texts {
        assert!(!repeats(&text, &pair.secrets()), "{text}");
    }
}
