"""Reads and writes files of the quarantine by docs/quarantine.md alone, without Whimbrel.

another_reader.py read KEY_FILE FOLDER SHA256      writes the original to standard output
another_reader.py write KEY_FILE FOLDER            keeps what comes on standard input
"""

import hashlib
import hmac
import os
import sys

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"WHIMQUAR\x01"
FRAME = 65536


def derived(key, salt, purpose):
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=purpose).derive(key)


def main():
    verb, key_file, folder = sys.argv[1:4]
    with open(key_file, "rb") as file:
        key = file.read()
    assert len(key) == 32
    names = derived(key, None, b"whimbrel quarantine 1 names")
    with open(os.path.join(folder, "key-id")) as file:
        key_id = hmac.new(names, b"whimbrel quarantine 1 key-id", hashlib.sha256).hexdigest()[:32]
        assert file.read() == key_id + "\n", "key-id"

    original = sys.stdin.buffer.read() if verb == "write" else None
    digest = hashlib.sha256(original).digest() if verb == "write" else bytes.fromhex(sys.argv[4])
    name = hmac.new(names, digest, hashlib.sha256)
    path = os.path.join(folder, name.hexdigest()[:2], name.hexdigest()[2:])

    def parts(salt):
        aead = ChaCha20Poly1305(derived(key, salt, b"whimbrel quarantine 1 item"))
        return aead, lambda number: number.to_bytes(12, "big"), lambda last: name.digest() + bytes([last])

    if verb == "write":
        salt = os.urandom(32)
        aead, nonce, bound = parts(salt)
        frames = [original[at : at + FRAME] for at in range(0, len(original), FRAME)] or [b""]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(MAGIC + salt)
            for number, frame in enumerate(frames):
                file.write(aead.encrypt(nonce(number), frame, bound(number == len(frames) - 1)))
        return

    with open(path, "rb") as file:
        kept = file.read()
    assert kept[:9] == MAGIC
    aead, nonce, bound = parts(kept[9:41])
    sealed = [kept[at : at + FRAME + 16] for at in range(41, len(kept), FRAME + 16)]
    original = b"".join(
        aead.decrypt(nonce(number), frame, bound(number == len(sealed) - 1)) for number, frame in enumerate(sealed)
    )
    assert hashlib.sha256(original).digest() == digest
    sys.stdout.buffer.write(original)


main()
