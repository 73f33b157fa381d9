"""Checks manifests by docs/manifest.md alone, without Whimbrel.

manifest_check.py FILE [--key KEY]           a manifest, one with roots only, or a proof: says what is wrong, exit 1 if anything is
manifest_check.py PROOF --message FILE       and whether the file is the item of the proof
manifest_check.py FILE --alter [COUNT]       alters COUNT bytes of each line (all, when left out), one at a time: each must be found
"""

import argparse
import hashlib
import json
import random
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FATES = ["copied", "adopted", "excluded", "failed", "held", "withdrawn"]
COUNTS = ["items", "source", *FATES, "leftover"]
DIGITS = set("0123456789abcdef")

# Of each kind of line its keys in their order; "?" marks those that may be left out.
KEYS = {
    "manifest": ["version", "organisation", "name", "project", "policy", "program", "only?", "begun", "key"],
    "proof": ["version", "item", "mailbox", "collection"],
    "who": ["salt", "source", "target", "in_use"],
    "item": [
        "salt", "fate", "kind", "folder", "validity", "id", "received?", "source", "how?", "rule?", "policy?",
        "accepted?", "sent?", "target?",
    ],
    "mailbox": ["who", "read?", "folders", "folders_read", "counts", "root"],
    "collection": ["name", "mailboxes", "counts", "root"],
    "project": ["collections", "mailboxes", "counts", "ended", "root"],
}
ACCOUNT = ["endpoint", "kind", "name"]
HELD = ["size?", "sha256?", "canonical1?", "flags?"]
THERE = ["folder", "validity", "id?", "sha256?", "received?", "flags?"]
PATH = ["index", "size", "path"]


class Wrong(Exception):
    pass


def need(is_so, what):
    if not is_so:
        raise Wrong(what)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf(line):
    return sha(b"\0", line)


def node(left, right):
    return sha(b"\1", left, right)


def root(hashes):
    if not hashes:
        return sha()
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node(root(hashes[:k]), root(hashes[k:]))


def root_by_path(hash_, index, size, path):
    """RFC 9162, section 2.1.3.2."""
    need(0 <= index < size, "the index is beyond the tree")
    number, last = index, size - 1
    for other in path:
        need(last != 0, "the path is too long")
        if number & 1 or number == last:
            hash_ = node(other, hash_)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            hash_ = node(hash_, other)
        number >>= 1
        last >>= 1
    need(last == 0, "the path is too short")
    return hash_


def is_hex(text, size):
    return isinstance(text, str) and len(text) == 2 * size and set(text) <= DIGITS


def whole(value, low=0, high=2**64 - 1):
    return type(value) is int and low <= value <= high


def keys(said, expected, what):
    known = [key.rstrip("?") for key in expected]
    need(isinstance(said, dict) and all(key in known for key in said), f"{what} has other keys")
    need([key for key in known if key in said] == list(said), f"{what} has keys out of their places")
    need(all(key.endswith("?") or key in said for key in expected), f"{what}: something is missing")


def held(said, what):
    keys(said, HELD, what)
    need("size" not in said or whole(said["size"]), f"{what}: size")
    need("sha256" not in said or is_hex(said["sha256"], 32), f"{what}: sha256")
    need("canonical1" not in said or said["canonical1"] == "same" or is_hex(said["canonical1"], 32), f"{what}: canonical1")
    need("flags" not in said or is_hex(said["flags"], 16), f"{what}: flags")


def short(said, what):
    need(isinstance(said, str) and len(said.encode()) <= 1 << 10, f"{what} is no name, or too long")


def names(said, what):
    need(isinstance(said, list) and said and all(isinstance(name, str) for name in said), f"{what} is not a path")


def id_bytes(said):
    if whole(said, 0, 2**32 - 1):
        return said.to_bytes(4, "big")
    need(isinstance(said, str), "the id is neither number nor text")
    if not said.startswith("x:"):
        written = said.encode()
        need(len(written) != 4, "an id of 32 bits is a number")
        return written
    need(len(said) % 2 == 0 and set(said[2:]) <= DIGITS, "the id is not hexadecimal")
    written = bytes.fromhex(said[2:])
    need(len(written) != 4, "an id of 32 bits is a number")
    try:
        need(written.decode().startswith("x:"), "an id that is text is written as text")
    except UnicodeDecodeError:
        pass
    return written


def read(number, line):
    """The kind of a line and what it says."""
    try:
        need(len(line) <= 1 << 20, "it is too long")
        said = json.loads(line.decode())
        need(isinstance(said, dict) and len(said) == 1, "it is not an object with one key")
        written = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        need(written == line, "it is not written in the one way")
        (kind, said), = said.items()
        if kind == "signature":
            need(is_hex(said, 64), "the signature is not 64 bytes")
            return kind, said
        need(kind in KEYS, f"there is no line {kind!r}")
        keys(said, KEYS[kind], kind)
        need("version" not in said or (said["version"] == 1 and type(said["version"]) is int), "it is of another version")
        for key in ("begun", "ended", "received", "read"):
            need(key not in said or whole(said[key], -(2**63), 2**63 - 1), key)
        for key in ("folders", "folders_read", "collections", "mailboxes", "validity"):
            need(key not in said or whole(said[key]), key)
        for key in ("root", "key"):
            need(key not in said or is_hex(said[key], 32), key)
        for key in ("how", "rule", "policy", "program", "organisation", "project"):
            if key in said:
                short(said[key], key)
        need("salt" not in said or is_hex(said["salt"], 16), "salt")
        if "counts" in said:
            keys(said["counts"], COUNTS, "counts")
            need(all(whole(count) for count in said["counts"].values()), "counts")
        if kind == "manifest":
            short(said["name"], "name")
            only = said.get("only")
            need(only is None or (isinstance(only, list) and only), "only")
            for chosen in only or []:
                short(chosen, "only")
        elif kind == "who":
            for side in ("source", "target"):
                keys(said[side], ACCOUNT, side)
                for value in said[side].values():
                    short(value, side)
            need(type(said["in_use"]) is bool, "in_use")
        elif kind == "item":
            need(said["fate"] in [*FATES, "leftover"], "fate")
            short(said["kind"], "kind")
            names(said["folder"], "folder")
            id_bytes(said["id"])
            held(said["source"], "source")
            need(said.get("accepted", True) is True, "accepted")
            if "sent" in said:
                held(said["sent"], "sent")
            if "target" in said:
                there = said["target"]
                keys(there, THERE, "target")
                names(there["folder"], "target")
                need(whole(there["validity"]), "target: validity")
                if "id" in there:
                    id_bytes(there["id"])
                need("sha256" not in there or is_hex(there["sha256"], 32), "target: sha256")
                need("flags" not in there or is_hex(there["flags"], 16), "target: flags")
        elif kind == "mailbox":
            need(is_hex(said["who"], 32), "who")
        elif kind == "collection":
            if said["name"] is not None:
                short(said["name"], "name")
        elif kind == "proof":
            for level in ("item", "mailbox", "collection"):
                keys(said[level], PATH, level)
                need(whole(said[level]["index"]) and whole(said[level]["size"]), level)
                path = said[level]["path"]
                need(isinstance(path, list) and all(is_hex(hash_, 32) for hash_ in path), level)
        return kind, said
    except (Wrong, ValueError, RecursionError) as error:
        raise Wrong(f"line {number} is not as it was written: {error}") from None


def lines_of(data):
    lines = data.split(b"\n")
    need(lines.pop() == b"", "the last line does not end: the file was cut off")
    need(lines, "the file is empty")
    return lines


def signed(head, project, signature, key):
    own = json.loads(head)["manifest"]["key"]
    need(key is None or own == key, f"the signature is by {own}, not by {key}")
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(own))
    try:
        public.verify(bytes.fromhex(signature), b"whimbrel manifest 1\n" + head + b"\n" + project + b"\n")
    except InvalidSignature:
        raise Wrong("the signature is not of these lines by this key") from None
    return own


def place(item):
    folder = [name.encode() for name in item["folder"]]
    return item["fate"] == "leftover", folder, item["kind"].encode(), item["validity"], id_bytes(item["id"])


def add(sums, counts):
    for name in COUNTS:
        sums[name] += counts[name]


def check(data, key=None):
    """Checks a manifest, whole or roots only. What it is about, in a sentence."""
    lines = lines_of(data)
    nothing = dict.fromkeys(COUNTS, 0)
    items, mailboxes, collections = [], [], []
    in_mailbox, in_collection, in_project = dict(nothing), dict(nothing), dict(nothing)
    who = last_item = last_mailbox = last_collection = has_items = None
    mailbox_count, not_read, sums = 0, 0, []
    expected = {"manifest"}
    for number, line in enumerate(lines, 1):
        kind, said = read(number, line)
        need(kind in expected, f"line {number} ({kind}) is out of its place, or lines before it are missing")
        if kind == "manifest":
            expected = {"who", "mailbox", "collection", "project"}
        elif kind == "who":
            need(has_items is not False, f"line {number}: no mailbox before it has items")
            has_items, who, last_item = True, leaf(line), None
            expected = {"item", "mailbox"}
        elif kind == "item":
            need(last_item is None or last_item < place(said), f"line {number} stands twice, or changed places")
            last_item = place(said)
            items.append(leaf(line))
            in_mailbox["items"] += 1
            in_mailbox[said["fate"]] += 1
        elif kind == "mailbox":
            counts = said["counts"]
            if who is None:
                need(not has_items, f"line {number}: the items of this mailbox are missing")
                has_items = False
            else:
                need(who.hex() == said["who"], f"line {number} ends another mailbox than the one that began")
                need(root(items).hex() == said["root"], f"line {number}: the items give another root")
                need(counts == {**in_mailbox, "source": counts["source"]}, f"line {number}: the items give other counts")
            total = sum(counts[fate] for fate in FATES)
            if counts["source"] != total:
                sums.append(number)
            need(last_mailbox is None or last_mailbox < said["who"], f"line {number} stands twice, or changed places")
            last_mailbox, who, items, in_mailbox = said["who"], None, [], dict(nothing)
            add(in_collection, counts)
            mailboxes.append(leaf(line))
            mailbox_count += 1
            not_read += "read" not in said or said["folders_read"] != said["folders"]
            expected = {"who", "mailbox", "collection"}
        elif kind == "collection":
            need(root(mailboxes).hex() == said["root"], f"line {number}: the mailboxes give another root")
            need(said["mailboxes"] == len(mailboxes), f"line {number}: there are {len(mailboxes)} mailboxes")
            need(said["counts"] == in_collection, f"line {number}: the mailboxes give other counts")
            name = (said["name"] is not None, (said["name"] or "").encode())
            need(last_collection is None or last_collection < name, f"line {number} stands twice, or changed places")
            last_collection, last_mailbox, mailboxes, in_collection = name, None, [], dict(nothing)
            add(in_project, said["counts"])
            collections.append(leaf(line))
            expected = {"who", "mailbox", "collection", "project"}
        elif kind == "project":
            need(not mailboxes, f"line {number}: the last collection does not end")
            need(root(collections).hex() == said["root"], f"line {number}: the collections give another root")
            need(said["collections"] == len(collections), f"line {number}: there are {len(collections)} collections")
            need(said["mailboxes"] == mailbox_count, f"line {number}: there are {mailbox_count} mailboxes")
            need(said["counts"] == in_project, f"line {number}: the collections give other counts")
            expected = {"signature"}
        elif kind == "signature":
            expected = set()
    need(not expected, "the last line is not the signature: the file was cut off")
    own = signed(lines[0], lines[-2], json.loads(lines[-1])["signature"], key)
    need(not sums, f"it was signed so: of line {sums and sums[0]} not every item of the source has a fate")
    form = "whole" if has_items else "roots"
    unread = f" ({not_read} not read to the end)" if not_read else ""
    return f"{form}: {in_project['items']} items of {mailbox_count} mailboxes{unread}, signed by {own}"


PROOF = ["proof", "manifest", "who", "item", "mailbox", "collection", "project", "signature"]


def check_proof(data, key=None, message=None):
    """Checks the proof of one item. What it is about, in a sentence."""
    lines = lines_of(data)
    need(len(lines) == len(PROOF), f"a proof has {len(PROOF)} lines, this has {len(lines)}")
    said = {}
    for number, (line, expected) in enumerate(zip(lines, PROOF), 1):
        kind, said[expected] = read(number, line)
        need(kind == expected, f"line {number} is {kind!r}, not {expected!r}")
    need(leaf(lines[2]).hex() == said["mailbox"]["who"], "the mailbox is another person's")
    sizes = [said["mailbox"]["counts"]["items"], said["collection"]["mailboxes"], said["project"]["collections"]]
    for place_, size, below, above in zip((3, 4, 5), sizes, PROOF[3:6], PROOF[4:7]):
        path = said["proof"][below]
        need(path["size"] == size, f"the {above} has {size} of {below}, the path {path['size']}")
        hashes = [bytes.fromhex(hash_) for hash_ in path["path"]]
        found = root_by_path(leaf(lines[place_]), path["index"], path["size"], hashes)
        need(found.hex() == said[above]["root"], f"the {below} is not in the {above}")
    own = signed(lines[1], lines[6], said["signature"], key)
    item = said["item"]
    sentence = f"proof: {item['fate']}, signed by {own}"
    if message is not None:
        digests = {item[form]["sha256"] for form in ("source", "sent", "target") if "sha256" in item.get(form, {})}
        forms = [message] + ([message.replace(b"\n", b"\r\n")] if b"\r" not in message else [])
        need(any(hashlib.sha256(form).hexdigest() in digests for form in forms), "the message is another one")
        sentence += "; the message is it"
    return sentence


def check_any(data, key=None, message=None):
    if data.startswith(b'{"proof"'):
        return check_proof(data, key, message)
    need(message is None, "a message is compared with a proof")
    return check(data, key)


def alter(data, count):
    """Alters bytes, one at a time: how many. Each must be found."""
    chance, done, start = random.Random(20261126), 0, 0
    for line in data.splitlines(keepends=True):
        places = range(len(line))
        if count and count < len(line):
            places = chance.sample(places, count)
        for place_ in places:
            at = start + place_
            for other in {data[at] ^ 1, chance.randrange(256)} - {data[at]}:
                try:
                    check_any(data[:at] + bytes([other]) + data[at + 1 :])
                except Wrong:
                    done += 1
                else:
                    raise Wrong(f"the byte {other:#x} at {at} was not found")
        start += len(line)
    return f"{done} altered bytes found"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("file")
    arguments.add_argument("--key")
    arguments.add_argument("--message")
    arguments.add_argument("--alter", nargs="?", type=int, const=0)
    given = arguments.parse_args()
    with open(given.file, "rb") as file:
        data = file.read()
    message = None
    if given.message:
        with open(given.message, "rb") as file:
            message = file.read()
    try:
        print(check_any(data, given.key, message))
        if given.alter is not None:
            print(alter(data, given.alter))
    except Wrong as wrong:
        print(wrong)
        sys.exit(1)


main()
