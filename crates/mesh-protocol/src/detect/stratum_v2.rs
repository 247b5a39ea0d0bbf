//! Stratum V2 in plain text: one whole frame, whose payload has the fields of its message.

use super::{Detection, cursor::Cursor, limits, need};
use mesh_types::DetectedProtocol;

/// Bytes in front of a payload: extension and channel bit, message type, length.
const HEADER_LEN: usize = 6;

/// The bit of the extension field that marks a message for a channel.
const CHANNEL_BIT: u16 = 1 << 15;

const CORE: u16 = 0;
const NEGOTIATION: u16 = 1;
const WORKER_HASHRATE: u16 = 2;

/// The longest name of a worker, in bytes, because extension 2 says so.
const MAX_WORKER_NAME: u32 = 32;

/// One message type of one extension.
struct Message {
    extension: u16,
    kind: u8,
    channel: Channel,
    fields: &'static [Field],
}

/// Whether a message is for a channel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Channel {
    Yes,
    No,
    /// Implementations in use disagree.
    Either,
}

/// One field, by how its length is known.
#[derive(Clone, Copy)]
enum Field {
    /// So many bytes.
    Fixed(u16),
    /// One byte, not above this.
    UpTo(u8),
    /// The one protocol version there is, 2, in two bytes.
    Version,
    /// One byte of length, then at most so many.
    Short(u8),
    /// Two bytes of length, then as many.
    Long,
    /// One byte of count, 0 or 1, then as many items of so many bytes.
    Optional(u16),
    /// One byte of count, then as many items of so many bytes.
    ShortList(u16),
    /// Two bytes of count, then as many items of so many bytes.
    LongList(u16),
    /// Two bytes of count, then as many transactions behind three bytes of length each.
    Transactions,
    /// Nothing, or what extension 2 appends: its number, field 1, two bytes of length, at most 32 bytes of name.
    WorkerName,
}

use Channel::{Either, No, Yes};
use Field::{
    Fixed, Long, LongList, Optional, Short, ShortList, Transactions, UpTo, Version, WorkerName,
};

const TEXT: Field = Short(u8::MAX);
const TOKEN: Field = Short(u8::MAX);
const EXTRANONCE: Field = Short(32);
const HASH: Field = Fixed(32);
const U64: Field = Fixed(8);
const U32: Field = Fixed(4);
const U16: Field = Fixed(2);
const FLAG: Field = Fixed(1);
const HASHES: Field = ShortList(32);

#[rustfmt::skip]
static MESSAGES: [Message; 44] = [
    // Setting up: SetupConnection, .Success, .Error, ChannelEndpointChanged, Reconnect.
    row(CORE, 0x00, No, &[UpTo(2), Version, Version, U32, TEXT, U16, TEXT, TEXT, TEXT, TEXT]),
    row(CORE, 0x01, No, &[Version, U32]),
    row(CORE, 0x02, No, &[U32, TEXT]),
    row(CORE, 0x03, Yes, &[U32]),
    row(CORE, 0x04, No, &[TEXT, U16]),
    // Mining: OpenStandardMiningChannel, .Success, OpenMiningChannel.Error, OpenExtendedMiningChannel, .Success.
    row(CORE, 0x10, No, &[U32, TEXT, U32, HASH]),
    row(CORE, 0x11, No, &[U32, U32, HASH, EXTRANONCE, U32]),
    row(CORE, 0x12, No, &[U32, TEXT]),
    row(CORE, 0x13, No, &[U32, TEXT, U32, HASH, U16]),
    row(CORE, 0x14, No, &[U32, U32, HASH, U16, EXTRANONCE, U32]),
    // NewMiningJob, UpdateChannel, .Error, CloseChannel, SetExtranoncePrefix.
    row(CORE, 0x15, Yes, &[U32, U32, Optional(4), U32, HASH]),
    row(CORE, 0x16, Yes, &[U32, U32, HASH]),
    row(CORE, 0x17, Yes, &[U32, TEXT]),
    row(CORE, 0x18, Yes, &[U32, TEXT]),
    row(CORE, 0x19, Yes, &[U32, EXTRANONCE]),
    // SubmitSharesStandard, SubmitSharesExtended, SubmitShares.Success, .Error.
    row(CORE, 0x1a, Yes, &[U32, U32, U32, U32, U32, U32]),
    row(CORE, 0x1b, Yes, &[U32, U32, U32, U32, U32, U32, EXTRANONCE, WorkerName]),
    row(CORE, 0x1c, Yes, &[U32, U32, U32, U64]),
    row(CORE, 0x1d, Yes, &[U32, U32, TEXT]),
    // NewExtendedMiningJob, SetNewPrevHash, SetTarget.
    row(CORE, 0x1f, Yes, &[U32, U32, Optional(4), U32, FLAG, HASHES, Long, Long]),
    row(CORE, 0x20, Yes, &[U32, U32, HASH, U32, U32]),
    row(CORE, 0x21, Yes, &[U32, HASH]),
    // SetCustomMiningJob, .Success, .Error, SetGroupChannel.
    row(CORE, 0x22, Either, &[U32, U32, TOKEN, U32, HASH, U32, U32, U32, TOKEN, U32, Long, U32, HASHES]),
    row(CORE, 0x23, Either, &[U32, U32, U32]),
    row(CORE, 0x24, Either, &[U32, U32, TEXT]),
    row(CORE, 0x25, No, &[U32, LongList(4)]),
    // Job declaration: AllocateMiningJobToken, .Success, ProvideMissingTransactions, .Success.
    row(CORE, 0x50, No, &[TEXT, U32]),
    row(CORE, 0x51, No, &[U32, TOKEN, Long]),
    row(CORE, 0x55, No, &[U32, LongList(2)]),
    row(CORE, 0x56, No, &[U32, Transactions]),
    // DeclareMiningJob, .Success, .Error, PushSolution.
    row(CORE, 0x57, No, &[U32, TOKEN, U32, Long, Long, LongList(32), Long]),
    row(CORE, 0x58, No, &[U32, TOKEN]),
    row(CORE, 0x59, No, &[U32, TEXT, Long]),
    row(CORE, 0x60, Either, &[EXTRANONCE, HASH, U32, U32, U32, U32]),
    // Templates: CoinbaseOutputConstraints, NewTemplate, SetNewPrevHash.
    row(CORE, 0x70, No, &[U32, U16]),
    row(CORE, 0x71, No, &[U64, FLAG, U32, U32, TOKEN, U32, U64, U32, Long, U32, HASHES]),
    row(CORE, 0x72, No, &[U64, HASH, U32, U32, HASH]),
    // RequestTransactionData, .Success, .Error, SubmitSolution.
    row(CORE, 0x73, No, &[U64]),
    row(CORE, 0x74, No, &[U64, Long, Transactions]),
    row(CORE, 0x75, No, &[U64, TEXT]),
    row(CORE, 0x76, No, &[U64, U32, U32, U32, Long]),
    // Extensions: RequestExtensions, .Success, .Error.
    row(NEGOTIATION, 0x00, No, &[U16, LongList(2)]),
    row(NEGOTIATION, 0x01, No, &[U16, LongList(2)]),
    row(NEGOTIATION, 0x02, No, &[U16, LongList(2), LongList(2)]),
];

const fn row(extension: u16, kind: u8, channel: Channel, fields: &'static [Field]) -> Message {
    Message {
        extension,
        kind,
        channel,
        fields,
    }
}

/// Judges the seen front of a buffer of `total_len` bytes that opens with no magic we know.
pub(super) fn judge(total_len: usize, seen: &[u8]) -> Detection {
    const UNKNOWN: Detection = Detection::Decided(DetectedProtocol::Unknown);

    let mut cursor = Cursor::new(seen);
    let (Some(extension), Some(kind)) = (cursor.u16(), cursor.u8()) else {
        return need(HEADER_LEN, total_len, seen);
    };
    let Some(message) = Message::find(extension, kind) else {
        return UNKNOWN;
    };
    let Some(length) = cursor.u24() else {
        return need(HEADER_LEN, total_len, seen);
    };
    let expected = usize::try_from(length).ok();
    if expected != total_len.checked_sub(HEADER_LEN) || !message.can_have(length) {
        return UNKNOWN;
    }
    if seen.len() < total_len {
        return need(total_len, total_len, seen);
    }
    if message.fits(cursor) {
        Detection::Decided(DetectedProtocol::StratumV2)
    } else {
        UNKNOWN
    }
}

impl Message {
    fn find(extension: u16, kind: u8) -> Option<&'static Self> {
        let number = extension & !CHANNEL_BIT;
        // Nearly all bytes that are no frame end here, without a look at the table.
        if number > NEGOTIATION {
            return None;
        }
        let refused = if extension & CHANNEL_BIT == 0 {
            Yes
        } else {
            No
        };
        MESSAGES.iter().find(|message| {
            message.extension == number && message.kind == kind && message.channel != refused
        })
    }

    /// Says whether the fields can take `length` bytes together.
    fn can_have(&self, length: u32) -> bool {
        let (least, most) = self
            .fields
            .iter()
            .fold((0_u32, 0_u32), |(least, most), field| {
                let (field_least, field_most) = field.lengths();
                (
                    least.saturating_add(field_least),
                    most.saturating_add(field_most),
                )
            });
        (least..=most.min(limits::MAX_STRATUM_PAYLOAD)).contains(&length)
    }

    /// Says whether the fields take exactly the bytes that are left.
    fn fits(&self, mut payload: Cursor<'_>) -> bool {
        self.fields
            .iter()
            .all(|field| field.skip(&mut payload).is_some())
            && payload.is_at_end()
    }
}

impl Field {
    /// The least and the most bytes that the field takes.
    fn lengths(self) -> (u32, u32) {
        let list = |prefix: u32, most: u32, item: u16| (prefix, prefix + most * u32::from(item));
        match self {
            Fixed(bytes) => (u32::from(bytes), u32::from(bytes)),
            UpTo(_) => (1, 1),
            Version => (2, 2),
            Short(most) => (1, 1 + u32::from(most)),
            Long => list(2, u32::from(u16::MAX), 1),
            Optional(item) => list(1, 1, item),
            ShortList(item) => list(1, u32::from(u8::MAX), item),
            LongList(item) => list(2, u32::from(u16::MAX), item),
            Transactions => (2, limits::MAX_STRATUM_PAYLOAD),
            WorkerName => (0, 2 + 1 + 2 + MAX_WORKER_NAME),
        }
    }

    /// Steps over the field; `None` when the bytes cannot be it.
    fn skip(self, c: &mut Cursor<'_>) -> Option<()> {
        match self {
            Fixed(bytes) => c.skip(usize::from(bytes)),
            UpTo(most) => c.u8().filter(|&value| value <= most).map(drop),
            Version => c.u16().filter(|&version| version == 2).map(drop),
            Short(most) => {
                let length = c.u8()?;
                c.skip_announced(u32::from(length), u32::from(most))
            }
            Long => {
                let length = c.u16()?;
                c.skip(usize::from(length))
            }
            Optional(item) => {
                let count = c.u8().filter(|&count| count <= 1)?;
                c.skip_items(u32::from(count), usize::from(item))
            }
            ShortList(item) => {
                let count = c.u8()?;
                c.skip_items(u32::from(count), usize::from(item))
            }
            LongList(item) => {
                let count = c.u16()?;
                c.skip_items(u32::from(count), usize::from(item))
            }
            Transactions => {
                for _ in 0..c.u16()? {
                    let length = c.u24()?;
                    c.skip_announced(length, limits::MAX_STRATUM_PAYLOAD)?;
                }
                Some(())
            }
            WorkerName => worker_name(c),
        }
    }
}

fn worker_name(c: &mut Cursor<'_>) -> Option<()> {
    if c.is_at_end() {
        return Some(());
    }
    c.u16().filter(|&extension| extension == WORKER_HASHRATE)?;
    c.u8().filter(|&field| field == 1)?;
    let length = c.u16()?;
    c.skip_announced(u32::from(length), MAX_WORKER_NAME)
}
