//! The reader of exports against any bytes: what it takes is whole, and nothing shorter or otherwise is taken.

use mesh_store::{Exported, ImportError, check_export};
use sha2::{Digest, Sha256};

/// Panics when a promise of the reader does not hold for `data`, as it is and with a digest that fits.
pub(crate) fn run(data: &[u8]) {
    checked(data);
    if let Some(sealed) = sealed(data) {
        checked(&sealed);
    }
}

fn checked(data: &[u8]) {
    match check_export(data) {
        Ok(exported) => is_whole(data, &exported),
        Err(error) => {
            assert!(!matches!(
                error,
                ImportError::Store(_) | ImportError::Read(_)
            ));
            assert!(!error.to_string().is_empty());
        }
    }
}

fn is_whole(data: &[u8], exported: &Exported) {
    assert!(data.ends_with(b"\n"));
    let digest: [u8; 32] = Sha256::digest(&data[..last_line(data)]).into();
    assert_eq!(exported.sha256, digest);
    assert_eq!(exported.counts.accounts, exported.totals.accounts);
    assert!(check_export(&data[..data.len() - 1]).is_err());
    // One byte, chosen by the data, is another.
    let at = digest.iter().fold(0_usize, |sum, byte| {
        (sum * 257 + usize::from(*byte)) % data.len()
    });
    let mut changed = data.to_vec();
    changed[at] ^= 1;
    assert!(check_export(changed.as_slice()).is_err(), "byte {at}");
}

/// `data` with the digest that its last line should have, where it has room for one.
fn sealed(data: &[u8]) -> Option<Vec<u8>> {
    const FIELD: &[u8] = b"\"sha256\":\"";
    let last = last_line(data);
    let field = data[last..]
        .windows(FIELD.len())
        .position(|window| window == FIELD)?;
    let at = last + field + FIELD.len();
    let mut sealed = data.to_vec();
    let digest: [u8; 32] = Sha256::digest(&data[..last]).into();
    sealed
        .get_mut(at..at + 64)?
        .copy_from_slice(mesh_types::to_hex(&digest).as_bytes());
    Some(sealed)
}

/// Where the last line begins.
fn last_line(data: &[u8]) -> usize {
    let body = data.strip_suffix(b"\n").unwrap_or(data);
    let end = body.iter().rposition(|byte| *byte == b'\n');
    end.map_or(0, |at| at + 1)
}
