//! Tables: how wide their columns are, and how their rows are laid out.

use super::{
    columns::{self, Layout, PAD},
    flow::{Flow, Mark, Row, RowCell, width_of},
    font::{Fonts, Weight},
    style::{BLUE, CAPTION, INK, RULE, STRIPE, Style, WHITE, table as table_style, tone},
    tree::{NodeId, Role},
};
use crate::{Align, Cell, Table, text};

/// Above and below it.
const PAD_ABOVE: f32 = 3.5;
/// A table does not begin at the foot of a page with fewer rows than these.
const ROWS_TOGETHER: usize = 3;
/// And no more of a page than this is left empty for them.
const BEGINNING_MAX: f32 = 0.3;
/// What an empty cell holds, so that readers of the structure find it.
const NOTHING: &str = " ";

/// Puts a table; `height_min` is that of each of its rows.
pub(super) fn put(flow: &mut Flow<'_>, table: &Table, height_min: f32) {
    for (table, layout) in columns::parts(flow.fonts, table, width_of(false), width_of(true)) {
        part(flow, &table, &layout, &text::line(&table.caption), height_min);
    }
}

/// How much room the beginning of a table takes: what a heading above it is kept together with.
pub(super) fn lead(flow: &mut Flow<'_>, table: &Table, height_min: f32) -> f32 {
    let parts = columns::parts(flow.fonts, table, width_of(false), width_of(true));
    let Some((part, layout)) = parts.first() else { return 0.0 };
    let heading = table_style(layout.size, Weight::Bold, WHITE);
    let named = part.columns.iter().map(|column| text::line(&column.heading)).chain(std::iter::repeat(String::new()));
    let headings = named.take(layout.widths.len());
    let headings = headings.map(|words| (NodeId::nowhere(), words, heading, Align::Start, None)).collect();
    let head = row(flow.fonts, layout, headings, 0.0).height();
    beginning(flow, part, layout, &text::line(&part.caption), head, height_min)
}

/// The room of a table's caption, head and first rows, as far as they stay together: a tall row may break, before it leaves
/// half a page empty.
fn beginning(flow: &mut Flow<'_>, table: &Table, layout: &Layout, caption: &str, head: f32, height_min: f32) -> f32 {
    let mut room = head;
    for cells in table.rows.iter().take(ROWS_TOGETHER) {
        let cells = cells_of(flow, None, table, cells, layout);
        room += row(flow.fonts, layout, cells, height_min).height();
    }
    if !caption.is_empty() {
        let lines = flow.fonts.wrap(caption, CAPTION.weight, flow.width() / CAPTION.size).len() as f32;
        room += CAPTION.before + lines * CAPTION.leading + CAPTION.after;
    }
    room.min(flow.height() * BEGINNING_MAX)
}

/// Does a table need a page that is wider than high?
pub(super) fn is_wide(flow: &Flow<'_>, table: &Table) -> bool {
    let parts = columns::parts(flow.fonts, table, width_of(false), width_of(true));
    parts.first().is_some_and(|(_, layout)| layout.is_wide)
}

fn part(flow: &mut Flow<'_>, table: &Table, layout: &Layout, caption: &str, height_min: f32) {
    if layout.is_wide {
        flow.turn(true);
    }
    let node = flow.tree.add(None, Role::Table);
    let caption_node = (!caption.is_empty()).then(|| flow.tree.add(Some(node), Role::Caption));
    let heading = table_style(layout.size, Weight::Bold, WHITE);
    let head_node = flow.tree.add(Some(node), Role::Head);
    let row_node = flow.tree.add(Some(head_node), Role::Row);
    let named = table.columns.iter().map(Some).chain(std::iter::repeat(None)).take(layout.widths.len());
    let headings: Vec<Content> = named
        .map(|column| {
            let words = column.map_or(String::new(), |column| text::line(&column.heading));
            let align = column.map_or(Align::Start, |column| column.align);
            (flow.tree.add(Some(row_node), Role::ColumnHeading), words, heading, align, None)
        })
        .collect();
    let head = Row { ground: Some(BLUE), rule: None, ..row(flow.fonts, layout, headings, 0.0) };

    // The caption and the head are not left behind by the first rows.
    let room = beginning(flow, table, layout, caption, head.height(), height_min);
    flow.ensure(room);
    if let Some(caption_node) = caption_node {
        flow.text(caption_node, caption, CAPTION);
    }
    let repeated = head.repeated();
    flow.row(head, None);
    let body_node = flow.tree.add(Some(node), Role::Rows);
    if table.rows.is_empty() {
        let style = table_style(layout.size, Weight::Regular, INK);
        let row_node = flow.tree.add(Some(body_node), Role::Row);
        let mut cells: Vec<_> = (0..layout.widths.len())
            .map(|_| (flow.tree.add(Some(row_node), Role::Data), String::new(), style, Align::Start, None))
            .collect();
        if let Some(first) = cells.first_mut() {
            first.1 = text::line(&table.empty);
        }
        let mut empty = row(flow.fonts, layout, cells, height_min);
        // What is said has the room of all columns.
        if let Some(first) = empty.cells.first_mut() {
            let width = layout.widths.iter().sum::<f32>() - 2.0 * PAD;
            first.lines = flow.fonts.wrap(&text::line(&table.empty), Weight::Regular, width / layout.size);
        }
        flow.row(empty, Some(&repeated));
    }
    for (number, cells) in table.rows.iter().enumerate() {
        let row_node = flow.tree.add(Some(body_node), Role::Row);
        let cells = cells_of(flow, Some(row_node), table, cells, layout);
        // Room for a hand is white.
        let ground = (number % 2 == 1 && height_min == 0.0).then_some(STRIPE);
        let row = Row { ground, ..row(flow.fonts, layout, cells, height_min) };
        flow.row(row, Some(&repeated));
    }
    flow.y += 12.0;
    if layout.is_wide {
        flow.turn(false);
    }
}

type Content = (NodeId, String, Style, Align, Option<[u8; 3]>);

/// The cells of a row; without a node for the row, only to be measured.
fn cells_of(
    flow: &mut Flow<'_>,
    row_node: Option<NodeId>,
    table: &Table,
    cells: &[Cell],
    layout: &Layout,
) -> Vec<Content> {
    let count = layout.widths.len();
    let cell = |place: usize| {
        let is_heading = place == 0 && table.has_row_headings;
        let cell = cells.get(place);
        let weight = if is_heading { Weight::Bold } else { Weight::Regular };
        let plain = table_style(layout.size, weight, INK);
        let (style, ground) = match cell {
            Some(Cell::Verdict(verdict, _)) => {
                let (_, ground, words) = tone(*verdict);
                (Style { weight: Weight::Bold, colour: words, ..plain }, Some(ground))
            }
            _ => (plain, None),
        };
        let role = if is_heading { Role::RowHeading } else { Role::Data };
        let words = cell.map_or(String::new(), |cell| text::cell(cell).into_owned());
        let node = row_node.map_or_else(NodeId::nowhere, |row| flow.tree.add(Some(row), role));
        let align = table.columns.get(place).map_or(Align::Start, |column| column.align);
        (node, words, style, align, ground)
    };
    (0..count).map(cell).collect()
}

fn row(fonts: &Fonts, layout: &Layout, contents: Vec<Content>, height_min: f32) -> Row {
    let mut x = 0.0;
    let cell = |((node, words, style, align, ground), width): (Content, &f32)| {
        let words = if words.trim().is_empty() { NOTHING } else { &words };
        let lines = fonts.wrap(words, style.weight, (width - 2.0 * PAD) / style.size);
        let cell = RowCell { mark: Mark::Part(node), lines, style, x, width: *width, align, ground, pad: PAD };
        x += width;
        cell
    };
    let cells = contents.into_iter().zip(&layout.widths).map(cell).collect();
    Row { cells, height_min, pad: PAD_ABOVE, ground: None, bar: None, rule: Some(RULE) }
}
