//! How bytes become frames, and how many of them a stranger can make us hold.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it expects"
)]

use mesh_link::{FrameDecoder, FrameError, MAX_FRAME_LEN, TAG_LEN};

fn fill(decoder: &mut FrameDecoder, bytes: &[u8]) {
    decoder.space()[..bytes.len()].copy_from_slice(bytes);
    decoder.advance(bytes.len());
}

#[test]
fn a_length_that_cannot_be_is_refused_at_its_two_bytes() {
    let (least, most) = (TAG_LEN, MAX_FRAME_LEN + TAG_LEN);
    for found in [0, 1, 15] {
        let mut decoder = FrameDecoder::any();
        fill(&mut decoder, &[0, u8::try_from(found).unwrap()]);
        let error = FrameError { found, least, most };
        assert_eq!(decoder.next_frame(), Err(error));
    }
}

#[test]
fn a_stranger_is_given_the_one_length_and_no_more_room_than_two_of_it() {
    for len in [32, 48, 113, 17] {
        let mut decoder = FrameDecoder::exactly(len);
        assert!(decoder.space().len() <= 2 * (2 + len));
        for found in [0, 1, len - 1, len + 1, 65_535] {
            let mut decoder = FrameDecoder::exactly(len);
            fill(&mut decoder, &u16::try_from(found).unwrap().to_be_bytes());
            let (least, most) = (len, len);
            let error = FrameError { found, least, most };
            assert_eq!(decoder.next_frame(), Err(error));
        }
    }
}

#[test]
fn what_came_with_the_last_handshake_message_is_not_lost() {
    let mut decoder = FrameDecoder::exactly(17);
    let verdict = [&[0, 17][..], &[1; 17]].concat();
    let packet = [&[0, 16][..], &[2; 10]].concat();
    fill(&mut decoder, &[verdict, packet].concat());
    assert_eq!(decoder.next_frame(), Ok(Some(&[1; 17][..])));
    decoder.expect_any();
    assert_eq!(decoder.next_frame(), Ok(None));
    fill(&mut decoder, &[3; 6]);
    let whole = [[2; 10].as_slice(), &[3; 6]].concat();
    assert_eq!(decoder.next_frame(), Ok(Some(&whole[..])));
    assert!(decoder.is_empty());
}

#[test]
fn the_greatest_frame_has_the_greatest_length_of_two_bytes() {
    let mut decoder = FrameDecoder::any();
    let frame = vec![7; 65_535];
    fill(&mut decoder, &[&[0xff, 0xff], &frame[..]].concat());
    assert_eq!(decoder.next_frame(), Ok(Some(&frame[..])));
}
