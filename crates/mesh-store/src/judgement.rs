use mesh_types::{MAX_WATCHED, Msat, Standing, StoreError, Watched};

/// What a judgement changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The payment as it is watched from now on; `None` when it is not any more.
    pub(crate) after: Option<Watched>,
    thawed: Msat,
    frozen: Msat,
}

impl Judgement {
    /// What `standing` changes of `watched`; `None` when it says nothing new.
    pub(crate) fn of(watched: Watched, standing: Standing) -> Option<Self> {
        let is_frozen = standing == Standing::Gone;
        if watched.is_frozen == is_frozen && standing != Standing::Final {
            return None;
        }
        let amount_if = |counts: bool| if counts { watched.amount } else { Msat::ZERO };
        let after = Watched {
            is_frozen,
            ..watched
        };
        Some(Self {
            after: (standing != Standing::Final).then_some(after),
            thawed: amount_if(watched.is_frozen),
            frozen: amount_if(is_frozen),
        })
    }

    /// What is frozen of the payer now, where `before` was; `None` when that was not the sum of its payments.
    pub(crate) fn frozen(&self, before: Msat) -> Option<Msat> {
        before.checked_sub(self.thawed)?.checked_add(self.frozen)
    }
}

/// The answer to a payment on the chain when as many are watched as ever are.
pub(crate) fn too_many_watched() -> StoreError {
    StoreError::Unavailable(format!(
        "{MAX_WATCHED} payments on the chain are watched already, and no more are taken"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_types::{ClaimKey, NodeId, TxHash};

    const PAYMENT: Watched = Watched {
        key: ClaimKey::from_tagged_hash([1; 32]),
        payer: NodeId::from_bytes([2; 32]),
        amount: Msat::from_msat(70),
        tx_hash: TxHash::from_bytes([3; 32]),
        is_frozen: false,
    };

    const FROZEN: Watched = Watched {
        is_frozen: true,
        ..PAYMENT
    };

    #[test]
    fn each_standing_changes_what_it_says_and_nothing_else() {
        for (watched, standing, after, frozen) in [
            (PAYMENT, Standing::Gone, Some(FROZEN), 170),
            (FROZEN, Standing::Holds, Some(PAYMENT), 30),
            (PAYMENT, Standing::Final, None, 100),
            (FROZEN, Standing::Final, None, 30),
        ] {
            let judgement = Judgement::of(watched, standing).unwrap();
            assert_eq!(judgement.after, after);
            let now = judgement.frozen(Msat::from_msat(100));
            assert_eq!(now, Some(Msat::from_msat(frozen)));
        }
    }

    #[test]
    fn what_is_known_changes_nothing() {
        assert_eq!(Judgement::of(PAYMENT, Standing::Holds), None);
        assert_eq!(Judgement::of(FROZEN, Standing::Gone), None);
    }

    #[test]
    fn a_sum_that_cannot_be_is_no_sum() {
        let thaw = Judgement::of(FROZEN, Standing::Holds).unwrap();
        assert_eq!(thaw.frozen(Msat::from_msat(69)), None);
        let freeze = Judgement::of(PAYMENT, Standing::Gone).unwrap();
        assert_eq!(freeze.frozen(Msat::MAX), None);
    }
}
