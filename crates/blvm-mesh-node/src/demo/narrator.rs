use super::error::{Cause, DemoError};
use std::io::Write;

/// Writes the story: a heading, numbered steps, and what is shown in each.
///
/// A reader that has gone away (`| head`) is no reason to stop.
#[derive(Debug)]
pub(super) struct Narrator<W> {
    out: W,
    is_styled: bool,
    steps: usize,
    title: Option<&'static str>,
}

/// Where the values of a step begin.
const LABEL_WIDTH: usize = 13;

const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

impl<W: Write> Narrator<W> {
    /// - `is_styled`: whether headings are bold, by the terminal's codes.
    pub(super) fn new(out: W, is_styled: bool) -> Self {
        Self {
            out,
            is_styled,
            steps: 0,
            title: None,
        }
    }

    /// Says what this is about.
    pub(super) fn heading(&mut self, title: &str, text: &str) {
        self.bold(title);
        self.line(text);
    }

    /// Begins the next step.
    pub(super) fn step(&mut self, title: &'static str) {
        self.steps += 1;
        self.title = Some(title);
        self.line("");
        self.bold(&format!("{:>2}  {title}", self.steps));
    }

    /// Shows one thing of a step.
    pub(super) fn show(&mut self, label: &str, value: &str) {
        self.line(&format!("    {label:<LABEL_WIDTH$}{value}"));
    }

    /// Shows something long, whole, from the margin on, so that it can be copied.
    pub(super) fn quote(&mut self, text: &str) {
        self.line(text);
    }

    /// Ends the story.
    pub(super) fn ending(&mut self, text: &str) {
        self.line("");
        self.line(text);
    }

    /// Says in which step the story failed.
    pub(super) fn failed(&self, cause: Cause) -> DemoError {
        DemoError {
            step: self.title.map(|title| (self.steps, title)),
            cause,
        }
    }

    fn bold(&mut self, text: &str) {
        if self.is_styled {
            self.line(&format!("{BOLD}{text}{PLAIN}"));
        } else {
            self.line(text);
        }
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(is_styled: bool) -> String {
        let mut out = Vec::new();
        let mut narrator = Narrator::new(&mut out, is_styled);
        assert_eq!(narrator.failed(cause()).step, None);
        narrator.heading("Title", "Text.");
        narrator.step("First");
        narrator.show("label", "value");
        assert_eq!(narrator.failed(cause()).step, Some((1, "First")));
        String::from_utf8(out).unwrap()
    }

    fn cause() -> Cause {
        Cause::Folder(std::io::Error::other("a cause"))
    }

    #[test]
    fn steps_are_numbered_and_values_aligned() {
        assert_eq!(
            told(false),
            "Title\nText.\n\n 1  First\n    label        value\n"
        );
    }

    #[test]
    fn only_a_styled_story_has_codes_for_the_terminal() {
        assert!(!told(false).contains('\x1b'));
        assert!(told(true).contains("\x1b[1m 1  First\x1b[0m"));
    }

    #[test]
    fn a_reader_that_has_gone_away_does_not_stop_the_story() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut narrator = Narrator::new(Gone, false);
        narrator.step("First");
        assert_eq!(narrator.failed(cause()).step, Some((1, "First")));
    }
}
