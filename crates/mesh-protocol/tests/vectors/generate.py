#!/usr/bin/env python3
"""Writes the golden vectors of the wire format, from docs/wire-format.md alone.

It shares no code with the crate: the curve, XChaCha20-Poly1305 and the encoders are written out here, with nothing
but the standard library. So when the crate agrees with these files, two implementations agree.

    generate.py            writes the .json files beside this script, and ../corpus from them
    generate.py --check    compares them with what it would write, and fails on any difference
"""

import hashlib
import hmac
import json
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
CHECK = sys.argv[1:] == ["--check"]

# ---------------------------------------------------------------- secp256k1

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def add(a, b):
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(scalar, point):
    result = None
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def lift(x_bytes):
    """The point with this x and an even y; None when the curve has none."""
    x = int.from_bytes(x_bytes, "big")
    if x >= P:
        return None
    square = (pow(x, 3, P) + 7) % P
    y = pow(square, (P + 1) // 4, P)
    if y * y % P != square:
        return None
    return x, y if y % 2 == 0 else P - y


def node_id(secret):
    return multiply(int.from_bytes(secret, "big"), G)[0].to_bytes(32, "big")


def shared_x(secret, peer_id):
    return multiply(int.from_bytes(secret, "big"), lift(peer_id))[0].to_bytes(32, "big")


def tagged_hash(tag, message):
    digest = hashlib.sha256(tag).digest()
    return hashlib.sha256(digest + digest + message).digest()


def sign(secret, message, auxiliary=bytes(32)):
    """BIP-340, "Default Signing"."""
    number = int.from_bytes(secret, "big")
    point = multiply(number, G)
    if point[1] % 2:
        number = N - number
    x = point[0].to_bytes(32, "big")
    masked = number ^ int.from_bytes(tagged_hash(b"BIP0340/aux", auxiliary), "big")
    nonce = int.from_bytes(tagged_hash(b"BIP0340/nonce", masked.to_bytes(32, "big") + x + message), "big") % N
    commitment = multiply(nonce, G)
    if commitment[1] % 2:
        nonce = N - nonce
    r = commitment[0].to_bytes(32, "big")
    challenge = int.from_bytes(tagged_hash(b"BIP0340/challenge", r + x + message), "big") % N
    return r + ((nonce + challenge * number) % N).to_bytes(32, "big")


# ---------------------------------------------------------------- XChaCha20-Poly1305

WORD = 0xFFFFFFFF
SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def quarter(state, a, b, c, d):
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[x] = (state[x] + state[y]) & WORD
        mixed = state[z] ^ state[x]
        state[z] = (mixed << turn | mixed >> (32 - turn)) & WORD


def rounds(state):
    state = list(state)
    for _ in range(10):
        for i in range(4):
            quarter(state, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(state, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return state


def chacha_block(key, counter, nonce12):
    start = SIGMA + struct.unpack("<8I", key) + (counter,) + struct.unpack("<3I", nonce12)
    return struct.pack("<16I", *((a + b) & WORD for a, b in zip(start, rounds(start))))


def hchacha(key, nonce16):
    mixed = rounds(SIGMA + struct.unpack("<8I", key) + struct.unpack("<4I", nonce16))
    return struct.pack("<8I", *(mixed[:4] + mixed[12:]))


def chacha(key, nonce12, text):
    out = bytearray()
    for index in range(0, len(text), 64):
        block = chacha_block(key, 1 + index // 64, nonce12)
        out += bytes(a ^ b for a, b in zip(text[index : index + 64], block))
    return bytes(out)


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for index in range(0, len(message), 16):
        block = message[index : index + 16] + b"\x01"
        total = (total + int.from_bytes(block, "little")) * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def padded(data):
    return data + bytes(-len(data) % 16)


def xchacha_seal(key, nonce24, aad, plain):
    subkey, nonce12 = hchacha(key, nonce24[:16]), bytes(4) + nonce24[16:]
    text = chacha(subkey, nonce12, plain)
    one_time = chacha_block(subkey, 0, nonce12)[:32]
    lengths = struct.pack("<2Q", len(aad), len(text))
    return text + poly1305(one_time, padded(aad) + padded(text) + lengths)


# ---------------------------------------------------------------- the wire format


def derive(x, label, sender, receiver):
    return hmac.digest(x, b"blvm-mesh/1/" + label + sender + receiver, "sha256")


def seal(key, kind, source, destination, sequence, timestamp, nonce, plain):
    aad = bytes([1, kind]) + source + destination + struct.pack(">QQ", sequence, timestamp)
    return nonce + xchacha_seal(key, nonce, aad, plain)


def encode_proof(proof):
    kind = proof["type"]
    if kind == "lightning":
        numbers = (proof["amount_msats"], proof["timestamp"], proof["expires_at"])
        return b"\x00" + bytes.fromhex(proof["preimage"]) + struct.pack(">3Q", *numbers) + proof["invoice"].encode()
    if kind == "on_chain":
        numbers = (proof["amount_sats"], proof["timestamp"])
        fixed = b"\x01" + bytes.fromhex(proof["tx_hash"]) + struct.pack(">2Q", *numbers)
        return fixed + proof["payment_request_id"].encode()
    numbers = (proof["output_index"], proof["amount_sats"], proof["timestamp"], len(proof["merkle_proof"]))
    path = b"".join(map(bytes.fromhex, proof["merkle_proof"]))
    return b"\x02" + struct.pack(">IQQB", *numbers) + path + bytes.fromhex(proof["covenant_proof"])


KINDS = {"data": 0, "control": 1}


def encode_packet(packet, secret):
    """The packet's bytes and its MACs, made with the source's secret."""
    route = [bytes.fromhex(node) for node in packet["route"]]
    proof = encode_proof(packet["proof"]) if packet["proof"] else b""
    payload = bytes.fromhex(packet["payload"])
    original = struct.pack(">Q", packet["copy_of"]) if "copy_of" in packet else b""
    flags = bool(proof) | packet["sealed"] << 1 | packet["receipt"] << 2 | bool(original) << 3
    header = b"MESH" + struct.pack(
        ">BBBBQQQIHBB",
        1,
        flags,
        KINDS[packet["kind"]],
        len(route),
        packet["sequence"],
        packet["timestamp"],
        packet["fee_msat"],
        len(payload),
        len(proof),
        packet["proof_hop"],
        0,
    )
    covered = header + b"".join(route) + hashlib.sha256(original + proof + payload).digest()
    keys = [derive(shared_x(secret, node), b"mac", route[0], node) for node in route[1:]]
    macs = [hmac.digest(key, covered, "sha256")[:16] for key in keys]
    return header + b"".join(route) + b"".join(macs) + original + proof + payload, macs


def encode_announcement(said):
    """What is signed."""
    numbers = [said[field] for field in ("sequence", "made_at", "per_packet", "per_kib")]
    numbers += [said["max_payload_bytes"], said["free_bytes_per_second"]]
    encoded = bytes.fromhex(said["node_id"]) + struct.pack(">QQQQII", *numbers) + bytes([len(said["addresses"])])
    for address in said["addresses"]:
        encoded += struct.pack(">H", len(address.encode())) + address.encode()
    encoded += struct.pack(">H", len(said["links"]))
    for link in said["links"]:
        encoded += bytes.fromhex(link["node_id"]) + struct.pack(">I", link["latency_ms"])
    return encoded


def signed_announcement(said, secret):
    encoded = encode_announcement(said)
    return encoded + sign(secret, tagged_hash(b"blvm-mesh/1/announcement", encoded))


def encode_held(held):
    return bytes.fromhex(held["node_id"]) + struct.pack(">Q", held["sequence"])


def encode_range(part):
    ends = bytes.fromhex(part["first"]) + bytes.fromhex(part["last"])
    if "list" in part:
        return ends + bytes([1, len(part["list"])]) + b"".join(map(encode_held, part["list"]))
    return ends + b"\x00" + struct.pack(">IQ", part["count"], part["sum"])


def encode_gossip(message):
    kind = message["type"]
    if kind == "find":
        return b"\x0c" + bytes.fromhex(message["target"]) + bytes([message["hops"]])
    if kind == "compare":
        start, parts = b"\x0b" + bytes.fromhex(message["key"]), [encode_range(part) for part in message["ranges"]]
    elif kind == "have":
        start, parts = b"\x08", [encode_held(held) for held in message["held"]]
    elif kind == "want":
        start, parts = b"\x09", [bytes.fromhex(node) for node in message["wanted"]]
    else:
        start, parts = b"\x0a", [bytes.fromhex(item) for item in message["items"]]
    return start + struct.pack(">H", len(parts)) + b"".join(parts)


GOSSIP = ("have", "want", "items", "compare", "find")

REFUSALS = [
    "Duplicate",
    "TooOld",
    "OutOfTime",
    "Denied",
    "NoRoute",
    "Busy",
    "FreeLaneSpent",
    "ProofInvalid",
    "ProofReplayed",
    "NotEnabled",
    "Undeliverable",
    "ProofPending",
    "CreditTooLow",
    "InvoiceRefused",
    "RefundFailed",
]

# The numbers of each control message in the order in which they are written; each is 8 bytes.
CONTROL = {
    "refused": (1, ["sequence"]),
    "payment_required": (2, ["sequence", "price", "missing"]),
    "quote_request": (3, ["amount"]),
    "quote": (4, ["sequence", "per_packet", "per_kib", "credit"]),
    "deposit": (5, []),
    "credited": (6, ["sequence", "credit"]),
    "delivered": (7, ["sequence"]),
    "refund_request": (13, []),
    "refunded": (14, ["sequence", "amount", "fee", "credit"]),
    "on_chain_quote_request": (15, ["amount"]),
    "on_chain_quote": (16, ["sequence"]),
}

NETWORKS = ["bitcoin", "testnet", "testnet4", "signet", "regtest"]


def encode_control(message):
    if message["type"] in GOSSIP:
        return encode_gossip(message)
    tag, fields = CONTROL[message["type"]]
    encoded = bytes([tag]) + b"".join(struct.pack(">Q", message[field]) for field in fields)
    if "code" in message:
        encoded += bytes([REFUSALS.index(message["code"]) + 1])
    if "network" in message:
        script = bytes.fromhex(message["script_pubkey"])
        encoded += bytes([NETWORKS.index(message["network"])]) + struct.pack(">I", message["least_depth"])
        encoded += bytes([len(script)]) + script + message["payment_request_id"].encode()
    return encoded + (message.get("invoice") or "").encode()


# ---------------------------------------------------------------- the vectors

SECRETS = [hashlib.sha256(b"blvm-mesh test node %d" % index).digest() for index in range(16)]
NODES = [node_id(secret) for secret in SECRETS]
INVOICE = "lnbcrt1u1thisisnotarealinvoice"
TIME = 1_795_000_000
SEQUENCE = TIME * 1_000_000


def filler(length, seed):
    """Bytes that look random and are the same each time."""
    out = b""
    while len(out) < length:
        seed = hashlib.sha256(seed).digest()
        out += seed
    return out[:length]


def put(base, at, *values):
    return base[:at] + bytes(values) + base[at + len(values) :]


def keys_vectors():
    pairs = []
    for a, b in ((0, 1), (1, 0), (2, 15)):
        secret, ours, peer = SECRETS[a], NODES[a], NODES[b]
        x = shared_x(secret, peer)
        assert x == shared_x(SECRETS[b], ours)
        mac_out, mac_in = derive(x, b"mac", ours, peer), derive(x, b"mac", peer, ours)
        pairs.append(
            {
                "secret": secret.hex(),
                "node_id": ours.hex(),
                "peer_id": peer.hex(),
                "shared_x": x.hex(),
                "outgoing_mac": mac_out.hex(),
                "incoming_mac": mac_in.hex(),
                "outgoing_seal": derive(x, b"seal", ours, peer).hex(),
                "incoming_seal": derive(x, b"seal", peer, ours).hex(),
            }
        )
    not_points = [value for value in map(lambda n: n.to_bytes(32, "big"), range(12)) if lift(value) is None]
    not_points += [P.to_bytes(32, "big"), (P + 1).to_bytes(32, "big"), b"\xff" * 32]
    return {
        "pairs": pairs,
        "not_secrets": [bytes(32).hex(), N.to_bytes(32, "big").hex(), "ff" * 32],
        "not_points": [value.hex() for value in not_points],
    }


def seals_vectors():
    x = shared_x(SECRETS[0], NODES[2])
    key = derive(x, b"seal", NODES[0], NODES[2])
    good = []
    for kind, length in (("data", 0), ("data", 1), ("data", 64), ("control", 65), ("data", 1_200)):
        nonce, plain = filler(24, b"nonce %d" % length), filler(length, b"plain")
        good.append(
            {
                "key": key.hex(),
                "kind": kind,
                "source": NODES[0].hex(),
                "destination": NODES[2].hex(),
                "sequence": SEQUENCE + length,
                "timestamp": TIME,
                "nonce": nonce.hex(),
                "plain": plain.hex(),
                "sealed": seal(key, KINDS[kind], NODES[0], NODES[2], SEQUENCE + length, TIME, nonce, plain).hex(),
            }
        )
    sealed = bytes.fromhex(good[2]["sealed"])
    bad = {
        "empty": (b"", "TooShort"),
        "nonce_and_tag_cut": (sealed[:39], "TooShort"),
        "nonce_changed": (bytes([sealed[0] ^ 1]) + sealed[1:], "NotAuthentic"),
        "text_changed": (sealed[:30] + bytes([sealed[30] ^ 128]) + sealed[31:], "NotAuthentic"),
        "tag_changed": (sealed[:-1] + bytes([sealed[-1] ^ 1]), "NotAuthentic"),
        "last_byte_missing": (sealed[:-1], "NotAuthentic"),
        "byte_too_many": (sealed + b"\x00", "NotAuthentic"),
    }
    malformed = [
        {**good[2], "name": name, "sealed": value.hex(), "error": error} for name, (value, error) in bad.items()
    ]
    return {"good": good, "malformed": malformed}


LIGHTNING = {
    "type": "lightning",
    "invoice": INVOICE,
    "preimage": filler(32, b"preimage").hex(),
    "amount_msats": 100_000,
    "timestamp": TIME,
    "expires_at": TIME + 600,
}
ON_CHAIN = {
    "type": "on_chain",
    "payment_request_id": "request-ä-1",
    "tx_hash": filler(32, b"txid").hex(),
    "amount_sats": 2_100_000_000_000_000,
    "timestamp": TIME,
}
INSTANT = {
    "type": "instant",
    "covenant_proof": filler(300, b"covenant").hex(),
    "output_index": 1,
    "merkle_proof": [filler(32, b"merkle %d" % index).hex() for index in range(3)],
    "amount_sats": 546,
    "timestamp": TIME,
}


def proofs_vectors():
    good = {
        "lightning": LIGHTNING,
        "lightning_shortest": {**LIGHTNING, "invoice": "l"},
        "lightning_longest": {**LIGHTNING, "invoice": "l" * 7_089},
        "lightning_highest_numbers": {
            **LIGHTNING,
            **{name: 2**64 - 1 for name in ("amount_msats", "timestamp", "expires_at")},
        },
        "on_chain": ON_CHAIN,
        "on_chain_shortest": {**ON_CHAIN, "payment_request_id": "r"},
        "on_chain_longest": {**ON_CHAIN, "payment_request_id": "ä" * 32},
        "instant": INSTANT,
        "instant_shortest": {**INSTANT, "merkle_proof": [], "covenant_proof": "00"},
        "instant_longest": {
            **INSTANT,
            "output_index": 2**32 - 1,
            "merkle_proof": [INSTANT["merkle_proof"][0]] * 32,
            "covenant_proof": filler(4_096, b"covenant").hex(),
        },
    }
    lightning, on_chain, instant = map(encode_proof, (LIGHTNING, ON_CHAIN, INSTANT))
    path_at = 1 + 4 + 8 + 8 + 1
    bad = {
        "empty": (b"", "Truncated"),
        "tag_3": (b"\x03" + lightning[1:], "Tag"),
        "tag_255": (b"\xff", "Tag"),
        "lightning_tag_only": (lightning[:1], "Truncated"),
        "lightning_preimage_cut": (lightning[:32], "Truncated"),
        "lightning_expiry_cut": (lightning[:56], "Truncated"),
        "lightning_without_invoice": (lightning[:57], "InvoiceLength"),
        "lightning_invoice_too_long": (lightning[:57] + b"l" * 7_090, "InvoiceLength"),
        "lightning_invoice_not_ascii": (lightning[:57] + "lnbcä".encode(), "InvoiceText"),
        "lightning_invoice_not_utf8": (lightning[:57] + b"lnbc\xff", "InvoiceText"),
        "on_chain_timestamp_cut": (on_chain[:48], "Truncated"),
        "on_chain_without_id": (on_chain[:49], "RequestIdLength"),
        "on_chain_id_too_long": (on_chain[:49] + b"r" * 257, "RequestIdLength"),
        "on_chain_id_not_utf8": (on_chain[:49] + b"r\xc3", "RequestIdText"),
        "instant_count_cut": (instant[: path_at - 1], "Truncated"),
        "instant_path_too_long": (
            instant[: path_at - 1] + b"\x21" + filler(33 * 32 + 1, b"path"),
            "MerkleCount",
        ),
        "instant_path_cut": (instant[: path_at + 3 * 32 - 1], "Truncated"),
        "instant_without_covenant": (instant[: path_at + 3 * 32], "CovenantLength"),
        "instant_covenant_too_long": (
            instant[: path_at - 1] + b"\x00" + filler(4_097, b"covenant"),
            "CovenantLength",
        ),
        "longer_than_any_proof": (lightning[:57] + b"l" * (8_193 - 57), "Length"),
    }
    return {
        "good": [{"name": name, "proof": proof, "bytes": encode_proof(proof).hex()} for name, proof in good.items()],
        "malformed": [{"name": name, "bytes": value.hex(), "error": error} for name, (value, error) in bad.items()],
    }


def packet(route, **changes):
    plain = {
        "kind": "data",
        "sealed": False,
        "receipt": False,
        "route": [NODES[index].hex() for index in route],
        "sequence": SEQUENCE,
        "timestamp": TIME,
        "fee_msat": 0,
        "proof": None,
        "proof_hop": 0,
        "payload": b"hello, mesh".hex(),
    }
    return {**plain, **changes}


def sealed_payload(source, destination, sequence, plain):
    key = derive(shared_x(SECRETS[source], NODES[destination]), b"seal", NODES[source], NODES[destination])
    nonce = filler(24, b"packet nonce")
    return seal(key, 0, NODES[source], NODES[destination], sequence, TIME, nonce, plain).hex()


def packets_vectors():
    refused = encode_control({"type": "refused", "sequence": SEQUENCE, "code": "NoRoute"})
    good = {
        "two_nodes": packet([0, 1]),
        "empty_payload": packet([0, 1], payload=""),
        "three_nodes_paid": packet([0, 1, 2], fee_msat=12_345, proof=LIGHTNING, proof_hop=1),
        "proof_for_the_destination": packet([3, 1, 2], fee_msat=1, proof=LIGHTNING, proof_hop=2),
        "on_chain_proof": packet([0, 1, 2], proof=ON_CHAIN, proof_hop=1),
        "instant_proof": packet([0, 1, 2], proof=INSTANT, proof_hop=1),
        "sealed_with_receipt": packet(
            [0, 1, 2],
            sealed=True,
            receipt=True,
            fee_msat=400,
            payload=sealed_payload(0, 2, SEQUENCE, filler(1_200, b"secret")),
        ),
        "receipt_only": packet([0, 1], receipt=True),
        "copy": packet([0, 3, 2], receipt=True, copy_of=SEQUENCE - 7),
        "paid_copy_of_number_0": packet([0, 1, 2], copy_of=0, proof=LIGHTNING, proof_hop=1, payload=""),
        "control_refused": packet([2, 1, 0], kind="control", payload=refused.hex()),
        "control_deposit": packet([0, 1], kind="control", payload="05", proof=LIGHTNING, proof_hop=1),
        "longest_route": packet(range(16), fee_msat=2**64 - 1, sequence=2**63 - 1, timestamp=2**64 - 1),
        "longest_route_back": packet(reversed(range(16)), sequence=0, timestamp=0, proof=LIGHTNING, proof_hop=15),
    }
    vectors = []
    for name, fields in good.items():
        secret = SECRETS[NODES.index(bytes.fromhex(fields["route"][0]))]
        encoded, macs = encode_packet(fields, secret)
        macs = [mac.hex() for mac in macs]
        vectors.append({"name": name, "secret": secret.hex(), **fields, "macs": macs, "bytes": encoded.hex()})
    return {"good": vectors, "malformed": malformed_packets()}


def malformed_packets():
    plain, _ = encode_packet(packet([0, 1, 2]), SECRETS[0])
    paid, _ = encode_packet(packet([0, 1, 2], proof=LIGHTNING, proof_hop=1), SECRETS[0])
    control, _ = encode_packet(packet([0, 1, 2], kind="control"), SECRETS[0])

    copied, _ = encode_packet(packet([0, 1, 2], copy_of=SEQUENCE - 1), SECRETS[0])

    def nodes(*indices):
        return put(plain, 40, *b"".join(NODES[index] for index in indices))

    def many(count):
        route = b"".join(hashlib.sha256(b"%d" % index).digest() for index in range(count))
        return put(plain[:40], 7, count) + route + bytes(16 * max(count - 1, 0)) + b"hello, mesh"

    proof_at = 40 + 3 * 32 + 2 * 16
    bad = {
        "empty": (b"", "Truncated"),
        "magic_only": (plain[:4], "Truncated"),
        "header_cut": (plain[:39], "Truncated"),
        "header_only": (plain[:40], "Length"),
        "magic_in_lower_case": (b"mesh" + plain[4:], "Magic"),
        "version_0": (put(plain, 4, 0), "Version"),
        "version_2": (put(plain, 4, 2), "Version"),
        **{f"flag_bit_{bit}": (put(plain, 5, 1 << bit), "Flags") for bit in range(4, 8)},
        "kind_2": (put(plain, 6, 2), "Kind"),
        "kind_255": (put(plain, 6, 255), "Kind"),
        "control_sealed": (put(control, 5, 2), "Flags"),
        "control_wants_receipt": (put(control, 5, 4), "Flags"),
        "control_copy": (put(control, 5, 8), "Flags"),
        "copy_without_original": (put(plain, 5, 8), "Length"),
        "copy_of_itself": (put(copied, proof_at, *struct.pack(">Q", SEQUENCE)), "CopyOf"),
        "copy_of_a_later_packet": (put(copied, proof_at, *[255] * 8), "CopyOf"),
        "no_nodes": (many(0), "Route.Length"),
        "one_node": (many(1), "Route.Length"),
        "seventeen_nodes": (many(17), "Route.Length"),
        "255_nodes": (many(255), "Route.Length"),
        "sequence_above_the_highest": (put(plain, 8, 0x80, 0, 0, 0, 0, 0, 0, 0), "Sequence"),
        "sequence_all_ones": (put(plain, 8, *[255] * 8), "Sequence"),
        "payload_longer_than_the_longest": (put(plain, 32, *struct.pack(">I", 56_321)), "PayloadLength"),
        "payload_of_64_kib": (put(plain, 32, 0, 1, 0, 0), "PayloadLength"),
        "payload_of_4_gib": (put(plain, 32, 255, 255, 255, 255), "PayloadLength"),
        "payload_one_byte_less": (put(plain, 32, 0, 0, 0, 10), "Length"),
        "payload_one_byte_more": (put(plain, 32, 0, 0, 0, 12), "Length"),
        "proof_without_flag": (put(paid, 5, 0), "ProofLength"),
        "flag_without_proof": (put(plain, 5, 1), "ProofLength"),
        "proof_longer_than_the_longest": (put(paid, 36, 0x20, 0x01), "ProofLength"),
        "proof_one_byte_less": (put(paid, 36, 0, 86), "Length"),
        "proof_for_the_source": (put(paid, 38, 0), "ProofHop"),
        "proof_for_nobody": (put(paid, 38, 3), "ProofHop"),
        "hop_without_proof": (put(plain, 38, 1), "ProofHop"),
        "reserved_byte": (put(plain, 39, 1), "Reserved"),
        "byte_too_many": (plain + b"\x00", "Length"),
        "last_byte_missing": (plain[:-1], "Length"),
        "node_count_one_less": (put(plain, 7, 2), "Length"),
        "node_count_one_more": (put(plain, 7, 4), "Length"),
        "packet_twice": (plain + plain, "Length"),
        "relay_is_source": (nodes(0, 0, 2), "Route.Repeated"),
        "relay_is_destination": (nodes(0, 2, 2), "Route.Repeated"),
        "destination_is_source": (nodes(0, 1, 0), "Route.Repeated"),
        "proof_of_unknown_kind": (put(paid, proof_at, 3), "Proof.Tag"),
        "proof_with_invoice_not_ascii": (put(paid, proof_at + 57, 0xFF), "Proof.InvoiceText"),
    }
    return [{"name": name, "bytes": value.hex(), "error": error} for name, (value, error) in bad.items()]


SORTED = sorted(NODES)


def links(nodes):
    return [{"node_id": node.hex(), "latency_ms": 7 * index} for index, node in enumerate(nodes)]


def announcement(**changes):
    plain = {
        "node_id": NODES[0].hex(),
        "sequence": TIME * 1_000,
        "made_at": TIME,
        "per_packet": 100,
        "per_kib": 7,
        "max_payload_bytes": 56_320,
        "free_bytes_per_second": 65_536,
        "addresses": ["203.0.113.7:8334", "node.example:8334"],
        "links": links(node for node in SORTED if node != NODES[0])[:3],
    }
    return {**plain, **changes}


def many_ids(count):
    return sorted(hashlib.sha256(b"node %d" % index).digest() for index in range(count))


def announcements_vectors():
    top = 2**64 - 1
    good = {
        "usual": announcement(),
        "shortest": announcement(addresses=[], links=[]),
        "longest": announcement(addresses=["a" * 259] * 4, links=links(many_ids(256))),
        "highest_numbers": announcement(
            sequence=2**63 - 1,
            **{field: top for field in ("made_at", "per_packet", "per_kib")},
            max_payload_bytes=2**32 - 1,
            free_bytes_per_second=2**32 - 1,
            links=[{"node_id": "ff" * 32, "latency_ms": 2**32 - 1}],
        ),
    }
    usual = signed_announcement(good["usual"], SECRETS[0])
    others = [node for node in SORTED if node != NODES[0]]
    bad = {
        "empty": (b"", "Truncated"),
        "head_cut": (usual[:71], "Truncated"),
        "address_cut": (usual[:85], "Truncated"),
        "link_cut": (usual[:-65], "Truncated"),
        "signature_cut": (usual[:-1], "Truncated"),
        "byte_too_many": (usual + b"\x00", "Trailing"),
    }
    wrong = {
        "sequence_too_high": ({"sequence": 2**63}, "Sequence"),
        "five_addresses": ({"addresses": ["a"] * 5}, "AddressCount"),
        "empty_address": ({"addresses": [""]}, "AddressLength"),
        "address_too_long": ({"addresses": ["a" * 260]}, "AddressLength"),
        "address_with_a_space": ({"addresses": ["a b"]}, "AddressText"),
        "address_not_ascii": ({"addresses": ["nöde"]}, "AddressText"),
        "too_many_links": ({"links": links(many_ids(257))}, "LinkCount"),
        "links_not_in_order": ({"links": links([others[1], others[0]])}, "LinkOrder"),
        "a_link_twice": ({"links": links([others[0], others[0]])}, "LinkOrder"),
        "a_link_with_itself": ({"links": links([NODES[0]])}, "SelfLink"),
    }
    for name, (changes, error) in wrong.items():
        bad[name] = (signed_announcement(announcement(**changes), SECRETS[0]), f"Content.{error}")
    body = usual[:-64]
    unsigned = {
        "another_nodes_signature": signed_announcement(announcement(), SECRETS[1]),
        "signature_changed": usual[:-1] + bytes([usual[-1] ^ 1]),
        "price_changed": usual[:55] + bytes([usual[55] ^ 1]) + usual[56:],
        "signed_without_a_tag": body + sign(SECRETS[0], hashlib.sha256(body).digest()),
        "an_id_that_is_no_key": b"\xff" * 32 + usual[32:],
    }
    return {
        "good": [
            {"name": name, "secret": SECRETS[0].hex(), "said": said, "bytes": signed_announcement(said, SECRETS[0]).hex()}
            for name, said in good.items()
        ],
        "malformed": [{"name": name, "bytes": value.hex(), "error": error} for name, (value, error) in bad.items()],
        "unsigned": [{"name": name, "bytes": value.hex()} for name, value in unsigned.items()],
    }


def held(node, sequence=TIME * 1_000):
    return {"node_id": node.hex(), "sequence": sequence}


def held_range(first, last, **content):
    return {"first": first.hex(), "last": last.hex(), **content}


def gossip_messages():
    ids, key = many_ids(512), filler(16, b"key").hex()
    item = signed_announcement(announcement(), SECRETS[0]).hex()
    whole = held_range(bytes(32), b"\xff" * 32, count=3, sum=2**64 - 1)
    return [
        {"type": "have", "held": [held(NODES[0]), held(NODES[1], 2**63 - 1)]},
        {"type": "have", "held": [held(node) for node in ids]},
        {"type": "want", "wanted": [NODES[1].hex(), NODES[0].hex()]},
        {"type": "items", "items": [item, signed_announcement(announcement(links=[]), SECRETS[0]).hex()]},
        {"type": "items", "items": [item] * 64},
        {"type": "compare", "key": key, "ranges": [whole]},
        {
            "type": "compare",
            "key": key,
            "ranges": [
                held_range(ids[0], ids[15], list=[held(node) for node in ids[:16]]),
                held_range(ids[16], ids[16], list=[]),
                held_range(ids[20], ids[40], count=0, sum=0),
            ],
        },
        {"type": "find", "target": NODES[3].hex(), "hops": 4},
        {"type": "find", "target": NODES[3].hex(), "hops": 0},
    ]


def malformed_gossip():
    ids, key = many_ids(513), filler(16, b"key").hex()
    compare = {"type": "compare", "key": key}
    ranges = [held_range(ids[0], ids[1], count=0, sum=0), held_range(ids[2], ids[3], count=0, sum=0)]
    have = encode_gossip({"type": "have", "held": [held(NODES[0])]})
    item = signed_announcement(announcement(), SECRETS[0])
    selfish = signed_announcement(announcement(links=links([NODES[0]])), SECRETS[0])
    longest = signed_announcement(announcement(addresses=["a" * 259] * 4, links=links(many_ids(256))), SECRETS[0])
    whole = encode_gossip({**compare, "ranges": ranges[:1]})

    def listed(*nodes):
        part = held_range(ids[10], ids[200], list=[held(node) for node in nodes])
        return encode_gossip({**compare, "ranges": [part]})

    return {
        "have_nothing": (b"\x08\x00\x00", "Gossip.Count"),
        "have_cut": (have[:-1], "Gossip.Truncated"),
        "have_too_many": (encode_gossip({"type": "have", "held": [held(node) for node in ids]}), "Gossip.Count"),
        "have_sequence_too_high": (have[:35] + b"\x80" + bytes(7), "Gossip.Sequence"),
        "have_byte_too_many": (have + b"\x00", "Trailing"),
        "want_nothing": (b"\x09\x00\x00", "Gossip.Count"),
        "want_too_many": (encode_gossip({"type": "want", "wanted": [n.hex() for n in ids]}), "Gossip.Count"),
        "items_none": (b"\x0a\x00\x00", "Gossip.Count"),
        "items_too_many": (encode_gossip({"type": "items", "items": [item.hex()] * 65}), "Gossip.Count"),
        "items_cut": (b"\x0a\x00\x01" + item[:-1], "Gossip.Truncated"),
        "items_wrong": (b"\x0a\x00\x01" + selfish, "Gossip.Item.SelfLink"),
        "items_longer_than_a_packet": (encode_gossip({"type": "items", "items": [longest.hex()] * 6}), "Gossip.Length"),
        "compare_no_ranges": (encode_gossip({**compare, "ranges": []}), "Gossip.Count"),
        "compare_too_many_ranges": (
            encode_gossip({**compare, "ranges": [held_range(n, n, count=0, sum=0) for n in ids[:65]]}),
            "Gossip.Count",
        ),
        "compare_cut": (whole[:-1], "Gossip.Truncated"),
        "compare_form_2": (whole[:-13] + b"\x02" + whole[-12:], "Gossip.Form"),
        "compare_not_in_order": (encode_gossip({**compare, "ranges": ranges[::-1]}), "Gossip.Order"),
        "compare_overlapping": (
            encode_gossip({**compare, "ranges": [ranges[0], held_range(ids[1], ids[3], count=0, sum=0)]}),
            "Gossip.Order",
        ),
        "compare_backwards": (
            encode_gossip({**compare, "ranges": [held_range(ids[3], ids[2], count=0, sum=0)]}),
            "Gossip.Order",
        ),
        "compare_list_too_long": (listed(*ids[20:37]), "Gossip.Count"),
        "compare_list_not_in_order": (listed(ids[21], ids[20]), "Gossip.Order"),
        "compare_list_with_one_twice": (listed(ids[20], ids[20]), "Gossip.Order"),
        "compare_list_outside": (listed(ids[9]), "Gossip.Order"),
        "find_without_hops": (b"\x0c" + ids[0], "Gossip.Truncated"),
        "find_too_many_hops": (b"\x0c" + ids[0] + b"\x05", "Gossip.Hops"),
        "find_byte_too_many": (b"\x0c" + ids[0] + b"\x04\x00", "Trailing"),
    }


def control_vectors():
    required = {"type": "payment_required", "sequence": SEQUENCE, "price": 250, "missing": 50, "invoice": None}
    quote = {"type": "quote", "sequence": SEQUENCE, "per_packet": 100, "per_kib": 7, "credit": 0, "invoice": None}
    on_chain_quote = {
        "type": "on_chain_quote",
        "sequence": SEQUENCE,
        "network": "bitcoin",
        "least_depth": 6,
        "script_pubkey": "5120" + filler(32, b"script").hex(),
        "payment_request_id": "mesh-quote:1:" + filler(116, b"quote").hex(),
    }
    top = 2**64 - 1
    messages = [{"type": "refused", "sequence": SEQUENCE, "code": code} for code in REFUSALS]
    messages += [
        required,
        {**required, "invoice": INVOICE},
        {**required, "sequence": 2**63 - 1, "price": top, "missing": top, "invoice": "l" * 7_089},
        {"type": "quote_request", "amount": 0},
        {"type": "quote_request", "amount": top},
        quote,
        {**quote, "invoice": INVOICE},
        {**quote, "per_packet": top, "per_kib": top, "credit": top, "invoice": "l" * 7_089},
        {"type": "deposit"},
        {"type": "credited", "sequence": SEQUENCE, "credit": 99_750},
        {"type": "delivered", "sequence": 0},
        *gossip_messages(),
        {"type": "refund_request", "invoice": INVOICE},
        {"type": "refund_request", "invoice": "l" * 7_089},
        {"type": "refunded", "sequence": SEQUENCE, "amount": 800_000, "fee": 1_000, "credit": 17},
        {"type": "refunded", "sequence": 2**63 - 1, "amount": top, "fee": top, "credit": top},
        {"type": "on_chain_quote_request", "amount": 25_000_000},
        {"type": "on_chain_quote_request", "amount": top},
        *[{**on_chain_quote, "network": network} for network in NETWORKS],
        {**on_chain_quote, "script_pubkey": "6a", "payment_request_id": "r", "least_depth": 1},
        {
            **on_chain_quote,
            "sequence": 2**63 - 1,
            "least_depth": 2**32 - 1,
            "script_pubkey": "6028" + "ff" * 40,
            "payment_request_id": "ä" * 128,
        },
    ]
    encoded = {name: encode_control(message) for name, message in
               {"refused": messages[0], "required": required, "quote": quote, "on_chain": on_chain_quote}.items()}
    on_chain = encoded["on_chain"]
    top_bit = b"\x80" + bytes(7)
    bad = {
        "empty": (b"", "Truncated"),
        "tag_0": (b"\x00", "Tag"),
        "tag_17": (b"\x11" + bytes(8), "Tag"),
        "tag_255": (b"\xff", "Tag"),
        "refused_sequence_cut": (encoded["refused"][:8], "Truncated"),
        "refused_without_code": (encoded["refused"][:9], "Truncated"),
        "refused_code_0": (encoded["refused"][:9] + b"\x00", "Code"),
        "refused_code_16": (encoded["refused"][:9] + b"\x10", "Code"),
        "refused_byte_too_many": (encoded["refused"] + b"\x00", "Trailing"),
        "refused_sequence_too_high": (b"\x01" + top_bit + b"\x01", "Sequence"),
        "required_cut": (encoded["required"][:-1], "Truncated"),
        "required_sequence_too_high": (b"\x02" + top_bit + bytes(16), "Sequence"),
        "required_invoice_too_long": (encoded["required"] + b"l" * 7_090, "InvoiceLength"),
        "required_invoice_not_ascii": (encoded["required"] + "lnbcä".encode(), "InvoiceText"),
        "required_invoice_not_utf8": (encoded["required"] + b"\xff", "InvoiceText"),
        "quote_request_cut": (b"\x03" + bytes(7), "Truncated"),
        "quote_request_byte_too_many": (b"\x03" + bytes(9), "Trailing"),
        "quote_cut": (encoded["quote"][:-1], "Truncated"),
        "quote_sequence_too_high": (b"\x04" + top_bit + bytes(24), "Sequence"),
        "quote_invoice_too_long": (encoded["quote"] + b"l" * 7_090, "InvoiceLength"),
        "quote_invoice_not_ascii": (encoded["quote"] + b"lnbc\x80", "InvoiceText"),
        "deposit_byte_too_many": (b"\x05\x00", "Trailing"),
        "credited_cut": (b"\x06" + bytes(15), "Truncated"),
        "credited_byte_too_many": (b"\x06" + bytes(17), "Trailing"),
        "delivered_cut": (b"\x07" + bytes(7), "Truncated"),
        "delivered_sequence_too_high": (b"\x07" + top_bit, "Sequence"),
        "delivered_byte_too_many": (b"\x07" + bytes(9), "Trailing"),
        **malformed_gossip(),
        "refund_request_without_invoice": (b"\x0d", "Truncated"),
        "refund_request_invoice_too_long": (b"\x0d" + b"l" * 7_090, "InvoiceLength"),
        "refund_request_invoice_not_ascii": (b"\x0dlnbc\x80", "InvoiceText"),
        "refunded_cut": (b"\x0e" + bytes(31), "Truncated"),
        "refunded_byte_too_many": (b"\x0e" + bytes(33), "Trailing"),
        "refunded_sequence_too_high": (b"\x0e" + top_bit + bytes(24), "Sequence"),
        "on_chain_quote_request_cut": (b"\x0f" + bytes(7), "Truncated"),
        "on_chain_quote_request_byte_too_many": (b"\x0f" + bytes(9), "Trailing"),
        "on_chain_quote_sequence_too_high": (b"\x10" + top_bit + on_chain[9:], "Sequence"),
        "on_chain_quote_without_network": (on_chain[:9], "Truncated"),
        "on_chain_quote_network_5": (put(on_chain, 9, 5), "Network"),
        "on_chain_quote_depth_cut": (on_chain[:13], "Truncated"),
        "on_chain_quote_no_depth": (on_chain[:10] + bytes(4) + on_chain[14:], "Depth"),
        "on_chain_quote_without_script": (put(on_chain, 14, 0), "ScriptLength"),
        "on_chain_quote_script_too_long": (put(on_chain, 14, 43), "ScriptLength"),
        "on_chain_quote_script_cut": (on_chain[:48], "Truncated"),
        "on_chain_quote_without_id": (on_chain[:49], "RequestIdLength"),
        "on_chain_quote_id_too_long": (on_chain[:49] + b"l" * 257, "RequestIdLength"),
        "on_chain_quote_id_not_utf8": (on_chain + b"\xff", "RequestIdText"),
    }
    return {
        "good": [{"message": message, "bytes": encode_control(message).hex()} for message in messages],
        "malformed": [{"name": name, "bytes": value.hex(), "error": error} for name, (value, error) in bad.items()],
    }


def check_ourselves():
    """Known answers from the standards, so that a slip in this script cannot become a vector."""
    # BIP-340, test vector 0.
    known = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"
    assert node_id((3).to_bytes(32, "big")).hex() == known
    known = (
        "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215"
        "25f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0"
    )
    assert sign((3).to_bytes(32, "big"), bytes(32)).hex() == known
    # draft-irtf-cfrg-xchacha-03, A.3.1: the tag.
    plain = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    aad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    sealed = xchacha_seal(bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58)), aad, plain)
    assert sealed[-16:].hex() == "c0875924c1c7987947deafd8780acf49"


def corpus(vectors):
    """Each vector's bytes by name, as seeds for the fuzz harnesses."""
    seeds = {}
    for group in vectors.values():
        for vector in group:
            content = bytes.fromhex(vector["bytes"])
            name = vector.get("name") or "good_" + hashlib.sha256(content).hexdigest()[:8]
            seeds[name] = content
    return seeds


def main():
    check_ourselves()
    vectors = {
        "keys": keys_vectors(),
        "seals": seals_vectors(),
        "proofs": proofs_vectors(),
        "packets": packets_vectors(),
        "announcements": announcements_vectors(),
        "control": control_vectors(),
    }
    files = {}
    for name, content in vectors.items():
        files[HERE / f"{name}.json"] = (json.dumps(content, indent=1) + "\n").encode()
    for harness, name in (
        ("packet", "packets"),
        ("packet", "proofs"),
        ("control", "control"),
        ("announcement", "announcements"),
    ):
        folder = HERE.parent / "corpus" / harness
        files |= {folder / f"{name}_{seed}": content for seed, content in corpus(vectors[name]).items()}
    differing = []
    for path, content in files.items():
        if CHECK:
            if not path.exists() or path.read_bytes() != content:
                differing.append(path.name)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    if differing:
        sys.exit("these files differ from what generate.py writes: " + ", ".join(differing))
    count = sum(len(group) for groups in vectors.values() for group in groups.values())
    print(f"{count} vectors agree" if CHECK else f"{count} vectors written")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    main()
