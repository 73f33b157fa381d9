//! Text flows over pages: lines, rows, and what breaks where.

use krilla::tagging::ArtifactType;

use super::{
    font::{Fonts, Line},
    style::{BOTTOM, Colour, MARGIN, PAGE, Style, TOP},
    tree::{NodeId, Tree},
};
use crate::Align;

/// A row that would leave this share of a page empty is rather broken.
const SHARE_KEPT_WHOLE: f32 = 0.35;
/// So many lines of a paragraph or of a row stand together at least.
const LINES_TOGETHER: usize = 2;

/// Whose a piece of a page is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mark {
    /// Nobody's: it repeats or adorns what stands elsewhere.
    Artifact(ArtifactType),
    /// That of a part of the document.
    Part(NodeId),
}

/// A piece of a page.
pub(super) struct Piece {
    pub(super) mark: Mark,
    pub(super) what: What,
}

/// What is drawn. Places are from the upper left corner; a line's is that of its baseline.
pub(super) enum What {
    Text {
        x: f32,
        y: f32,
        size: f32,
        colour: Colour,
        line: Line,
    },
    Box {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        colour: Colour,
    },
    /// The page that the heading of this block is on, once it is known, up to this edge; all from the left margin to there, and
    /// from `top` to `bottom`, leads to it.
    PageOf {
        block: usize,
        right: f32,
        y: f32,
        style: Style,
        top: f32,
        bottom: f32,
    },
}

/// A page.
#[derive(Default)]
pub(super) struct Page {
    /// Is it wider than it is high?
    pub(super) is_wide: bool,
    pub(super) pieces: Vec<Piece>,
}

impl Page {
    pub(super) fn size(&self) -> (f32, f32) {
        if self.is_wide { (PAGE.1, PAGE.0) } else { PAGE }
    }
}

/// What stands in a row beside other things.
pub(super) struct RowCell {
    pub(super) mark: Mark,
    pub(super) lines: Vec<Line>,
    pub(super) style: Style,
    /// Where it begins, from the left margin, and how wide it is, its edges with it.
    pub(super) x: f32,
    pub(super) width: f32,
    pub(super) align: Align,
    /// What is behind it.
    pub(super) ground: Option<Colour>,
    /// Beside its text.
    pub(super) pad: f32,
}

/// Things that stand beside each other.
pub(super) struct Row {
    pub(super) cells: Vec<RowCell>,
    pub(super) height_min: f32,
    /// Above and below its text.
    pub(super) pad: f32,
    /// What is behind all of it.
    pub(super) ground: Option<Colour>,
    /// A bar at its left edge.
    pub(super) bar: Option<Colour>,
    /// A line below it.
    pub(super) rule: Option<Colour>,
}

impl Row {
    pub(super) fn height(&self) -> f32 {
        let of_cell = |cell: &RowCell| cell.lines.len() as f32 * cell.style.leading;
        (self.cells.iter().map(of_cell).fold(0.0, f32::max) + 2.0 * self.pad).max(self.height_min)
    }

    /// The same row, all of it nobody's: to be repeated.
    pub(super) fn repeated(&self) -> Self {
        let cell = |cell: &RowCell| RowCell {
            mark: Mark::Artifact(ArtifactType::PaginationOther),
            lines: cell.lines.clone(),
            ..*cell
        };
        Self { cells: self.cells.iter().map(cell).collect(), ..*self }
    }

    /// Takes as many lines as fit into this height, at least one.
    fn take(&mut self, height: f32) -> Self {
        let room = height - 2.0 * self.pad;
        let cell = |cell: &mut RowCell| {
            let fit = ((room / cell.style.leading).max(1.0) as usize).min(cell.lines.len());
            let rest = cell.lines.split_off(fit);
            RowCell { lines: std::mem::replace(&mut cell.lines, rest), ..*cell }
        };
        let taken = Self { cells: self.cells.iter_mut().map(cell).collect(), ..*self };
        self.height_min = 0.0;
        taken
    }
}

/// The pages as they fill.
pub(super) struct Flow<'f> {
    pub(super) fonts: &'f Fonts,
    pub(super) tree: Tree,
    pub(super) pages: Vec<Page>,
    /// Where the next thing goes on the last page.
    pub(super) y: f32,
    /// Where the text of the last page begins, below what is repeated there.
    first: f32,
    /// The headings: of which block, on which page, how far down.
    pub(super) headings: Vec<(usize, usize, f32)>,
}

impl<'f> Flow<'f> {
    pub(super) fn new(fonts: &'f Fonts) -> Self {
        let pages = vec![Page::default()];
        Self { fonts, tree: Tree::default(), pages, y: TOP, first: TOP, headings: Vec::new() }
    }

    fn page(&mut self) -> &mut Page {
        // There is always one.
        let last = self.pages.len() - 1;
        &mut self.pages[last]
    }

    pub(super) fn is_wide(&self) -> bool {
        self.pages.last().is_some_and(|page| page.is_wide)
    }

    fn size(&self) -> (f32, f32) {
        self.pages.last().map_or(PAGE, Page::size)
    }

    /// How wide text is.
    pub(super) fn width(&self) -> f32 {
        self.size().0 - 2.0 * MARGIN
    }

    /// How much room is left below.
    pub(super) fn room(&self) -> f32 {
        self.size().1 - BOTTOM - self.y
    }

    /// How high a whole page of text is.
    pub(super) fn height(&self) -> f32 {
        self.size().1 - BOTTOM - TOP
    }

    pub(super) fn is_at_top(&self) -> bool {
        self.y <= self.first
    }

    pub(super) fn new_page(&mut self, is_wide: bool) {
        self.pages.push(Page { is_wide, pieces: Vec::new() });
        (self.y, self.first) = (TOP, TOP);
    }

    /// Goes on to a page of this shape.
    pub(super) fn turn(&mut self, is_wide: bool) {
        if self.is_wide() == is_wide {
            return;
        }
        if self.page().pieces.is_empty() {
            self.page().is_wide = is_wide;
        } else {
            self.new_page(is_wide);
        }
    }

    /// Goes on to the next page where so much has no room.
    pub(super) fn ensure(&mut self, height: f32) {
        if self.room() < height && !self.is_at_top() {
            self.new_page(self.is_wide());
        }
    }

    /// Leaves room, unless the page has just begun.
    pub(super) fn space(&mut self, height: f32) {
        if !self.is_at_top() {
            self.y += height;
        }
    }

    pub(super) fn put(&mut self, mark: Mark, what: What) {
        self.page().pieces.push(Piece { mark, what });
    }

    pub(super) fn adorn(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Colour) {
        self.put(Mark::Artifact(ArtifactType::Layout), What::Box { x, y, width, height, colour });
    }

    /// A paragraph over the whole width.
    pub(super) fn text(&mut self, node: NodeId, text: &str, style: Style) {
        self.space(style.before);
        let mut lines = self.fonts.wrap(text, style.weight, self.width() / style.size);
        while !lines.is_empty() {
            let mut fit = ((self.room() / style.leading).max(0.0) as usize).min(lines.len());
            if fit < lines.len() {
                // No line stands alone.
                if lines.len() - fit < LINES_TOGETHER {
                    fit = lines.len() - LINES_TOGETHER.min(lines.len());
                }
                if fit < LINES_TOGETHER {
                    fit = 0;
                }
                if fit == 0 && self.is_at_top() {
                    fit = 1;
                }
            }
            let rest = lines.split_off(fit);
            for line in std::mem::replace(&mut lines, rest) {
                self.line(Mark::Part(node), line, style, MARGIN);
                self.y += style.leading;
            }
            if !lines.is_empty() {
                self.new_page(self.is_wide());
            }
        }
        self.y += style.after;
    }

    /// A line that begins here, in the room from `y` on.
    fn line(&mut self, mark: Mark, line: Line, style: Style, x: f32) {
        let y = self.y + baseline(style);
        self.put(mark, What::Text { x, y, size: style.size, colour: style.colour, line });
    }

    /// A row; where it goes on on another page, the head is repeated first.
    pub(super) fn row(&mut self, mut row: Row, head: Option<&Row>) {
        loop {
            let height = row.height();
            if height <= self.room() {
                self.piece_of_row(row, height);
                return;
            }
            let leading = row.cells.iter().map(|cell| cell.style.leading).fold(1.0, f32::max);
            let few = LINES_TOGETHER as f32 * leading + 2.0 * row.pad;
            let is_kept_whole = height <= self.height() * SHARE_KEPT_WHOLE;
            if !self.is_at_top() && (is_kept_whole || self.room() < few) {
                self.new_page(self.is_wide());
                self.repeat(head);
                continue;
            }
            let room = self.room();
            let piece = row.take(room);
            let height = piece.height();
            self.piece_of_row(piece, height);
            if row.cells.iter().all(|cell| cell.lines.is_empty()) {
                return;
            }
            self.new_page(self.is_wide());
            self.repeat(head);
        }
    }

    fn repeat(&mut self, head: Option<&Row>) {
        // One that takes more than half of the page would leave no room for rows.
        if let Some(head) = head.filter(|head| head.height() < self.height() / 2.0) {
            let row = head.repeated();
            let height = row.height();
            self.piece_of_row(row, height);
            self.first = self.y;
        }
    }

    /// All of a row, here.
    fn piece_of_row(&mut self, row: Row, height: f32) {
        let (left, top) = (MARGIN, self.y);
        let from = row.cells.first().map_or(0.0, |cell| cell.x);
        let to = row.cells.last().map_or(0.0, |cell| cell.x + cell.width);
        if let Some(colour) = row.ground {
            self.adorn(left + from, top, to - from, height, colour);
        }
        for cell in &row.cells {
            if let Some(colour) = cell.ground {
                self.adorn(left + cell.x, top, cell.width, height, colour);
            }
        }
        if let Some(colour) = row.bar {
            self.adorn(left + from, top, 4.0, height, colour);
        }
        if let Some(colour) = row.rule {
            self.adorn(left + from, top + height - 0.6, to - from, 0.6, colour);
        }
        for cell in row.cells {
            self.y = top + row.pad;
            for line in cell.lines {
                let room = cell.width - 2.0 * cell.pad - line.width * cell.style.size;
                let shift = match cell.align {
                    Align::Start => 0.0,
                    Align::Middle => room.max(0.0) / 2.0,
                    Align::End => room.max(0.0),
                };
                self.line(cell.mark, line, cell.style, left + cell.x + cell.pad + shift);
                self.y += cell.style.leading;
            }
        }
        self.y = top + height;
    }
}

/// How wide text is on a page of this shape.
pub(super) fn width_of(is_wide: bool) -> f32 {
    Page { is_wide, pieces: Vec::new() }.size().0 - 2.0 * MARGIN
}

/// How far below the top of its line a text's baseline is.
pub(super) fn baseline(style: Style) -> f32 {
    // What the font has above and below the baseline, in the middle of the line.
    f32::midpoint(style.leading, (0.905 - 0.212) * style.size)
}
