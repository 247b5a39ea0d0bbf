use super::{AT_ONCE, PACKETS_A_SECOND};
use std::fmt::Write as _;

/// What was measured of one variant, a number for each round or block.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// Microseconds from a ping to its pong, one by one.
    pub(super) one_by_one: Vec<f64>,
    /// Microseconds for a ping, at full speed.
    pub(super) at_full_speed: Vec<f64>,
    /// Microseconds of a processor that the pinged node takes for a ping.
    pub(super) work: Vec<f64>,
    /// Microseconds until the other node has a block.
    pub(super) block: Vec<f64>,
    /// Blocks that did not arrive.
    pub(super) lost: f64,
    /// Per cent of a processor that a node takes when nothing is asked of it.
    pub(super) rest: Vec<f64>,
    /// Packets of the mesh that were delivered in a second.
    pub(super) carried: Vec<f64>,
}

/// Writes the medians beside each other, and behind those with a mesh the ratio to those without.
pub(super) fn of(variants: &[Samples; 4]) -> String {
    let mut text = format!(
        "{:<34}{:>30}{:>30}\n{:<34}{:>12}{:>18}{:>12}{:>18}\n",
        "",
        "nothing carried",
        format!("{PACKETS_A_SECOND} packets/s carried"),
        "median (ratio)",
        "plain",
        "mesh inside",
        "plain",
        "mesh inside"
    );
    let mut line = |name: &str, of: &dyn Fn(&Samples) -> f64| {
        let [plain, inside, beside, carrying] = variants.each_ref().map(of);
        let ratio = |value: f64, to: f64| format!("{value:.1} ({:.2})", value / to);
        let (inside, carrying) = (ratio(inside, plain), ratio(carrying, beside));
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{name:<34}{plain:>12.1}{inside:>18}{beside:>12.1}{carrying:>18}"
        );
    };
    line("ping to pong, one by one, µs", &|it| {
        median(&it.one_by_one)
    });
    line(&format!("a ping, {AT_ONCE} at once, µs"), &|it| {
        median(&it.at_full_speed)
    });
    line("its node's processor time, µs", &|it| median(&it.work));
    line("a block at the other node, µs", &|it| median(&it.block));
    line("blocks that did not arrive", &|it| it.lost);
    line("a node's processor at rest, %", &|it| median(&it.rest));
    let [.., carrying] = variants;
    let carried = median(&carrying.carried);
    let _ = write!(
        text,
        "{carried:.0} packets a second were delivered; each pong had the bytes that it should have"
    );
    text
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
