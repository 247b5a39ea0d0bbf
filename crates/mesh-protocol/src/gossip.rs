use crate::{
    AnnouncementDecodeError,
    announcement::{read_announcement, write_announcement},
    wire::{MAX_PAYLOAD_LEN, MAX_SEQUENCE, Reader},
};
use mesh_types::{
    AnnouncementError, Comparison, Fingerprint, GossipMessage, Held, HeldRange, MAX_FIND_HOPS,
    MAX_ITEMS, MAX_LISTED, MAX_NAMED, MAX_RANGES, NodeId, RangeContent,
};
use std::sync::Arc;
use thiserror::Error;

/// Why bytes are no message about announcements, or a message has no bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GossipError {
    /// The bytes end before the last field does.
    #[error("the message ends early")]
    Truncated,
    /// Bytes stand behind the last field.
    #[error("{extra} bytes stand behind the message")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// It names nothing, or more than one message may.
    #[error("{found} parts are none, or too many for one message")]
    Count {
        /// How many.
        found: usize,
    },
    /// It is longer than a packet's payload.
    #[error("{found} bytes are more than a packet's payload has")]
    Length {
        /// How many.
        found: usize,
    },
    /// A sequence number is too high.
    #[error("sequence number {found} is above the highest, {MAX_SEQUENCE}")]
    Sequence {
        /// The number.
        found: u64,
    },
    /// The byte says neither fingerprint nor list.
    #[error("unknown form {found} of a range's content")]
    Form {
        /// The byte.
        found: u8,
    },
    /// Ranges overlap or are not in order, or a list is not in order or outside of its range.
    #[error("the ranges, or what they list, are not in order")]
    Order,
    /// A request is to be handed on too often.
    #[error("a request is handed on at most {MAX_FIND_HOPS} times, not {found}")]
    Hops {
        /// How often.
        found: u8,
    },
    /// An announcement in it is wrong.
    #[error(transparent)]
    Item(#[from] AnnouncementError),
}

/// The bytes that stand for the messages; they go on where those about money end.
pub(crate) mod tag {
    pub(crate) const HAVE: u8 = 8;
    pub(crate) const WANT: u8 = 9;
    pub(crate) const ITEMS: u8 = 10;
    pub(crate) const COMPARE: u8 = 11;
    pub(crate) const FIND: u8 = 12;
}

mod form {
    pub(super) const FINGERPRINT: u8 = 0;
    pub(super) const LIST: u8 = 1;
}

/// Reads what stands behind `tag`; `None` when the tag is of no message about announcements.
pub(crate) fn read_gossip(
    tag: u8,
    reader: &mut Reader<'_>,
) -> Option<Result<GossipMessage, GossipError>> {
    Some(match tag {
        tag::HAVE => read_list(reader, MAX_NAMED, read_held).map(GossipMessage::Have),
        tag::WANT => read_list(reader, MAX_NAMED, read_id).map(GossipMessage::Want),
        tag::ITEMS => read_items(reader),
        tag::COMPARE => read_comparison(reader),
        tag::FIND => read_find(reader),
        _ => return None,
    })
}

/// Writes a message with its tag.
pub(crate) fn write_gossip(message: &GossipMessage, out: &mut Vec<u8>) -> Result<(), GossipError> {
    match message {
        GossipMessage::Have(held) => {
            out.push(tag::HAVE);
            write_list(held, MAX_NAMED, out, write_held)?;
        }
        GossipMessage::Want(ids) => {
            out.push(tag::WANT);
            write_list(ids, MAX_NAMED, out, |id, out| {
                out.extend_from_slice(id.as_bytes());
                Ok(())
            })?;
        }
        GossipMessage::Items(items) => {
            out.push(tag::ITEMS);
            write_list(items, MAX_ITEMS, out, |item, out| {
                Ok(write_announcement(item, out)?)
            })?;
        }
        GossipMessage::Compare(comparison) => {
            out.push(tag::COMPARE);
            write_comparison(comparison, out)?;
        }
        GossipMessage::Find { target, hops } => {
            out.push(tag::FIND);
            out.extend_from_slice(target.as_bytes());
            out.push(check_hops(*hops)?);
        }
    }
    match out.len() {
        0..=MAX_PAYLOAD_LEN => Ok(()),
        found => Err(GossipError::Length { found }),
    }
}

/// Reads a count of two bytes and so many parts.
fn read_list<T>(
    reader: &mut Reader<'_>,
    most: usize,
    read: impl Fn(&mut Reader<'_>) -> Result<T, GossipError>,
) -> Result<Vec<T>, GossipError> {
    let found = usize::from(reader.u16().ok_or(GossipError::Truncated)?);
    if !(1..=most).contains(&found) {
        return Err(GossipError::Count { found });
    }
    (0..found).map(|_| read(reader)).collect()
}

fn write_list<T>(
    parts: &[T],
    most: usize,
    out: &mut Vec<u8>,
    write: impl Fn(&T, &mut Vec<u8>) -> Result<(), GossipError>,
) -> Result<(), GossipError> {
    let found = parts.len();
    if !(1..=most).contains(&found) {
        return Err(GossipError::Count { found });
    }
    // At most 512, so it fits.
    out.extend_from_slice(&(found as u16).to_be_bytes());
    parts.iter().try_for_each(|part| write(part, out))
}

fn read_id(reader: &mut Reader<'_>) -> Result<NodeId, GossipError> {
    let bytes = reader.array().ok_or(GossipError::Truncated)?;
    Ok(NodeId::from_bytes(bytes))
}

fn read_held(reader: &mut Reader<'_>) -> Result<Held, GossipError> {
    Ok(Held {
        node_id: read_id(reader)?,
        sequence: check_sequence(reader.u64().ok_or(GossipError::Truncated)?)?,
    })
}

fn write_held(held: &Held, out: &mut Vec<u8>) -> Result<(), GossipError> {
    out.extend_from_slice(held.node_id.as_bytes());
    out.extend_from_slice(&check_sequence(held.sequence)?.to_be_bytes());
    Ok(())
}

fn check_sequence(found: u64) -> Result<u64, GossipError> {
    if found > MAX_SEQUENCE {
        return Err(GossipError::Sequence { found });
    }
    Ok(found)
}

fn read_items(reader: &mut Reader<'_>) -> Result<GossipMessage, GossipError> {
    let item = |reader: &mut Reader<'_>| match read_announcement(reader) {
        Ok(item) => Ok(Arc::new(item)),
        Err(AnnouncementDecodeError::Content(error)) => Err(GossipError::Item(error)),
        Err(AnnouncementDecodeError::Truncated | AnnouncementDecodeError::Trailing { .. }) => {
            Err(GossipError::Truncated)
        }
    };
    read_list(reader, MAX_ITEMS, item).map(GossipMessage::Items)
}

fn read_comparison(reader: &mut Reader<'_>) -> Result<GossipMessage, GossipError> {
    let key = reader.array().ok_or(GossipError::Truncated)?;
    let ranges = read_list(reader, MAX_RANGES, read_range)?;
    check_comparison(Comparison { key, ranges }).map(GossipMessage::Compare)
}

fn read_range(reader: &mut Reader<'_>) -> Result<HeldRange, GossipError> {
    let (first, last) = (read_id(reader)?, read_id(reader)?);
    let content = match reader.u8().ok_or(GossipError::Truncated)? {
        form::FINGERPRINT => RangeContent::Fingerprint(Fingerprint {
            count: reader.u32().ok_or(GossipError::Truncated)?,
            sum: reader.u64().ok_or(GossipError::Truncated)?,
        }),
        form::LIST => {
            let found = usize::from(reader.u8().ok_or(GossipError::Truncated)?);
            if found > MAX_LISTED {
                return Err(GossipError::Count { found });
            }
            let list: Result<_, _> = (0..found).map(|_| read_held(reader)).collect();
            RangeContent::List(list?)
        }
        found => return Err(GossipError::Form { found }),
    };
    Ok(HeldRange {
        first,
        last,
        content,
    })
}

fn write_comparison(comparison: &Comparison, out: &mut Vec<u8>) -> Result<(), GossipError> {
    out.extend_from_slice(&comparison.key);
    let found = comparison.ranges.len();
    if !(1..=MAX_RANGES).contains(&found) {
        return Err(GossipError::Count { found });
    }
    if !comparison.is_well_formed() {
        return Err(GossipError::Order);
    }
    write_list(&comparison.ranges, MAX_RANGES, out, |range, out| {
        out.extend_from_slice(range.first.as_bytes());
        out.extend_from_slice(range.last.as_bytes());
        match &range.content {
            RangeContent::Fingerprint(Fingerprint { count, sum }) => {
                out.push(form::FINGERPRINT);
                out.extend_from_slice(&count.to_be_bytes());
                out.extend_from_slice(&sum.to_be_bytes());
                Ok(())
            }
            RangeContent::List(list) => {
                out.push(form::LIST);
                // A well-formed list has at most 16.
                out.push(list.len() as u8);
                list.iter().try_for_each(|held| write_held(held, out))
            }
        }
    })
}

fn check_comparison(comparison: Comparison) -> Result<Comparison, GossipError> {
    if !comparison.is_well_formed() {
        return Err(GossipError::Order);
    }
    Ok(comparison)
}

fn read_find(reader: &mut Reader<'_>) -> Result<GossipMessage, GossipError> {
    Ok(GossipMessage::Find {
        target: read_id(reader)?,
        hops: check_hops(reader.u8().ok_or(GossipError::Truncated)?)?,
    })
}

fn check_hops(found: u8) -> Result<u8, GossipError> {
    if found > MAX_FIND_HOPS {
        return Err(GossipError::Hops { found });
    }
    Ok(found)
}
