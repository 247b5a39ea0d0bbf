/// A crate and the crates of ours that it may name, in plain, dev and build dependencies alike.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: &'static str,
    may_use: &'static [&'static str],
    /// Whether it builds and tests on its own with a small dependency tree.
    pub(super) light: bool,
}

/// What docs/architecture.md draws, as data. Crates that do not exist yet may stand here.
pub(super) const PICTURE: &[Room] = &[
    light("mesh-types", &[]),
    light("mesh-protocol", TYPES),
    light("mesh-payment", TYPES),
    light("mesh-replay", TYPES),
    light("mesh-routing", TYPES),
    light(MANAGER, TYPES_AND_SIBLINGS),
    light(
        "blvm-mesh",
        &[
            "mesh-types",
            "mesh-protocol",
            "mesh-payment",
            "mesh-replay",
            "mesh-routing",
            "mesh-manager",
        ],
    ),
    heavy("mesh-store", TYPES),
    heavy("mesh-secret", &[]),
    heavy("mesh-lightning", TYPES_AND_SECRET),
    heavy("mesh-chain", TYPES_AND_SECRET),
    heavy("mesh-link", TYPES),
    heavy(
        "mesh-regtest",
        &["mesh-types", "mesh-lightning", "mesh-chain"],
    ),
    heavy(
        "blvm-mesh-node",
        &[
            "blvm-mesh",
            "mesh-store",
            "mesh-lightning",
            "mesh-chain",
            "mesh-link",
            // Its chain, for the demo of the feature ldk; its Lightning network, for trials.
            "mesh-regtest",
        ],
    ),
    heavy(
        "mesh-sim",
        &[
            "mesh-types",
            "mesh-protocol",
            "mesh-payment",
            "mesh-replay",
            "mesh-routing",
            "mesh-manager",
            "blvm-mesh",
        ],
    ),
    heavy("xtask", &[]),
];

/// The crate where tokio begins.
pub(super) const MANAGER: &str = "mesh-manager";

const TYPES: &[&str] = &["mesh-types"];
const TYPES_AND_SECRET: &[&str] = &["mesh-types", "mesh-secret"];
const TYPES_AND_SIBLINGS: &[&str] = &[
    "mesh-types",
    "mesh-protocol",
    "mesh-payment",
    "mesh-replay",
    "mesh-routing",
];

/// The picture for people.
pub(super) const DRAWING: &str = r"
                      mesh-types
        ┌───────────┬─────┴─────┬────────────┐
  mesh-protocol mesh-payment mesh-replay mesh-routing
        └───────────┴─────┬─────┴────────────┘
                     mesh-manager
                          │
                      blvm-mesh
   ───────────────────────┼──────────────────────────
   mesh-store   mesh-lightning   mesh-chain   mesh-link   blvm-mesh-node   mesh-sim   mesh-regtest
                       └─────┬─────┘
                        mesh-secret

";

/// The entry of the crate with this name.
pub(super) fn room(name: &str) -> Option<&'static Room> {
    PICTURE.iter().find(|room| room.name == name)
}

impl Room {
    pub(super) fn may_use(&self, other: &str) -> bool {
        self.may_use.contains(&other)
    }

    /// Whether `other` may be in its dependency tree, through whatever crate.
    pub(super) fn may_reach(&self, other: &str) -> bool {
        self.may_use(other)
            || self
                .may_use
                .iter()
                .filter_map(|name| room(name))
                .any(|next| next.may_reach(other))
    }
}

const fn light(name: &'static str, may_use: &'static [&'static str]) -> Room {
    Room {
        name,
        may_use,
        light: true,
    }
}

const fn heavy(name: &'static str, may_use: &'static [&'static str]) -> Room {
    Room {
        name,
        may_use,
        light: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_picture_has_a_room() {
        for Room { name, may_use, .. } in PICTURE {
            for other in *may_use {
                assert!(
                    room(other).is_some(),
                    "{name} may use {other}, which has no room"
                );
            }
        }
    }

    #[test]
    fn the_picture_has_no_circle() {
        for room in PICTURE {
            assert!(!room.may_reach(room.name), "{} reaches itself", room.name);
        }
    }

    #[test]
    fn light_crates_rest_on_light_crates() {
        for room in PICTURE.iter().filter(|room| room.light) {
            for heavy in PICTURE.iter().filter(|other| !other.light) {
                assert!(
                    !room.may_reach(heavy.name),
                    "{} reaches {}",
                    room.name,
                    heavy.name
                );
            }
        }
    }

    #[test]
    fn the_drawing_names_every_crate_of_the_picture() {
        for room in PICTURE.iter().filter(|room| room.name != "xtask") {
            assert!(
                DRAWING.split_whitespace().any(|word| word == room.name),
                "{}",
                room.name
            );
        }
    }
}
