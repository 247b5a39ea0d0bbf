use std::{fmt, str::FromStr};

/// What nodes do wrong where a plan asks for it, so that each property is seen to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Their memory of claims forgets: a payment counts as often as it is shown.
    ForgetClaims,
    /// They debit the payer of a packet once more than they carry it.
    DebitTwice,
    /// They debit packets that no link has taken.
    DebitUncarried,
    /// They hand a packet on although they had it before.
    CarryTwice,
    /// Their tables miss every third link that they are told of.
    ForgetLinks,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ForgetClaims,
        Self::DebitTwice,
        Self::DebitUncarried,
        Self::CarryTwice,
        Self::ForgetLinks,
    ];

    /// As it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForgetClaims => "forget-claims",
            Self::DebitTwice => "debit-twice",
            Self::DebitUncarried => "debit-uncarried",
            Self::CarryTwice => "carry-twice",
            Self::ForgetLinks => "forget-links",
        }
    }
}

impl fmt::Display for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no sabotage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no sabotage; there are: forget-claims, debit-twice, debit-uncarried, carry-twice, forget-links"
)]
pub struct UnknownSabotage(String);

impl FromStr for Sabotage {
    type Err = UnknownSabotage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|it| it.name() == text);
        found.ok_or_else(|| UnknownSabotage(text.to_owned()))
    }
}
