//! Authenticated links between nodes: TCP, Noise, frames, back-pressure.
