//! Our clients of Core Lightning and of LND meet real payments, over fronts of LDK nodes: one suite for both.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where something is not as it expects"
)]

#[path = "fronts/scene.rs"]
mod scene;
#[path = "fronts/sides.rs"]
mod sides;
#[path = "fronts/suite.rs"]
mod suite;
#[path = "fronts/telling.rs"]
mod telling;

use sides::{ClnSide, LndSide};

/// Makes a test of each function of the suite, for one kind of client.
macro_rules! front_tests {
    ($client:ident, $side:ty, $($name:ident),* $(,)?) => {
        mod $client {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    suite::$name(scene::Scene::<$side>::enter()).await;
                }
            )*
        }
    };
    ($client:ident, $side:ty) => {
        front_tests!($client, $side,
            says_who_it_is,
            pays_over_a_relay_and_sees_what_it_took,
            an_invoice_is_paid_once_however_often_it_is_asked,
            an_answer_lost_after_the_payment_is_found_at_once,
            an_answer_lost_on_the_way_is_unknown_until_it_is_found_paid,
            a_payment_that_is_held_is_not_settled_and_may_come_back,
            an_expired_invoice_is_not_paid,
            a_way_that_is_too_dear_is_not_taken,
            more_than_a_channel_holds_is_not_paid,
            a_payer_that_dies_finds_its_payment_again,
            a_payee_that_dies_still_has_what_it_holds,
            a_payee_that_starts_again_knows_its_invoices,
        );
    };
}

front_tests!(cln, ClnSide);
front_tests!(lnd, LndSide);
