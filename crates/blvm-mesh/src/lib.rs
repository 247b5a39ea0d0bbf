//! The mesh as a Bitcoin node imports it.
