//! One page that needs nothing else: no script, no font, no picture, no network. It can be read by a screen reader, printed,
//! and kept.

use std::fmt::Write;

use crate::{Cell, Document, Kind, Table, Weight, words};

const STYLE: &str = include_str!("page.css");

pub(crate) fn write(document: &Document) -> String {
    let title = escaped(&document.title);
    // The policy stops a browser from loading or running anything, should a text ever slip through as markup.
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    if !document.facts.is_empty() {
        page.push_str("<dl class=\"facts\">\n");
        for (word, fact) in &document.facts {
            let _ = writeln!(page, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(word), escaped(fact));
        }
        page.push_str("</dl>\n");
    }
    if !document.sentences.is_empty() {
        page.push_str("<ul class=\"verdict\">\n");
        for sentence in &document.sentences {
            let class = match sentence.weight {
                Weight::Plain => {
                    let _ = writeln!(page, "<li><span>{}</span></li>", with_code(&sentence.text));
                    continue;
                }
                Weight::Well => "well",
                Weight::Attention => "look",
                Weight::Alert => "alert",
            };
            let (word, text) = (sentence.weight.word(), with_code(&sentence.text));
            let _ = writeln!(page, "<li class=\"{class}\"><strong>{word}</strong> <span>{text}</span></li>");
        }
        page.push_str("</ul>\n");
    }
    for table in &document.tables {
        table_to(&mut page, table);
    }
    if !document.notes.is_empty() {
        page.push_str("<section>\n<h2>How to read this</h2>\n<dl class=\"notes\">\n");
        for (word, note) in &document.notes {
            let _ = writeln!(page, "<dt>{}</dt><dd>{}</dd>", escaped(word), with_code(note));
        }
        page.push_str("</dl>\n</section>\n");
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn table_to(page: &mut String, table: &Table) {
    let title = escaped(&table.title);
    if table.rows.is_empty() {
        let _ = writeln!(page, "<section>\n<h2>{title}</h2>\n<p>{}</p>\n</section>", escaped(table.empty));
        return;
    }
    let (shown, left_out) = table.shown_columns();
    let (prose, columns): (Vec<usize>, Vec<usize>) =
        shown.into_iter().partition(|place| table.columns[*place].kind == Kind::Prose);
    let (asides, columns): (Vec<usize>, Vec<usize>) =
        columns.into_iter().partition(|place| table.columns[*place].is_aside);
    let has_prose = |row: &[Cell]| prose.iter().any(|place| !row[*place].is_nothing());
    let _ = writeln!(
        page,
        "<section>\n<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"{0}\">\n<table>\n\
         <caption id=\"{0}\">{title}</caption>\n<thead>\n<tr>",
        table.name
    );
    for place in &columns {
        let column = &table.columns[*place];
        let _ = writeln!(page, "<th scope=\"col\"{}>{}</th>", class(column.kind), escaped(column.heading));
    }
    page.push_str("</tr>\n</thead>\n<tbody>\n");
    let cells = |page: &mut String, row: &[Cell], stripe: &str| {
        let above = if has_prose(row) { " above" } else { "" };
        let _ = write!(page, "<tr class=\"{stripe}{above}\">");
        for (number, place) in columns.iter().enumerate() {
            let kind = table.columns[*place].kind;
            let (tag, scope) = if number == 0 { ("th", " scope=\"row\"") } else { ("td", "") };
            let _ = write!(page, "<{tag}{scope}{}>{}", class(kind), cell(&row[*place], kind));
            for aside in asides.iter().filter(|aside| number == 0 && !row[**aside].is_nothing()) {
                let column = &table.columns[*aside];
                let (heading, shown) = (escaped(column.heading), cell(&row[*aside], column.kind));
                let _ = write!(page, "<span class=\"aside\">{heading}: {shown}</span>");
            }
            let _ = write!(page, "</{tag}>");
        }
        page.push_str("</tr>\n");
        if has_prose(row) {
            // What is said in sentences has a row of its own: a column for it would leave no room for the others.
            let _ = write!(page, "<tr class=\"{stripe}\"><td class=\"prose\" colspan=\"{}\">", columns.len());
            for place in prose.iter().filter(|place| !row[**place].is_nothing()) {
                let column = &table.columns[*place];
                let _ = write!(page, "<p><b>{}:</b> {}</p>", escaped(column.heading), cell(&row[*place], column.kind));
            }
            page.push_str("</td></tr>\n");
        }
    };
    for (number, row) in table.rows.iter().enumerate() {
        cells(page, row, if number % 2 == 0 { "odd" } else { "even" });
    }
    page.push_str("</tbody>\n");
    if let Some(total) = &table.total {
        page.push_str("<tfoot>\n");
        cells(page, total, "all");
        page.push_str("</tfoot>\n");
    }
    page.push_str("</table>\n</div>\n");
    if !left_out.is_empty() {
        let _ = writeln!(page, "<p class=\"aside\">Nothing to show under: {}.</p>", escaped(&left_out.join(", ")));
    }
    page.push_str("</section>\n");
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Number | Kind::Bytes | Kind::Share => " class=\"number\"",
        Kind::Moment => " class=\"moment\"",
        Kind::Text | Kind::Prose => "",
    }
}

/// A cell: what people read, with the exact value for programs.
fn cell(cell: &Cell, kind: Kind) -> String {
    let shown = escaped(&cell.shown(kind));
    match cell {
        Cell::Empty | Cell::Text(_) => shown,
        Cell::Number(number) => format!("<data value=\"{number}\">{shown}</data>"),
        Cell::Moment(at) => format!("<time datetime=\"{}\">{shown}</time>", words::second(*at)),
        Cell::Share(share) => format!("<data value=\"{}.{:02}\">{shown}</data>", share / 100, share % 100),
    }
}

/// A sentence of ours, with commands between backquotes.
fn with_code(text: &str) -> String {
    let part = |(place, part): (usize, &str)| {
        if place % 2 == 0 { escaped(part) } else { format!("<code>{}</code>", escaped(part)) }
    };
    text.split('`').enumerate().map(part).collect()
}

/// As text of a page, within elements and attributes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(c),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, Sentence};

    #[test]
    fn whatever_the_text_the_page_has_only_our_elements() {
        let evil = "</td><script>alert('x')</script>\" onload=\"y\0\u{1b}&amp;";
        let text = || evil.to_owned();
        let columns = vec![Column::new("A", Kind::Text), Column::new("B", Kind::Prose)];
        let cells = vec![Cell::Text(text()), Cell::Text(text())];
        let (rows, total) = (vec![cells.clone()], Some(cells));
        let page = write(&Document {
            title: text(),
            facts: vec![("Fact", text())],
            sentences: vec![Sentence { weight: Weight::Alert, text: text() }],
            tables: vec![Table { name: "one", title: text(), columns, rows, total, empty: "" }],
            main: "one",
            notes: vec![("Note", text())],
        });
        assert!(!page.contains("<script") && !page.contains("onload=\"") && !page.contains(['\0', '\u{1b}']), "{page}");
        let safe =
            "&lt;/td&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;y\u{fffd}\u{fffd}&amp;amp;";
        assert_eq!(page.matches(safe).count(), 10, "the title is there twice: {page}");
    }
}
