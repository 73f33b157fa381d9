//! Pages are drawn: what the flow has laid out, and what stands on each of them.

use krilla::{
    Document as Pdf, SerializeSettings,
    annotation::{Annotation, LinkAnnotation, Target},
    color::rgb,
    configure::{Accessibility, ConfigurationBuilder},
    destination::{Destination, XyzDestination},
    geom::{PathBuilder, Point, Rect},
    metadata::{DateTime, Metadata},
    outline::{Outline, OutlineNode},
    page::PageSettings,
    paint::Fill,
    surface::Surface,
    tagging::{Artifact, ArtifactType, ContentTag},
};

use super::{
    Unwritable,
    flow::{Flow, Mark, Page, Piece, What},
    font::{Fonts, Weight},
    style::{BLUE, Colour, EDGE, EDGES, MARGIN, RULE},
};
use crate::{Block, Document, Status, front, text};

/// What made the file, as its properties say.
const PROGRAM: &str = "Whimbrel";

pub(super) fn paint(flow: Flow<'_>, document: &Document) -> Result<Vec<u8>, Unwritable> {
    let configuration = ConfigurationBuilder::new().with_accessibility_validator(Accessibility::UA1).finish();
    let configuration = configuration.map_err(|error| Unwritable::Refused(format!("{error:?}")))?;
    let mut pdf = Pdf::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
    let Flow { fonts, mut tree, pages, headings, .. } = flow;
    let count = pages.len();
    let edges = Edges::of(document);
    for (number, mut page) in pages.into_iter().enumerate() {
        edges.put(&mut page, fonts, number + 1, count);
        let (width, height) = page.size();
        let settings = PageSettings::from_wh(width, height).ok_or_else(|| Unwritable::Refused("a page".to_owned()))?;
        let mut sheet = pdf.start_page_with(settings);
        let mut surface = sheet.surface();
        let mut open = None;
        let mut links = Vec::new();
        for Piece { mark, what } in page.pieces {
            if open != Some(mark) {
                if open.is_some() {
                    surface.end_tagged();
                }
                match mark {
                    Mark::Artifact(kind) => {
                        surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(kind)));
                    }
                    Mark::Part(node) => {
                        let piece = surface.start_tagged(ContentTag::Other);
                        tree.shown(node, piece);
                    }
                }
                open = Some(mark);
            }
            if let (Mark::Part(node), What::PageOf { block, right, top, bottom, .. }) = (mark, &what) {
                links.extend(link(document, &headings, *block, [*right, *top, *bottom]).map(|link| (node, link)));
            }
            draw(&mut surface, fonts, &headings, what);
        }
        if open.is_some() {
            surface.end_tagged();
        }
        surface.finish();
        for (node, link) in links {
            let piece = sheet.add_tagged_annotation(link);
            tree.shown(node, piece);
        }
        sheet.finish();
    }
    pdf.set_tag_tree(tree.finish(&front::language(document)));
    pdf.set_outline(outline(document, &headings));
    pdf.set_metadata(metadata(document));
    pdf.finish().map_err(|error| Unwritable::Refused(format!("{error:?}")))
}

fn metadata(document: &Document) -> Metadata {
    let made = document.made_on;
    let made = DateTime::new(u16::try_from(made.year()).unwrap_or_default())
        .month(made.month().unsigned_abs())
        .day(made.day().unsigned_abs())
        .hour(0)
        .minute(0)
        .second(0)
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    let subject = format!(
        "{}, version {}, {}",
        text::line(&document.kind),
        text::line(&document.version),
        text::line(&document.status.words())
    );
    Metadata::new()
        .title(front::title(document))
        .description(subject)
        .authors(vec![text::line(&document.organisation)])
        .creator(PROGRAM.to_owned())
        .producer(PROGRAM.to_owned())
        .language(front::language(document))
        .creation_date(made)
}

/// The bookmarks: the title, and below it every heading in its place.
fn outline(document: &Document, headings: &[(usize, usize, f32)]) -> Outline {
    let levels = front::levels(&document.blocks);
    let node = |words: String, page: usize, y: f32| OutlineNode::new(words, place(page, y)).with_open(true);
    // Those that may still get more below them, from the title down.
    let mut open = vec![node(front::title(document), 0, 0.0)];
    let close = |open: &mut Vec<OutlineNode>, level: usize| {
        while open.len() > level {
            let Some(last) = open.pop() else { return };
            if let Some(above) = open.last_mut() {
                above.push_child(last);
            } else {
                open.push(last);
                return;
            }
        }
    };
    for (place, page, y) in headings {
        let Block::Heading { text, .. } = &document.blocks[*place] else { continue };
        close(&mut open, usize::from(levels[*place]));
        open.push(node(text::line(text), *page, *y));
    }
    close(&mut open, 1);
    let mut outline = Outline::new();
    for title in open {
        outline.push_child(title);
    }
    outline
}

/// A place on a page, as readers of PDF are told: a little above the heading.
fn place(page: usize, y: f32) -> XyzDestination {
    XyzDestination::new(page, Point::from_xy(MARGIN, (y - 12.0).max(0.0)))
}

/// What leads to the heading of a block, up to this right edge, from this top to this bottom.
fn link(document: &Document, headings: &[(usize, usize, f32)], block: usize, edges: [f32; 3]) -> Option<Annotation> {
    let (_, page, y) = headings.iter().find(|(heading, ..)| *heading == block)?;
    let [right, top, bottom] = edges;
    let Block::Heading { text, .. } = document.blocks.get(block)? else { return None };
    let target = Target::Destination(Destination::Xyz(place(*page, *y)));
    let link = LinkAnnotation::new(Rect::from_ltrb(MARGIN, top, right, bottom)?, target);
    Some(Annotation::new_link(link, Some(format!("{}, page {}", text::line(text), page + 1))))
}

fn fill(surface: &mut Surface<'_>, [red, green, blue]: Colour) {
    surface.set_fill(Some(Fill { paint: rgb::Color::new(red, green, blue).into(), ..Fill::default() }));
}

fn draw(surface: &mut Surface<'_>, fonts: &Fonts, headings: &[(usize, usize, f32)], what: What) {
    match what {
        What::Box { x, y, width, height, colour } => {
            let Some(rectangle) = Rect::from_xywh(x, y, width, height) else { return };
            let mut path = PathBuilder::new();
            path.push_rect(rectangle);
            if let Some(path) = path.finish() {
                fill(surface, colour);
                surface.draw_path(&path);
            }
        }
        What::Text { x, y, size, colour, line } => {
            if line.glyphs.is_empty() {
                return;
            }
            fill(surface, colour);
            let font = fonts.face(line.weight).font();
            surface.draw_glyphs(Point::from_xy(x, y), &line.glyphs, font, &line.text, size, false);
        }
        What::PageOf { block, right, y, style, .. } => {
            let Some((_, page, _)) = headings.iter().find(|(place, ..)| *place == block) else { return };
            // The space keeps it from the words before it, for those who have them read out.
            let line = fonts.cut(&format!(" {}", page + 1), style.weight, f32::INFINITY);
            let x = right - line.width * style.size;
            draw(surface, fonts, headings, What::Text { x, y, size: style.size, colour: style.colour, line });
        }
    }
}

/// What stands at the edges of each page.
struct Edges {
    organisation: String,
    title: String,
    version: String,
    state: String,
    is_superseded: bool,
}

impl Edges {
    fn of(document: &Document) -> Self {
        let parts = |parts: [String; 3]| {
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join("  ·  ")
        };
        Self {
            organisation: text::line(&document.organisation),
            title: front::title(document),
            version: format!("Version {}", text::line(&document.version)),
            state: parts([
                text::line(&document.reference),
                text::line(&document.status.words()),
                text::day(document.made_on),
            ]),
            is_superseded: matches!(document.status, Status::Superseded { .. }),
        }
    }

    fn put(&self, page: &mut Page, fonts: &Fonts, number: usize, count: usize) {
        let (width, height) = page.size();
        let (size, colour) = (EDGES.size, EDGES.colour);
        let room = (width - 2.0 * MARGIN) / size;
        let (header, footer) = (Mark::Artifact(ArtifactType::Header), Mark::Artifact(ArtifactType::Footer));
        let right = format!("{}  ·  Page {number} of {count}", self.version);
        let right = fonts.cut(&right, Weight::Regular, room * 0.45);
        let left = fonts.cut(&self.organisation, Weight::Bold, room - right.width - 2.0);
        let title = fonts.cut(&self.title, Weight::Regular, room);
        let weight = if self.is_superseded { Weight::Bold } else { Weight::Regular };
        let state = fonts.cut(&self.state, weight, room);
        let to_right = width - MARGIN - right.width * size;
        let (first, second) = (EDGE, EDGE + EDGES.leading + 1.0);
        let rule = |y| What::Box { x: MARGIN, y, width: width - 2.0 * MARGIN, height: 0.75, colour: RULE };
        let mut put = |mark, what| page.pieces.push(Piece { mark, what });
        put(header, What::Text { x: MARGIN, y: first, size, colour: BLUE, line: left });
        put(header, What::Text { x: to_right, y: first, size, colour, line: right });
        put(header, What::Text { x: MARGIN, y: second, size, colour, line: title });
        put(header, rule(second + 6.0));
        put(footer, rule(height - EDGE - size - 6.0));
        put(footer, What::Text { x: MARGIN, y: height - EDGE, size, colour, line: state });
    }
}
