use super::*;
use ldk_node::{
    bitcoin::secp256k1::{Secp256k1, SecretKey},
    lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret},
};
use std::{
    path::Path,
    time::{Duration, SystemTime},
};

const AMOUNT: u64 = 21_000;
const HOUR: Duration = Duration::from_secs(3_600);

fn open(folder: &Path) -> Book {
    let store = SqliteStore::new(folder.to_owned(), None, None).unwrap();
    Book::open(Arc::new(store)).unwrap()
}

/// An invoice for this preimage that expires an hour after `made_at`.
fn invoice(preimage: &Hash, made_at: SystemTime) -> String {
    let key = SecretKey::from_slice(&[7; 32]).unwrap();
    let since = made_at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let hash = ldk_node::bitcoin::hashes::Hash::from_byte_array(payment_hash(preimage));
    let built = InvoiceBuilder::new(Currency::Regtest)
        .description("two packets".to_owned())
        .amount_milli_satoshis(AMOUNT)
        .payment_hash(hash)
        .payment_secret(PaymentSecret([3; 32]))
        .duration_since_epoch(since)
        .expiry_time(HOUR)
        .min_final_cltv_expiry_delta(18)
        .build_signed(|message| Secp256k1::new().sign_ecdsa_recoverable(message, &key));
    built.unwrap().to_string()
}

fn now() -> SystemTime {
    // A long way from now, so that no test depends on when it runs.
    SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33)
}

fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30)
}

fn issue(book: &Book, number: u8) -> Hash {
    let preimage = [number; 32];
    book.issue(&invoice(&preimage, now()), &preimage).unwrap();
    payment_hash(&preimage)
}

fn settle(book: &Book, hash: &Hash) -> Option<u64> {
    book.settle(hash, Msat::from_msat(AMOUNT)).unwrap()
}

fn places(book: &Book, behind: u64) -> Vec<u64> {
    let settled = book.settled_behind(behind).unwrap();
    settled.iter().map(|settled| settled.place).collect()
}

#[test]
fn an_invoice_and_its_preimage_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let hash = issue(&open(folder.path()), 1);
    let book = open(folder.path());
    assert!(matches!(book.issued(&hash), Ok(Some(Issued::Waiting(_)))));
    assert_eq!(*book.claim(&hash, AMOUNT).unwrap().unwrap(), [1; 32]);
    assert_eq!(book.issued(&[9; 32]).unwrap(), None);
}

#[test]
fn only_the_amount_asked_for_or_more_is_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let book = open(folder.path());
    let hash = issue(&book, 1);
    assert!(book.claim(&hash, AMOUNT - 1).unwrap().is_none());
    assert!(book.claim(&hash, AMOUNT + 1).unwrap().is_some());
    assert!(book.claim(&[9; 32], AMOUNT).unwrap().is_none());
}

#[test]
fn what_has_expired_is_given_back_and_forgotten_unless_its_claim_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    let book = open(folder.path());
    let late = [1; 32];
    book.issue(&invoice(&late, long_ago()), &late).unwrap();
    assert!(book.claim(&payment_hash(&late), AMOUNT).unwrap().is_none());
    let claimed = issue(&book, 2);
    assert!(book.claim(&claimed, AMOUNT).unwrap().is_some());
    {
        // Time goes by.
        let mut state = book.lock();
        let mut waiting = state.waiting.get(&claimed).cloned().unwrap();
        waiting.invoice = invoice(&[2; 32], long_ago());
        book.write(WAITING, &to_hex(&claimed), &waiting).unwrap();
        state.waiting.insert(claimed, waiting);
    }
    for book in [book, open(folder.path())] {
        let forgotten = book.forget_expired().unwrap();
        assert!(forgotten.is_none_or(|hash| hash == payment_hash(&late)));
        assert_eq!(book.forget_expired().unwrap(), None);
        assert_eq!(book.issued(&payment_hash(&late)).unwrap(), None);
        assert!(book.claim(&claimed, AMOUNT).unwrap().is_some());
    }
    assert_eq!(settle(&open(folder.path()), &claimed), Some(1));
}

#[test]
fn places_go_up_by_one_and_stay_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    for number in 1..=5 {
        let book = open(folder.path());
        let hash = issue(&book, number);
        assert_eq!(settle(&book, &hash), Some(number.into()));
        assert_eq!(*book.last_place().borrow(), u64::from(number));
        assert_eq!(settle(&book, &hash), Some(number.into()), "told again");
    }
    let book = open(folder.path());
    assert_eq!(places(&book, 0), [1, 2, 3, 4, 5]);
    assert_eq!(places(&book, 3), [4, 5]);
    assert!(places(&book, 5).is_empty());
    assert!(places(&book, u64::MAX).is_empty());
    let first = &book.settled_behind(0).unwrap()[0];
    assert_eq!(first.payment_hash, payment_hash(&[1; 32]));
    assert_eq!(first.description, "two packets");
    assert_eq!(first.amount, Msat::from_msat(AMOUNT));
}

#[test]
fn a_crash_at_any_point_of_settling_neither_loses_a_place_nor_gives_two() {
    for steps_done in 0..=2 {
        let folder = tempfile::tempdir().unwrap();
        let hash = {
            let book = open(folder.path());
            let before = issue(&book, 1);
            settle(&book, &before);
            let hash = issue(&book, 2);
            if steps_done >= 1 {
                book.write(PLACES, &to_hex(&hash), &2).unwrap();
            }
            if steps_done >= 2 {
                let settled = Settled {
                    payment_hash: to_hex(&hash),
                    invoice: invoice(&[2; 32], now()),
                    amount_msat: AMOUNT,
                };
                book.write(SETTLED, &key_of(2), &settled).unwrap();
            }
            hash
        };
        let book = open(folder.path());
        assert_eq!(settle(&book, &hash), Some(2), "after {steps_done} steps");
        let after = issue(&book, 3);
        assert_eq!(settle(&book, &after), Some(3));
        assert_eq!(places(&book, 0), [1, 2, 3]);
        let settled = matches!(book.issued(&hash), Ok(Some(Issued::Settled { .. })));
        assert!(settled);
        assert!(book.lock().waiting.is_empty());
    }
}

#[test]
fn a_payment_for_no_invoice_of_ours_gets_no_place() {
    let folder = tempfile::tempdir().unwrap();
    let book = open(folder.path());
    assert_eq!(settle(&book, &[9; 32]), None);
    assert_eq!(*book.last_place().borrow(), 0);
}

#[test]
fn the_preimage_of_a_paid_invoice_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let book = open(folder.path());
    let hash = issue(&book, 1);
    settle(&book, &hash);
    assert!(book.claim(&hash, AMOUNT).unwrap().is_none());
    let left = KVStoreSync::list(&*book.store, BOOK, WAITING).unwrap();
    assert!(left.is_empty());
}

#[test]
fn a_payment_is_begun_once_and_what_is_paid_stays_paid() {
    let folder = tempfile::tempdir().unwrap();
    let hash = [5; 32];
    let book = open(folder.path());
    assert_eq!(book.begin(&hash, "lnbc").unwrap(), Noted::Nothing);
    let begun = Noted::Begun {
        invoice: "lnbc".to_owned(),
    };
    assert_eq!(book.begin(&hash, "lnbc").unwrap(), begun);
    book.failed(&hash).unwrap();
    assert_eq!(book.begin(&hash, "lnbc").unwrap(), Noted::Nothing);
    let paid = PaidInvoice {
        preimage: [6; 32],
        fee: Msat::from_msat(3),
    };
    book.paid(&hash, paid).unwrap();
    book.failed(&hash).unwrap();
    let book = open(folder.path());
    assert_eq!(book.payment(&hash).unwrap(), Noted::Paid(paid));
    assert_eq!(book.begin(&hash, "lnbc").unwrap(), Noted::Paid(paid));
}

#[test]
fn the_last_of_numbers_without_gaps_is_found() {
    for last in (0..70).chain([1_000, 1_000_000]) {
        let mut asked = 0;
        let found = last_of(|number| {
            asked += 1;
            Ok(number <= last)
        });
        assert_eq!(found.unwrap(), last);
        assert!(asked <= 42, "{asked} questions for {last}");
    }
}

#[test]
fn no_secret_is_in_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let book = open(folder.path());
    issue(&book, 0x5a);
    assert!(!format!("{book:?}").contains("5a5a"));
}
