use mesh_secret::Secret;
use mesh_types::to_hex;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Everything that a mesh asks of LND needs these, and nothing needs more.
const NEEDED: [&str; 5] = [
    "info:read",
    "invoices:read",
    "invoices:write",
    "offchain:read",
    "offchain:write",
];

/// The first byte of a macaroon in the binary form of version 2.
const VERSION: u8 = 2;

/// The field of a macaroon that names its permissions.
const IDENTIFIER: u64 = 2;

/// The first byte of an identifier that lists its permissions.
const IDENTIFIER_VERSION: u8 = 3;

/// The fields of the protocol buffer in an identifier, with their wire type.
mod field {
    pub(super) const OPERATION: u64 = 3 << 3 | 2;
    pub(super) const ENTITY: u64 = 1 << 3 | 2;
    pub(super) const ACTION: u64 = 2 << 3 | 2;
}

/// A macaroon of LND.
///
/// # Source
/// The binary form of version 2 of libmacaroons; `MacaroonId` of macaroon-bakery.
pub(super) struct Macaroon {
    hex: Zeroizing<String>,
    permissions: Option<BTreeSet<String>>,
}

impl Macaroon {
    /// Reads it from a file of LND's, or from hex. `None` when it is none.
    pub(super) fn read(secret: &Secret) -> Option<Self> {
        let bytes = secret.bytes();
        let bytes = if bytes.first() == Some(&VERSION) {
            Zeroizing::new(bytes.to_vec())
        } else {
            from_hex(bytes.trim_ascii())?
        };
        let after_version = bytes.strip_prefix(&[VERSION])?;
        let identifier = identifier(after_version)?;
        Some(Self {
            hex: Zeroizing::new(to_hex(&bytes)),
            permissions: permissions(identifier),
        })
    }

    pub(super) fn hex(&self) -> &str {
        &self.hex
    }

    /// What its owner should know: that it can do more, or less, than is needed.
    pub(super) fn warning(&self) -> Option<String> {
        let bake = bake();
        let Some(permissions) = &self.permissions else {
            return Some(format!(
                "what the macaroon permits cannot be read from it: make one that can only do what is needed with `{bake}`"
            ));
        };
        let needed = NEEDED.map(str::to_owned).into();
        let missing: Vec<_> = BTreeSet::difference(&needed, permissions)
            .cloned()
            .collect();
        let more = permissions.difference(&needed).count();
        // Permissions can also be given by the name of a method, of which nothing is known here.
        let by_method = permissions.iter().any(|word| word.starts_with("uri:"));
        if by_method {
            None
        } else if !missing.is_empty() {
            let missing = missing.join(" ");
            Some(format!(
                "the macaroon lacks {missing}: make a new one with `{bake}`"
            ))
        } else if more > 0 {
            Some(format!(
                "the macaroon can do {more} things more than are needed, as an admin macaroon can: make one that cannot with `{bake}`"
            ))
        } else {
            None
        }
    }
}

/// The command that makes the right one.
pub(super) fn bake() -> String {
    let needed = NEEDED.join(" ");
    format!("lncli bakemacaroon --save_to mesh.macaroon {needed}")
}

/// Finds the identifier: sections of type, length, bytes, of which the first are about the macaroon itself.
fn identifier(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let kind = varint(&mut rest)?;
        if kind == 0 {
            return None;
        }
        let content = sized(&mut rest)?;
        if kind == IDENTIFIER {
            return Some(content);
        }
    }
}

fn permissions(identifier: &[u8]) -> Option<BTreeSet<String>> {
    let mut rest = identifier.strip_prefix(&[IDENTIFIER_VERSION])?;
    let mut found = BTreeSet::new();
    while !rest.is_empty() {
        let kind = varint(&mut rest)?;
        let content = sized(&mut rest)?;
        if kind == field::OPERATION {
            operation(content, &mut found)?;
        }
    }
    Some(found)
}

/// Reads an entity and its actions as `entity:action`.
fn operation(mut rest: &[u8], found: &mut BTreeSet<String>) -> Option<()> {
    let mut entity = "";
    while !rest.is_empty() {
        let kind = varint(&mut rest)?;
        let text = std::str::from_utf8(sized(&mut rest)?).ok()?;
        match kind {
            field::ENTITY => entity = text,
            field::ACTION => {
                found.insert(format!("{entity}:{text}"));
            }
            _ => {}
        }
    }
    Some(())
}

/// Reads seven bits a byte, the lowest first.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Reads a length and as many bytes.
fn sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(varint(rest)?).ok()?;
    let (content, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(content)
}

fn from_hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.chunks(2) {
        let [high, low] = pair else { return None };
        bytes.push(digit(high)? << 4 | digit(low)?);
    }
    Some(bytes)
}
