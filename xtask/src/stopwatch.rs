use std::{
    fmt,
    time::{Duration, Instant},
};

/// How long a step has taken; shows as seconds.
#[derive(Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tools tell people how long a step took; nothing depends on it"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn stop(self) -> Elapsed {
        Elapsed(self.0.elapsed())
    }
}

/// A stopped [`Stopwatch`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Elapsed(Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.1} s", self.0.as_secs_f32()))
    }
}
