//! The frame decoder against all that a peer may write.

use mesh_link::{FrameDecoder, LENGTH_LEN, MAX_FRAME_LEN, TAG_LEN};

/// Cuts `data` into frames as it arrives in pieces, the size of which its first byte says, and checks the frames and the
/// error against a reader that has everything at once.
pub(crate) fn run(data: &[u8]) {
    let Some((piece, stream)) = data.split_first() else {
        return;
    };
    let piece = usize::from(*piece) * 5 + 1;
    let (expected, expected_error) = all_at_once(stream);
    let (found, error, rest) = in_pieces(stream, piece);
    assert_eq!(found, expected);
    assert_eq!(error, expected_error);
    if error.is_none() {
        let taken: usize = found.iter().map(|frame| LENGTH_LEN + frame.len()).sum();
        assert_eq!(
            rest,
            taken == stream.len(),
            "held although all is taken, or the reverse"
        );
    }
}

fn in_pieces(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<usize>, bool) {
    let mut decoder = FrameDecoder::any();
    let mut frames = Vec::new();
    let mut waiting = stream;
    loop {
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(error) => return (frames, Some(error.found), false),
            }
        }
        if waiting.is_empty() {
            return (frames, None, decoder.is_empty());
        }
        let space = decoder.space();
        assert!(!space.is_empty(), "no frame, and no room for more of it");
        let read = piece.min(waiting.len()).min(space.len());
        space[..read].copy_from_slice(&waiting[..read]);
        decoder.advance(read);
        waiting = &waiting[read..];
    }
}

/// The frames, and the length of the first one that cannot be.
fn all_at_once(stream: &[u8]) -> (Vec<Vec<u8>>, Option<usize>) {
    let mut frames = Vec::new();
    let mut rest = stream;
    while let [high, low, behind @ ..] = rest {
        let len = usize::from(*high) * 256 + usize::from(*low);
        if !(TAG_LEN..=MAX_FRAME_LEN + TAG_LEN).contains(&len) {
            return (frames, Some(len));
        }
        if behind.len() < len {
            break;
        }
        frames.push(behind[..len].to_vec());
        rest = &behind[len..];
    }
    (frames, None)
}
