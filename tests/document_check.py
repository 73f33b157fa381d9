#!/usr/bin/python3
"""Finds a governed document again in its files, by programs that others wrote.

    document_check.py FOLDER

The folder has document.pdf, document.xlsx, document.docx and wanted.json: what the document was made from, in reading order.
The PDF is read by pdftotext and pdfinfo (poppler-utils), the workbook by openpyxl; the text for a word processor is XML in a zip
archive. Ends with 0 when all of it is there, in this order, as what it is.
"""

import datetime
import json
import re
import subprocess
import sys
import zipfile
from xml.etree import ElementTree

import openpyxl

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def fail(what):
    raise SystemExit(what)


def printed(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()


def plain(text):
    return " ".join(text.split())


def tags(text):
    """What `pdfinfo -struct-text` tells: each part with its role and its text."""
    parts, open_parts = [], []
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        line = line.strip()
        while open_parts and open_parts[-1][0] >= depth:
            open_parts.pop()
        if line.startswith('"'):
            if open_parts:
                open_parts[-1][1][1] += line[1:-1]
        elif not line.startswith("/") and re.match(r"[A-Z]", line):
            part = [re.match(r"\w+", line).group(), ""]
            parts.append(part)
            open_parts.append((depth, part))
    return [(role, plain(text)) for role, text in parts]


def check_pdf(folder, wanted):
    file = f"{folder}/document.pdf"
    about = printed("pdfinfo", file)
    for line in [r"Title: +" + re.escape(wanted["title"]), r"Tagged: +yes", r"JavaScript: +no"]:
        if not re.search(line, about):
            fail(f"pdfinfo does not tell {line}:\n{about}")
    # In reading order, each as what it is.
    found = tags(printed("pdfinfo", "-struct-text", file))
    place = 0
    for role, text in wanted["order"]:
        here = next((n for n in range(place, len(found)) if found[n] == (role, plain(text))), None)
        if here is None:
            fail(f"{role} {text!r} does not come after {found[max(place - 1, 0)]} in the PDF's structure")
        place = here + 1
    # What a header says is nobody's part, and is on every page.
    if any("Page 1 of" in text for _, text in found):
        fail("the header is read out as text")
    pages = printed("pdftotext", "-layout", file, "-").split("\f")[:-1]
    for number, page in enumerate(pages):
        for part in [wanted["organisation"], f"Version {wanted['version']}", f"Page {number + 1} of {len(pages)}"]:
            if part not in page:
                fail(f"page {number + 1} has no {part!r}")
    if wanted["notice"] not in plain(pages[0]):
        fail(f"the first page does not say {wanted['notice']!r}")
    # Each word is seen. A line may end within one, after a hyphen.
    seen = plain("\n".join(pages))
    for _, text in wanted["order"]:
        for word in text.split():
            if word not in seen and not all(part in seen for part in re.split("(?<=[-/])", word)):
                fail(f"pdftotext does not see {word!r} of {text!r}")


def value(cell):
    if isinstance(cell, dict):
        return datetime.datetime.fromisoformat(cell["date"])
    return None if cell == "" else cell


def check_workbook(folder, wanted):
    book = openpyxl.load_workbook(f"{folder}/document.xlsx")
    if [book.properties.title, book.sheetnames[0]] != [wanted["title"], "Cover"]:
        fail(f"the workbook is {book.properties.title!r} and begins with {book.sheetnames[0]!r}")
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    if any(cell.data_type == "f" for cell in cells):
        fail("the workbook has a formula")
    said = {plain(cell.value) for cell in cells if isinstance(cell.value, str)}
    for text in wanted["texts"]:
        if plain(text) not in said:
            fail(f"the workbook does not say {text!r}")
    if len(wanted["tables"]) != len(book.worksheets) - 1:
        fail(f"{len(wanted['tables'])} tables are on {len(book.worksheets) - 1} sheets")
    for table, sheet in zip(wanted["tables"], book.worksheets[1:]):
        rows = [list(row) for row in sheet.iter_rows(values_only=True)]
        asked = [table["columns"]] + [[value(cell) for cell in row] for row in table["rows"]]
        if rows != asked:
            fail(f"{sheet.title}: {rows} is not {asked}")
        if sheet.freeze_panes not in ("A2", "B2") or not sheet.auto_filter.ref or sheet.print_title_rows != "$1:$1":
            fail(f"{sheet.title}: its head is not in sight")


def check_text(folder, wanted):
    with zipfile.ZipFile(f"{folder}/document.docx") as archive:
        body = ElementTree.fromstring(archive.read("word/document.xml")).find(f"{WORD}body")
    headings, said = [], set()
    for paragraph in body.iter(f"{WORD}p"):
        text = plain("".join(run.text or "" for run in paragraph.iter(f"{WORD}t")))
        said.add(text)
        style = paragraph.find(f"{WORD}pPr/{WORD}pStyle").get(f"{WORD}val")
        if style.startswith("Heading"):
            headings.append([f"H{int(style[7:]) + 1}", text])
    # The title is no heading there.
    asked = [[role, plain(text)] for role, text in wanted["order"] if re.fullmatch("H[2-6]", role)]
    if headings != asked:
        fail(f"the headings are {headings}, not {asked}")
    for text in wanted["texts"]:
        if plain(text) not in said:
            fail(f"the text for a word processor does not say {text!r}")
    heads = [row for row in body.iter(f"{WORD}tblHeader")]
    if len(heads) != len(wanted["tables"]):
        fail(f"{len(heads)} tables have a head, not {len(wanted['tables'])}")


def main():
    folder = sys.argv[1]
    with open(f"{folder}/wanted.json", encoding="utf-8") as file:
        wanted = json.load(file)
    check_pdf(folder, wanted)
    check_workbook(folder, wanted)
    check_text(folder, wanted)


main()
