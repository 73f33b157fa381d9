//! One page that needs nothing else: no script, no font, no picture, no network. It can be read by a screen reader, at any
//! width and size of text, printed, and kept.

use std::fmt::Write;

use crate::{
    Align, Block, Cell, Chart, Column, Document, SignatureLine, Table, Tone, front,
    text::{self, escaped},
};

const STYLE: &str = include_str!("page.css");

/// The document as a page.
pub fn html(document: &Document) -> String {
    let (title, language) = (escaped(&front::title(document)), front::language(document));
    // The policy stops a browser from loading or running anything, should a text ever slip through as markup.
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} – version {}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#text\">Skip to the text</a>\n<header>\n\
         <p class=\"kind\">{}</p>\n<h1>{title}</h1>\n<p class=\"organisation\">{}</p>\n</header>\n<main>\n",
        escaped(&text::line(&document.version)),
        escaped(&text::line(&document.kind)),
        escaped(&text::line(&document.organisation)),
    );
    if let Some((tone, word, words)) = front::notice(document) {
        callout(&mut page, tone, word, &words);
    }
    let about = front::facts(document);
    facts(&mut page, about.iter().map(|(word, fact)| (*word, fact.as_str())));
    contents(&mut page, document);
    page.push_str("<div id=\"text\" tabindex=\"-1\">\n");
    let levels = front::levels(&document.blocks);
    for (place, block) in document.blocks.iter().enumerate() {
        match block {
            Block::Heading { .. } if levels[place] == 0 => {}
            Block::Heading { text, .. } => {
                let (level, words) = (levels[place] + 1, escaped(&text::line(text)));
                let _ = writeln!(page, "<h{level} id=\"part-{place}\">{words}</h{level}>");
            }
            Block::Paragraph(words) => {
                if !words.trim().is_empty() {
                    let _ = writeln!(page, "<p>{}</p>", escaped(words));
                }
            }
            Block::List { ordered, items } => list(&mut page, *ordered, items),
            Block::Table(given) => table(&mut page, given, &format!("table-{place}"), ""),
            Block::Facts(given) => {
                facts(&mut page, given.iter().map(|(word, fact)| (word.as_str(), fact.as_str())));
            }
            Block::Signature { lines } => signatures(&mut page, lines, &format!("table-{place}")),
            Block::Callout { tone, text } => callout(&mut page, *tone, tone.word(), text),
            Block::Chart(given) => chart(&mut page, given, &format!("table-{place}")),
        }
    }
    let _ = write!(
        page,
        "</div>\n</main>\n<footer>\n<p>{} · {} · Version {} · {} · {}</p>\n</footer>\n</body>\n</html>\n",
        escaped(&text::line(&document.organisation)),
        escaped(&text::line(&document.reference)),
        escaped(&text::line(&document.version)),
        escaped(&text::line(&document.status.words())),
        text::day(document.made_on),
    );
    page
}

fn contents(page: &mut String, document: &Document) {
    let places = front::contents(&document.blocks);
    if places.is_empty() {
        return;
    }
    page.push_str("<nav aria-labelledby=\"contents\">\n<p class=\"contents\" id=\"contents\">Contents</p>\n<ul>\n");
    for place in places {
        if let Block::Heading { text, .. } = &document.blocks[place] {
            let _ = writeln!(page, "<li><a href=\"#part-{place}\">{}</a></li>", escaped(&text::line(text)));
        }
    }
    page.push_str("</ul>\n</nav>\n");
}

fn list(page: &mut String, ordered: bool, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let tag = if ordered { "ol" } else { "ul" };
    let _ = writeln!(page, "<{tag}>");
    for item in items {
        let _ = writeln!(page, "<li>{}</li>", escaped(item));
    }
    let _ = writeln!(page, "</{tag}>");
}

fn facts<'a>(page: &mut String, given: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut given = given.peekable();
    if given.peek().is_none() {
        return;
    }
    page.push_str("<dl>\n");
    for (word, fact) in given {
        let _ = writeln!(page, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(&text::line(word)), escaped(fact));
    }
    page.push_str("</dl>\n");
}

fn callout(page: &mut String, tone: Tone, word: &str, words: &str) {
    let (class, words) = (class(tone), escaped(words));
    let _ = writeln!(
        page,
        "<div class=\"callout {class}\" role=\"note\">\n<p><strong>{word}</strong></p>\n<p>{words}</p>\n</div>"
    );
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Neutral => "neutral",
        Tone::Good => "good",
        Tone::Caution => "caution",
        Tone::Alert => "alert",
    }
}

fn table(page: &mut String, table: &Table, id: &str, class: &str) {
    let width = table.width();
    let caption = text::line(&table.caption);
    let caption = if caption.is_empty() { "Table".to_owned() } else { escaped(&caption) };
    let _ = write!(
        page,
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"{id}\">\n<table{class}>\n\
         <caption id=\"{id}\">{caption}</caption>\n"
    );
    columns(page, table);
    page.push_str("<thead>\n<tr>");
    for place in 0..width {
        let column = table.columns.get(place);
        let heading = column.map_or(String::new(), |column| escaped(&text::line(&column.heading)));
        let _ = write!(page, "<th scope=\"col\"{}>{heading}</th>", aligned(column));
    }
    page.push_str("</tr>\n</thead>\n<tbody>\n");
    if table.rows.is_empty() {
        let _ = writeln!(page, "<tr><td colspan=\"{}\">{}</td></tr>", width.max(1), escaped(&text::line(&table.empty)));
    }
    for row in &table.rows {
        page.push_str("<tr>");
        for place in 0..width {
            let is_heading = place == 0 && table.has_row_headings;
            let (tag, scope) = if is_heading { ("th", " scope=\"row\"") } else { ("td", "") };
            let attribute = aligned(table.columns.get(place));
            let (attribute, words) = match row.get(place) {
                Some(Cell::Verdict(tone, words)) => {
                    (format!(" class=\"{}\"", self::class(*tone)), format!("<strong>{}</strong>", escaped(words)))
                }
                Some(Cell::Date(date)) => {
                    (attribute.to_owned(), format!("<time datetime=\"{date}\">{}</time>", text::short_day(*date)))
                }
                Some(cell) => (attribute.to_owned(), escaped(&text::cell(cell))),
                None => (attribute.to_owned(), String::new()),
            };
            let _ = write!(page, "<{tag}{scope}{attribute}>{words}</{tag}>");
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n</div>\n");
}

/// How wide columns are, if each has asked for a share.
fn columns(page: &mut String, table: &Table) {
    let shares = table.columns.iter().map(|column| column.share);
    let Some(shares) = shares.collect::<Option<Vec<u16>>>().filter(|shares| shares.len() == table.width()) else {
        return;
    };
    let all: u32 = shares.iter().map(|share| u32::from(*share)).sum();
    page.push_str("<colgroup>");
    for share in shares {
        let _ = write!(page, "<col style=\"width: {}%\">", u32::from(share) * 100 / all.max(1));
    }
    page.push_str("</colgroup>\n");
}

fn aligned(column: Option<&Column>) -> &'static str {
    match column.map(|column| column.align) {
        None | Some(Align::Start) => "",
        Some(Align::Middle) => " class=\"middle\"",
        Some(Align::End) => " class=\"end\"",
    }
}

fn signatures(page: &mut String, lines: &[SignatureLine], id: &str) {
    table(page, &front::signatures(lines), id, " class=\"hand\"");
}

/// The bars are drawn in units of a hundred to a bar.
const BAR: usize = 26;

fn chart(page: &mut String, chart: &Chart, id: &str) {
    if !chart.bars.is_empty() {
        let most = chart.bars.iter().map(|(_, value)| *value).max().unwrap_or_default().max(1);
        let told = front::told(chart);
        let _ = write!(
            page,
            "<figure>\n<figcaption>{}</figcaption>\n<svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 800 {}\" \
             xmlns=\"http://www.w3.org/2000/svg\">\n",
            escaped(&text::line(&chart.caption)),
            escaped(&told),
            chart.bars.len() * BAR + 8
        );
        for (number, (label, value)) in chart.bars.iter().enumerate() {
            let y = number * BAR + 4;
            let length = (*value as f64 / most as f64 * 460.0).max(1.0);
            // A label that is too long would run over the edge; the table below has all of it.
            let label: String = text::line(label).chars().take(30).collect();
            let _ = writeln!(
                page,
                "<text x=\"212\" y=\"{}\" text-anchor=\"end\">{}</text><rect x=\"224\" y=\"{}\" width=\"{length:.1}\" \
                 height=\"{}\"/><text class=\"value\" x=\"{:.1}\" y=\"{0}\">{}</text>",
                y + 18,
                escaped(&label),
                y + 3,
                BAR - 6,
                length + 232.0,
                report::grouped(*value)
            );
        }
        page.push_str("</svg>\n</figure>\n");
    }
    table(page, &chart.table(), id, " class=\"numbers\"");
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::Status;

    #[test]
    fn whatever_the_text_the_page_has_only_our_elements() {
        let evil = "</td></p><script>alert('x')</script>\" onload=\"y\0\u{1b}&amp;<img src=x>";
        let text = || evil.to_owned();
        let mut columns = vec![Column::new(evil), Column::new(evil), Column::number(evil)];
        columns[1].align = Align::Middle;
        let page = html(&Document {
            title: text(),
            kind: text(),
            organisation: text(),
            reference: text(),
            version: text(),
            status: Status::Superseded { by_version: text() },
            made_on: date(2026, 11, 27),
            language: text(),
            blocks: vec![
                Block::Heading { level: 1, text: text() },
                Block::Paragraph(text()),
                Block::List { ordered: true, items: vec![text()] },
                Block::Table(Table {
                    caption: text(),
                    columns,
                    has_row_headings: true,
                    rows: vec![vec![evil.into(), Cell::Verdict(Tone::Good, text())]],
                    empty: text(),
                }),
                Block::Facts(vec![(text(), text())]),
                Block::Signature { lines: vec![SignatureLine { role: text(), name: text(), date: None }] },
                Block::Callout { tone: Tone::Alert, text: text() },
                Block::Chart(Chart {
                    caption: text(),
                    alternative: text(),
                    label_heading: text(),
                    value_heading: text(),
                    bars: vec![(text(), 1)],
                }),
            ],
        });
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("\" onload"), "{page}");
        assert!(page.contains("<html lang=\"en-GB\">") && !page.contains(['\0', '\u{1b}']), "{page}");
        for outside in ["src=", "url(", "@import", "<link"] {
            assert!(!page.replace(&escaped(evil), "").contains(outside), "{outside}");
        }
    }
}
