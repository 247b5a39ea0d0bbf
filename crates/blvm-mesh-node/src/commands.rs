mod ask;
mod check;
mod receive;
mod run;
mod send;
mod status;

pub(crate) use receive::receive;
pub(crate) use run::run;
pub(crate) use send::send;
pub(crate) use status::status;
