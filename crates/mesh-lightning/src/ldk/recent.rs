use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The most reasons that are kept: whoever waits for one asks at once.
const MAX_RECENT: usize = 256;

/// The reasons of what happened lately, the oldest forgotten first.
pub(super) struct Recent<K>(Mutex<VecDeque<(K, String)>>);

impl<K: PartialEq> Recent<K> {
    pub(super) fn note(&self, about: K, why: String) {
        let mut notes = self.lock();
        if notes.len() >= MAX_RECENT {
            notes.pop_front();
        }
        notes.push_back((about, why));
    }

    /// The last reason that is known.
    pub(super) fn why(&self, about: &K) -> Option<String> {
        let notes = self.lock();
        let last = notes.iter().rev().find(|(noted, _)| noted == about);
        last.map(|(_, why)| why.clone())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(K, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Default for Recent<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K> fmt::Debug for Recent<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reason_counts_and_the_oldest_are_forgotten() {
        let recent = Recent::default();
        recent.note(0, "first".to_owned());
        recent.note(1, "old".to_owned());
        recent.note(1, "new".to_owned());
        assert_eq!(recent.why(&1).as_deref(), Some("new"));
        for about in 2..256 {
            recent.note(about, String::new());
        }
        assert_eq!(recent.why(&0), None);
        assert_eq!(recent.why(&1).as_deref(), Some("new"));
    }
}
