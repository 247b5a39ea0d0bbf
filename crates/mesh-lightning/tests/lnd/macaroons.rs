//! Macaroons as LND writes them.

const NEEDED: [(&str, &[&str]); 3] = [
    ("info", &["read"]),
    ("invoices", &["read", "write"]),
    ("offchain", &["read", "write"]),
];

/// One that can do what a mesh needs.
pub(crate) fn right() -> Vec<u8> {
    bake(&NEEDED)
}

/// One that cannot pay.
pub(crate) fn without_paying() -> Vec<u8> {
    bake(&[NEEDED[0], NEEDED[1], ("offchain", &["read"])])
}

/// The one that can do everything.
pub(crate) fn admin() -> Vec<u8> {
    let both: &[&str] = &["read", "write"];
    let mut all = vec![("address", both), ("info", both), ("invoices", both)];
    all.push(("macaroon", &["generate", "read", "write"]));
    for entity in ["message", "offchain", "onchain", "peers"] {
        all.push((entity, both));
    }
    all.push(("signer", &["generate", "read"]));
    bake(&all)
}

/// Writes the binary form of version 2, with a nonce and a signature of no meaning.
fn bake(permissions: &[(&str, &[&str])]) -> Vec<u8> {
    let mut identifier = vec![3, 0x0a, 16];
    identifier.extend([0xaa; 16]);
    identifier.extend([0x12, 1, b'0']);
    for (entity, actions) in permissions {
        let mut operation = vec![0x0a];
        sized(&mut operation, entity.as_bytes());
        for action in *actions {
            operation.push(0x12);
            sized(&mut operation, action.as_bytes());
        }
        identifier.push(0x1a);
        sized(&mut identifier, &operation);
    }
    let mut macaroon = vec![2, 1, 3, b'l', b'n', b'd', 2];
    sized(&mut macaroon, &identifier);
    macaroon.extend([0, 0, 6, 32]);
    macaroon.extend([0xbb; 32]);
    macaroon
}

fn sized(out: &mut Vec<u8>, content: &[u8]) {
    let len = u8::try_from(content.len() % 128).unwrap();
    match u8::try_from(content.len() / 128).unwrap() {
        0 => out.push(len),
        more => out.extend([len | 0x80, more]),
    }
    out.extend(content);
}
