mod ask;
mod check;
mod ledger;
mod lightning;
mod quote;
mod receive;
mod refund;
mod run;
mod send;
mod status;

pub(crate) use ledger::ledger;
pub(crate) use lightning::lightning;
pub(crate) use quote::quote;
pub(crate) use receive::receive;
pub(crate) use refund::refund;
pub(crate) use run::run;
pub(crate) use send::send;
pub(crate) use status::status;
