use std::io;
use thiserror::Error;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// Why there is no line.
#[derive(Debug, Error)]
pub enum LineError {
    /// The line is longer than it may be.
    #[error("a line has at most {most} bytes here")]
    TooLong {
        /// The most bytes.
        most: usize,
    },
    /// The connection ended inside a line.
    #[error("the connection ended inside a line")]
    Truncated,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
}

/// Reads a line, without its end; `None` when the connection has ended.
///
/// No more than the longest line is ever held.
pub(super) async fn read_line(
    reader: &mut (impl AsyncBufRead + Unpin),
    most: usize,
) -> Result<Option<Vec<u8>>, LineError> {
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut line = Vec::new();
    reader.take(limit).read_until(b'\n', &mut line).await?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if line.len() >= most => Err(LineError::TooLong { most }),
        Some(_) => Err(LineError::Truncated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(mut bytes: &[u8], most: usize) -> Vec<Result<Option<Vec<u8>>, LineError>> {
        let mut lines = Vec::new();
        loop {
            let line = read_line(&mut bytes, most).await;
            let is_last = !matches!(line, Ok(Some(_)));
            lines.push(line);
            if is_last {
                return lines;
            }
        }
    }

    #[tokio::test]
    async fn lines_up_to_the_limit_are_read() {
        let read = lines(b"abc\n\nabcd\n", 4).await;
        let texts: Vec<_> = read.into_iter().map(Result::unwrap).collect();
        let expected = [
            Some(b"abc".to_vec()),
            Some(vec![]),
            Some(b"abcd".to_vec()),
            None,
        ];
        assert_eq!(texts, expected);
    }

    #[tokio::test]
    async fn a_longer_line_is_refused_however_it_goes_on() {
        for bytes in [b"abcde\n".as_slice(), b"abcdefghijk", b"abcde"] {
            assert!(matches!(
                lines(bytes, 4).await[..],
                [Err(LineError::TooLong { most: 4 })]
            ));
        }
    }

    #[tokio::test]
    async fn a_line_without_its_end_is_no_line() {
        assert!(matches!(
            lines(b"abc", 4).await[..],
            [Err(LineError::Truncated)]
        ));
    }
}
