//! Whether a packet is paid: quotes, proofs of payment, prices and credit.
