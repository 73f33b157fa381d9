"""A second opinion on what a message holds, by Python's `email`. It knows nothing of Whimbrel.

Reads a JSON object from standard input: `extensions`, `types` (as in rules), and `pairs` of files, the original message
and the rewritten one. Writes a JSON object for each pair: `banned` (a key for each banned attachment of the original),
`left` (what is still banned in the rewritten one), and `differs` (parts that were not banned and are not the same).
"""

import binascii
import email
import email.header
import email.utils
import hashlib
import io
import json
import re
import sys
import unicodedata
import zipfile

asked = json.load(sys.stdin)
EXTENSIONS = set(asked["extensions"])
TYPES = set(asked["types"])


def words(value):
    """A parameter's value with its encoded words read."""
    value = email.utils.collapse_rfc2231_value(value)
    value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    pattern = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?(.*?)\?=(?:\s+(?==\?))?", re.S)

    def read(match):
        try:
            ((text, charset),) = email.header.decode_header("=?%s?%s?%s?=" % match.groups())
            return text.decode(charset, "replace") if isinstance(text, bytes) else text
        except (LookupError, ValueError, email.errors.HeaderParseError):
            return match.group(0)

    return pattern.sub(read, value)


def names(part):
    found = []
    for header, parameter in (("content-disposition", "filename"), ("content-type", "name")):
        try:
            value = part.get_param(parameter, None, header)
        except (TypeError, ValueError):
            continue
        if value is not None:
            found.append(words(value))
    return found


def extension(name):
    name = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) not in ("Cf", "Cc"))
    name = re.split(r"[/\\]", name.strip().rstrip(" ."))[-1]
    return name.rsplit(".", 1)[-1].lower() if "." in name else ""


def is_banned_name(name):
    return extension(name) in EXTENSIONS


def in_zip(content, depth=0, name=""):
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            is_document = {"mimetype", "[Content_Types].xml"} & set(archive.namelist()) and extension(name) != "zip"
            for info in archive.infolist():
                if not info.is_dir() and not is_document and is_banned_name(info.filename):
                    return True
                try:
                    inner = archive.read(info)
                except (RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib_error):
                    continue
                if is_program(inner) or (depth < 3 and inner[:4] == b"PK\3\4" and in_zip(inner, depth + 1, info.filename)):
                    return True
    except (zipfile.BadZipFile, ValueError, OSError):
        # Damaged: go by the headers before the files.
        for match in re.finditer(rb"PK\x03\x04.{22}(..)..", content, re.S):
            size = int.from_bytes(match.group(1), "little")
            if is_banned_name(content[match.end() : match.end() + size].decode("latin-1")):
                return True
    return False


zlib_error = __import__("zlib").error


def is_program(content):
    if content[:4] == b"\x7fELF":
        return True
    begin = int.from_bytes(content[0x3C:0x3E], "little")
    return content[:2] == b"MZ" and content[begin : begin + 4] == b"PE\0\0"


def uuencoded(content):
    """Names and contents of files among the lines of a text."""
    lines = content.splitlines()
    for at, line in enumerate(lines):
        match = re.match(rb"begin [0-7]{3,4} +(\S.*)$", line)
        if not match:
            continue
        data = b""
        for line in lines[at + 1 :]:
            if line.strip() == b"end":
                break
            try:
                data += binascii.a2b_uu(line)
            except binascii.Error:
                break
        yield match.group(1).decode("latin-1").strip(), data


def decoded(part):
    """The content, decoded as leniently as programs that show mail do it."""
    encoding = (part.get("content-transfer-encoding") or "").strip().lower()
    if encoding != "base64":
        return part.get_payload(decode=True) or b""
    text = part.get_payload().encode("ascii", "replace")
    text = re.sub(rb"[^A-Za-z0-9+/=]", b"", text)
    text = text.lstrip(b"=").split(b"=")[0]
    text = text[: len(text) - (len(text) % 4 == 1)]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def digest(content):
    return hashlib.sha256(content).hexdigest()


def leaves(message):
    """Each part that holds no others, or a whole message; with whether it lies in a banned one."""
    stack = [(message, False)]
    while stack:
        part, is_within = stack.pop()
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            stack.extend((child, is_within) for child in reversed(part.get_payload()))
            continue
        keys = banned(part)
        yield part, is_within, keys
        if part.is_multipart() and part.get_content_type() != "message/delivery-status":
            stack.extend((child, is_within or bool(keys)) for child in reversed(part.get_payload()))


def banned(part):
    kind = part.get_content_type()
    is_bad = bool({kind, kind.split("/")[0] + "/*"} & TYPES)
    has_bad_name = any(is_banned_name(name) for name in names(part))
    if part.is_multipart():
        inner = part.get_payload(0)
        if (part.get("content-transfer-encoding") or "").strip().lower() == "base64":
            # Nobody should encode a message, but some do.
            inner = email.message_from_bytes(binascii.a2b_base64(inner.get_payload()))
            is_bad = is_bad or any(keys for _, _, keys in leaves(inner))
        # An attached message is often named after its subject, which may end in anything.
        return ["message"] if is_bad or (has_bad_name and not inner.items()) else []
    is_bad = is_bad or has_bad_name
    content = decoded(part)
    if is_bad or is_program(content) or (content[:4] == b"PK\3\4" and in_zip(content, 0, "".join(names(part)[:1]))):
        return [digest(content)]
    if kind == "text/plain":
        return [digest(data) for name, data in uuencoded(content) if is_banned_name(name)]
    return []


def same(part, other):
    if part.items() != other.items():
        return False
    if part.is_multipart() or other.is_multipart():
        return part.is_multipart() == other.is_multipart()
    return part.get_payload() == other.get_payload()


def read(path):
    with open(path, "rb") as file:
        return email.message_from_bytes(file.read())


for before, after in asked["pairs"]:
    original = list(leaves(read(before)))
    result = {"banned": sorted(key for _, _, keys in original for key in keys), "left": [], "differs": []}
    if after is not None:
        rewritten = list(leaves(read(after)))
        result["left"] = [key for _, _, keys in rewritten for key in keys]
        kept = [(part, keys) for part, is_within, keys in original if not is_within]
        if len(kept) != len(rewritten):
            result["differs"].append("%d parts, %d after" % (len(kept), len(rewritten)))
        else:
            for number, ((part, keys), (other, _, _)) in enumerate(zip(kept, rewritten)):
                if not keys and not same(part, other):
                    result["differs"].append("part %d (%s)" % (number, part.get_content_type()))
                if keys and other.get_content_type() != "text/plain":
                    result["differs"].append("part %d: no note but %s" % (number, other.get_content_type()))
    print(json.dumps(result))
