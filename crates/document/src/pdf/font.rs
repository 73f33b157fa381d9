//! The fonts of a PDF, and lines of text set in them.
//!
//! Signs are set one after the other by the widths that the font has for them; a sign with marks above it becomes the one sign
//! that shows both, where there is one. Lines that run from right to left are turned around as the Unicode bidirectional
//! algorithm says. What the fonts have no sign for is a box; the text itself stays in the file, for searches and screen readers.

use std::{cell::RefCell, collections::HashMap, ops::Range};

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::{FontRef, MetadataProvider, instance::LocationRef, metrics::GlyphMetrics, prelude::Size};
use unicode_bidi::BidiInfo;
use unicode_normalization::char::{compose, is_combining_mark};

use super::Unwritable;

const REGULAR: &[u8] = include_bytes!("../../fonts/LiberationSans-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../../fonts/LiberationSans-Bold.ttf");

/// What is drawn for a sign that the fonts lack, the first of these that they have.
const BOXES: [char; 4] = ['\u{25a1}', '\u{25a0}', '\u{fffd}', '?'];

/// How heavy a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// Both fonts.
pub(crate) struct Fonts {
    regular: Face,
    bold: Face,
}

/// A font, with what is needed to set text in it.
pub(super) struct Face {
    font: Font,
    of_file: FontRef<'static>,
    metrics: GlyphMetrics<'static>,
    units: f32,
    /// Signs looked up so far: which glyph, and how wide it is for a size of 1.
    known: RefCell<HashMap<char, Option<(u32, f32)>>>,
    instead: (u32, f32),
}

/// A line of text, set.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) weight: Weight,
    /// Its glyphs, from left to right.
    pub(super) glyphs: Vec<KrillaGlyph>,
    /// How wide it is for a size of 1, without the space that it ends in.
    pub(super) width: f32,
}

/// Signs that stand in one place: one, with its marks.
struct Cluster {
    range: Range<usize>,
    glyph: u32,
    /// For a size of 1.
    width: f32,
    gap: Gap,
}

/// Whether a line may end after a cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    /// Only if there is no other way.
    None,
    /// Rather than anywhere within a long word.
    Within,
    /// Yes, and the cluster is to be seen.
    After,
    /// Yes, and it is a space.
    Space,
}

impl Fonts {
    pub(crate) fn new() -> Result<Self, Unwritable> {
        Ok(Self { regular: Face::new(REGULAR)?, bold: Face::new(BOLD)? })
    }

    pub(super) fn face(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    /// Sets a text in lines no wider than this, for a size of 1. There is always a line.
    pub(super) fn wrap(&self, text: &str, weight: Weight, width: f32) -> Vec<Line> {
        let face = self.face(weight);
        let mut lines = Vec::new();
        for part in text.split('\n') {
            let clusters = face.clusters(part);
            let bidi = is_turned(part).then(|| BidiInfo::new(part, None));
            for range in breaks(&clusters, width) {
                lines.push(face.line(part, weight, &clusters[range], bidi.as_ref()));
            }
        }
        lines
    }

    /// A text on one line, which ends in … where there is no room for all of it.
    pub(super) fn cut(&self, text: &str, weight: Weight, width: f32) -> Line {
        let whole = |text: &str| self.wrap(text, weight, f32::INFINITY).swap_remove(0);
        let line = whole(text);
        if line.width <= width {
            return line;
        }
        let face = self.face(weight);
        let room = width - whole("…").width;
        let mut taken = 0.0;
        let fits = |cluster: &Cluster| {
            taken += cluster.width;
            taken <= room
        };
        let end = face.clusters(text).into_iter().take_while(fits).last().map_or(0, |last| last.range.end);
        whole(&format!("{}…", &text[..end]))
    }

    /// How wide the longest word of a text is, for a size of 1, and how wide the whole text is on one line.
    pub(super) fn extent(&self, text: &str, weight: Weight) -> (f32, f32) {
        let face = self.face(weight);
        let (mut word, mut line) = (0.0_f32, 0.0_f32);
        for part in text.split('\n') {
            let (mut here, mut all) = (0.0, 0.0);
            for cluster in face.clusters(part) {
                all += cluster.width;
                if cluster.gap == Gap::Space {
                    here = 0.0;
                    continue;
                }
                here += cluster.width;
                word = word.max(here);
                if cluster.gap == Gap::After {
                    here = 0.0;
                }
            }
            line = line.max(all);
        }
        (word, line)
    }
}

impl Face {
    fn new(bytes: &'static [u8]) -> Result<Self, Unwritable> {
        let font = Font::new(bytes.into(), 0).ok_or(Unwritable::Font)?;
        let of_file = FontRef::new(bytes).map_err(|_| Unwritable::Font)?;
        let metrics = of_file.glyph_metrics(Size::unscaled(), LocationRef::default());
        let units = f32::from(of_file.metrics(Size::unscaled(), LocationRef::default()).units_per_em.max(1));
        let mut face = Self { font, of_file, metrics, units, known: RefCell::default(), instead: (0, 0.0) };
        face.instead = BOXES.into_iter().find_map(|c| face.glyph(c)).ok_or(Unwritable::Font)?;
        Ok(face)
    }

    /// The font, to draw with.
    pub(super) fn font(&self) -> Font {
        self.font.clone()
    }

    fn glyph(&self, c: char) -> Option<(u32, f32)> {
        if let Some(known) = self.known.borrow().get(&c) {
            return *known;
        }
        let found = self.of_file.charmap().map(c).filter(|glyph| glyph.to_u32() != 0);
        let found = found.map(|glyph| {
            let width = self.metrics.advance_width(glyph).unwrap_or_default() / self.units;
            (glyph.to_u32(), width)
        });
        self.known.borrow_mut().insert(c, found);
        found
    }

    fn clusters(&self, text: &str) -> Vec<Cluster> {
        let mut clusters: Vec<Cluster> = Vec::with_capacity(text.len());
        // The sign that the last cluster shows, while marks may still become part of it.
        let mut base: Option<char> = None;
        for (start, c) in text.char_indices() {
            let range = start..start + c.len_utf8();
            if let Some(last) = clusters.last_mut()
                && last.gap != Gap::Space
            {
                if is_unseen(c) {
                    last.range.end = range.end;
                    continue;
                }
                let both = base.filter(|_| is_combining_mark(c)).and_then(|base| compose(base, c));
                if let Some((both, (glyph, width))) = both.and_then(|both| Some((both, self.glyph(both)?))) {
                    (last.range.end, last.glyph, last.width) = (range.end, glyph, width);
                    base = Some(both);
                    continue;
                }
            }
            let (glyph, width) = self.glyph(c).unwrap_or(self.instead);
            base = Some(c);
            clusters.push(Cluster { range, glyph, width, gap: gap(c) });
        }
        clusters
    }

    fn line(&self, text: &str, weight: Weight, clusters: &[Cluster], bidi: Option<&BidiInfo<'_>>) -> Line {
        let start = clusters.first().map_or(0, |first| first.range.start);
        let end = clusters.last().map_or(0, |last| last.range.end);
        let seen = clusters.iter().rposition(|cluster| cluster.gap != Gap::Space).map_or(0, |last| last + 1);
        let width = clusters[..seen].iter().map(|cluster| cluster.width).sum();
        let glyph = |cluster: &Cluster, turned: bool| {
            let c = text[cluster.range.clone()].chars().next().filter(|_| turned).and_then(mirrored);
            let id = c.and_then(|c| self.glyph(c)).map_or(cluster.glyph, |(glyph, _)| glyph);
            let range = cluster.range.start - start..cluster.range.end - start;
            KrillaGlyph::new(GlyphId::new(id), cluster.width, 0.0, 0.0, 0.0, range, None)
        };
        let paragraph = bidi.and_then(|bidi| Some((bidi, bidi.paragraphs.first()?)));
        let glyphs = match paragraph.filter(|_| start < end) {
            None => clusters.iter().map(|cluster| glyph(cluster, false)).collect(),
            Some((bidi, paragraph)) => {
                let (levels, runs) = bidi.visual_runs(paragraph, start..end);
                let within = |run: &Range<usize>| {
                    let first = clusters.partition_point(|cluster| cluster.range.start < run.start);
                    let last = clusters.partition_point(|cluster| cluster.range.start < run.end);
                    &clusters[first..last]
                };
                let mut glyphs = Vec::with_capacity(clusters.len());
                for run in &runs {
                    if levels[run.start].is_rtl() {
                        glyphs.extend(within(run).iter().rev().map(|cluster| glyph(cluster, true)));
                    } else {
                        glyphs.extend(within(run).iter().map(|cluster| glyph(cluster, false)));
                    }
                }
                glyphs
            }
        };
        Line { text: text[start..end].to_owned(), weight, glyphs, width }
    }
}

/// Signs that nothing is drawn for; they belong to the one before.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}')
}

fn gap(c: char) -> Gap {
    match c {
        '\u{a0}' | '\u{202f}' => Gap::None,
        c if c.is_whitespace() => Gap::Space,
        '-' | '–' | '—' | '/' | '|' => Gap::After,
        '.' | '@' | '_' | '\\' | ',' | ';' | ':' | '=' | '&' | '+' | '?' | '#' => Gap::Within,
        // Scripts without spaces between words.
        '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{3ffff}' => Gap::After,
        _ => Gap::None,
    }
}

/// Where lines begin and end among the clusters.
fn breaks(clusters: &[Cluster], width: f32) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    while start < clusters.len() {
        let end = line_end(&clusters[start..], width) + start;
        lines.push(start..end);
        start = end;
    }
    if lines.is_empty() {
        lines.push(0..0);
    }
    lines
}

/// After how many clusters, at least one, the first line ends.
fn line_end(clusters: &[Cluster], width: f32) -> usize {
    let mut taken = 0.0;
    let (mut word, mut within) = (None, None);
    for (place, cluster) in clusters.iter().enumerate() {
        if cluster.gap == Gap::Space {
            // A space hangs over the edge.
            taken += cluster.width;
            word = Some(place + 1);
            continue;
        }
        taken += cluster.width;
        if taken > width && place > 0 {
            return word.or(within).unwrap_or(place);
        }
        match cluster.gap {
            Gap::After => word = Some(place + 1),
            Gap::Within => within = Some(place + 1),
            Gap::None | Gap::Space => {}
        }
    }
    clusters.len()
}

/// Has a text anything that runs from right to left?
fn is_turned(text: &str) -> bool {
    let is_turned = |c| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}')
            || matches!(c, '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    };
    text.chars().any(is_turned)
}

/// The sign that stands for another one where text runs from right to left.
fn mirrored(c: char) -> Option<char> {
    const PAIRS: [(char, char); 5] = [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>'), ('«', '»')];
    PAIRS.into_iter().find_map(|(left, right)| match c {
        c if c == left => Some(right),
        c if c == right => Some(left),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, width: f32) -> Vec<String> {
        let fonts = Fonts::new().unwrap();
        fonts.wrap(text, Weight::Regular, width).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_end_between_words_and_nothing_is_lost() {
        assert_eq!(texts("one two three", 4.0), ["one two ", "three"]);
        assert_eq!(texts("", 4.0), [""]);
        assert_eq!(texts("a\n\nb", 4.0), ["a", "", "b"]);
        assert_eq!(texts("first.last@trust.example.test", 6.0), ["first.last@", "trust.", "example.test"]);
        assert_eq!(texts("mail-first approach", 5.0), ["mail-first ", "approach"]);
        let long = "x".repeat(1000);
        assert_eq!(texts(&long, 3.0).concat(), long);
        assert_eq!(texts("abc", 0.0).concat(), "abc", "there is always a sign on a line");
    }

    #[test]
    fn a_sign_and_its_mark_are_one_where_the_font_has_it() {
        let fonts = Fonts::new().unwrap();
        let line = |text: &str| fonts.wrap(text, Weight::Bold, 99.0).swap_remove(0);
        let (one, two) = (line("é"), line("e\u{301}"));
        assert_eq!((one.glyphs.len(), two.glyphs.len()), (1, 1));
        assert_eq!(one.glyphs[0].glyph_id, two.glyphs[0].glyph_id);
        assert_eq!(two.glyphs[0].text_range, 0..3);
    }

    #[test]
    fn what_the_font_lacks_is_a_box_and_stays_in_the_text() {
        let fonts = Fonts::new().unwrap();
        let line = fonts.wrap("a😀日", Weight::Regular, 99.0).swap_remove(0);
        let face = fonts.face(Weight::Regular);
        assert_eq!(line.text, "a😀日");
        assert_eq!(line.glyphs.len(), 3);
        assert!(line.glyphs[1..].iter().all(|glyph| glyph.glyph_id.to_u32() == face.instead.0 && face.instead.0 != 0));
    }

    #[test]
    fn what_runs_from_right_to_left_is_turned_around() {
        let fonts = Fonts::new().unwrap();
        let line = fonts.wrap("ab (אבג) c", Weight::Regular, 99.0).swap_remove(0);
        let starts: Vec<usize> = line.glyphs.iter().map(|glyph| glyph.text_range.start).collect();
        assert_eq!(starts, [0, 1, 2, 3, 8, 6, 4, 10, 11, 12]);
        let line = fonts.wrap("(א)", Weight::Regular, 99.0).swap_remove(0);
        let face = fonts.face(Weight::Regular);
        let ids: Vec<u32> = line.glyphs.iter().map(|glyph| glyph.glyph_id.to_u32()).collect();
        assert_eq!([ids[0], ids[2]].map(Some), ['(', ')'].map(|c| face.glyph(c).map(|(glyph, _)| glyph)));
    }

    #[test]
    fn a_header_that_is_too_long_ends_in_dots() {
        let fonts = Fonts::new().unwrap();
        let line = fonts.cut("An organisation with a long name", Weight::Regular, 8.0);
        assert!(line.text.ends_with('…') && line.width <= 8.0, "{} {}", line.text, line.width);
        assert_eq!(fonts.cut("short", Weight::Regular, 8.0).text, "short");
    }
}
