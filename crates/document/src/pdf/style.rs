//! How a PDF looks: sizes in points, colours that are told apart by everyone (contrast of 4.5 to 1 and more for text).

use super::font::Weight;
use crate::Tone;

/// A4, upright.
pub(super) const PAGE: (f32, f32) = (595.276, 841.89);
/// Beside the text.
pub(super) const MARGIN: f32 = 56.0;
/// Above the text, with the header in it.
pub(super) const TOP: f32 = 74.0;
/// Below the text, with the footer in it.
pub(super) const BOTTOM: f32 = 62.0;
/// Where the lines of the header and of the footer stand, from the edge.
pub(super) const EDGE: f32 = 38.0;

pub(super) type Colour = [u8; 3];

pub(super) const INK: Colour = [0x21, 0x2b, 0x32];
pub(super) const FAINT: Colour = [0x42, 0x55, 0x63];
pub(super) const BLUE: Colour = [0x00, 0x5e, 0xb8];
pub(super) const DARK_BLUE: Colour = [0x00, 0x30, 0x87];
pub(super) const WHITE: Colour = [0xff, 0xff, 0xff];
/// Between rows.
pub(super) const RULE: Colour = [0xd0, 0xd7, 0xdc];
/// Behind every second row.
pub(super) const STRIPE: Colour = [0xf3, 0xf6, 0xf9];

/// A kind of text.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) size: f32,
    pub(super) weight: Weight,
    pub(super) colour: Colour,
    /// From line to line.
    pub(super) leading: f32,
    /// Above it, unless it is the first of its page.
    pub(super) before: f32,
    pub(super) after: f32,
}

const fn style(size: f32, weight: Weight, colour: Colour, leading: f32, before: f32, after: f32) -> Style {
    Style { size, weight, colour, leading, before, after }
}

pub(super) const KIND: Style = style(11.0, Weight::Bold, BLUE, 15.0, 0.0, 3.0);
pub(super) const TITLE: Style = style(25.0, Weight::Bold, DARK_BLUE, 30.0, 0.0, 4.0);
pub(super) const ORGANISATION: Style = style(13.0, Weight::Regular, FAINT, 18.0, 0.0, 10.0);
pub(super) const BODY: Style = style(10.5, Weight::Regular, INK, 15.0, 0.0, 8.0);
pub(super) const LABEL: Style = style(9.5, Weight::Bold, FAINT, 13.5, 0.0, 0.0);
pub(super) const VALUE: Style = style(10.0, Weight::Regular, INK, 13.5, 0.0, 0.0);
pub(super) const CAPTION: Style = style(10.5, Weight::Bold, INK, 14.0, 6.0, 5.0);
pub(super) const CONTENTS: Style = style(10.5, Weight::Regular, INK, 17.0, 0.0, 0.0);
pub(super) const EDGES: Style = style(8.0, Weight::Regular, FAINT, 10.0, 0.0, 0.0);

/// That of a heading.
pub(super) fn heading(level: u8) -> Style {
    match level {
        0 | 1 => style(16.0, Weight::Bold, DARK_BLUE, 20.0, 18.0, 7.0),
        2 => style(12.5, Weight::Bold, BLUE, 16.0, 12.0, 5.0),
        _ => style(10.5, Weight::Bold, INK, 14.0, 9.0, 4.0),
    }
}

/// That of tables, which shrinks where a table is wide.
pub(super) fn table(size: f32, weight: Weight, colour: Colour) -> Style {
    style(size, weight, colour, (size * 1.34 * 4.0).round() / 4.0, 0.0, 0.0)
}

/// The bar beside, the ground behind and the words of something that means this.
pub(super) fn tone(tone: Tone) -> (Colour, Colour, Colour) {
    match tone {
        Tone::Neutral => (BLUE, [0xe8, 0xf1, 0xfa], DARK_BLUE),
        Tone::Good => ([0x00, 0x7f, 0x3b], [0xe6, 0xf3, 0xea], [0x00, 0x52, 0x27]),
        Tone::Caution => ([0xc7, 0x7c, 0x02], [0xff, 0xf4, 0xdb], [0x66, 0x40, 0x00]),
        Tone::Alert => ([0xd5, 0x28, 0x1b], [0xfc, 0xeb, 0xe9], [0x99, 0x14, 0x0b]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(colour: Colour) -> f64 {
        let part = |value: u8| {
            let share = f64::from(value) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = colour.map(part);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(one: Colour, other: Colour) -> f64 {
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn every_text_is_told_from_its_ground() {
        for (words, ground) in
            [(INK, WHITE), (FAINT, WHITE), (BLUE, WHITE), (DARK_BLUE, WHITE), (INK, STRIPE), (FAINT, STRIPE)]
        {
            assert!(contrast(words, ground) >= 4.5, "{words:?} {ground:?}");
        }
        for (bar, ground, words) in [Tone::Neutral, Tone::Good, Tone::Caution, Tone::Alert].map(tone) {
            assert!(contrast(words, ground) >= 4.5 && contrast(INK, ground) >= 4.5, "{words:?}");
            assert!(contrast(bar, WHITE) >= 3.0, "{bar:?}");
        }
    }
}
