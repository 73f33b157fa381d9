#!/usr/bin/env python3
"""The independent judge: are two sides' mailboxes the same?

    judge.py [--only-source-subset] [--person NAME]... PEOPLE.json

It reads both sides in full, now, over IMAP with Python's imaplib or as plain files, and compares for each folder the
multisets of (SHA-256 of the bytes in wire form, INTERNALDATE as an instant, flags without \\Recent, keywords without case),
and the folder trees, empty folders too. It shares no code with the program it judges, knows nothing of its ledger, and
needs nothing but Python 3.11. Bodies are digested as they are read and never kept, so the memory it needs grows with the
number of items in the largest folder (about a kilobyte each), not with their sizes.

PEOPLE.json:

    { "source": { "kind": "imap", "host": "127.0.0.1", "port": 143, "tls": "none", "user": "admin", "password": "x" },
      "target": { "kind": "maildir" },
      "people": [ { "name": "alice", "source": { "authzid": "alice" }, "target": { "path": "/archive/alice" } } ] }

What a person's side lacks is taken from the side of the same name at the top. Keys of a side:

    kind              "imap", "maildir", "mbox" or "eml"
    host, port        where the server is
    tls, ca_file      "none", "starttls" or "implicit"; a file with the authority to trust
    user, password    who logs in
    authzid           whose mailbox, by SASL PLAIN
    master_for        whose mailbox, by logging in as master_for + master_separator ("*") + user
    path              the maildir (Maildir++: folders are directories that begin with a dot), the mbox files (mboxrd, folders
                      below NAME in NAME.sbd), or the tree of .eml files with its side files
    keywords          "dovecot", "courier" or "both" (as is taken when it is left out): where a maildir's keywords are

A person may have "renamed": [[["a", "b"], ["a_b"]], ...], folders that the pair's loss table or a rule gives another name on
the target; several may have one. Only the person's own namespace is read, and no views (\\All, \\Flagged, \\Important), whose items lie elsewhere.

The verdict goes to standard output as JSON, and as one sentence to standard error. With --only-source-subset the target may
hold more than the source, as one does that is lived in. Ends with 0 when all are equal, 1 when they differ, 2 when anybody
could not be compared.
"""

import argparse
import calendar
import collections
import concurrent.futures
import datetime
import email.utils
import hashlib
import imaplib
import json
import mailbox
import os
import re
import ssl
import sys
import urllib.parse

SCHEMA = "judge/1"
CHUNK = 1 << 20
# Message-IDs are looked for in this much of a message.
HEADER_MAX = 64 * 1024
# A server that says nothing for so long is taken to be gone.
SILENCE_SECONDS = 300


class CannotCompare(Exception):
    """A side could not be read in full."""


# What keeps some servers from taking a message as it is.
TRAITS = ("nul", "bare_cr", "mixed_line_ends", "eight_bit_header", "broken_header")

# What a message is: `where` is its UID or its file.
Item = collections.namedtuple("Item", "sha date flags where message_id traits")


class Digest:
    """Reads a message's bytes once and keeps what matters of them."""

    def __init__(self):
        self.sha = hashlib.sha256()
        self.cr = self.lf = self.crlf = 0
        self.nul = False
        self.last = b""
        self.head = b""

    def update(self, chunk):
        self.sha.update(chunk)
        self.cr += chunk.count(b"\r")
        self.lf += chunk.count(b"\n")
        self.crlf += chunk.count(b"\r\n") + (self.last == b"\r" and chunk[:1] == b"\n")
        self.nul = self.nul or b"\0" in chunk
        self.last = chunk[-1:] or self.last
        if len(self.head) < HEADER_MAX:
            self.head += chunk[: HEADER_MAX - len(self.head)]

    def finish(self):
        """SHA-256, Message-ID, traits; after this the digest takes no more."""
        ends = self.head.endswith(b"\n")
        header, *rest = re.split(rb"^\r?\n|\r?\n\r?\n", self.head, maxsplit=1)
        self.head = b""
        found = re.search(rb"(?im)^message-id:[ \t]*(?:\r?\n[ \t]+)?(\S[^\r\n]*)", header)
        traits = tuple(
            name
            for name, has in (
                ("nul", self.nul),
                ("bare_cr", self.cr > self.crlf),
                ("mixed_line_ends", self.lf > self.crlf),
                ("eight_bit_header", any(byte > 127 for byte in header)),
                ("broken_header", is_broken(header) or not (rest or ends)),
            )
            if has
        )
        return self.sha.digest(), found and found[1].strip(), traits


def is_broken(header):
    """Is there a line that neither is a header field nor goes on with one? Lines of an mbox that begin with From pass."""
    field = re.compile(rb"[^\x00-\x20:]+:|[ \t]|From ")
    return any(not field.match(line) for line in re.split(rb"\r?\n", header) if line)


# Folder names


def decode_name(raw):
    """A name in modified UTF-7 (RFC 3501 section 5.1.3) as Unicode; one that is not well written as it stands."""
    text, at = [], 0
    try:
        while at < len(raw):
            if raw[at : at + 1] != b"&":
                end = raw.find(b"&", at)
                end = len(raw) if end < 0 else end
                text.append(raw[at:end].decode("utf-8"))
                at = end
                continue
            end = raw.index(b"-", at)
            digits = raw[at + 1 : end]
            text.append("&" if not digits else decode_base64(digits).decode("utf-16-be"))
            at = end + 1
    except ValueError:
        return raw.decode("utf-8", "backslashreplace")
    return "".join(text)


def decode_base64(digits):
    """The base64 of folder names: a comma for the slash, no padding."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,"
    number = bits = 0
    out = bytearray()
    for digit in digits:
        number = number << 6 | alphabet.index(digit)
        bits += 6
        if bits >= 8:
            bits -= 8
            out.append(number >> bits)
            number &= (1 << bits) - 1
    return bytes(out)


def path_of(segments):
    """A folder's path; INBOX is one name in any case."""
    path = tuple(decode_name(segment) for segment in segments)
    return ("INBOX",) + path[1:] if path[0].upper() == "INBOX" else path


# IMAP


class Digesting:
    """Added to imaplib's client: literals are digested as they come while `digesting` is set."""

    digesting = False

    def read(self, size):
        if not self.digesting:
            return super().read(size)
        digest = Digest()
        while size:
            chunk = self.file.read(min(size, CHUNK))
            if not chunk:
                raise self.abort("the connection ended inside a message")
            digest.update(chunk)
            size -= len(chunk)
        return digest.finish()


class Client(Digesting, imaplib.IMAP4):
    pass


class TlsClient(Digesting, imaplib.IMAP4_SSL):
    pass


# What a line of a server consists of: parentheses, quoted strings, words.
TOKEN = re.compile(rb'\(|\)|"((?:[^"\\]|\\.)*)"|[^\s()"]+')


def tokens(line):
    """Words as bytes, strings as (bytes,), parentheses as lists."""
    stack = [[]]
    for found in TOKEN.finditer(line):
        word = found[0]
        if word == b"(":
            stack.append([])
        elif word == b")":
            inner = stack.pop()
            if not stack:
                raise CannotCompare(f"parentheses that don't match: {line!r}")
            stack[-1].append(inner)
        elif found[1] is not None:
            stack[-1].append((re.sub(rb"\\(.)", rb"\1", found[1]),))
        else:
            stack[-1].append(word)
    if len(stack) != 1:
        raise CannotCompare(f"parentheses that don't match: {line!r}")
    return stack[0]


def lines(data):
    """The lines of an answer as imaplib gives it, with literals written as quoted strings."""
    text = b""
    for part in data:
        if isinstance(part, tuple):
            text += part[0][: part[0].rindex(b"{")] + quoted(part[1])
        elif part is not None:
            if text + part:
                yield text + part
            text = b""


def quoted(name):
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def unix_time(text):
    """The instant of an INTERNALDATE: `17-Jul-1996 02:44:25 -0700`."""
    found = re.fullmatch(r" ?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", text)
    if not found:
        raise CannotCompare(f"not a date: {text!r}")
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
    months = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
    local = calendar.timegm((int(year), months.index(month.lower()) + 1, int(day), int(hour), int(minute), int(second)))
    offset = (int(zone_hours) * 60 + int(zone_minutes)) * 60
    return local - offset if sign == "+" else local + offset


BODY = re.compile(rb'BODY\[\] (NIL|"(?:[^"\\]|\\.)*")', re.IGNORECASE)
UID = re.compile(rb"\bUID\s+(\d+)", re.IGNORECASE)
FLAGS = re.compile(rb"\bFLAGS\s+\(([^)]*)\)", re.IGNORECASE)
DATE = re.compile(rb'\bINTERNALDATE\s+"([^"]*)"', re.IGNORECASE)


class Imap:
    """A mailbox on a server."""

    def __init__(self, side):
        self.flag_sets = {}
        context = None
        if side.get("tls", "none") != "none":
            context = ssl.create_default_context(cafile=side.get("ca_file"))
        address = (side["host"], side["port"])
        if side.get("tls") == "implicit":
            self.imap = TlsClient(*address, ssl_context=context, timeout=SILENCE_SECONDS)
        else:
            self.imap = Client(*address, timeout=SILENCE_SECONDS)
        if side.get("tls") == "starttls":
            self.imap.starttls(context)
        self.log_in(side)

    def log_in(self, side):
        user, password = side["user"], side["password"]
        if "master_for" in side:
            user = side["master_for"] + side.get("master_separator", "*") + user
        if "AUTH=PLAIN" in self.imap.capabilities:
            words = "\0".join((side.get("authzid", ""), user, password)).encode()
            self.imap.authenticate("PLAIN", lambda _: words)
        elif side.get("authzid"):
            raise CannotCompare("the server does not offer PLAIN, so nobody logs in for others")
        else:
            self.ask(self.imap.login(quoted(user.encode()), password))

    def ask(self, answer):
        status, data = answer
        if status != "OK":
            raise CannotCompare(b" ".join(part for part in data if isinstance(part, bytes)).decode("utf-8", "replace"))
        return data

    def namespaces(self):
        """Prefixes of the person's own folders, and of everybody else's."""
        offers = self.ask(self.imap.capability())[-1].upper().split()
        if b"NAMESPACE" not in offers:
            return [b""], []
        kinds = tokens(next(lines(self.ask(self.imap.namespace()))))
        prefixes = [[one[0][0] for one in kind] if isinstance(kind, list) else [] for kind in kinds]
        return prefixes[0] or [b""], [prefix for kind in prefixes[1:] for prefix in kind]

    def folders(self):
        """Path: the name to open it by, or none for a name that only has folders below it."""
        own, others = self.namespaces()
        found = {}
        for line in lines(self.ask(self.imap.list('""', '"*"'))):
            attributes, separator, name = tokens(line)[:3]
            name = name[0] if isinstance(name, tuple) else name
            separator = separator[0] if isinstance(separator, tuple) else None
            is_inbox = name.upper() == b"INBOX"
            prefix = max((p for p in own + others if name.startswith(p)), key=len, default=None)
            if not is_inbox:
                if prefix is None or prefix not in own:
                    continue
                name_below = name[len(prefix) :]
            else:
                name_below = name
            attributes = {attribute.lower() for attribute in attributes}
            if not name_below or attributes & {b"\\all", b"\\flagged", b"\\important"}:
                continue
            path = path_of(name_below.split(separator) if separator else [name_below])
            is_folder = not attributes & {b"\\noselect", b"\\nonexistent"}
            found[path] = name if is_folder else found.get(path)
        return found

    def items(self, name):
        """Every message of a folder."""
        exists = int(self.ask(self.imap.select(quoted(name), readonly=True))[0])
        if not exists:
            return []
        self.imap.digesting = True
        try:
            data = self.ask(self.imap.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])"))
        finally:
            self.imap.digesting = False
        items, text, body = {}, b"", None
        for part in data:
            if isinstance(part, tuple):
                text, body = text + part[0], part[1]
                continue
            if part is None:
                continue
            text += part
            if body is None and (found := BODY.search(text)):
                body = self.small_body(found[1])
                text = text[: found.start()] + text[found.end() :]
            if body is not None:
                item = self.item(text, body)
                items[item.where] = item
            # One without a body only tells of flags; should a body be missing, the numbers below tell.
            text, body = b"", None
        if len(items) != exists:
            raise CannotCompare(f"{name!r} has {exists} messages, of which {len(items)} were read")
        return list(items.values())

    def small_body(self, value):
        """A body that came as a quoted string."""
        if value.upper() == b"NIL":
            raise CannotCompare("a message came without its body")
        digest = Digest()
        digest.update(re.sub(rb"\\(.)", rb"\1", value[1:-1]))
        return digest.finish()

    def item(self, text, body):
        sha, message_id, traits = body
        flags = FLAGS.search(text)
        # A keyword may be called as an item is.
        rest = text[: flags.start()] + text[flags.end() :] if flags else text
        uid, date = UID.search(rest), DATE.search(rest)
        if not (uid and flags and date):
            raise CannotCompare(f"an answer lacks what was asked for: {text!r}")
        return Item(sha, unix_time(date[1].decode()), self.flags(flags[1]), int(uid[1]), message_id, traits)

    def flags(self, text):
        # Few sets of flags are shared by many messages.
        if text not in self.flag_sets:
            names = frozenset(name.decode("utf-8", "backslashreplace").lower() for name in text.split())
            self.flag_sets[text] = names - {"\\recent"}
        return self.flag_sets[text]

    def close(self):
        try:
            self.imap.logout()
        except (OSError, imaplib.IMAP4.error):
            # All was read; how the server takes leave changes nothing.
            pass


# Maildir

LETTERS = {"D": "\\draft", "F": "\\flagged", "R": "\\answered", "S": "\\seen", "T": "\\deleted", "P": "$forwarded"}


class Maildir:
    """A mailbox as files: Maildir++ with the keywords of Dovecot or Courier."""

    def __init__(self, side):
        self.root = os.fsencode(side["path"])
        self.keywords = side.get("keywords", "both")
        if not os.path.isdir(self.root):
            raise CannotCompare(f"{side['path']} is no folder")

    def folders(self):
        found = {("INBOX",): self.root}
        for entry in os.listdir(self.root):
            directory = os.path.join(self.root, entry)
            if not entry.startswith(b".") or entry in (b".", b"..") or not os.path.isdir(os.path.join(directory, b"cur")):
                continue
            path = path_of(entry[1:].split(b"."))
            found[path] = directory
            # Parents need not be folders themselves.
            for length in range(1, len(path)):
                found.setdefault(path[:length], None)
        return found

    def items(self, directory):
        dovecot = self.dovecot_keywords(directory) if self.keywords in ("dovecot", "both") else {}
        courier = self.courier_keywords(directory) if self.keywords in ("courier", "both") else {}
        items = []
        for part in (b"new", b"cur"):
            try:
                names = sorted(os.listdir(os.path.join(directory, part)))
            except FileNotFoundError:
                continue
            for name in names:
                if name.startswith(b"."):
                    continue
                file = os.path.join(directory, part, name)
                base, _, info = name.partition(b":")
                flags = set(courier.get(base, ()))
                if info.startswith(b"2,"):
                    for letter in info[2:].decode("ascii", "replace").split(",")[0]:
                        flag = LETTERS.get(letter) or dovecot.get(letter)
                        if flag:
                            flags.add(flag)
                sha, message_id, traits = digest_file(file)
                date = os.stat(file).st_mtime_ns // 1_000_000_000
                items.append(Item(sha, date, frozenset(flags), os.fsdecode(name), message_id, traits))
        return items

    def dovecot_keywords(self, directory):
        """Letters of file names: `0 Work` stands for `a`."""
        return {
            chr(ord("a") + int(number)): keyword.lower()
            for number, keyword in (line.split(" ", 1) for line in lines_of(os.path.join(directory, b"dovecot-keywords")))
            if int(number) < 26
        }

    def courier_keywords(self, directory):
        """By file: a list for all of them, and files of their own for those that changed since."""
        folder = os.path.join(directory, b"courierimapkeywords")
        found = {}
        names, files_follow = [], False
        for line in lines_of(os.path.join(folder, b":list"), keep_empty=True):
            if files_follow:
                file, _, numbers = line.rpartition(":")
                found[os.fsencode(file)] = {names[int(number)].lower() for number in numbers.split()}
            elif line:
                names.append(line)
            else:
                files_follow = True
        try:
            changed = os.listdir(folder)
        except FileNotFoundError:
            return found
        # `.N.file` are older than `file`, and the older the smaller N is.
        numbered = [(re.fullmatch(rb"\.(\d+)\.(.+)", name, re.DOTALL), name) for name in changed]
        older = sorted((int(match[1]), match[2], name) for match, name in numbered if match)
        newest = [(0, name, name) for name in changed if not name.startswith((b".", b":"))]
        for _, file, name in older + newest:
            found[file] = {line.lower() for line in lines_of(os.path.join(folder, name))}
        return found

    def close(self):
        pass


def lines_of(file, keep_empty=False):
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as lines:
            stripped = [line.rstrip("\n") for line in lines]
    except FileNotFoundError:
        return []
    return [line for line in stripped if line or keep_empty]


def digest_file(file):
    """A file in wire form: one whose lines all end in LF has them in CRLF there; any other is taken as it is."""
    as_it_is = Digest()
    with open(file, "rb") as stream:
        while chunk := stream.read(CHUNK):
            as_it_is.update(chunk)
        if not as_it_is.lf or as_it_is.crlf:
            return as_it_is.finish()
        digest = Digest()
        stream.seek(0)
        while chunk := stream.read(CHUNK):
            digest.update(chunk.replace(b"\n", b"\r\n"))
    return digest.finish()


# mbox

NOTED = re.compile(rb"(?i)(status|x-status|x-keywords|x-uid|x-mozilla-(?:status|keys)):(.*)")
STATUS = {"R": "\\seen", "A": "\\answered", "F": "\\flagged", "T": "\\draft", "D": "\\deleted"}
MOZILLA = {1: "\\seen", 2: "\\answered", 4: "\\flagged", 0x1000: "$forwarded"}


class Mbox:
    """A mailbox as files of mboxrd, with what Dovecot and Thunderbird note in messages; Python's own module finds these."""

    def __init__(self, side):
        self.root = side["path"]
        if not os.path.isdir(self.root):
            raise CannotCompare(f"{self.root} is no folder")

    def folders(self):
        found = {}
        for directory, _, files in os.walk(self.root):
            above = os.path.relpath(directory, self.root).split(os.sep)
            above = [name.removesuffix(".sbd") for name in above if name != "."]
            for name in files:
                path = tuple(above + [name])
                path = ("INBOX",) + path[1:] if path[0].upper() == "INBOX" else path
                found[path] = os.path.join(directory, name)
                for length in range(1, len(path)):
                    found.setdefault(path[:length], None)
        return found

    def items(self, file):
        box = mailbox.mbox(file, create=False)
        return [self.item(box.get_bytes(key, from_=True), key) for key in box.keys()]

    def item(self, raw, where):
        first, _, raw = raw.partition(b"\n")
        date = email.utils.parsedate_tz(first.decode("latin-1").split(" ", 2)[2])
        own, flags, header, noted = [], set(), True, False
        is_mozillas = first.startswith(b"From - ")
        for line in re.findall(rb"[^\n]*\n|[^\n]+", raw):
            header = header and line not in (b"\n", b"\r\n")
            if header:
                # What seems to go on with a noted field is the message's own: none of these is written in two lines.
                noted = not line.startswith((b" ", b"\t")) and self.noted(line, flags, is_mozillas)
            if not (header and noted):
                own.append(re.sub(rb"^>(>*From )", rb"\1", line))
        own = b"".join(own)
        digest = Digest()
        digest.update(own if b"\r\n" in own else own.replace(b"\n", b"\r\n"))
        sha, message_id, traits = digest.finish()
        return Item(sha, email.utils.mktime_tz(date), frozenset(flags), where, message_id, traits)

    def noted(self, line, flags, is_mozillas):
        """Is this a field that a mail program noted? What it says is added to the flags."""
        found = NOTED.match(line)
        if not found or (found[1].lower().startswith(b"x-mozilla") and not is_mozillas):
            return False
        name, value = found[1].lower(), found[2].decode("utf-8", "replace").strip()
        if name in (b"x-keywords", b"x-mozilla-keys"):
            flags.update(word.lower() for word in value.split())
        elif name == b"x-uid":
            return value.isdecimal()
        elif name == b"x-mozilla-status":
            flags.update(flag for bit, flag in MOZILLA.items() if int(value, 16) & bit)
        elif re.fullmatch("[RONUDAFTP]*", value):
            flags.update(STATUS[c] for c in value if c in ("R" if name == b"status" else STATUS))
        else:
            return False
        return True

    def close(self):
        pass


# eml


class Eml:
    """A mailbox as a tree of .eml files, with dates and flags beside them."""

    SIDE_FILE = ".whimbrel-items.jsonl"

    def __init__(self, side):
        self.root = side["path"]
        if not os.path.isdir(self.root):
            raise CannotCompare(f"{self.root} is no folder")

    def folders(self):
        found = {}
        for directory, _, files in os.walk(self.root):
            if self.SIDE_FILE in files:
                path = tuple(map(urllib.parse.unquote, os.path.relpath(directory, self.root).split(os.sep)))
                found[path] = directory
                for length in range(1, len(path)):
                    found.setdefault(path[:length], None)
        return found

    def items(self, directory):
        with open(os.path.join(directory, self.SIDE_FILE), encoding="utf-8") as lines:
            known = {line["file"]: line for line in map(json.loads, lines)}
        items = []
        for name in sorted(os.listdir(directory)):
            if name.endswith(".eml"):
                digest = Digest()
                with open(os.path.join(directory, name), "rb") as stream:
                    while chunk := stream.read(CHUNK):
                        digest.update(chunk)
                sha, message_id, traits = digest.finish()
                line = known[name]
                flags = frozenset(flag.lower() for flag in line["flags"] + line["keywords"])
                items.append(Item(sha, line["received"], flags, name, message_id, traits))
        return items

    def close(self):
        pass


# Comparing


def open_side(side):
    kinds = {"imap": Imap, "maildir": Maildir, "mbox": Mbox, "eml": Eml}
    if side.get("kind") not in kinds:
        raise CannotCompare(f"a side is of the kind {', '.join(kinds)}, not {side.get('kind')!r}")
    return kinds[side["kind"]](side)


def shown(item):
    date = datetime.datetime.fromtimestamp(item.date, datetime.timezone.utc)
    return {
        "sha256": item.sha.hex(),
        "where": item.where,
        "date": date.isoformat().replace("+00:00", "Z"),
        "flags": sorted(item.flags),
        "traits": {name: name in item.traits for name in TRAITS},
    }


def pair_off(left, right, keys):
    """Pairs items that agree in the first key, those left over by the next, and so on. Gives pairs and what is left."""
    pairs = []
    for key in keys:
        waiting = collections.defaultdict(collections.deque)
        for item in right:
            if (value := key(item)) is not None:
                waiting[value].append(item)
        left_over, taken = [], set()
        for item in left:
            value = key(item)
            if value is not None and waiting.get(value):
                partner = waiting[value].popleft()
                taken.add(id(partner))
                pairs.append((item, partner))
            else:
                left_over.append(item)
        left, right = left_over, [item for item in right if id(item) not in taken]
    return pairs, left, right


def compare_items(source, target):
    """The differences of a folder's items: (kind, source item or none, target item or none)."""
    same, source_left, target_left = pair_off(source, target, [lambda i: (i.sha, i.date, i.flags)])
    differences = []
    # The same bytes, but something about them is another.
    keys = [lambda i: (i.sha, i.date), lambda i: (i.sha, i.flags), lambda i: i.sha]
    changed, source_left, target_left = pair_off(source_left, target_left, keys)
    for one, other in changed:
        if one.flags != other.flags:
            differences.append(("changed-flags", one, other))
        if one.date != other.date:
            differences.append(("changed-date", one, other))
    # More copies than the source has.
    known = {item.sha for item in source}
    doubled = [item for item in target_left if item.sha in known]
    target_left = [item for item in target_left if item.sha not in known]
    # Other bytes: which belongs to which is a guess.
    keys = [
        lambda i: i.message_id and (i.message_id, i.date, i.flags),
        lambda i: i.message_id and (i.message_id, i.date),
        lambda i: i.message_id,
        lambda i: (i.date, i.flags),
    ]
    rewritten, source_left, target_left = pair_off(source_left, target_left, keys)
    differences += [("changed-bytes", one, other) for one, other in rewritten]
    differences += [("missing", item, None) for item in source_left]
    differences += [("doubled", None, item) for item in doubled]
    differences += [("extra", None, item) for item in target_left]
    return len(same), differences


def compare_person(person, defaults, only_source_subset, reading):
    """The verdict on one person, as it goes into the JSON."""
    verdict = {"name": person["name"], "folders": [], "differences": [], "allowed": [], "error": None}

    def note(kind, path, one=None, other=None):
        entry = {"kind": kind, "folder": list(path)}
        if one is not None:
            entry["source"] = shown(one)
        if other is not None:
            entry["target"] = shown(other)
        is_extra = kind in ("extra", "doubled", "extra-folder")
        verdict["allowed" if is_extra and only_source_subset else "differences"].append(entry)

    sides = []
    try:
        for which in ("source", "target"):
            sides.append(open_side({**defaults.get(which, {}), **person.get(which, {})}))
        source, target = sides
        of_source, of_target = reading.map(lambda side: side.folders(), sides)
        renamed = {tuple(old): tuple(new) for old, new in person.get("renamed", [])}
        # Several folders may go to one.
        together = collections.defaultdict(list)
        for path, handle in of_source.items():
            together[renamed.get(path, path)].append(handle)
        for path in sorted(together.keys() | of_target.keys()):
            at_source = [handle for handle in together.get(path, []) if handle is not None]
            at_target = [handle for handle in [of_target.get(path)] if handle is not None]
            if not at_source and not at_target:
                continue
            if not at_target:
                note("missing-folder", path)
            elif not at_source and path not in together:
                note("extra-folder", path)
            handles = ((source, at_source), (target, at_target))
            items = list(reading.map(lambda pair: [item for handle in pair[1] for item in pair[0].items(handle)], handles))
            same, differences = compare_items(*items)
            entry = {"path": list(path), "source": len(items[0]), "target": len(items[1]), "same": same}
            verdict["folders"].append(entry)
            for kind, one, other in differences:
                note(kind, path, one, other)
    except (CannotCompare, OSError, imaplib.IMAP4.error, ssl.SSLError, KeyError, ValueError) as error:
        verdict["error"] = f"{type(error).__name__}: {error}"
    finally:
        for side in sides:
            side.close()
    return verdict


def counted(number, what, many=None):
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def sentence_of(people):
    failed = [person for person in people if person["error"]]
    folders = [folder for person in people for folder in person["folders"]]
    items = sum(folder["source"] for folder in folders)
    seen = f"{counted(len(people), 'person', 'people')}, {counted(len(folders), 'folder')}, {counted(items, 'item')}"
    if failed:
        first = failed[0]
        return f"{seen}: {counted(len(failed), 'person', 'people')} could not be compared, first {first['name']}: {first['error']}"
    kinds = collections.Counter(difference["kind"] for person in people for difference in person["differences"])
    allowed = sum(len(person["allowed"]) for person in people)
    more = f"; the target holds {counted(allowed, 'thing')} more" if allowed else ""
    if not kinds:
        return f"{seen}: equal{more}."
    each = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    return f"{seen}: {counted(sum(kinds.values()), 'difference')} ({each}){more}."


def main():
    parser = argparse.ArgumentParser(description="Compares mailboxes of two sides.")
    parser.add_argument("people", help="a JSON file; see the top of this script")
    parser.add_argument("--only-source-subset", action="store_true", help="the target may hold more than the source")
    parser.add_argument("--person", action="append", help="only this person; may be given again")
    options = parser.parse_args()
    try:
        with open(options.people, encoding="utf-8") as file:
            given = json.load(file)
        chosen = [person for person in given["people"] if not options.person or person["name"] in options.person]
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{options.people}: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    # Both sides are read at once.
    with concurrent.futures.ThreadPoolExecutor(2) as reading:
        people = [compare_person(person, given, options.only_source_subset, reading) for person in chosen]
    sentence = sentence_of(people)
    could_compare = bool(people) and not any(person["error"] for person in people)
    equal = could_compare and not any(person["differences"] for person in people)
    verdict = {"schema": SCHEMA, "equal": equal, "sentence": sentence, "people": people}
    json.dump(verdict, sys.stdout, indent=1)
    print()
    print(sentence, file=sys.stderr)
    return 0 if equal else 1 if could_compare else 2


if __name__ == "__main__":
    # Lines of folders with very many flags may be long.
    imaplib._MAXLINE = 10_000_000
    sys.exit(main())
