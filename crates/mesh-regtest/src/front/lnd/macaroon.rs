/// What a mesh needs of LND.
const PERMISSIONS: [(&str, &[&str]); 3] = [
    ("info", &["read"]),
    ("invoices", &["read", "write"]),
    ("offchain", &["read", "write"]),
];

/// Writes a macaroon in the binary form of version 2. Its signature is chance: this front compares the whole.
///
/// # Source
/// libmacaroons' version 2; `MacaroonId` of macaroon-bakery.
pub(super) fn bake(chance: &[u8; 48]) -> Vec<u8> {
    let (nonce, signature) = chance.split_at(16);
    let mut identifier = vec![3, 0x0a];
    sized(&mut identifier, nonce);
    identifier.push(0x12);
    sized(&mut identifier, b"0");
    for (entity, actions) in PERMISSIONS {
        let mut operation = vec![0x0a];
        sized(&mut operation, entity.as_bytes());
        for action in actions {
            operation.push(0x12);
            sized(&mut operation, action.as_bytes());
        }
        identifier.push(0x1a);
        sized(&mut identifier, &operation);
    }
    let mut macaroon = vec![2, 1];
    sized(&mut macaroon, b"lnd");
    macaroon.push(2);
    sized(&mut macaroon, &identifier);
    macaroon.extend([0, 0, 6]);
    sized(&mut macaroon, signature);
    macaroon
}

/// Writes a length, seven bits a byte, and the content.
fn sized(out: &mut Vec<u8>, content: &[u8]) {
    let mut len = content.len();
    while len >= 0x80 {
        out.push(u8::try_from(len & 0x7f).unwrap_or(0) | 0x80);
        len >>= 7;
    }
    out.push(u8::try_from(len).unwrap_or(0));
    out.extend(content);
}
