use crate::{LinkError, MAX_FRAME_LEN};
use std::time::Duration;

/// How long a TCP connect may take, and after it a whole handshake.
///
/// Five seconds, because a handshake is two round trips and a few hundred bytes: a slower line could not carry
/// packets either, and a half-open connection holds a slot for so long.
pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a link may be silent before it is given up; a third of it is the time between keepalives.
///
/// A minute, because two keepalives may then be lost to a stalled line, and a dead peer still leaves within the
/// time in which routes are expected to heal.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a shutdown may spend on sending what is queued.
///
/// Two seconds, because a full queue ([`DEFAULT_SEND_QUEUE_BYTES`]) leaves over a 20 Mbit/s uplink in that time.
pub const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Packets that wait for one link.
///
/// 256, because they are a fifth of a second of 1,200-byte packets at 12 Mbit/s: more queue would be only delay.
pub const DEFAULT_SEND_QUEUE_PACKETS: usize = 256;

/// Bytes that wait for one link.
///
/// 4 MiB, because it holds 64 packets of the greatest size, and all links together then stay below 1 GiB.
pub const DEFAULT_SEND_QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// Events that wait for the program.
///
/// 512, because at the greatest packet size they are 32 MiB, and a program that is further behind should slow its
/// peers down instead.
pub const DEFAULT_EVENT_QUEUE: usize = 512;

/// Links in all; beyond them only nodes that we dial ourselves get one.
///
/// 256, because a link at work takes up to about 250 KiB of buffers: 64 MiB.
pub const DEFAULT_MAX_LINKS: usize = 256;

/// Inbound connections that have not proved who they are.
///
/// 64, because honest ones are through in well under a second, and each costs about 4 KiB until then.
pub const DEFAULT_MAX_HALF_OPEN: usize = 64;

/// Half-open inbound connections from one IPv4 address or one IPv6 /64.
///
/// Eight, because a few nodes may share an address, and one host must not take all of
/// [`DEFAULT_MAX_HALF_OPEN`].
pub const DEFAULT_MAX_HALF_OPEN_PER_IP: usize = 8;

/// The first pause before a node is dialled again.
///
/// Half a second, because a restarted program needs about that long to listen again.
pub const DEFAULT_RECONNECT_MIN: Duration = Duration::from_millis(500);

/// The longest pause before a node is dialled again.
///
/// A minute, because an operator who brings a node back looks for its links within that time.
pub const DEFAULT_RECONNECT_MAX: Duration = Duration::from_secs(60);

/// The most nodes that can be dialled.
///
/// 1,024, because each keeps one task, and the list comes from a person's configuration.
pub const MAX_DIALLED: usize = 1_024;

/// The bounds of a [`crate::Links`]: times, queues, numbers of links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkConfig {
    /// See [`DEFAULT_HANDSHAKE_TIMEOUT`].
    pub handshake_timeout: Duration,
    /// See [`DEFAULT_IDLE_TIMEOUT`].
    pub idle_timeout: Duration,
    /// See [`DEFAULT_SHUTDOWN_TIMEOUT`].
    pub shutdown_timeout: Duration,
    /// See [`DEFAULT_SEND_QUEUE_PACKETS`].
    pub send_queue_packets: usize,
    /// See [`DEFAULT_SEND_QUEUE_BYTES`]; at least [`MAX_FRAME_LEN`].
    pub send_queue_bytes: usize,
    /// See [`DEFAULT_EVENT_QUEUE`].
    pub event_queue: usize,
    /// See [`DEFAULT_MAX_LINKS`].
    pub max_links: usize,
    /// See [`DEFAULT_MAX_HALF_OPEN`].
    pub max_half_open: usize,
    /// See [`DEFAULT_MAX_HALF_OPEN_PER_IP`].
    pub max_half_open_per_ip: usize,
    /// See [`DEFAULT_RECONNECT_MIN`].
    pub reconnect_min: Duration,
    /// See [`DEFAULT_RECONNECT_MAX`].
    pub reconnect_max: Duration,
    /// What the jitter of the pauses is made from, together with both node ids.
    pub jitter_seed: u64,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
            shutdown_timeout: DEFAULT_SHUTDOWN_TIMEOUT,
            send_queue_packets: DEFAULT_SEND_QUEUE_PACKETS,
            send_queue_bytes: DEFAULT_SEND_QUEUE_BYTES,
            event_queue: DEFAULT_EVENT_QUEUE,
            max_links: DEFAULT_MAX_LINKS,
            max_half_open: DEFAULT_MAX_HALF_OPEN,
            max_half_open_per_ip: DEFAULT_MAX_HALF_OPEN_PER_IP,
            reconnect_min: DEFAULT_RECONNECT_MIN,
            reconnect_max: DEFAULT_RECONNECT_MAX,
            jitter_seed: 0,
        }
    }
}

impl LinkConfig {
    /// Checks that every bound leaves room to work.
    pub(crate) fn check(&self) -> Result<(), LinkError> {
        let not = |field, expected| Err(LinkError::Config { field, expected });
        if self.handshake_timeout.is_zero() {
            return not("handshake_timeout", "more than zero");
        }
        // Below it a link would do little else than keep itself alive.
        if self.idle_timeout < Duration::from_millis(10) {
            return not("idle_timeout", "at least 10 ms");
        }
        if self.send_queue_packets == 0 {
            return not("send_queue_packets", "at least 1");
        }
        if self.send_queue_bytes < MAX_FRAME_LEN {
            return not("send_queue_bytes", "at least the greatest packet, 65519");
        }
        if !(1..=1 << 20).contains(&self.event_queue) {
            return not("event_queue", "1 to 1048576");
        }
        if self.reconnect_min.is_zero() || self.reconnect_min > self.reconnect_max {
            return not("reconnect_min", "more than zero, at most reconnect_max");
        }
        Ok(())
    }
}
