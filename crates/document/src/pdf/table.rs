//! Tables: how wide their columns are, and how their rows are laid out.

use super::{
    flow::{Flow, Mark, Row, RowCell},
    font::{Fonts, Weight},
    style::{BLUE, CAPTION, INK, RULE, STRIPE, Style, WHITE, table as table_style, tone},
    tree::{NodeId, Role},
};
use crate::{Align, Cell, Column, Table, front, text};

/// Sizes of text, tried one after the other until every word has room.
const SIZES: [f32; 3] = [9.0, 8.0, 7.0];
/// Beside the text of a cell.
const PAD: f32 = 5.0;
/// Above and below it.
const PAD_ABOVE: f32 = 3.5;
/// So many rows tell how wide a column is to be.
const ROWS_MEASURED: usize = 400;
/// No column has to be wider than this share of the table for the sake of one long word.
const WORD_SHARE_MAX: f32 = 0.4;
/// A table that needs less than this share of the page is not drawn out to all of it.
const SHARE_DRAWN_OUT: f32 = 0.55;
/// A table does not begin at the foot of a page with fewer rows than these.
const ROWS_TOGETHER: usize = 3;
/// What an empty cell holds, so that readers of the structure find it.
const NOTHING: &str = " ";

/// How a table is laid out.
struct Layout {
    is_wide: bool,
    size: f32,
    widths: Vec<f32>,
}

/// Puts a table; `height_min` is that of each of its rows.
pub(super) fn put(flow: &mut Flow<'_>, table: &Table, height_min: f32) {
    for table in &*front::parts(table) {
        part(flow, table, &text::line(&table.caption), height_min);
    }
}

/// How much room the beginning of a table takes: what a heading above it is kept together with.
pub(super) fn lead(flow: &Flow<'_>, table: &Table) -> f32 {
    let caption = if table.caption.is_empty() { 0.0 } else { CAPTION.before + CAPTION.leading + CAPTION.after };
    caption + 4.0 * table_style(SIZES[0], Weight::Regular, INK).leading + 4.0 * PAD_ABOVE + flow.height() * 0.02
}

fn part(flow: &mut Flow<'_>, table: &Table, caption: &str, height_min: f32) {
    let layout = Layout::of(flow, table);
    if layout.is_wide {
        flow.turn(true);
    }
    let node = flow.tree.add(None, Role::Table);
    let caption_node = (!caption.is_empty()).then(|| flow.tree.add(Some(node), Role::Caption));
    let heading = table_style(layout.size, Weight::Bold, WHITE);
    let head_node = flow.tree.add(Some(node), Role::Head);
    let row_node = flow.tree.add(Some(head_node), Role::Row);
    let named = table.columns.iter().map(Some).chain(std::iter::repeat(None)).take(layout.widths.len());
    let headings: Vec<(NodeId, String, Style, Align, Option<[u8; 3]>)> = named
        .map(|column| {
            let words = column.map_or(String::new(), |column| text::line(&column.heading));
            let align = column.map_or(Align::Start, |column| column.align);
            (flow.tree.add(Some(row_node), Role::ColumnHeading), words, heading, align, None)
        })
        .collect();
    let head = Row { ground: Some(BLUE), rule: None, ..row(flow.fonts, &layout, headings, 0.0) };

    // The caption and the head are not left behind by the first row.
    let mut first = 0.0;
    for cells in table.rows.iter().take(ROWS_TOGETHER) {
        let cells = cells_of(flow, None, table, cells, &layout);
        first += row(flow.fonts, &layout, cells, height_min).height();
    }
    if let Some(caption_node) = caption_node {
        let lines = flow.fonts.wrap(caption, CAPTION.weight, flow.width() / CAPTION.size).len() as f32;
        let above = CAPTION.before + lines * CAPTION.leading + CAPTION.after;
        flow.ensure((above + head.height() + first).min(flow.height() * 0.5));
        flow.text(caption_node, caption, CAPTION);
    } else {
        flow.ensure((head.height() + first).min(flow.height() * 0.5));
    }
    let repeated = head.repeated();
    flow.row(head, None);
    let rows_node = flow.tree.add(Some(node), Role::Rows);
    if table.rows.is_empty() {
        let style = table_style(layout.size, Weight::Regular, INK);
        let row_node = flow.tree.add(Some(rows_node), Role::Row);
        let mut cells: Vec<_> = (0..layout.widths.len())
            .map(|_| (flow.tree.add(Some(row_node), Role::Data), String::new(), style, Align::Start, None))
            .collect();
        if let Some(first) = cells.first_mut() {
            first.1 = text::line(&table.empty);
        }
        let mut empty = row(flow.fonts, &layout, cells, height_min);
        // What is said has the room of all columns.
        if let Some(first) = empty.cells.first_mut() {
            let width = layout.widths.iter().sum::<f32>() - 2.0 * PAD;
            first.lines = flow.fonts.wrap(&text::line(&table.empty), Weight::Regular, width / layout.size);
        }
        flow.row(empty, Some(&repeated));
    }
    for (number, cells) in table.rows.iter().enumerate() {
        let row_node = flow.tree.add(Some(rows_node), Role::Row);
        let cells = cells_of(flow, Some(row_node), table, cells, &layout);
        // Room for a hand is white.
        let ground = (number % 2 == 1 && height_min == 0.0).then_some(STRIPE);
        let row = Row { ground, ..row(flow.fonts, &layout, cells, height_min) };
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

impl Layout {
    fn of(flow: &Flow<'_>, table: &Table) -> Self {
        let count = table.width().max(1);
        let measured: Vec<(f32, f32)> = (0..count).map(|place| extent(flow.fonts, table, place)).collect();
        let (upright, wide) = (flow.width_of(false), flow.width_of(true));
        // Small text is tried before a page is turned; then large text again.
        let ways = [(false, SIZES[0]), (false, SIZES[1]), (true, SIZES[0]), (true, SIZES[1]), (true, SIZES[2])];
        for (is_wide, size) in ways {
            let width = if is_wide { wide } else { upright };
            let words = measured.iter().map(|(word, _)| (word * size + 2.0 * PAD).min(width * WORD_SHARE_MAX));
            let words: Vec<f32> = words.collect();
            if words.iter().sum::<f32>() <= width {
                let widths = shared(table, &measured, &words, size, width);
                return Self { is_wide, size, widths };
            }
        }
        let (is_wide, size) = (true, SIZES[2]);
        let widths = vec![wide / count as f32; count];
        Self { is_wide, size, widths }
    }
}

/// The longest word and the longest line of a column, for a size of 1.
fn extent(fonts: &Fonts, table: &Table, place: usize) -> (f32, f32) {
    let heading = table.columns.get(place).map_or(String::new(), |column| text::line(&column.heading));
    let (mut word, mut line) = fonts.extent(&heading, Weight::Bold);
    for row in table.rows.iter().take(ROWS_MEASURED) {
        let Some(cell) = row.get(place) else { continue };
        let is_bold = matches!(cell, Cell::Verdict(..)) || (place == 0 && table.has_row_headings);
        let weight = if is_bold { Weight::Bold } else { Weight::Regular };
        let (of_word, of_line) = fonts.extent(&text::cell(cell), weight);
        // A day is not broken.
        let of_word = if matches!(cell, Cell::Date(_)) { of_line } else { of_word };
        (word, line) = (word.max(of_word), line.max(of_line));
    }
    (word, line)
}

/// Shares a table's width among its columns. Each has room for its words. Columns that asked for no share are as wide as what
/// they hold, as far as that is fair; the others share what is left. A table that has little to say is not drawn out.
fn shared(table: &Table, measured: &[(f32, f32)], words: &[f32], size: f32, width: f32) -> Vec<f32> {
    let share = |place: usize| table.columns.get(place).and_then(|column: &Column| column.share).map(f32::from);
    let shares: Vec<Option<f32>> = (0..words.len()).map(share).collect();
    // A little more than the text, or the last sign might not fit.
    let lines: Vec<f32> = measured.iter().map(|(_, line)| line * size + 2.0 * PAD + 0.5).collect();
    let asked: f32 = shares.iter().flatten().sum();
    let all: f32 = lines.iter().sum();
    let has_shares = asked > 0.0;
    if !has_shares && all < width {
        let target = if all < width * SHARE_DRAWN_OUT { (all * 1.5).max(width * 0.5) } else { width };
        return lines.iter().map(|line| line / all.max(1.0) * target).collect();
    }
    let mut widths = words.to_vec();
    let mut order: Vec<usize> = (0..words.len()).filter(|place| shares[*place].is_none()).collect();
    order.sort_by(|one, other| lines[*one].total_cmp(&lines[*other]));
    let mut room = width - widths.iter().sum::<f32>();
    let count = words.len() as f32;
    for (done, place) in order.iter().enumerate() {
        // Those that asked for a share keep theirs.
        let left = if has_shares { count } else { count - done as f32 };
        let more = (lines[*place] - words[*place]).max(0.0).min(room.max(0.0) / left);
        widths[*place] += more;
        room -= more;
    }
    if has_shares {
        let fixed: f32 = order.iter().map(|place| widths[*place]).sum();
        let wish = |place: usize| shares[place].map_or(0.0, |share| share / asked * (width - fixed));
        let beyond: Vec<f32> = (0..words.len()).map(|place| (wish(place) - words[place]).max(0.0)).collect();
        let sum: f32 = beyond.iter().sum();
        widths.iter_mut().zip(beyond).for_each(|(one, more)| *one += more / sum.max(0.01) * room.max(0.0));
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widths(table: &Table) -> (bool, Vec<f32>) {
        let fonts = Fonts::new().unwrap();
        let layout = Layout::of(&Flow::new(&fonts), table);
        (layout.is_wide, layout.widths)
    }

    fn table(columns: Vec<Column>, row: &[&str]) -> Table {
        Table { columns, rows: vec![row.iter().map(|text| Cell::from(*text)).collect()], ..Table::default() }
    }

    #[test]
    fn columns_fill_the_page_and_words_have_room() {
        let (is_wide, widths) =
            widths(&table(vec![Column::new("No."), Column::new("What")], &["1", &"many words ".repeat(50)]));
        assert!(!is_wide && widths[0] >= 20.0 && widths[0] < 60.0, "{widths:?}");
        assert!((widths.iter().sum::<f32>() - 483.276).abs() < 0.1, "{widths:?}");
    }

    #[test]
    fn shares_are_kept_where_words_allow() {
        let (_, wide) = widths(&table(vec![Column::share("A", 1), Column::share("B", 3)], &["x", "y"]));
        assert!((wide[1] / wide[0] - 3.0).abs() < 0.1, "{wide:?}");
        let (_, widths) = widths(&table(vec![Column::share("Responsibilities", 1), Column::share("B", 30)], &[]));
        assert!(widths[0] > 75.0, "{widths:?}");
    }

    #[test]
    fn a_column_without_a_share_is_as_wide_as_what_it_holds() {
        let columns = vec![Column::number("Week"), Column::share("What", 80), Column::share("Who", 20)];
        let (_, widths) = widths(&table(columns, &["12", "this and that", "somebody"]));
        assert!(widths[0] < 40.0 && widths[1] > 300.0, "{widths:?}");
        let columns = ["No.", "Department", "Remarks"].map(Column::new).into();
        let (_, widths) = self::widths(&table(columns, &["C01", "Research and development", &"a remark ".repeat(40)]));
        assert!(widths[0] < 40.0 && widths[1] > 115.0 && widths[2] > 300.0, "{widths:?}");
        assert!((widths.iter().sum::<f32>() - 483.276).abs() < 0.1, "{widths:?}");
    }

    #[test]
    fn a_table_with_many_columns_turns_the_page() {
        let columns: Vec<Column> = (0..12).map(|_| Column::new("Responsible")).collect();
        let (is_wide, widths) = widths(&table(columns, &["Accountable"; 12]));
        assert!(is_wide && (widths.iter().sum::<f32>() - 729.89).abs() < 0.1, "{widths:?}");
        let columns: Vec<Column> = (0..40).map(|_| Column::new("Responsible")).collect();
        let (is_wide, widths) = self::widths(&table(columns, &[]));
        assert!(is_wide && widths.iter().all(|width| *width > 10.0), "{widths:?}");
    }
}
