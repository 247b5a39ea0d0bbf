use mesh_sim::{ANNOUNCED_AN_HOUR, Memory, Rates, Report, Stage};
use serde::{Deserialize, Serialize};
use std::fs;

/// What a simulation needed of the machine, beside what its report says. It is not the same each time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) nodes: u32,
    pub(crate) strangers: u32,
    pub(crate) links: usize,
    pub(crate) topology: String,
    pub(crate) seed: u64,
    pub(crate) converged_secs: Option<u64>,
    pub(crate) news_ms: Option<u128>,
    pub(crate) quiet: Rates,
    pub(crate) memory: Memory,
    /// Processor time of one node in an hour of quiet, in milliseconds.
    pub(crate) cpu_ms_per_node_hour: f64,
    /// The most memory that the simulation had.
    pub(crate) peak_bytes: u64,
}

/// Processor time as it was at the stages of a simulation, in seconds.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    counting: Option<f64>,
    counted: Option<f64>,
}

/// Ticks of a second in /proc, on every Linux of these days.
const TICKS: f64 = 100.0;

impl Measured {
    pub(crate) fn note(&mut self, stage: Stage) {
        let spent = processor_secs();
        match stage {
            Stage::Calming => self.counting = spent,
            Stage::Spreading => self.counted = spent,
            Stage::Settling | Stage::Storming | Stage::Counting | Stage::Checking => {}
        }
    }
}

impl Cost {
    /// How many nodes each one knows.
    pub(crate) fn known(&self) -> f64 {
        f64::from(self.nodes) + f64::from(self.strangers)
    }

    pub(crate) fn of(report: &Report, measured: &Measured) -> Self {
        let nodes = f64::from(report.nodes);
        let ms = |secs: f64| (secs * 1_000.0 / nodes * 1_000.0).round() / 1_000.0;
        let counted = measured.counted.zip(measured.counting);
        let counted = counted.map_or(0.0, |(after, before)| after - before);
        // Most of it comes with announcements, of which a node makes three an hour.
        let known = nodes + f64::from(report.strangers);
        let per_node = report.quiet.announced as f64 / known;
        let hours = per_node / ANNOUNCED_AN_HOUR as f64;
        Self {
            nodes: report.nodes,
            strangers: report.strangers,
            links: report.links,
            topology: report.topology.to_owned(),
            seed: report.seed,
            converged_secs: report.converged_secs,
            news_ms: report.news_ms,
            quiet: report.quiet,
            memory: report.memory,
            cpu_ms_per_node_hour: ms(counted / hours),
            peak_bytes: peak_bytes().unwrap_or(0),
        }
    }
}

/// What this process has spent of processors, where the system tells.
fn processor_secs() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

/// The most memory that this process had, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1_024)
}
