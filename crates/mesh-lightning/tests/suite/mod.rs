//! The one behaviour of every back end, as tests that each runs against a double of its protocol.
//!
//! A double is a server of this crate's own that speaks the documented bytes of one API, with a wallet in memory behind
//! it. **No real Lightning node is run here**: what a double gets wrong about its model, these tests cannot see.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]
#![allow(dead_code, reason = "each test file uses its own part of it")]

pub(crate) mod faults;
pub(crate) mod invoices;
pub(crate) mod log;
pub(crate) mod payments;
pub(crate) mod settled;
pub(crate) mod wallet;

use mesh_lightning::LightningConfig;
use mesh_types::{InvoiceRequest, LightningNode, Msat, PayLimits};
use std::{future::Future, time::Duration};
use wallet::Wallet;

/// Says that a result is an error of one kind.
#[macro_export]
macro_rules! assert_fails {
    ($result:expr, $kind:ident) => {
        let result = &$result;
        assert!(
            matches!(result, Err(mesh_types::LightningError::$kind(_))),
            "{result:?}"
        );
    };
}

/// A back end of ours, and the double that it talks to.
pub(crate) trait Pair: Send + Sync {
    /// Starts a double, and opens the back end.
    fn start() -> impl Future<Output = Self> + Send;

    fn node(&self) -> &dyn LightningNode;

    fn wallet(&self) -> &Wallet;

    /// Ends the double: nothing listens any more.
    fn stop(&mut self) -> impl Future<Output = ()> + Send;

    /// Opens the back end anew, as a program does that is started again.
    fn reopen(&mut self);

    /// Whether a back end that is opened anew tells again what it has told already.
    fn tells_again(&self) -> bool {
        false
    }

    /// Whether an invoice has the preimage of the request.
    fn takes_preimages(&self) -> bool {
        true
    }

    /// What `Debug` of the back end says.
    fn debug(&self) -> String;

    /// The settings that open the back end.
    fn settings(&self) -> LightningConfig;

    /// What no message may say.
    fn secrets(&self) -> Vec<String>;
}

/// Makes a `#[tokio::test]` of each test of the suite, for the back end of a [`Pair`].
#[macro_export]
macro_rules! lightning_tests {
    ($pair:ty) => {
        $crate::lightning_tests!(@each invoices, $pair,
            says_who_signs_and_on_which_network,
            issues_an_invoice_that_reads_as_asked,
            an_invoice_for_nothing_is_refused,
            an_invoice_for_less_than_asked_is_not_handed_on,
            a_repeated_request_finds_the_invoice_again,
            what_is_not_its_own_is_not_ours,
            an_invoice_is_unpaid_until_it_is_settled,
            an_expired_invoice_is_not_given_again,
            a_wallet_of_another_network_is_not_opened,
        );
        $crate::lightning_tests!(@each payments, $pair,
            pays_and_has_the_preimage_and_the_fee,
            pays_once_however_often_it_is_asked,
            what_failed_may_be_tried_again,
            pays_no_more_than_the_fee_allowed,
            what_is_under_way_is_unknown_until_it_is_found_paid,
            a_lost_answer_is_looked_for_and_found,
            a_lost_request_is_unknown_and_never_a_failure,
            a_payment_without_an_answer_ends_with_the_patience,
            what_cannot_be_looked_up_is_not_paid,
            an_invoice_that_it_cannot_pay_is_not_sent,
            a_preimage_that_does_not_fit_proves_nothing,
        );
        $crate::lightning_tests!(@each log, $pair, no_line_of_the_log_repeats_a_secret);
        $crate::lightning_tests!(@each faults, $pair,
            a_back_end_that_is_not_there_is_unreachable,
            a_silent_back_end_is_unreachable_after_its_patience,
            a_connection_closed_without_an_answer_is_unreachable,
            garbage_is_said_to_be_garbage,
            a_truncated_answer_is_no_answer,
            an_answer_without_end_is_cut,
            a_bad_answer_to_a_payment_is_unknown,
            a_back_end_that_comes_back_works_again,
            no_message_repeats_a_secret,
        );
    };
    (@each $topic:ident, $pair:ty, $($name:ident),* $(,)?) => {
        mod $topic {
            use super::*;

            $(
                #[tokio::test]
                async fn $name() {
                    $crate::suite::$topic::$name(<$pair as $crate::suite::Pair>::start().await).await;
                }
            )*
        }
    };
}

/// The same for what tells which invoices are settled.
#[macro_export]
macro_rules! settled_tests {
    ($pair:ty) => {
        $crate::lightning_tests!(@each settled, $pair,
            what_is_settled_is_told_in_its_order,
            what_was_told_is_not_told_again_behind_its_place,
            what_is_not_settled_is_not_told,
            where_there_is_none_the_patience_is_waited_for,
            one_that_is_settled_meanwhile_is_told,
            nothing_is_left_out_whatever_the_place,
            places_stay_when_the_program_is_started_again,
            more_than_fit_are_told_in_pages,
            one_that_is_asked_for_again_is_told_again,
            a_bad_answer_to_the_wait_is_unreachable,
            a_silent_answer_to_the_wait_is_unreachable,
            an_endless_answer_to_the_wait_is_cut,
            a_back_end_that_is_away_tells_nothing,
        );
    };
}

pub(crate) const AMOUNT: Msat = Msat::from_msat(21_000);

pub(crate) const LIMITS: PayLimits = PayLimits {
    max_fee: Msat::from_msat(500),
    patience: Duration::from_secs(30),
};

pub(crate) fn request(number: u8) -> InvoiceRequest {
    InvoiceRequest {
        amount: AMOUNT,
        preimage: [number; 32],
        description: "mesh: 21 packets".to_owned(),
        expiry: Duration::from_secs(600),
    }
}
