#!/usr/bin/env python3
"""Writes the golden vectors of quotes, from docs/payment.md alone.

It shares no code with the crate. So when the crate agrees with quotes.json, two implementations agree.

    generate.py            writes quotes.json beside this script
    generate.py --check    compares it with what it would write, and fails on any difference
"""

import hashlib
import hmac
import json
import pathlib
import sys

FILE = pathlib.Path(__file__).resolve().parent / "quotes.json"
PREFIX = "mesh-quote:1:"
LAST_SECOND = (2**64 - 1) // 1000
MOST_MSAT = (2**24 - 1) * 1000


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def quote(name, secret, network, payer, payee, amount_msat, expires_at, price_epoch, nonce):
    key = mac(secret, b"blvm-mesh/1/quote-key")
    if network:
        key = mac(key, b"blvm-mesh/1/network/", network.encode())
    fields = b"".join(
        [
            payer,
            payee,
            amount_msat.to_bytes(8, "big"),
            expires_at.to_bytes(8, "big"),
            price_epoch.to_bytes(4, "big"),
            nonce,
        ]
    )
    assert len(fields) == 100
    tag = mac(key, b"blvm-mesh/1/quote-tag", fields)[:16]
    return {
        "name": name,
        "secret": secret.hex(),
        "network": network,
        "payer": payer.hex(),
        "payee": payee.hex(),
        "amount_msat": amount_msat,
        "expires_at": expires_at,
        "price_epoch": price_epoch,
        "nonce": nonce.hex(),
        "text": PREFIX + (fields + tag).hex(),
        "preimage": mac(key, b"blvm-mesh/1/preimage", fields).hex(),
    }


def good():
    ours = (b"\x01" * 32, "regtest", b"\xaa" * 32, b"\x01" * 32)
    ascending, descending = bytes(range(32)), bytes(range(255, 223, -1))
    yield quote("usual", *ours, 5_000_000, 1_790_000_600, 7, b"\x09" * 16)
    yield quote("least", *ours, 1_000, 600, 0, bytes(16))
    yield quote("most", *ours, MOST_MSAT, LAST_SECOND, 2**32 - 1, b"\xff" * 16)
    for network in [None, "bitcoin", "testnet", "testnet4", "signet", "regtest"]:
        yield quote(
            f"on {network}" if network else "on no network of its own",
            descending,
            network,
            ascending,
            descending,
            123_456_000,
            1_790_000_601,
            0x01020304,
            bytes(range(16, 32)),
        )


def malformed(text):
    hexadecimal = text[len(PREFIX) :]
    at = 2 * 72
    late = (LAST_SECOND + 1).to_bytes(8, "big").hex()
    return {
        "empty": "",
        "no prefix": hexadecimal,
        "next version": text.replace(":1:", ":2:"),
        "upper-case prefix": PREFIX.upper() + hexadecimal,
        "upper-case hex": PREFIX + hexadecimal.upper(),
        "one character short": text[:-1],
        "one byte short": text[:-2],
        "one byte long": text + "00",
        "leading space": " " + text,
        "trailing newline": text + "\n",
        "no hex digit": PREFIX + "g" + hexadecimal[1:],
        "wide characters of the right length in bytes": PREFIX + "é" + hexadecimal[2:],
        "expiry beyond any clock": PREFIX + hexadecimal[:at] + late + hexadecimal[at + 16 :],
        "expiry of all ones": PREFIX + hexadecimal[:at] + "f" * 16 + hexadecimal[at + 16 :],
    }


def main():
    quotes = list(good())
    bad = [{"name": name, "text": text} for name, text in malformed(quotes[0]["text"]).items()]
    vectors = {"good": quotes, "malformed": bad}
    content = json.dumps(vectors, indent=1, ensure_ascii=True) + "\n"
    count = len(quotes) + len(bad)
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != content:
            sys.exit("quotes.json differs from what generate.py writes")
        print(f"{count} vectors agree")
    else:
        FILE.write_text(content)
        print(f"{count} vectors written")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    main()
