#!/usr/bin/env python3
"""Writes the corpus of the detector: python3 tests/corpus/detect.py

An encoder of its own, from the BIPs and the Stratum V2 specification, so that the detector is not only held against
the library that it decodes with. The first word of a file's name is the verdict that belongs to it.
"""

import hashlib
import pathlib
import struct

OUT = pathlib.Path(__file__).with_name("detect")
MAGICS = {
    "mainnet": "f9beb4d9",
    "testnet3": "0b110907",
    "testnet4": "1c163f28",
    "signet": "0a03cf40",
    "regtest": "fabfb5da",
}


def sha256d(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def compact(n):
    if n < 0xFD:
        return struct.pack("<B", n)
    if n <= 0xFFFF:
        return b"\xfd" + struct.pack("<H", n)
    if n <= 0xFFFFFFFF:
        return b"\xfe" + struct.pack("<I", n)
    return b"\xff" + struct.pack("<Q", n)


def var(data):
    return compact(len(data)) + data


def many(items):
    return compact(len(items)) + b"".join(items)


def bitcoin(command, payload, magic="f9beb4d9", length=None, checksum=None):
    length = len(payload) if length is None else length
    checksum = sha256d(payload)[:4] if checksum is None else checksum
    return bytes.fromhex(magic) + command.encode().ljust(12, b"\0") + struct.pack("<I", length) + checksum + payload


def h(n):
    return hashlib.sha256(bytes([n])).digest()


def header(n):
    return struct.pack("<i", 0x20000000) + h(n) + h(n + 1) + struct.pack("<III", 1_700_000_000, 0x207FFFFF, n)


def tx(witness=True, inputs=1, outputs=2):
    out = struct.pack("<i", 2)
    out += b"\0\1" if witness else b""
    out += many([h(i) + struct.pack("<I", i) + var(b"" if witness else b"\x51") + struct.pack("<I", 0xFFFFFFFD) for i in range(inputs)])
    out += many([struct.pack("<Q", 50_000 + i) + var(b"\x00\x14" + h(i)[:20]) for i in range(outputs)])
    if witness:
        out += b"".join(many([var(h(7) * 2), var(h(8) + b"\2")]) for _ in range(inputs))
    return out + struct.pack("<I", 840_000)


def address():
    return struct.pack("<Q", 9) + bytes(10) + b"\xff\xff" + bytes([203, 0, 113, 7]) + struct.pack(">H", 8333)


def inventory():
    kinds = [1, 2, 4, 5, 0x40000001, 0x40000002]
    return many([struct.pack("<I", kind) + h(n) for n, kind in enumerate(kinds)])


def addrv2():
    nets = [(1, bytes([203, 0, 113, 7])), (2, bytes.fromhex("20010db8") + bytes(11) + b"\1"), (4, h(4)), (5, h(5)), (6, b"\xfc" + h(6)[:15])]
    return many([struct.pack("<I", 1_700_000_000) + compact(0xC09) + bytes([net]) + var(a) + struct.pack(">H", 8333) for net, a in nets])


VERSION = (
    struct.pack("<iQq", 70016, 0xC09, 1_700_000_000)
    + address()
    + address()
    + struct.pack("<Q", 42)
    + var(b"/corpus:1.0/")
    + struct.pack("<i?", 840_000, True)
)
LOCATOR = struct.pack("<I", 70016) + many([h(1), h(2), h(3)]) + bytes(32)

COMMANDS = {
    "version": VERSION,
    "verack": b"",
    "addr": many([struct.pack("<I", 1_700_000_000) + address()] * 3),
    "addrv2": addrv2(),
    "sendaddrv2": b"",
    "inv": inventory(),
    "getdata": inventory(),
    "notfound": inventory(),
    "getblocks": LOCATOR,
    "getheaders": LOCATOR,
    "headers": many([header(n) + b"\0" for n in range(3)]),
    "tx": tx(),
    "block": header(1) + many([tx(), tx(witness=False), tx(inputs=3)]),
    "mempool": b"",
    "ping": struct.pack("<Q", 0x1122334455667788),
    "pong": struct.pack("<Q", 0x1122334455667788),
    "getaddr": b"",
    "reject": var(b"tx") + b"\x10" + var(b"bad-txns") + h(9),
    "filterload": var(h(1) * 4) + struct.pack("<IIB", 11, 7, 1),
    "filteradd": var(h(2)),
    "filterclear": b"",
    "merkleblock": header(1) + struct.pack("<I", 3) + many([h(1), h(2), h(3)]) + var(b"\x1d"),
    "sendheaders": b"",
    "feefilter": struct.pack("<q", 1_000),
    "sendcmpct": struct.pack("<?Q", True, 2),
    "cmpctblock": header(1) + struct.pack("<Q", 5) + many([h(n)[:6] for n in range(4)]) + many([compact(0) + tx()]),
    "getblocktxn": h(1) + many([compact(0), compact(3), compact(300)]),
    "blocktxn": h(1) + many([tx(), tx(witness=False)]),
    "getcfilters": struct.pack("<BI", 0, 800_000) + h(1),
    "cfilter": b"\0" + h(1) + var(b"\2" + h(3)[:6]),
    "getcfheaders": struct.pack("<BI", 0, 800_000) + h(1),
    "cfheaders": b"\0" + h(1) + h(2) + many([h(3), h(4)]),
    "getcfcheckpt": b"\0" + h(1),
    "cfcheckpt": b"\0" + h(1) + many([h(2), h(3)]),
    "wtxidrelay": b"",
    "sendtxrcncl": struct.pack("<IQ", 1, 99),
}
GOVERNANCE = ["econreg", "econveto", "econstat", "econfork", "getbanlist", "banlist"]


# Stratum V2

u16 = lambda n: struct.pack("<H", n)
u24 = lambda n: struct.pack("<I", n)[:3]
u32 = lambda n: struct.pack("<I", n)
u64 = lambda n: struct.pack("<Q", n)
short = lambda data: bytes([len(data)]) + data
long = lambda data: u16(len(data)) + data
few = lambda items: bytes([len(items)]) + b"".join(items)
lots = lambda items: u16(len(items)) + b"".join(items)
big = lambda data: u24(len(data)) + data
CHANNEL = 0x8000


def stratum(extension, kind, payload, length=None):
    return u16(extension) + bytes([kind]) + u24(len(payload) if length is None else length) + payload


def setup(protocol=0, least=2, most=2):
    texts = [b"vendor", b"hardware", b"firmware", b""]
    return bytes([protocol]) + u16(least) + u16(most) + u32(4) + short(b"pool.example") + u16(34254) + b"".join(map(short, texts))


SHARE = b"".join(map(u32, range(6)))
CUSTOM = u32(1) + u32(2) + short(b"token") + u32(0x20000000) + h(1) + u32(3) + u32(4) + u32(2) + short(b"\3\1\2\3") + u32(5) + long(b"outputs") + u32(0) + few([h(1), h(2)])
FRAMES = {
    "setup_connection": (0, 0x00, setup()),
    "setup_connection_success": (0, 0x01, u16(2) + u32(0)),
    "setup_connection_error": (0, 0x02, u32(0) + short(b"unsupported-protocol")),
    "channel_endpoint_changed": (CHANNEL, 0x03, u32(7)),
    "reconnect": (0, 0x04, short(b"pool.example") + u16(34254)),
    "open_standard_mining_channel": (0, 0x10, u32(1) + short(b"user.worker") + struct.pack("<f", 1e14) + h(1)),
    "open_standard_mining_channel_success": (0, 0x11, u32(1) + u32(2) + h(1) + short(b"\1\2\3\4") + u32(3)),
    "open_mining_channel_error": (0, 0x12, u32(1) + short(b"unknown-user")),
    "open_extended_mining_channel": (0, 0x13, u32(1) + short(b"user.worker") + struct.pack("<f", 1e14) + h(1) + u16(8)),
    "open_extended_mining_channel_success": (0, 0x14, u32(1) + u32(2) + h(1) + u16(8) + short(b"\1\2\3\4") + u32(3)),
    "new_mining_job": (CHANNEL, 0x15, u32(1) + u32(2) + few([u32(1_700_000_000)]) + u32(0x20000000) + h(1)),
    "new_future_mining_job": (CHANNEL, 0x15, u32(1) + u32(2) + few([]) + u32(0x20000000) + h(1)),
    "update_channel": (CHANNEL, 0x16, u32(1) + struct.pack("<f", 1e14) + h(1)),
    "update_channel_error": (CHANNEL, 0x17, u32(1) + short(b"invalid-channel-id")),
    "close_channel": (CHANNEL, 0x18, u32(1) + short(b"bye")),
    "set_extranonce_prefix": (CHANNEL, 0x19, u32(1) + short(bytes(32))),
    "submit_shares_standard": (CHANNEL, 0x1A, SHARE),
    "submit_shares_extended": (CHANNEL, 0x1B, SHARE + short(b"\1\2\3\4")),
    "submit_shares_extended_with_worker": (CHANNEL, 0x1B, SHARE + short(b"\1\2\3\4") + u16(2) + b"\1" + long(b"worker-1")),
    "submit_shares_success": (CHANNEL, 0x1C, u32(1) + u32(2) + u32(3) + u64(4)),
    "submit_shares_error": (CHANNEL, 0x1D, u32(1) + u32(2) + short(b"stale-share")),
    "new_extended_mining_job": (CHANNEL, 0x1F, u32(1) + u32(2) + few([]) + u32(0x20000000) + b"\1" + few([h(1), h(2)]) + long(b"prefix") + long(b"suffix")),
    "set_new_prev_hash": (CHANNEL, 0x20, u32(1) + u32(2) + h(1) + u32(3) + u32(4)),
    "set_target": (CHANNEL, 0x21, u32(1) + h(1)),
    "set_custom_mining_job": (0, 0x22, CUSTOM),
    "set_custom_mining_job_for_channel": (CHANNEL, 0x22, CUSTOM),
    "set_custom_mining_job_success": (CHANNEL, 0x23, u32(1) + u32(2) + u32(3)),
    "set_custom_mining_job_error": (CHANNEL, 0x24, u32(1) + u32(2) + short(b"invalid-mining-job-token")),
    "set_group_channel": (0, 0x25, u32(1) + lots([u32(2), u32(3)])),
    "allocate_mining_job_token": (0, 0x50, short(b"user") + u32(1)),
    "allocate_mining_job_token_success": (0, 0x51, u32(1) + short(b"token") + long(b"outputs")),
    "provide_missing_transactions": (0, 0x55, u32(1) + lots([u16(1), u16(2)])),
    "provide_missing_transactions_success": (0, 0x56, u32(1) + lots([big(tx()), big(tx(witness=False))])),
    "declare_mining_job": (0, 0x57, u32(1) + short(b"token") + u32(0x20000000) + long(b"prefix") + long(b"suffix") + lots([h(1), h(2)]) + long(b"")),
    "declare_mining_job_success": (0, 0x58, u32(1) + short(b"token")),
    "declare_mining_job_error": (0, 0x59, u32(1) + short(b"missing-txs") + long(b"")),
    "push_solution": (0, 0x60, short(bytes(8)) + h(1) + u32(1) + u32(2) + u32(3) + u32(4)),
    "coinbase_output_constraints": (0, 0x70, u32(100) + u16(4)),
    "new_template": (0, 0x71, u64(1) + b"\0" + u32(0x20000000) + u32(2) + short(b"\3\1\2\3") + u32(3) + u64(312_500_000) + u32(1) + long(b"outputs") + u32(0) + few([h(1)])),
    "set_new_prev_hash_of_template": (0, 0x72, u64(1) + h(1) + u32(2) + u32(3) + h(2)),
    "request_transaction_data": (0, 0x73, u64(1)),
    "request_transaction_data_success": (0, 0x74, u64(1) + long(b"") + lots([big(tx())])),
    "request_transaction_data_error": (0, 0x75, u64(1) + short(b"stale-template-id")),
    "submit_solution": (0, 0x76, u64(1) + u32(2) + u32(3) + u32(4) + long(tx())),
    "request_extensions": (1, 0x00, u16(1) + lots([u16(2)])),
    "request_extensions_success": (1, 0x01, u16(1) + lots([u16(2)])),
    "request_extensions_error": (1, 0x02, u16(1) + lots([u16(3)]) + lots([])),
}

JUNK = b"".join(h(n) for n in range(38))[:1200]
LYING_WITNESS = struct.pack("<i", 2) + b"\0\1\1" + h(1) + bytes(4) + b"\0" + bytes(4) + b"\1" + bytes(8) + b"\0" + compact(4_000_000) + compact(3_900_000)

UNKNOWN = {
    "nothing": b"",
    "one-byte": b"\xf9",
    "magic-alone": bytes.fromhex("f9beb4d9"),
    "header-alone": bitcoin("tx", tx())[:24],
    "custom-signet": bitcoin("version", VERSION, magic="7ec653a5"),
    "another-network": bitcoin("version", VERSION, magic="e3e1f3e8"),
    "alert": bitcoin("alert", JUNK),
    "upper-case-command": bitcoin("PING", COMMANDS["ping"]),
    "padding-not-zero": bitcoin("ping\0x", COMMANDS["ping"]),
    "ping-with-two-nonces": bitcoin("ping", COMMANDS["ping"] * 2),
    "verack-with-payload": bitcoin("verack", b"\0"),
    "wrong-checksum": bitcoin("ping", COMMANDS["ping"], checksum=bytes(4)),
    "length-too-short": bitcoin("tx", tx(), length=len(tx()) - 1),
    "length-too-long": bitcoin("tx", tx(), length=len(tx()) + 1),
    "length-of-all-ones": bitcoin("tx", tx(), length=0xFFFFFFFF),
    "byte-behind": bitcoin("ping", COMMANDS["ping"]) + b"\0",
    "two-messages": bitcoin("ping", COMMANDS["ping"]) + bitcoin("pong", COMMANDS["pong"]),
    "junk-in-tx": bitcoin("tx", JUNK),
    "junk-in-block": bitcoin("block", header(1) + JUNK),
    "junk-in-inv": bitcoin("inv", compact(33) + JUNK[: 33 * 36]),
    "junk-behind-tx": bitcoin("tx", tx() + JUNK),
    "lying-witness-count": bitcoin("tx", LYING_WITNESS),
    "lying-input-count": bitcoin("tx", struct.pack("<i", 2) + compact(90_000) + bytes(80)),
    "lying-transaction-count": bitcoin("block", header(1) + compact(100_000) + tx()),
    "lying-merkle-flags": bitcoin("merkleblock", header(1) + u32(1) + many([h(1)]) + compact(4_000_000)),
    "lying-inventory-count": bitcoin("inv", compact(50_000) + bytes(36)),
    "lying-64-bit-count": bitcoin("inv", b"\xff" + b"\xff" * 8 + bytes(36)),
    "count-not-minimal": bitcoin("inv", b"\xfd\1\0" + u32(1) + h(1)),
    "too-many-in-locator": bitcoin("getheaders", struct.pack("<I", 70016) + many([h(1)] * 102) + bytes(32)),
    "headers-with-transactions": bitcoin("headers", many([header(1) + b"\1"])),
    "transaction-without-inputs": bitcoin("tx", struct.pack("<i", 2) + b"\0\1\0\1" + bytes(8) + b"\0" + bytes(4)),
    "filter-of-unknown-type": bitcoin("cfilter", b"\1" + h(1) + var(b"\0")),
    "fee-beyond-all-money": bitcoin("feefilter", struct.pack("<Q", 21 * 10**14 + 1)),
    "reconciliation-version-0": bitcoin("sendtxrcncl", struct.pack("<IQ", 0, 99)),
    "governance-wrong-checksum": bitcoin("econveto", b"veto", checksum=bytes(4)),
    "governance-byte-behind": bitcoin("econveto", b"veto") + b"\0",
    "stratum-header-alone": stratum(0, 0x00, setup())[:6],
    "stratum-unknown-type": stratum(0, 0x40, bytes(8)),
    "stratum-unknown-extension": stratum(9, 0x00, bytes(8)),
    "stratum-channel-bit-missing": stratum(0, 0x1A, SHARE),
    "stratum-channel-bit-too-many": stratum(CHANNEL, 0x00, setup()),
    "stratum-unknown-protocol": stratum(0, 0x00, setup(protocol=3)),
    "stratum-version-1": stratum(0, 0x00, setup(least=1)),
    "stratum-version-3": stratum(0, 0x00, setup(most=3)),
    "stratum-length-too-short": stratum(CHANNEL, 0x1A, SHARE, length=23),
    "stratum-length-too-long": stratum(CHANNEL, 0x1A, SHARE, length=25),
    "stratum-byte-in-fields": stratum(CHANNEL, 0x1A, SHARE + b"\0"),
    "stratum-byte-behind": stratum(CHANNEL, 0x1A, SHARE) + b"\0",
    "stratum-junk-in-transactions": stratum(0, 0x74, u64(1) + long(b"") + u16(3) + JUNK),
    "stratum-long-worker": stratum(CHANNEL, 0x1B, SHARE + short(b"") + u16(2) + b"\1" + long(bytes(33))),
    "random-64": b"".join(h(n) for n in (90, 91)),
    "random-4159": (JUNK * 4)[:4159],
    "mesh-alone": b"MESH",
    "mesh-version-0": b"MESH\0" + bytes(64),
    "mesh-version-2": b"MESH\2" + bytes(64),
    "text": b"GET / HTTP/1.1\r\n\r\n",
}


def main():
    for old in OUT.glob("*.bin"):
        old.unlink()
    files = {f"bitcoin-{command}": bitcoin(command, payload) for command, payload in COMMANDS.items()}
    files |= {f"bitcoin-ping-{net}": bitcoin("ping", COMMANDS["ping"], magic) for net, magic in MAGICS.items()}
    files |= {f"governance-{command}": bitcoin(command, f"{command} of the corpus".encode()) for command in GOVERNANCE}
    files["governance-empty"] = bitcoin("getbanlist", b"")
    files |= {f"stratum-{name}": stratum(*frame) for name, frame in FRAMES.items()}
    files["mesh-version-1"] = b"MESH\1" + bytes(64)
    files |= {f"unknown-{name}": data for name, data in UNKNOWN.items()}
    for name, data in files.items():
        (OUT / f"{name}.bin").write_bytes(data)


main()
