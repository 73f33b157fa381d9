//! A text for a word processor (Office Open XML), for those who have to edit a document: real headings, lists and tables whose
//! head is repeated, with the document's name, version and page at the edges.
//!
//! It is written by ourselves, as the workbook is: what is needed are two dozen elements, every text in them is guarded in one
//! place, and a library would bring a second zip library. A chart is there by its words and its table; the bars are in the page
//! and in the PDF.

use std::fmt::Write;

use report::zip::{Entry, Zip};

use crate::{
    Align, Block, Cell, Document, Table, Tone, Unwritable, front,
    pdf::{
        columns::{self, Layout},
        font::Fonts,
    },
    text::{self, escaped},
};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const TYPE: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml";

/// A4, its margins, and how wide text is on it, in twentieths of a point.
const PAGE: (u32, u32) = (11906, 16838);
const MARGIN: u32 = 1134;
const WIDTH: u32 = PAGE.0 - 2 * MARGIN;
const TWENTIETHS: f32 = 20.0;
/// Room for a hand, in the same.
const SIGNATURE_HEIGHT: u32 = 680;
/// The numbers of lists: that of bullets, and the first of those that count.
const BULLETS: usize = 1;
const FIRST_NUMBERED: usize = 2;

/// The styles: id, name, what it rests on, how paragraphs stand, how letters look.
const STYLES: [(&str, &str, &str, &str, &str); 15] = [
    (
        "Title",
        "Title",
        "Normal",
        "<w:keepNext/><w:spacing w:after=\"80\"/>",
        "<w:b/><w:color w:val=\"003087\"/><w:sz w:val=\"50\"/>",
    ),
    (
        "Kind",
        "Document kind",
        "Normal",
        "<w:keepNext/><w:spacing w:after=\"60\"/>",
        "<w:b/><w:color w:val=\"005EB8\"/><w:sz w:val=\"22\"/>",
    ),
    (
        "Subtitle",
        "Subtitle",
        "Normal",
        "<w:pBdr><w:bottom w:val=\"single\" w:sz=\"24\" w:space=\"6\" w:color=\"005EB8\"/></w:pBdr><w:spacing w:after=\"240\"/>",
        "<w:color w:val=\"425563\"/><w:sz w:val=\"26\"/>",
    ),
    (
        "Heading1",
        "heading 1",
        "Normal",
        "<w:keepNext/><w:keepLines/><w:spacing w:before=\"360\" w:after=\"140\"/><w:outlineLvl w:val=\"0\"/>",
        "<w:b/><w:color w:val=\"003087\"/><w:sz w:val=\"32\"/>",
    ),
    (
        "Heading2",
        "heading 2",
        "Normal",
        "<w:keepNext/><w:keepLines/><w:spacing w:before=\"240\" w:after=\"100\"/><w:outlineLvl w:val=\"1\"/>",
        "<w:b/><w:color w:val=\"005EB8\"/><w:sz w:val=\"25\"/>",
    ),
    (
        "Heading3",
        "heading 3",
        "Normal",
        "<w:keepNext/><w:keepLines/><w:spacing w:before=\"180\" w:after=\"80\"/><w:outlineLvl w:val=\"2\"/>",
        "<w:b/>",
    ),
    (
        "Heading4",
        "heading 4",
        "Normal",
        "<w:keepNext/><w:keepLines/><w:spacing w:before=\"180\" w:after=\"80\"/><w:outlineLvl w:val=\"3\"/>",
        "<w:b/>",
    ),
    (
        "Heading5",
        "heading 5",
        "Normal",
        "<w:keepNext/><w:keepLines/><w:spacing w:before=\"180\" w:after=\"80\"/><w:outlineLvl w:val=\"4\"/>",
        "<w:b/>",
    ),
    ("Caption", "caption", "Normal", "<w:keepNext/><w:spacing w:before=\"120\" w:after=\"100\"/>", "<w:b/>"),
    ("ListParagraph", "List Paragraph", "Normal", "<w:spacing w:after=\"60\"/>", ""),
    (
        "TableText",
        "Table text",
        "Normal",
        "<w:spacing w:before=\"50\" w:after=\"50\" w:line=\"250\" w:lineRule=\"auto\"/>",
        "<w:sz w:val=\"18\"/>",
    ),
    ("TableHeading", "Table heading", "TableText", "<w:keepNext/>", "<w:b/><w:color w:val=\"FFFFFF\"/>"),
    ("Label", "Label", "TableText", "", "<w:b/><w:color w:val=\"425563\"/>"),
    (
        "Contents",
        "Contents",
        "Normal",
        "<w:keepNext/><w:spacing w:before=\"240\" w:after=\"100\"/>",
        "<w:b/><w:color w:val=\"003087\"/><w:sz w:val=\"28\"/>",
    ),
    (
        "Edge",
        "Edge",
        "Normal",
        "<w:tabs><w:tab w:val=\"right\" w:pos=\"9638\"/></w:tabs><w:spacing w:after=\"0\"/>",
        "<w:color w:val=\"425563\"/><w:sz w:val=\"16\"/>",
    ),
];

/// The document as a text for a word processor.
pub fn docx(document: &Document) -> Result<Vec<u8>, Unwritable> {
    let (body, lists) = body(document)?;
    let parts = [
        ("[Content_Types].xml", types()),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" \
                 Type=\"{RELATIONS}/officeDocument\" Target=\"word/document.xml\"/><Relationship Id=\"rId2\" \
                 Type=\"{PACKAGE}/relationships/metadata/core-properties\" Target=\"docProps/core.xml\"/></Relationships>"
            ),
        ),
        ("docProps/core.xml", front::properties(document)),
        ("word/document.xml", body),
        ("word/_rels/document.xml.rels", relations()),
        ("word/styles.xml", styles(document)),
        ("word/numbering.xml", numbering(lists)),
        (
            "word/settings.xml",
            format!(
                "<w:settings xmlns:w=\"{MAIN}\"><w:compat><w:compatSetting w:name=\"compatibilityMode\" w:uri=\"http://schemas.microsoft.com/office/word\" w:val=\"15\"/></w:compat></w:settings>"
            ),
        ),
        ("word/header1.xml", header(document)),
        ("word/footer1.xml", footer(document)),
    ];
    let mut bytes = Vec::new();
    let written = write(&parts, &mut bytes);
    // It goes to memory, and is far below the 4 GiB that an archive holds.
    assert!(written.is_ok(), "a text of more than 4 GiB");
    Ok(bytes)
}

fn write(parts: &[(&str, String)], bytes: &mut Vec<u8>) -> std::io::Result<()> {
    let mut zip = Zip::new(bytes);
    for (name, xml) in parts {
        let mut entry = Entry::new();
        entry.text(HEAD)?;
        entry.text(xml)?;
        zip.add(name, entry)?;
    }
    zip.finish()
}

fn types() -> String {
    let parts = ["document.main", "styles", "numbering", "settings", "header", "footer"];
    let names = ["document", "styles", "numbering", "settings", "header1", "footer1"];
    let part = |(kind, name): (&str, &str)| {
        format!("<Override PartName=\"/word/{name}.xml\" ContentType=\"{TYPE}.{kind}+xml\"/>")
    };
    let parts: String = parts.into_iter().zip(names).map(part).collect();
    format!(
        "<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"rels\" \
         ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
         <Default Extension=\"xml\" ContentType=\"application/xml\"/><Override PartName=\"/docProps/core.xml\" \
         ContentType=\"application/vnd.openxmlformats-package.core-properties+xml\"/>{parts}</Types>"
    )
}

fn relations() -> String {
    let parts = ["styles", "numbering", "settings", "header", "footer"];
    let files = ["styles", "numbering", "settings", "header1", "footer1"];
    let part = |(number, (kind, file)): (usize, (&str, &str))| {
        format!("<Relationship Id=\"rId{}\" Type=\"{RELATIONS}/{kind}\" Target=\"{file}.xml\"/>", number + 1)
    };
    let parts: String = parts.into_iter().zip(files).enumerate().map(part).collect();
    format!("<Relationships xmlns=\"{PACKAGE}/relationships\">{parts}</Relationships>")
}

fn styles(document: &Document) -> String {
    let style = |(id, name, base, paragraph, letters): &(&str, &str, &str, &str, &str)| {
        format!(
            "<w:style w:type=\"paragraph\" w:styleId=\"{id}\"><w:name w:val=\"{name}\"/><w:basedOn w:val=\"{base}\"/>\
             <w:next w:val=\"Normal\"/><w:qFormat/><w:pPr>{paragraph}</w:pPr><w:rPr>{letters}</w:rPr></w:style>"
        )
    };
    let styles: String = STYLES.iter().map(style).collect();
    let edge = |side: &str, colour: &str| {
        format!("<w:{side} w:val=\"single\" w:sz=\"4\" w:space=\"0\" w:color=\"{colour}\"/>")
    };
    format!(
        "<w:styles xmlns:w=\"{MAIN}\"><w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii=\"Arial\" w:hAnsi=\"Arial\" \
         w:eastAsia=\"Arial\" w:cs=\"Arial\"/><w:color w:val=\"212B32\"/><w:sz w:val=\"21\"/><w:szCs w:val=\"21\"/>\
         <w:lang w:val=\"{}\"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr><w:spacing w:after=\"160\" w:line=\"276\" \
         w:lineRule=\"auto\"/></w:pPr></w:pPrDefault></w:docDefaults><w:style w:type=\"paragraph\" w:default=\"1\" \
         w:styleId=\"Normal\"><w:name w:val=\"Normal\"/><w:qFormat/></w:style>{styles}<w:style w:type=\"table\" \
         w:default=\"1\" w:styleId=\"Grid\"><w:name w:val=\"Table Grid\"/><w:tblPr><w:tblBorders>{}{}{}</w:tblBorders>\
         <w:tblCellMar><w:left w:w=\"90\" w:type=\"dxa\"/><w:right w:w=\"90\" w:type=\"dxa\"/></w:tblCellMar></w:tblPr>\
         </w:style></w:styles>",
        front::language(document),
        edge("top", "D0D7DC"),
        edge("bottom", "D0D7DC"),
        edge("insideH", "D0D7DC"),
    )
}

/// One kind of bullets, and a count of its own for each numbered list.
fn numbering(lists: usize) -> String {
    let kind = |id: usize, format: &str, text: &str| {
        format!(
            "<w:abstractNum w:abstractNumId=\"{id}\"><w:multiLevelType w:val=\"singleLevel\"/><w:lvl w:ilvl=\"0\">\
             <w:start w:val=\"1\"/><w:numFmt w:val=\"{format}\"/><w:lvlText w:val=\"{text}\"/><w:lvlJc w:val=\"left\"/>\
             <w:pPr><w:ind w:left=\"425\" w:hanging=\"425\"/></w:pPr><w:rPr><w:b/><w:color w:val=\"005EB8\"/></w:rPr></w:lvl>\
             </w:abstractNum>"
        )
    };
    let count = |number: usize| {
        format!(
            "<w:num w:numId=\"{}\"><w:abstractNumId w:val=\"1\"/><w:lvlOverride w:ilvl=\"0\"><w:startOverride w:val=\"1\"/>\
             </w:lvlOverride></w:num>",
            number + FIRST_NUMBERED
        )
    };
    let counts: String = (0..lists).map(count).collect();
    format!(
        "<w:numbering xmlns:w=\"{MAIN}\">{}{}<w:num w:numId=\"{BULLETS}\"><w:abstractNumId w:val=\"0\"/></w:num>{counts}\
         </w:numbering>",
        kind(0, "bullet", "•"),
        kind(1, "decimal", "%1."),
    )
}

fn header(document: &Document) -> String {
    let field = |name: &str| format!("<w:fldSimple w:instr=\" {name} \"><w:r><w:t>1</w:t></w:r></w:fldSimple>");
    let letters = "<w:b/><w:color w:val=\"005EB8\"/>";
    let mut first = run(&text::line(&document.organisation), letters);
    first.push_str("<w:r><w:tab/></w:r>");
    first.push_str(&run(&format!("Version {} · Page ", text::line(&document.version)), ""));
    first.push_str(&field("PAGE"));
    first.push_str(&run(" of ", ""));
    first.push_str(&field("NUMPAGES"));
    let first = paragraph("Edge", "", &first);
    let second = paragraph("Edge", "", &run(&front::title(document), ""));
    format!("<w:hdr xmlns:w=\"{MAIN}\">{first}{second}</w:hdr>")
}

fn footer(document: &Document) -> String {
    let said = format!(
        "{} · {} · {}",
        text::line(&document.reference),
        text::line(&document.status.words()),
        text::day(document.made_on)
    );
    format!("<w:ftr xmlns:w=\"{MAIN}\">{}</w:ftr>", paragraph("Edge", "", &run(&said, "")))
}

/// The text, and how many numbered lists it has.
fn body(document: &Document) -> Result<(String, usize), Unwritable> {
    let fonts = Fonts::new()?;
    let mut xml = format!("<w:document xmlns:w=\"{MAIN}\" xmlns:r=\"{RELATIONS}\"><w:body>");
    xml.push_str(&paragraph("Kind", "", &run(&text::line(&document.kind), "")));
    xml.push_str(&paragraph("Title", "", &run(&front::title(document), "")));
    xml.push_str(&paragraph("Subtitle", "", &run(&text::line(&document.organisation), "")));
    if let Some((tone, word, words)) = front::notice(document) {
        callout(&mut xml, tone, word, &words);
    }
    let about = front::facts(document);
    facts(&mut xml, about.iter().map(|(word, fact)| (*word, fact.as_str())));
    contents(&mut xml, document);
    let levels = front::levels(&document.blocks);
    let mut lists = 0;
    for (place, block) in document.blocks.iter().enumerate() {
        match block {
            Block::Heading { .. } if levels[place] == 0 => {}
            Block::Heading { text, .. } => {
                let words = format!(
                    "<w:bookmarkStart w:id=\"{place}\" w:name=\"part{place}\"/>{}<w:bookmarkEnd w:id=\"{place}\"/>",
                    run(&text::line(text), "")
                );
                xml.push_str(&paragraph(&format!("Heading{}", levels[place]), "", &words));
            }
            Block::Paragraph(words) if words.trim().is_empty() => {}
            Block::Paragraph(words) => xml.push_str(&paragraph("Normal", "", &run(words, ""))),
            Block::List { ordered, items } => {
                let number = if *ordered { lists + FIRST_NUMBERED } else { BULLETS };
                lists += usize::from(*ordered);
                let marked = format!("<w:numPr><w:ilvl w:val=\"0\"/><w:numId w:val=\"{number}\"/></w:numPr>");
                for item in items {
                    xml.push_str(&paragraph("ListParagraph", &marked, &run(item, "")));
                }
            }
            Block::Table(given) => tables(&mut xml, &fonts, given, 0),
            Block::Facts(given) => facts(&mut xml, given.iter().map(|(word, fact)| (word.as_str(), fact.as_str()))),
            Block::Signature { lines } => tables(&mut xml, &fonts, &front::signatures(lines), SIGNATURE_HEIGHT),
            Block::Callout { tone, text } => callout(&mut xml, *tone, tone.word(), text),
            Block::Chart(given) => {
                xml.push_str(&paragraph("Caption", "", &run(&text::line(&given.caption), "")));
                xml.push_str(&paragraph("Normal", "", &run(&front::told(given), "")));
                tables(&mut xml, &fonts, &given.table(), 0);
            }
        }
    }
    let _ = write!(xml, "{}</w:body></w:document>", section(false));
    Ok((xml, lists))
}

/// How the pages are that end here.
fn section(is_wide: bool) -> String {
    let (width, height) = if is_wide { (PAGE.1, PAGE.0) } else { PAGE };
    let turned = if is_wide { " w:orient=\"landscape\"" } else { "" };
    format!(
        "<w:sectPr><w:headerReference w:type=\"default\" r:id=\"rId4\"/><w:footerReference w:type=\"default\" r:id=\"rId5\"/>\
         <w:pgSz w:w=\"{width}\" w:h=\"{height}\"{turned}/><w:pgMar w:top=\"1474\" w:right=\"{MARGIN}\" w:bottom=\"1247\" \
         w:left=\"{MARGIN}\" w:header=\"680\" w:footer=\"624\" w:gutter=\"0\"/></w:sectPr>"
    )
}

fn contents(xml: &mut String, document: &Document) {
    let places = front::contents(&document.blocks);
    if places.is_empty() {
        return;
    }
    xml.push_str(&paragraph("Contents", "", &run("Contents", "")));
    for place in places {
        if let Block::Heading { text, .. } = &document.blocks[place] {
            let words = run(&text::line(text), "<w:color w:val=\"005EB8\"/><w:u w:val=\"single\"/>");
            let link = format!("<w:hyperlink w:anchor=\"part{place}\" w:history=\"1\">{words}</w:hyperlink>");
            xml.push_str(&paragraph("ListParagraph", "", &link));
        }
    }
}

fn callout(xml: &mut String, meaning: Tone, word: &str, words: &str) {
    let (bar, ground, letters) = colours(meaning);
    // Both paragraphs have the same edge and ground, so that they are one box.
    let look = format!(
        "<w:keepLines/><w:pBdr><w:left w:val=\"single\" w:sz=\"36\" w:space=\"8\" w:color=\"{bar}\"/></w:pBdr>\
         <w:shd w:val=\"clear\" w:color=\"auto\" w:fill=\"{ground}\"/>"
    );
    let inset = "<w:ind w:left=\"227\"/>";
    let above = format!("<w:keepNext/>{look}<w:spacing w:before=\"160\" w:after=\"0\"/>{inset}");
    let letters = format!("<w:b/><w:color w:val=\"{letters}\"/>");
    xml.push_str(&paragraph("Normal", &above, &run(word, &letters)));
    let below = format!("{look}<w:spacing w:before=\"0\" w:after=\"240\"/>{inset}");
    xml.push_str(&paragraph("Normal", &below, &run(words, "")));
}

/// The bar, the ground and the words of something that means this.
fn colours(tone: Tone) -> (&'static str, &'static str, &'static str) {
    match tone {
        Tone::Neutral => ("005EB8", "E8F1FA", "003087"),
        Tone::Good => ("007F3B", "E6F3EA", "005227"),
        Tone::Caution => ("C77C02", "FFF4DB", "664000"),
        Tone::Alert => ("D5281B", "FCEBE9", "99140B"),
    }
}

fn facts<'a>(xml: &mut String, given: impl Iterator<Item = (&'a str, &'a str)>) {
    let label = WIDTH * 27 / 100;
    let mut rows = String::new();
    for (word, fact) in given {
        let word = cell(label, "", &paragraph("Label", "", &run(&text::line(word), "")));
        let fact = cell(WIDTH - label, "", &paragraph("TableText", "", &run(fact, "<w:sz w:val=\"20\"/>")));
        let _ = write!(rows, "<w:tr><w:trPr><w:cantSplit/></w:trPr>{word}{fact}</w:tr>");
    }
    if !rows.is_empty() {
        let _ = write!(xml, "{}{rows}</w:tbl>{}", table_head(&[label, WIDTH - label], "", false, true), after_table());
    }
}

fn tables(xml: &mut String, fonts: &Fonts, table: &Table, height: u32) {
    let (upright, wide) = (WIDTH as f32 / TWENTIETHS, (PAGE.1 - 2 * MARGIN) as f32 / TWENTIETHS);
    for (part, layout) in columns::parts(fonts, table, upright, wide) {
        if layout.is_wide {
            xml.push_str(&paragraph("TableText", &section(false), ""));
        }
        self::table(xml, &part, &layout, height);
        if layout.is_wide {
            xml.push_str(&paragraph("TableText", &section(true), ""));
        }
    }
}

fn table(xml: &mut String, table: &Table, layout: &Layout, height: u32) {
    let caption = text::line(&table.caption);
    if !caption.is_empty() {
        xml.push_str(&paragraph("Caption", "", &run(&caption, "")));
    }
    let widths: Vec<u32> = layout.widths.iter().map(|width| (width * TWENTIETHS) as u32).collect();
    // In half points.
    let points = format!("<w:sz w:val=\"{}\"/>", (layout.size * 2.0).round());
    xml.push_str(&table_head(&widths, &caption, true, table.has_row_headings));
    xml.push_str("<w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>");
    for (place, width) in widths.iter().enumerate() {
        let column = table.columns.get(place);
        let words = column.map_or(String::new(), |column| text::line(&column.heading));
        let side = aligned(column.map_or(Align::Start, |column| column.align));
        xml.push_str(&cell(*width, &ground("005EB8"), &paragraph("TableHeading", side, &run(&words, &points))));
    }
    xml.push_str("</w:tr>");
    if table.rows.is_empty() {
        let words = paragraph("TableText", "", &run(&text::line(&table.empty), &points));
        let span = format!("<w:gridSpan w:val=\"{}\"/>", widths.len());
        let _ = write!(xml, "<w:tr>{}</w:tr>", cell(widths.iter().sum(), &span, &words));
    }
    for (number, row) in table.rows.iter().enumerate() {
        let high = if height == 0 { String::new() } else { format!("<w:trHeight w:val=\"{height}\"/>") };
        let _ = write!(xml, "<w:tr><w:trPr><w:cantSplit/>{high}</w:trPr>");
        for (place, width) in widths.iter().enumerate() {
            let side = aligned(table.columns.get(place).map_or(Align::Start, |column| column.align));
            let stripe = if number % 2 == 1 && height == 0 { ground("F3F6F9") } else { String::new() };
            let (behind, letters) = match row.get(place) {
                Some(Cell::Verdict(tone, _)) => {
                    let (_, behind, letters) = colours(*tone);
                    (ground(behind), format!("<w:b/><w:color w:val=\"{letters}\"/>{points}"))
                }
                _ if place == 0 && table.has_row_headings => (stripe, format!("<w:b/>{points}")),
                _ => (stripe, points.clone()),
            };
            let words = row.get(place).map(text::cell).unwrap_or_default();
            xml.push_str(&cell(*width, &behind, &paragraph("TableText", side, &run(&words, &letters))));
        }
        xml.push_str("</w:tr>");
    }
    let _ = write!(xml, "</w:tbl>{}", after_table());
}

fn table_head(widths: &[u32], caption: &str, has_head: bool, has_row_headings: bool) -> String {
    let columns: String = widths.iter().map(|width| format!("<w:gridCol w:w=\"{width}\"/>")).collect();
    let caption =
        if caption.is_empty() { String::new() } else { format!("<w:tblCaption w:val=\"{}\"/>", escaped(caption)) };
    format!(
        "<w:tbl><w:tblPr><w:tblStyle w:val=\"Grid\"/><w:tblW w:w=\"{}\" w:type=\"dxa\"/><w:tblLayout w:type=\"fixed\"/>\
         <w:tblLook w:val=\"0000\" w:firstRow=\"{}\" w:lastRow=\"0\" w:firstColumn=\"{}\" w:lastColumn=\"0\" w:noHBand=\"1\" \
         w:noVBand=\"1\"/>{caption}</w:tblPr><w:tblGrid>{columns}</w:tblGrid>",
        widths.iter().sum::<u32>(),
        u8::from(has_head),
        u8::from(has_row_headings)
    )
}

/// Tables that follow each other would be one.
fn after_table() -> String {
    paragraph("TableText", "", "")
}

fn cell(width: u32, look: &str, paragraph: &str) -> String {
    format!("<w:tc><w:tcPr><w:tcW w:w=\"{width}\" w:type=\"dxa\"/>{look}</w:tcPr>{paragraph}</w:tc>")
}

fn ground(colour: &str) -> String {
    format!("<w:shd w:val=\"clear\" w:color=\"auto\" w:fill=\"{colour}\"/>")
}

fn aligned(align: Align) -> &'static str {
    match align {
        Align::Start => "",
        Align::Middle => "<w:jc w:val=\"center\"/>",
        Align::End => "<w:jc w:val=\"right\"/>",
    }
}

fn paragraph(style: &str, look: &str, runs: &str) -> String {
    format!("<w:p><w:pPr><w:pStyle w:val=\"{style}\"/>{look}</w:pPr>{runs}</w:p>")
}

/// A text, with its line breaks.
fn run(words: &str, letters: &str) -> String {
    let words = text::shown(words);
    let lines: Vec<String> =
        words.split('\n').map(|line| format!("<w:t xml:space=\"preserve\">{}</w:t>", escaped(line))).collect();
    format!("<w:r><w:rPr>{letters}</w:rPr>{}</w:r>", lines.join("<w:br/>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_never_an_element() {
        assert_eq!(
            run("a<w:br/>\n&\"\0", "<w:b/>"),
            "<w:r><w:rPr><w:b/></w:rPr><w:t xml:space=\"preserve\">a&lt;w:br/&gt;</w:t><w:br/>\
             <w:t xml:space=\"preserve\">&amp;&quot;\u{fffd}</w:t></w:r>"
        );
    }
}
