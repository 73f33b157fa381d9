//! How wide the columns of a table are, and how large its text is.

use std::borrow::Cow;

use super::font::{Fonts, Weight};
use crate::{Cell, Column, Table, front, text};

/// Sizes of text, tried one after the other until every word has room.
pub(crate) const SIZES: [f32; 3] = [9.0, 8.0, 7.0];
/// Beside the text of a cell.
pub(crate) const PAD: f32 = 5.0;
/// A table with more columns is shown in parts; in more of them, where words had no room.
const COLUMNS_MAX: [usize; 3] = [20, 12, 8];
/// So many rows tell how wide a column is to be.
const ROWS_MEASURED: usize = 400;
/// No column has to be wider than this share of the table for the sake of one long word.
const WORD_SHARE_MAX: f32 = 0.4;
/// A table that needs less than this share of the page is not drawn out to all of it.
const SHARE_DRAWN_OUT: f32 = 0.55;

/// How a table is laid out.
pub(crate) struct Layout {
    /// Does it need a page that is wider than high?
    pub(crate) is_wide: bool,
    /// That of its text.
    pub(crate) size: f32,
    /// Those of its columns.
    pub(crate) widths: Vec<f32>,
    /// Has every word room?
    fits: bool,
}

/// A table as pages of these widths, upright and wide, have room for it: whole, or in parts.
pub(crate) fn parts<'t>(fonts: &Fonts, table: &'t Table, upright: f32, wide: f32) -> Vec<(Cow<'t, Table>, Layout)> {
    let mut all = Vec::new();
    for columns_max in COLUMNS_MAX {
        let of = |table: Cow<'t, Table>| {
            let layout = Layout::of(fonts, &table, upright, wide);
            (table, layout)
        };
        all = match front::parts(table, columns_max) {
            Cow::Borrowed(parts) => parts.iter().map(|part| of(Cow::Borrowed(part))).collect(),
            Cow::Owned(parts) => parts.into_iter().map(|part| of(Cow::Owned(part))).collect(),
        };
        if all.iter().all(|(_, layout)| layout.fits) {
            break;
        }
    }
    all
}

impl Layout {
    /// For pages of these widths, upright and wide.
    fn of(fonts: &Fonts, table: &Table, upright: f32, wide: f32) -> Self {
        let count = table.width().max(1);
        let measured: Vec<(f32, f32)> = (0..count).map(|place| extent(fonts, table, place)).collect();
        // Small text is tried before a page is turned; then large text again.
        let ways = [(false, SIZES[0]), (false, SIZES[1]), (true, SIZES[0]), (true, SIZES[1]), (true, SIZES[2])];
        for (is_wide, size) in ways {
            let width = if is_wide { wide } else { upright };
            let words = measured.iter().map(|(word, _)| (word * size + 2.0 * PAD).min(width * WORD_SHARE_MAX));
            let words: Vec<f32> = words.collect();
            if words.iter().sum::<f32>() <= width {
                let widths = shared(table, &measured, &words, size, width);
                return Self { is_wide, size, widths, fits: true };
            }
        }
        let (is_wide, size) = (true, SIZES[2]);
        let widths = vec![wide / count as f32; count];
        Self { is_wide, size, widths, fits: false }
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
        let layout = Layout::of(&fonts, table, 483.276, 729.89);
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
