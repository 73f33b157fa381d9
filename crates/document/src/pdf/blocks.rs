//! The parts of a document, put one after the other.

use super::{
    flow::{Flow, Mark, Row, RowCell, What, baseline},
    font::Weight,
    style::{
        BLUE, BODY, CAPTION, CONTENTS, FAINT, INK, KIND, LABEL, MARGIN, ORGANISATION, RULE, STRIPE, Style, TITLE, TOP,
        VALUE, heading, table as table_style, tone,
    },
    table,
    tree::{NodeId, Role},
};
use crate::{Align, Block, Chart, Document, Tone, front, text};

/// Room for a hand.
const SIGNATURE_HEIGHT: f32 = 34.0;
/// The words of facts.
const LABEL_SHARE: f32 = 0.27;
/// Before the text of a list's item.
const INDENT: f32 = 20.0;
/// So many bars are in one picture; the others are in the next one.
const BARS_MAX: usize = 28;
const BAR_HEIGHT: f32 = 17.0;

/// Puts the whole document.
pub(super) fn put(flow: &mut Flow<'_>, document: &Document) {
    front_matter(flow, document);
    contents(flow, document);
    let levels = front::levels(&document.blocks);
    for (place, block) in document.blocks.iter().enumerate() {
        match block {
            Block::Heading { .. } if levels[place] == 0 => {}
            Block::Heading { text, .. } => head(flow, document, &levels, place, &text::line(text)),
            Block::Paragraph(words) => paragraph(flow, words),
            Block::List { ordered, items } => list(flow, *ordered, items),
            Block::Table(given) => table::put(flow, given, 0.0),
            Block::Facts(given) => {
                facts(flow, given.iter().map(|(word, fact)| (word.as_str(), fact.as_str())));
            }
            Block::Signature { lines } => table::put(flow, &front::signatures(lines), SIGNATURE_HEIGHT),
            Block::Callout { tone, text } => callout(flow, *tone, tone.word(), text),
            Block::Chart(given) => chart(flow, given),
        }
    }
}

fn front_matter(flow: &mut Flow<'_>, document: &Document) {
    let kind = flow.tree.add(None, Role::Paragraph);
    flow.text(kind, &blank_if_empty(&text::line(&document.kind)), KIND);
    let title = front::title(document);
    let node = flow.tree.add(None, Role::Heading(1, title.clone()));
    flow.text(node, &title, TITLE);
    let organisation = flow.tree.add(None, Role::Paragraph);
    flow.text(organisation, &blank_if_empty(&text::line(&document.organisation)), ORGANISATION);
    let (y, width) = (flow.y, flow.width());
    flow.adorn(MARGIN, y, width, 3.0, BLUE);
    flow.y += 13.0;
    if let Some((tone, word, words)) = front::notice(document) {
        callout(flow, tone, word, &words);
    }
    let given = front::facts(document);
    facts(flow, given.iter().map(|(word, fact)| (*word, fact.as_str())));
}

fn contents(flow: &mut Flow<'_>, document: &Document) {
    let places = front::contents(&document.blocks);
    if places.is_empty() {
        return;
    }
    flow.space(heading(1).before);
    let style = heading(1);
    flow.ensure(style.leading + style.after + 3.0 * CONTENTS.leading);
    // Not among the headings: it names itself.
    let words = flow.tree.add(None, Role::Paragraph);
    flow.text(words, "Contents", Style { before: 0.0, ..style });
    let list = flow.tree.add(None, Role::Contents);
    for place in places {
        let Block::Heading { text, .. } = &document.blocks[place] else { continue };
        let item = flow.tree.add(Some(list), Role::ContentsItem);
        let node = flow.tree.add(Some(item), Role::Link);
        let width = flow.width();
        let room = width - 40.0;
        let lines = flow.fonts.wrap(&text::line(text), CONTENTS.weight, room / CONTENTS.size);
        let pad = 1.0;
        let cell = RowCell {
            mark: Mark::Part(node),
            lines,
            style: CONTENTS,
            x: 0.0,
            width: room,
            align: Align::Start,
            ground: None,
            pad: 0.0,
        };
        // The line below goes on to the number.
        let number = RowCell { lines: Vec::new(), x: room, width: width - room, mark: Mark::Part(node), ..cell };
        let row = plain(vec![cell, number], pad, Some(RULE));
        let height = row.height();
        flow.row(row, None);
        let (top, bottom) = ((flow.y - height).max(TOP), flow.y);
        let y = bottom - CONTENTS.leading - pad + baseline(CONTENTS);
        let right = MARGIN + width;
        flow.put(Mark::Part(node), What::PageOf { block: place, right, y, style: CONTENTS, top, bottom });
    }
}

fn plain(cells: Vec<RowCell>, pad: f32, rule: Option<[u8; 3]>) -> Row {
    Row { cells, height_min: 0.0, pad, ground: None, bar: None, rule }
}

fn cell(flow: &Flow<'_>, node: NodeId, words: &str, style: Style, x: f32, width: f32) -> RowCell {
    let lines = flow.fonts.wrap(&blank_if_empty(words), style.weight, width / style.size);
    RowCell { mark: Mark::Part(node), lines, style, x, width, align: Align::Start, ground: None, pad: 0.0 }
}

/// Something at least is drawn, so that the part is there.
fn blank_if_empty(words: &str) -> String {
    if words.is_empty() { " ".to_owned() } else { words.to_owned() }
}

fn head(flow: &mut Flow<'_>, document: &Document, levels: &[u8], place: usize, words: &str) {
    let level = levels[place];
    let style = heading(level);
    // Headings go with the table below them, onto its wide page.
    let below = document.blocks[place..].iter().find(|block| !matches!(block, Block::Heading { .. }));
    if let Some(Block::Table(given)) = below
        && table::is_wide(flow, given)
    {
        flow.turn(true);
    }
    let lines = flow.fonts.wrap(words, style.weight, flow.width() / style.size).len() as f32;
    let own = style.before + lines * style.leading + style.after;
    let together = own + lead(flow, document, place + 1);
    flow.ensure(together.min(flow.height() * 0.6));
    flow.space(style.before);
    let (page, y) = (flow.pages.len() - 1, flow.y);
    flow.headings.push((place, page, y));
    let node = flow.tree.add(None, Role::Heading(level + 1, words.to_owned()));
    flow.text(node, words, Style { before: 0.0, ..style });
}

/// How much of what follows a heading stays with it.
fn lead(flow: &mut Flow<'_>, document: &Document, place: usize) -> f32 {
    match document.blocks.get(place) {
        None => 0.0,
        Some(Block::Heading { level, .. }) => {
            let style = heading(*level);
            style.before + style.leading + style.after + lead_within(flow, document, place + 1)
        }
        Some(_) => lead_within(flow, document, place),
    }
}

/// The same for the block below a heading, which may be one more heading; no further.
fn lead_within(flow: &mut Flow<'_>, document: &Document, place: usize) -> f32 {
    match document.blocks.get(place) {
        None => 0.0,
        Some(Block::Table(given)) => table::lead(flow, given, 0.0),
        Some(Block::Chart(given)) => {
            given.bars.len().min(BARS_MAX) as f32 * BAR_HEIGHT + CAPTION.before + CAPTION.leading + CAPTION.after
        }
        Some(Block::Signature { .. }) => 2.0 * SIGNATURE_HEIGHT + 20.0,
        Some(Block::Heading { .. }) => heading(1).leading + 2.0 * BODY.leading,
        Some(Block::Callout { .. }) => 4.0 * BODY.leading,
        Some(_) => 2.0 * BODY.leading,
    }
}

fn paragraph(flow: &mut Flow<'_>, words: &str) {
    let words = text::shown(words);
    if words.trim().is_empty() {
        return;
    }
    let node = flow.tree.add(None, Role::Paragraph);
    flow.text(node, &words, BODY);
}

fn list(flow: &mut Flow<'_>, ordered: bool, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let node = flow.tree.add(None, Role::List(ordered));
    let width = flow.width();
    // Numbers of many digits have room, too.
    let indent = if ordered { INDENT.max(items.len().to_string().len() as f32 * 7.0 + 10.0) } else { INDENT };
    for (number, words) in items.iter().enumerate() {
        let item = flow.tree.add(Some(node), Role::Item);
        let label = flow.tree.add(Some(item), Role::Label);
        let body = flow.tree.add(Some(item), Role::Body);
        let mark = if ordered { format!("{}.", number + 1) } else { "•".to_owned() };
        let style = Style { colour: BLUE, weight: Weight::Bold, ..BODY };
        let label = cell(flow, label, &mark, style, 4.0, indent - 4.0);
        let body = cell(flow, body, &text::shown(words), BODY, indent, width - indent);
        flow.row(plain(vec![label, body], 1.5, None), None);
    }
    flow.y += BODY.after - 2.0;
}

fn facts<'a>(flow: &mut Flow<'_>, given: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut node = None;
    let width = flow.width();
    let label_width = width * LABEL_SHARE;
    for (word, fact) in given {
        let list = *node.get_or_insert_with(|| flow.tree.add(None, Role::Facts));
        let item = flow.tree.add(Some(list), Role::Item);
        let (label, body) = (flow.tree.add(Some(item), Role::Label), flow.tree.add(Some(item), Role::Body));
        let label = cell(flow, label, &text::line(word), LABEL, 0.0, label_width - 10.0);
        let body = cell(flow, body, &text::shown(fact), VALUE, label_width, width - label_width);
        flow.row(plain(vec![label, body], 3.5, Some(RULE)), None);
    }
    if node.is_some() {
        flow.y += 10.0;
    }
}

fn callout(flow: &mut Flow<'_>, meaning: Tone, word: &str, words: &str) {
    let (bar, ground, colour) = tone(meaning);
    let node = flow.tree.add(None, Role::Group);
    let (above, below) = (flow.tree.add(Some(node), Role::Paragraph), flow.tree.add(Some(node), Role::Paragraph));
    let width = flow.width();
    let inset = 14.0;
    let word_style = Style { weight: Weight::Bold, colour, ..BODY };
    let words = text::shown(words);
    let mut rows = [(above, word, word_style), (below, &*words, BODY)].map(|(node, words, style)| {
        let mut text = cell(flow, node, words, style, 0.0, width - 2.0 * inset);
        (text.width, text.pad) = (width, inset);
        Row { cells: vec![text], height_min: 0.0, pad: 0.0, ground: Some(ground), bar: Some(bar), rule: None }
    });
    let edge = 7.0;
    flow.space(2.0);
    let whole = rows.iter().map(Row::height).sum::<f32>() + 2.0 * edge;
    flow.ensure(whole.min(flow.height() * 0.35));
    rows[0].height_min = BODY.leading + edge;
    let [first, second] = rows;
    // The edges are rows of their own, so that the text between them may break anywhere.
    let strip = |flow: &mut Flow<'_>| {
        let y = flow.y;
        flow.adorn(MARGIN, y, width, edge, ground);
        flow.adorn(MARGIN, y, 4.0, edge, bar);
        flow.y += edge;
    };
    strip(flow);
    flow.row(Row { height_min: 0.0, ..first }, None);
    flow.row(second, None);
    strip(flow);
    flow.y += 10.0;
}

fn chart(flow: &mut Flow<'_>, chart: &Chart) {
    let most = chart.bars.iter().map(|(_, value)| *value).max().unwrap_or_default().max(1);
    let parts = chart.bars.chunks(BARS_MAX);
    let (count, width) = (parts.len(), flow.width());
    for (part, bars) in parts.enumerate() {
        let more = if count > 1 { format!(" ({} of {count})", part + 1) } else { String::new() };
        let caption = format!("{}{more}", text::line(&chart.caption));
        let height = bars.len() as f32 * BAR_HEIGHT + 8.0;
        flow.ensure(CAPTION.before + 2.0 * CAPTION.leading + CAPTION.after + height);
        let words = flow.tree.add(None, Role::Paragraph);
        flow.text(words, &blank_if_empty(&caption), CAPTION);
        let figure = Mark::Part(flow.tree.add(None, Role::Figure(front::told(chart))));
        let top = flow.y;
        flow.put(figure, What::Box { x: MARGIN, y: top, width, height, colour: STRIPE });
        let labels = width * 0.28;
        let longest = width - labels - 84.0;
        let style = table_style(9.0, Weight::Regular, INK);
        for (number, (label, value)) in bars.iter().enumerate() {
            let y = top + 4.0 + number as f32 * BAR_HEIGHT;
            let below = y + (BAR_HEIGHT - style.leading) / 2.0 + baseline(style);
            let size = style.size;
            let label = flow.fonts.cut(&text::line(label), style.weight, (labels - 18.0) / size);
            let x = MARGIN + labels - 8.0 - label.width * size;
            flow.put(figure, What::Text { x, y: below, size, colour: INK, line: label });
            let length = (*value as f64 / most as f64) as f32 * longest;
            let bar = What::Box {
                x: MARGIN + labels,
                y: y + 2.5,
                width: length.max(0.75),
                height: BAR_HEIGHT - 5.0,
                colour: BLUE,
            };
            flow.put(figure, bar);
            let value = flow.fonts.cut(&report::grouped(*value), Weight::Bold, 76.0 / size);
            let x = MARGIN + labels + length + 6.0;
            flow.put(figure, What::Text { x, y: below, size, colour: FAINT, line: value });
        }
        flow.y = top + height + 8.0;
    }
    table::put(flow, &chart.table(), 0.0);
}
