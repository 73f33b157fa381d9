"""What a reader sees of a message before and after repairs, by Python's `email`. It knows nothing of Whimbrel.

Reads a JSON list of pairs of files, the original message and the repaired one, each with the rules that were applied.
Writes a JSON list of differences for each pair.
"""

import email
import email.header
import email.message
import email.utils
import json
import re
import sys

ADDRESSES = ("from", "to", "cc", "reply-to", "sender")


def lines(data):
    """Text as lines: NUL as a space, every line end the same, several CRs before an LF as one."""
    return re.sub(rb"\r*\n|\r", b"\n", data.replace(b"\0", b" "))


def latin(value):
    """A character for each byte."""
    if max(value, default="") > "\xff":
        value = value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def text(value):
    """A header's text: unfolded, encoded words read; bytes nobody names as they are."""
    value = re.sub(r"\r\n|\r|\n", "", latin(value))
    pattern = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?\s]*)\?=(?:[ \t]*(?==\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=))?")

    def read(match):
        try:
            ((word, charset),) = email.header.decode_header("=?%s?%s?%s?=" % match.groups())
        except (ValueError, email.errors.HeaderParseError):
            return match.group(0)
        return word.decode("latin-1") if isinstance(word, bytes) else word

    return pattern.sub(read, value)


def addresses(value):
    pairs = email.utils.getaddresses([re.sub(r"\r\n|\r|\n", "", value)])
    return [(" ".join(text(name).split()), address) for name, address in pairs]


def name(part):
    """The file name as bytes, whatever form it is in."""
    found = []
    plain = email.message.Message()
    plain._headers = [(key, latin(raw)) for key, raw in part._headers]
    for header, parameter in (("content-disposition", "filename"), ("content-type", "name")):
        value = plain.get_param(parameter, None, header)
        if isinstance(value, tuple):
            value = email.utils.unquote(value[2])
        elif value is not None:
            value = text(value)
        found.append(value)
    return found


def read(data):
    return email.message_from_bytes(data)


def fields(part):
    return [(key, raw) for key, raw in part._headers]


def is_file(part):
    known = part.get_content_maintype() not in ("text", "message", "multipart") and "pgp" not in part.get_content_type()
    return known or part.get_filename() is not None or part.get_content_disposition() == "attachment"


def compare(before, after, rules):
    found = []
    one, other = list(before.walk()), list(after.walk())
    types = lambda parts: [" ".join(part.get_content_type().split()) for part in parts]
    if types(one) != types(other):
        return ["types %s, then %s" % ([p.get_content_type() for p in one], [p.get_content_type() for p in other])]
    for number, (part, repaired) in enumerate(zip(one, other)):
        if not part.is_multipart():
            for one_of in (part, repaired):
                encoding = one_of.get("content-transfer-encoding")
                if encoding is not None:
                    one_of.replace_header("content-transfer-encoding", str(encoding).split(";")[0].strip())
            was, now = part.get_payload(decode=True) or b"", repaired.get_payload(decode=True) or b""
            # A file keeps all its bytes, but in a message in LF its lines may end as those do.
            is_lf = was.replace(b"\n", b"\r\n").rstrip() == now.rstrip()
            if is_file(part) and was.rstrip() != now.rstrip() and not is_lf:
                found.append("part %d: file" % number)
            # Without a last boundary, a last line end is not content to Python.
            if was != now and lines(was).rstrip(b"\n") != lines(now).rstrip(b"\n"):
                found.append("part %d: content" % number)
        if name(part) != name(repaired):
            found.append("part %d: name %r, then %r" % (number, name(part), name(repaired)))
        ours = ("x-broken-header", "mime-version", "content-transfer-encoding", "content-type", "content-disposition")
        keep = lambda part: [(key, raw) for key, raw in fields(part) if key.lower().strip() not in ours]
        left, right = keep(part), keep(repaired)
        if [key.strip() for key, _ in left] != [key for key, _ in right]:
            found.append("part %d: fields" % number)
            continue
        for (key, was), (_, now) in zip(left, right):
            was = was.replace("\0", " ")
            if key.lower() in ADDRESSES:
                # An address with bytes above 127 is a group without members (RFC 6857), which says the same.
                plain = lambda value: re.sub(r'[\s"\\]|:;', "", text(value))
                same = plain(was) == plain(now)
                if addresses(was) != addresses(now) and not same:
                    found.append("part %d: %s: %r, then %r" % (number, key, addresses(was), addresses(now)))
            elif re.sub(r"\s+", "", text(was)) != re.sub(r"\s+", "", text(now)):
                found.append("part %d: %s" % (number, key))
    return found


results = []
for original, result, rules in json.load(sys.stdin):
    with open(original, "rb") as file:
        before = file.read()
    with open(result, "rb") as file:
        after = file.read()
    if "repair-bare-cr" in rules:
        # Python ends a line at each CR.
        before = re.sub(rb"\r+\n", b"\r\n", before)
    if "repair-nul" in rules and not re.search(rb"(?i)base64|binary", after):
        before = before.replace(b"\0", b" ")
    results.append(compare(read(before), read(after), rules))
print(json.dumps(results))
