#!/usr/bin/python3
"""Finds what governed documents say again in the record they were made of, and in the profile, by programs that others wrote.

    programme_check.py FOLDER...

Each folder has record.json (all that is recorded), shown.json (what the program shows of it: gates, tasks, deliverables, registers, the
pilot, issues), programme.json (the profile), documents.json (which files are which version of what) and the files. Each page is
read as HTML; each of its numbers, days and texts has to be in the record or in the profile, or to follow from them in one step: a count,
a day that the profile puts so many days away. The PDF says the same in the same order, is tagged, and its headings leave none out; so do the
workbook and the text for a word processor, as far as there is one. Ends with 0 when all of it is so.
"""

import datetime
import html.parser
import json
import re
import subprocess
import sys
import zipfile
from xml.etree import ElementTree

import openpyxl

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
DAY = re.compile(r"\b(\d{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* (\d{4})\b")
ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})(T[0-9:.]+Z)?")
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
NUMBER = re.compile(r"(?<![\w.\-/:@])\d[\d,]*(?:\.\d+)?(?![\w@]|-\w)")


def fail(what):
    raise SystemExit(what)


def printed(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()


def plain(text):
    return " ".join(text.split())


def words(text):
    return re.findall(r"[^\W_]+", text.casefold())


class Page(html.parser.HTMLParser):
    """The texts of a page's body, in order: (tag, text)."""

    BLOCKS = {"h1", "h2", "h3", "h4", "p", "li", "dt", "dd", "th", "td", "caption", "figcaption"}

    def __init__(self):
        super().__init__()
        self.parts, self.open, self.in_body = [], [], False

    def handle_starttag(self, tag, attributes):
        if tag in ("body", "footer", "nav"):
            # What stands at the foot of the page is at the head of each page of the PDF, and nobody's part there. Contents are
            # apart: those of the PDF have the numbers of its pages.
            self.in_body = tag == "body"
        if tag == "br" and self.open:
            self.open[-1][1] += "\n"
        if tag in self.BLOCKS and self.in_body:
            part = [tag, ""]
            self.open.append(part)
            self.parts.append(part)

    def handle_endtag(self, tag):
        if tag == "nav":
            self.in_body = True
        if tag in self.BLOCKS and self.open and self.open[-1][0] == tag:
            self.open.pop()

    def handle_data(self, data):
        if self.open:
            self.open[-1][1] += data


class Known:
    """What the record and the profile say: texts, numbers, days."""

    def __init__(self, *trees):
        self.texts, self.numbers, self.days, self.names = [], set(), set(), set()
        for tree in trees:
            self.take(tree)
        self.corpus = " ".join(self.texts)
        self.words = set(words(self.corpus))

    def take(self, tree):
        if isinstance(tree, dict):
            self.numbers.add(len(tree))
            for key, value in tree.items():
                self.text(key)
                self.take(value)
        elif isinstance(tree, list):
            self.counts(tree)
            for value in tree:
                self.take(value)
        elif isinstance(tree, bool) or tree is None:
            return
        elif isinstance(tree, (int, float)):
            self.numbers.add(tree)
        else:
            self.text(tree)

    def counts(self, rows):
        self.numbers.add(len(rows))
        counted = {}
        for row in rows:
            if isinstance(row, dict):
                said = {key: value for key, value in row.items() if isinstance(value, (str, bool))}
                pairs = [(key, value) for key, value in said.items()]
                for pair in pairs:
                    counted[pair] = counted.get(pair, 0) + 1
                for other in pairs:
                    for pair in pairs:
                        if pair < other if type(pair[1]) is type(other[1]) else pair[0] < other[0]:
                            counted[(pair, other)] = counted.get((pair, other), 0) + 1
        self.numbers.update(counted.values())

    def text(self, text):
        self.texts.append(plain(text))
        for number in re.findall(r"\d+", text):
            self.numbers.add(int(number))
        for year, month, day, _ in ISO.findall(text):
            try:
                self.days.add(datetime.date(int(year), int(month), int(day)))
            except ValueError:
                pass


def away(days, programme):
    """Days that are so far from others as a number of the profile says: in days, weeks, months and working days."""
    holidays = {datetime.date.fromisoformat(row["day"]) for row in programme["holidays"] if "day" in row}
    found = set(days)
    for constant in programme["constants"].values():
        value, unit = constant["value"], constant["unit"]
        for day in days:
            for sign in (-1, 1):
                if unit in ("days", "weeks") and value < 1000:
                    found.add(day + sign * datetime.timedelta(days=value * (7 if unit == "weeks" else 1)))
                if unit == "months" and value < 100:
                    month = day.month - 1 + sign * value
                    year, month = day.year + month // 12, month % 12 + 1
                    last = (datetime.date(year + month // 12, month % 12 + 1, 1) - datetime.timedelta(days=1)).day
                    found.add(datetime.date(year, month, min(day.day, last)))
                if unit == "working-days" and value < 100:
                    left, at = value, day
                    while left:
                        at += sign * datetime.timedelta(days=1)
                        left -= at.weekday() < 5 and at not in holidays
                    found.add(at)
    return found


# Words with which the documents begin a cell or a fact, besides those of the record and the profile.
OWN = set(
    """accepted accounts agreed all alert answered board caution complete completed confirmed critical decided decision
    does done draft dropped each entered everything evidence failed found gate given go good handed high late left low medium met
    missing neutral next no none not note number of on one only open opened order passed person proposed quote recorded returned
    risk round row seen said question word empty meetings sent side signed since stage standing still submitted superseded system task term the they to under unfilled validated version waits what
    where who why with withdrawn work yes january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep oct nov dec sha missed due held nothing as changed common contract""".split()
)


# Tables with a column of days or hours.
AGES = ("Stages, as planned and as they were", "Rounds of validation", "Questions", "What the next gate waits for")


def numbers_in(text):
    text = DAY.sub(" ", ISO.sub(" ", text))
    # A digest, and an id such as risk-1, is found as a word.
    return [float(found.replace(",", "")) for found in NUMBER.findall(text)]


def days_in(text):
    for day, month, year in DAY.findall(text):
        yield datetime.date(int(year), MONTHS.index(month) + 1, int(day))
    for year, month, day, _ in ISO.findall(text):
        yield datetime.date(int(year), int(month), int(day))


def spans(days):
    """How many days, weeks and hours lie between any two days."""
    days = sorted(days)
    return {abs((other - one).days) for one in days for other in days}


def check_page(name, parts, known, days, lengths):
    level, caption = 1, ""
    for tag, text in parts:
        text = text.strip()
        if tag in ("h2", "h3", "h4"):
            if int(tag[1]) > level + 1:
                fail(f"{name}: the heading {text!r} leaves a level out")
            level = int(tag[1])
            text = re.sub(r"^\d+(\.\d+)*\.? ", "", text)
        if tag not in ("th", "td"):
            caption = text if tag == "caption" else ""
        # Days that follow from others stand where deadlines do, and how far one is from another in a sentence or column that says so.
        is_deadline = caption.startswith("Deadlines")
        is_length = is_deadline or caption in AGES or re.search(r"\b(day|hour)s?\b", text)
        for day in days_in(text):
            if day not in (days if is_deadline else known.days):
                fail(f"{name}: {day} of {text!r} is not in the record")
        for number in numbers_in(text):
            if number not in known.numbers and not (is_length and number in lengths):
                fail(f"{name}: {number} of {text!r} is not in the record")
        if tag in ("td", "th", "dd"):
            for word in re.findall(r"[^\W_]+", text):
                if word[0].isupper() and word.casefold() not in known.words and word.casefold() not in OWN:
                    fail(f"{name}: {word!r} of {text!r} is not in the record")


def structured(text):
    """What `pdfinfo -struct-text` tells, without the contents: the roles, and the text as it is read out."""
    roles, read, contents = [], [], None
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        line = line.strip()
        if contents is not None and depth <= contents:
            contents = None
        if line.startswith('"'):
            if contents is None:
                read.append(line[1:-1])
        elif re.match(r"[A-Z]", line):
            role = re.match(r"\w+", line).group()
            # Of a figure its description is read, and its numbers come in a table.
            if role in ("TOC", "Figure") and contents is None:
                contents = depth
                if role == "TOC" and read[-1:] == ["Contents"]:
                    read.pop()
            roles.append(role)
    return roles, "".join(read)


def check_pdf(name, file, said, superseded_by):
    about = printed("pdfinfo", file)
    for line in [r"Tagged: +yes", r"JavaScript: +no", r"Title: +\S"]:
        if not re.search(line, about):
            fail(f"{name}: pdfinfo does not tell {line}:\n{about}")
    roles, read = structured(printed("pdfinfo", "-struct-text", file))
    if roles.count("H1") != 1 or "Document" not in roles[:1]:
        fail(f"{name}: the PDF has {roles.count('H1')} titles")
    level = 1
    for role in roles:
        if re.fullmatch("H[2-6]", role):
            if int(role[1]) > level + 1:
                fail(f"{name}: the PDF's headings leave a level out before {role}")
            level = int(role[1])
    if "Table" in roles and not {"TH", "TD", "TR", "Caption"} <= set(roles):
        fail(f"{name}: the PDF's tables have no heads or captions")
    # In the order in which it is read out it says what the page says, letter for letter.
    one, other = "".join(words(read)), "".join(words(" ".join(said)))
    if one != other:
        at = next((n for n, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
        fail(f"{name}: the PDF reads {one[max(0, at - 60):at + 60]!r} where the page says {other[max(0, at - 60):at + 60]!r}")
    first = plain(printed("pdftotext", "-f", "1", "-l", "1", "-layout", file, "-"))
    if superseded_by and not re.search(rf"[Ss]uperseded.*\b{superseded_by}\b", first):
        fail(f"{name}: the first page does not say that version {superseded_by} has taken its place")
    if not superseded_by and "uperseded" in first:
        fail(f"{name}: the first page says that it is superseded")


def check_workbook(name, file, numbers, days):
    book = openpyxl.load_workbook(file)
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    fail(f"{name}: {sheet.title} has a formula")
                if isinstance(cell.value, datetime.datetime) and cell.value.date() not in days:
                    fail(f"{name}: {sheet.title} {cell.coordinate}: {cell.value} is not in the record")
                if isinstance(cell.value, (int, float)) and cell.value not in numbers:
                    fail(f"{name}: {sheet.title} {cell.coordinate}: {cell.value} is not in the record")


def check_text(name, file, said):
    with zipfile.ZipFile(file) as archive:
        body = ElementTree.fromstring(archive.read("word/document.xml")).find(f"{WORD}body")
    text = set(words(" ".join(run.text or "" for run in body.iter(f"{WORD}t"))))
    missing = set(words(" ".join(said))) - text
    if missing:
        fail(f"{name}: the text for a word processor does not say {sorted(missing)[:9]}")


def check(folder):
    def read(name):
        with open(f"{folder}/{name}.json", encoding="utf-8") as file:
            return json.load(file)

    programme = read("programme")
    known = Known(read("record"), read("shown"), programme)
    today = {datetime.date.fromisoformat(day) for day in read("shown")["days"]}
    known.days |= today
    days = away(known.days, programme)
    lengths = spans(known.days) | {abs((day - now).days) for day in days for now in today}
    count = 0
    for made in read("documents"):
        files = {file.rsplit(".", 1)[1]: file for file in made["files"]}
        name = f"{made['document']} {made['version']}"
        page = Page()
        with open(f"{folder}/{files['html']}", encoding="utf-8") as file:
            page.feed(file.read())
        parts = [(tag, text) for tag, text in page.parts if plain(text)]
        check_page(name, parts, known, days, lengths)
        said = [text for _, text in parts]
        check_pdf(name, f"{folder}/{files['pdf']}", said, made["superseded_by"])
        if "xlsx" in files:
            check_workbook(name, f"{folder}/{files['xlsx']}", known.numbers | lengths, days)
        if "docx" in files:
            check_text(name, f"{folder}/{files['docx']}", said)
        count += 1
    return count


def main():
    print(f"{sum(check(folder) for folder in sys.argv[1:])} documents")


main()
