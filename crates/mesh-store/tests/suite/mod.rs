//! The one behaviour of every store, as tests that any store can run.
//!
//! A test file names a [`Place`] and hands it to [`store_tests!`], which lists every test once:
//!
//! ```ignore
//! #[macro_use]
//! mod suite;
//! store_tests!(lasting: Some(RedbPlace::new()));
//! ```
//!
//! `lasting` stores keep everything over a crash; a store that `forgets` runs only the other tests. A place that is
//! `None` is not there on this machine, and its tests say so and pass.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops where something is not as it expects"
)]
#![allow(dead_code, reason = "each test file uses its own part of it")]

pub(crate) mod bounds;
pub(crate) mod claims;
pub(crate) mod credit;
pub(crate) mod expiry;
pub(crate) mod lasting;
pub(crate) mod model;
pub(crate) mod node;
pub(crate) mod refunds;
pub(crate) mod spending;
pub(crate) mod watching;

use mesh_types::{
    Claim, ClaimKey, ClaimOutcome, ClaimStore as _, CreditStore as _, Msat, NodeId, NodeStore as _,
    PacketTag, PaymentProof, Settled, Settlement, Standing, Store, StoreError, TxHash, UnixTime,
    Watched,
};
use std::{future::Future, sync::Arc};

/// Where one store lives, from its first opening on.
pub(crate) trait Place: Send {
    /// The kind of store.
    type Store: Store + 'static;

    /// Opens the store; the first time an empty one.
    fn open(&mut self) -> impl Future<Output = Arc<Self::Store>> + Send;

    /// Ends `store` as a crash does, when no answer is outstanding: nothing more is written. Opens what is left, with all
    /// credit that was drawn given back.
    fn crash(&mut self, store: Arc<Self::Store>) -> impl Future<Output = Arc<Self::Store>> + Send;

    /// Closes `store` and opens it again.
    fn reopen(&mut self, store: Arc<Self::Store>) -> impl Future<Output = Arc<Self::Store>> + Send;
}

/// Makes a `#[tokio::test]` of each test of the suite, for the store at `$place`, an `Option<impl Place>`.
#[macro_export]
macro_rules! store_tests {
    (lasting: $place:expr) => {
        $crate::store_tests!(forgets: $place);
        $crate::store_tests!(@each lasting, $place,
            claims_and_credit_outlive_a_crash,
            what_was_drawn_comes_back_after_a_crash,
            what_was_settled_stays_settled_after_a_crash,
            claims_stay_forgotten_after_a_crash,
            sequences_rise_over_crashes_and_reopenings,
            the_key_and_the_proofs_outlive_a_crash,
            everything_outlives_an_orderly_end,
            a_store_opens_often,
            what_the_wallet_said_outlives_a_crash,
        );
        $crate::store_tests!(@each watching, $place,
            what_is_watched_and_frozen_outlives_a_crash,
            a_debt_outlives_a_crash,
        );
        $crate::store_tests!(@each spending, $place,
            payments_and_their_sums_outlive_a_crash,
        );
        $crate::store_tests!(@each refunds, $place,
            refunds_outlive_a_crash_between_each_step,
        );
    };
    (forgets: $place:expr) => {
        $crate::store_tests!(@each claims, $place,
            a_claim_is_new_once_and_credits_its_payer,
            the_packet_that_claimed_may_ask_again,
            another_packet_is_told_that_it_was_claimed,
            a_claim_known_by_another_payer_amount_or_end_stays_what_it_was,
            of_64_packets_with_one_payment_one_is_new,
            one_packet_asking_64_times_is_credited_once,
            claims_of_many_packets_at_once_are_all_credited,
            a_payment_of_nothing_is_claimed_too,
            the_first_packet_takes_a_claim_over_that_none_has_made,
            of_64_packets_one_takes_a_claim_over,
            a_payment_that_a_packet_and_the_wallet_claim_at_once_is_credited_once,
        );
        $crate::store_tests!(@each bounds, $place,
            a_balance_holds_all_the_bitcoin_there_is_and_no_more,
            what_is_drawn_counts_towards_the_largest_balance,
            a_refused_claim_takes_no_others_with_it,
            what_is_spent_makes_room_again,
        );
        $crate::store_tests!(@each expiry, $place,
            a_claim_is_kept_until_its_end_and_the_skew_have_passed,
            a_payment_whose_time_is_forgotten_is_refused_and_never_new,
            a_payment_that_ends_just_behind_what_is_forgotten_is_taken,
            forgetting_earlier_times_again_forgets_nothing,
            what_is_claimed_is_told_even_when_its_time_is_forgotten,
            credit_stays_when_its_claims_are_forgotten,
            only_what_has_ended_is_forgotten_of_many,
            forgetting_goes_on_while_claims_come,
        );
        $crate::store_tests!(@each credit, $place,
            credit_is_drawn_spent_and_given_back,
            nobody_draws_what_is_not_there,
            a_stranger_has_nothing_to_draw,
            draws_at_once_hand_out_no_more_than_there_is,
            settlements_of_one_payer_in_one_call_add_up,
            what_was_not_drawn_is_not_spent,
            settling_for_a_stranger_books_nothing,
            settling_nothing_is_booked,
            the_books_name_the_largest_credits_first,
            what_is_drawn_is_in_the_books_until_it_is_spent,
            deposits_are_credit_and_earnings_whatever_happens,
        );
        $crate::store_tests!(@each watching, $place,
            a_payment_on_the_chain_is_watched_from_its_claim_on,
            asking_again_watches_nothing_again,
            a_payment_that_is_refused_is_not_watched,
            what_is_frozen_is_not_drawn_until_it_holds_again,
            saying_the_same_again_changes_nothing,
            a_final_payment_is_drawn_and_watched_no_more,
            what_is_not_watched_is_left_alone,
            only_its_own_payer_has_less,
            what_was_spent_and_then_undone_freezes_other_deposits,
            what_is_drawn_is_taken_from_nobody_and_not_handed_out_twice,
            a_payment_stays_watched_when_its_claim_is_forgotten,
            claims_and_judgements_at_once_add_up,
            at_the_bound_only_payments_on_the_chain_are_refused,
        );
        $crate::store_tests!(@each node, $place,
            the_first_key_is_kept,
            of_keys_kept_at_once_one_is_everybodys,
            sequence_blocks_rise_and_never_meet,
            a_block_begins_no_lower_than_asked,
            blocks_reserved_at_once_never_meet,
            a_proof_is_kept_until_it_is_forgotten,
            one_proof_is_kept_once_for_each_payee,
            proofs_of_all_kinds_come_back_as_they_were,
            at_the_bound_no_proof_is_kept_and_none_is_lost,
            the_place_of_each_wallet_is_kept_and_never_falls,
        );
        $crate::store_tests!(@each spending, $place,
            a_payment_counts_from_before_it_is_made_until_it_failed,
            saying_twice_what_became_of_a_payment_changes_nothing,
            a_payment_is_under_way_once_and_may_be_tried_again_when_it_failed,
            of_64_payments_begun_at_once_none_is_beyond_a_cap,
            what_is_refused_says_what_is_used_and_leaves_no_trace,
            a_new_day_begins_at_midnight_utc,
            without_room_for_its_note_no_payment_is_begun,
        );
        $crate::store_tests!(@each refunds, $place,
            a_refund_is_taken_with_its_fee_and_gives_the_rest_of_it_back_when_paid,
            a_refund_that_failed_gives_everything_back_and_is_never_begun_again,
            saying_again_what_became_of_a_refund_changes_nothing,
            the_hash_of_another_payers_refund_is_refused,
            no_more_is_refunded_than_is_free,
            of_64_refunds_begun_at_once_no_more_is_taken_than_there_is,
            no_more_refunds_are_under_way_than_are_looked_after,
            what_goes_back_waits_until_the_balance_has_room,
        );
    };
    (@each $group:ident, $place:expr, $($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            match $place {
                Some(place) => suite::$group::$name(place).await,
                None => println!("skipped: this kind of store is not installed here"),
            }
        }
    )*};
}

/// Some time in 2027.
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// An hour after [`NOW`].
pub(crate) const LATER: UnixTime = UnixTime::from_secs(1_800_003_600);

pub(crate) fn payer(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

pub(crate) fn msat(amount: u64) -> Msat {
    Msat::from_msat(amount)
}

/// 32 bytes that look random, from a number.
pub(crate) fn bytes(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut state = number;
    for chunk in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_be_bytes());
    }
    bytes
}

pub(crate) fn key(number: u64) -> ClaimKey {
    ClaimKey::from_payment_hash(bytes(number))
}

pub(crate) fn tag(number: u64) -> PacketTag {
    let mut tag = [7; 16];
    tag[..8].copy_from_slice(&number.to_le_bytes());
    PacketTag::from_bytes(tag)
}

/// Payment `number`, worth `amount` to [`payer`] 1, to be shown until [`LATER`].
pub(crate) fn claim(number: u64, amount: u64) -> Claim {
    Claim {
        key: key(number),
        payer: payer(1),
        amount: msat(amount),
        expires_at: LATER,
        on_chain: None,
    }
}

/// The transaction of payment `number` on the chain.
pub(crate) fn tx(number: u64) -> TxHash {
    TxHash::from_bytes(bytes(!number))
}

/// The same as [`claim`], paid on the chain.
pub(crate) fn on_chain(number: u64, amount: u64) -> Claim {
    Claim {
        on_chain: Some(tx(number)),
        ..claim(number, amount)
    }
}

pub(crate) fn proof(number: u64) -> PaymentProof {
    PaymentProof::Lightning {
        invoice: format!("lnbc{number}"),
        preimage: bytes(number),
        amount_msats: number,
        timestamp: 1,
        expires_at: 2,
    }
}

/// Claims a payment that nobody has claimed.
pub(crate) async fn deposit(store: &impl Store, claim: Claim) {
    let outcome = store.claim(claim, tag(0), NOW).await;
    assert_eq!(outcome, Ok(ClaimOutcome::New), "{claim:?}");
}

/// Draws all that `of` has, however little the store hands over at once.
pub(crate) async fn draw_all(store: &impl Store, of: NodeId) -> Msat {
    let mut drawn = Msat::ZERO;
    loop {
        let more = store.draw(of, Msat::MAX).await.unwrap();
        assert_eq!(more.elsewhere, Msat::ZERO, "there is no other gateway");
        if more.amount == Msat::ZERO {
            return drawn;
        }
        drawn = drawn.checked_add(more.amount).unwrap();
    }
}

/// Books that of what was drawn `spent` is spent on one packet, and `back` is given back.
pub(crate) async fn settle(store: &impl Store, of: NodeId, spent: u64, back: u64) {
    let settlement = Settlement {
        payer: of,
        spent: msat(spent),
        packets: 1,
        back: msat(back),
    };
    assert_eq!(
        store.settle(vec![settlement], NOW).await,
        Ok(Settled::Booked)
    );
}

/// Checks what the sums are, and that they agree.
pub(crate) async fn check_books(store: &impl Store, deposited: u64, earned: u64) {
    let books = store.books(0).await.unwrap();
    assert_eq!(books.deposited, msat(deposited));
    assert_eq!(books.earned, msat(earned));
    assert_eq!(books.credit, msat(deposited - earned));
    assert!(books.largest.is_empty());
}

pub(crate) async fn check_credit(store: &impl Store, of: NodeId, credit: u64) {
    assert_eq!(store.credit(of).await, Ok(msat(credit)));
}

/// Whether it was refused because its time has been forgotten.
pub(crate) fn is_expired<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Expired(_)))
}
