//! What a store takes: bytes, time and memory.

fn main() {}
