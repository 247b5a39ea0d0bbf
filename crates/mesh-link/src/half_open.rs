use crate::LinkConfig;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

/// Counts the inbound connections that have not proved who they are, in all and for each host.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    counts: Mutex<Counts>,
    max: usize,
    max_per_host: usize,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_host: HashMap<IpAddr, usize>,
}

/// One counted connection; not counted any more when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    half_open: Arc<HalfOpen>,
    host: IpAddr,
}

impl HalfOpen {
    /// Starts with none.
    pub(crate) fn new(config: &LinkConfig) -> Self {
        Self {
            counts: Mutex::default(),
            max: config.max_half_open,
            max_per_host: config.max_half_open_per_ip,
        }
    }

    /// Counts a connection from `address`; `None` when there are too many.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Slot> {
        let host = host(address);
        let mut counts = self.counts.lock();
        let from_host = counts.by_host.get(&host).copied().unwrap_or(0);
        if counts.all >= self.max || from_host >= self.max_per_host {
            return None;
        }
        counts.all += 1;
        counts.by_host.insert(host, from_host + 1);
        Some(Slot {
            half_open: Arc::clone(self),
            host,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.half_open.counts.lock();
        counts.all = counts.all.saturating_sub(1);
        if let Some(from_host) = counts.by_host.get_mut(&self.host) {
            *from_host = from_host.saturating_sub(1);
            if *from_host == 0 {
                counts.by_host.remove(&self.host);
            }
        }
    }
}

/// One host owns an IPv4 address, but a whole IPv6 /64.
fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix = v6.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half_open(max: usize, max_per_host: usize) -> Arc<HalfOpen> {
        Arc::new(HalfOpen::new(&LinkConfig {
            max_half_open: max,
            max_half_open_per_ip: max_per_host,
            ..LinkConfig::default()
        }))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_host_cannot_take_all_slots() {
        let half_open = half_open(3, 2);
        let first = half_open.enter(ip("192.0.2.1"));
        let second = half_open.enter(ip("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(half_open.enter(ip("192.0.2.1")).is_none());
        let other = half_open.enter(ip("192.0.2.2"));
        assert!(other.is_some());
        assert!(half_open.enter(ip("192.0.2.3")).is_none());
        drop(second);
        assert!(half_open.enter(ip("192.0.2.1")).is_some());
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_host() {
        let half_open = half_open(8, 1);
        let _first = half_open.enter(ip("2001:db8:1:2::1"));
        assert!(half_open.enter(ip("2001:db8:1:2:ffff::9")).is_none());
        assert!(half_open.enter(ip("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn hosts_that_left_cost_nothing() {
        let half_open = half_open(8, 8);
        drop(half_open.enter(ip("192.0.2.1")));
        assert!(half_open.counts.lock().by_host.is_empty());
    }
}
