//! The wire format through the public API: what parses, what does not, who can have written it.

mod format;
mod keys;
mod mac;
mod proof;
mod round_trip;
mod sample;
mod vectors;
