#!/usr/bin/env python3
"""Asks an IMAP server whatever Python's imaplib can ask, and compares the answers with what RFC 3501 says.

    imaplib_check.py PORT TLS_PORT CA_FILE

The server in memory is checked with it: imaplib was written by others, long before. Where imaplib has no words (SCRAM,
compression) the conversation is written out here with hashlib and zlib. The person "alice" with the password "secret" has
an empty mailbox; "migrator" with "m" may log in for her. Ends with 0 when all is as it should be.
"""

import base64
import hashlib
import hmac
import imaplib
import re
import socket
import ssl
import sys
import zlib

HOST = "127.0.0.1"


def equal(got, wanted, what):
    if got != wanted:
        raise SystemExit(f"{what}: got {got!r}, not {wanted!r}")


def ok(answer, what):
    status, data = answer
    equal(status, "OK", f"{what} {data!r}")
    return data


def check_folders(imap):
    for name in ("Work", "Work/2024", '"Entw&APw-rfe"'):
        ok(imap.create(name), f"CREATE {name}")
    equal(imap.create("Work")[0], "NO", "CREATE of a folder that is there")
    names = {line.split(b' "/" ')[1] for line in ok(imap.list(), "LIST")}
    equal(names, {b'"INBOX"', b'"Work"', b'"Work/2024"', b'"Entw&APw-rfe"'}, "LIST")
    equal(len(ok(imap.list('""', "%"), "LIST %")), 3, "LIST %")
    ok(imap.subscribe("Work/2024"), "SUBSCRIBE")
    equal(ok(imap.lsub(), "LSUB"), [b'() "/" "Work/2024"'], "LSUB")
    ok(imap.unsubscribe("Work/2024"), "UNSUBSCRIBE")
    equal(ok(imap.lsub(), "LSUB"), [None], "LSUB of nothing")
    ok(imap.rename("Work/2024", "Work/2025"), "RENAME")
    ok(imap.delete("Work/2025"), "DELETE")
    equal(imap.delete("Work/2025")[0], "NO", "DELETE of a folder that is not there")


def check_messages(imap):
    one = b"Subject: one\r\nFrom: a@x.test\r\n\r\nline\r\n{5}\r\n* 1 EXPUNGE\r\n"
    two = b"Subject: =?utf-8?q?zw=C3=B6lf?=\r\n\r\n" + "grüße\r\n".encode() * 50_000
    date = '" 9-Nov-1989 19:00:00 +0100"'
    ok(imap.append("INBOX", "(\\Seen $Forwarded)", date, one), "APPEND")
    ok(imap.append("INBOX", None, None, two), "APPEND of a large message")
    equal(imap.append("Nowhere", None, None, one)[0], "NO", "APPEND to a folder that is not there")

    equal(ok(imap.select(), "SELECT"), [b"2"], "SELECT")
    equal(imap.response("UIDNEXT")[1], [b"3"], "UIDNEXT")
    equal(imap.response("RECENT")[1], [b"2"], "RECENT")
    data = ok(imap.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"), "FETCH")
    head, body = data[0]
    equal(body, one, "the message's bytes")
    equal(set(imaplib.ParseFlags(head)), {b"\\Seen", b"$Forwarded", b"\\Recent"}, "its flags")
    equal(re.search(rb'INTERNALDATE "([^"]*)"', head)[1], b" 9-Nov-1989 19:00:00 +0100", "its date")
    equal(int(re.search(rb"RFC822.SIZE (\d+)", head)[1]), len(one), "its size")
    (head, body), _ = ok(imap.uid("FETCH", "2", "(RFC822)"), "UID FETCH")
    equal(body, two, "the large message's bytes")
    equal(ok(imap.fetch("2", "(FLAGS)"), "FETCH")[0], b"2 (FLAGS (\\Seen \\Recent))", "it was read")
    parts = ok(imap.fetch("1", "(BODY[HEADER.FIELDS (SUBJECT)] BODY[TEXT]<0.4>)"), "FETCH of parts")
    equal([parts[0][1], parts[1][1]], [b"Subject: one\r\n\r\n", b"line"], "its parts")
    structure = ok(imap.fetch("1", "(ENVELOPE BODYSTRUCTURE)"), "FETCH ENVELOPE")[0]
    equal(b'(NIL NIL "a" "x.test")' in structure, True, "ENVELOPE")

    ok(imap.store("1", "+FLAGS.SILENT", "(\\Flagged)"), "STORE")
    equal(imaplib.ParseFlags(ok(imap.store("1", "-FLAGS", "$Forwarded"), "STORE")[0]), (b"\\Flagged", b"\\Seen", b"\\Recent"), "STORE")
    for keys, found in (("FLAGGED", b"1"), ("SUBJECT one", b"1"), ("LARGER 1000", b"2"), ("KEYWORD $Forwarded", b""),
                        ('SINCE "8-Nov-1989" BEFORE 10-Nov-1989', b"1"), ("OR FLAGGED UID 2", b"1 2")):
        equal(ok(imap.search(None, keys), "SEARCH"), [found], f"SEARCH {keys}")

    ok(imap.copy("1", "Work"), "COPY")
    ok(imap.store("1", "+FLAGS", "(\\Deleted)"), "STORE")
    equal(ok(imap.expunge(), "EXPUNGE"), [b"1"], "EXPUNGE")
    equal(ok(imap.status("Work", "(MESSAGES UIDNEXT UNSEEN)"), "STATUS"), [b'"Work" (MESSAGES 1 UIDNEXT 2 UNSEEN 0)'], "STATUS")
    ok(imap.select("Work", readonly=True), "EXAMINE")
    equal(imap.store("1", "FLAGS", "()")[0], "NO", "STORE when only reading")
    ok(imap.close(), "CLOSE")
    ok(imap.noop(), "NOOP")


def check_more(imap):
    imap._get_capabilities()
    ok(imap.enable("UTF8=ACCEPT"), "ENABLE")
    ok(imap.create('"Größe"'), "CREATE in UTF-8")
    ok(imap.append('"Größe"', None, None, "Subject: ü\r\n\r\nß\r\n".encode()), "APPEND with a UTF8 literal")
    ok(imap.namespace(), "NAMESPACE")
    equal(imap.getquotaroot("INBOX")[0], "OK", "GETQUOTAROOT")
    ok(imap.unselect() if imap.state == "SELECTED" else ("OK", []), "UNSELECT")


def check_logins(port, tls_port, ca_file):
    context = ssl.create_default_context(cafile=ca_file)
    imap = imaplib.IMAP4(HOST, port)
    equal("STARTTLS" in imap.capabilities, True, "STARTTLS is offered")
    ok(imap.starttls(context), "STARTTLS")
    equal("STARTTLS" in imap.capabilities, False, "STARTTLS is not offered twice")
    ok(imap.login("alice", "secret"), "LOGIN in TLS")
    imap.logout()
    imap = imaplib.IMAP4_SSL(HOST, tls_port, ssl_context=context)
    ok(imap.authenticate("PLAIN", lambda _: b"alice\0migrator\0m"), "AUTHENTICATE for somebody else")
    equal(ok(imap.select("Work"), "SELECT"), [b"1"], "alice's folder")
    imap.logout()
    for name, password in (("alice", "wrong"), ("nobody", "secret")):
        try:
            imaplib.IMAP4(HOST, port).login(name, password)
        except imaplib.IMAP4.error as error:
            equal("AUTHENTICATIONFAILED" in str(error), True, "LOGIN refused")
        else:
            raise SystemExit(f"{name} got in with {password}")


def check_scram(port, password, gets_in):
    """RFC 7677, by hand."""
    bare = "n=alice,r=rOprNGfwEbeRWgbNEkqO"
    said = {}

    def answer(challenge):
        challenge = challenge.decode()
        if "first" not in said:
            said["first"] = f"n,,{bare}"
            return said["first"]
        if challenge.startswith("v="):
            equal(base64.b64decode(challenge[2:]), said["verifier"], "the server's signature")
            return ""
        fields = dict(field.split("=", 1) for field in challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        sign = lambda key, text: hmac.digest(key, text, "sha256")
        client_key = sign(salted, b"Client Key")
        last = f"c={base64.b64encode(b'n,,').decode()},r={fields['r']}"
        message = f"{bare},{challenge},{last}".encode()
        proof = bytes(a ^ b for a, b in zip(client_key, sign(hashlib.sha256(client_key).digest(), message)))
        said["verifier"] = sign(sign(salted, b"Server Key"), message)
        return f"{last},p={base64.b64encode(proof).decode()}"

    imap = imaplib.IMAP4(HOST, port)
    try:
        imap.authenticate("SCRAM-SHA-256", answer)
        equal(True, gets_in, "SCRAM with a wrong password")
    except imaplib.IMAP4.error:
        equal(False, gets_in, "SCRAM")
    imap.shutdown()


def check_compression(port):
    """RFC 4978, by hand: raw deflate both ways, flushed after each line."""
    with socket.create_connection((HOST, port)) as sock:
        plain = sock.makefile("rwb")
        plain.readline()
        for line in (b"a LOGIN alice secret\r\n", b"b COMPRESS DEFLATE\r\n"):
            plain.write(line)
            plain.flush()
            equal(plain.readline()[2:4], b"OK", "COMPRESS")
        pack, unpack = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
        body = b"Subject: packed\r\n\r\n" + bytes(range(1, 256)) * 4000
        commands = b"c APPEND INBOX {%d+}\r\n%s\r\nd SELECT INBOX\r\ne FETCH * BODY.PEEK[]\r\n" % (len(body), body)
        sock.sendall(pack.compress(commands) + pack.flush(zlib.Z_SYNC_FLUSH))
        came = b""
        while b"\r\ne OK" not in came:
            data = sock.recv(65536)
            equal(bool(data), True, "the connection stays")
            came += unpack.decompress(data)
        equal(body in came, True, "the message comes back")


def main(port, tls_port, ca_file):
    imap = imaplib.IMAP4(HOST, port)
    ok(imap.login("alice", "secret"), "LOGIN")
    check_folders(imap)
    check_messages(imap)
    check_more(imap)
    equal(imap.logout()[0], "BYE", "LOGOUT")
    check_logins(port, tls_port, ca_file)
    check_scram(port, "secret", True)
    check_scram(port, "wrong", False)
    check_compression(port)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
