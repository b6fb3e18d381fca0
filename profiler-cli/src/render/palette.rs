//! Colours of change, the same in every picture: what grew, what shrank, what is new, what is gone.
//!
//! The hues are of Okabe and Ito's set, which people with any usual colour vision tell apart
//! ("Color Universal Design", 2008). How much something changed is a mix of its hue with the grey of
//! what did not change. What is new or gone also has a mark of another kind than colour: see
//! [`Change`].

use std::fmt;

/// A colour of a screen (sRGB).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// 0 to 255.
    pub red: u8,
    /// 0 to 255.
    pub green: u8,
    /// 0 to 255.
    pub blue: u8,
}

/// Grew most: vermilion.
pub const GREW: Colour = Colour::new(0xd5, 0x5e, 0x00);
/// Shrank most: blue.
pub const SHRANK: Colour = Colour::new(0x00, 0x72, 0xb2);
/// Nothing was live before: reddish purple.
pub const NEW: Colour = Colour::new(0xcc, 0x79, 0xa7);
/// Nothing is live any more: sky blue.
pub const GONE: Colour = Colour::new(0x56, 0xb4, 0xe9);

/// Lines of a chart that stand for something each, the one that matters first: vermilion, blue,
/// bluish green, reddish purple.
pub const LINES: [Colour; 4] = [GREW, SHRANK, Colour::new(0x00, 0x9e, 0x73), NEW];

/// What a page looks like around the colours of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// The page.
    pub page: Colour,
    /// Text on it.
    pub text: Colour,
    /// Frames that did not change.
    pub unchanged: Colour,
}

/// Dark text on white.
pub const LIGHT: Theme = Theme {
    page: Colour::new(0xff, 0xff, 0xff),
    text: Colour::new(0x1b, 0x1f, 0x24),
    unchanged: Colour::new(0xe3, 0xe4, 0xe8),
};
/// Light text on nearly black.
pub const DARK: Theme = Theme {
    page: Colour::new(0x14, 0x16, 0x1a),
    text: Colour::new(0xe6, 0xe8, 0xeb),
    unchanged: Colour::new(0x3b, 0x40, 0x49),
};

/// What became of something, and how a picture shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// More bytes: a mix towards [`GREW`]. 0 is next to nothing, 1 the most.
    Grew(f64),
    /// Fewer bytes: a mix towards [`SHRANK`]. 0 is next to nothing, 1 the most.
    Shrank(f64),
    /// Nothing before: [`NEW`], with a solid outline.
    New,
    /// Nothing after: [`GONE`], hatched.
    Gone,
    /// As it was: grey.
    Unchanged,
}

/// Of a hue, the part that even the smallest change has, so that it is no grey.
const LEAST_HUE: f64 = 0.3;

impl Change {
    /// The colour of an area that changed so.
    pub fn fill(self, theme: Theme) -> Colour {
        // By the square root: most frames are small beside the widest one.
        let mixed = |hue, part: f64| {
            let part = part.clamp(0.0, 1.0).sqrt();
            theme
                .unchanged
                .mix(hue, LEAST_HUE + (1.0 - LEAST_HUE) * part)
        };
        match self {
            Self::Grew(part) => mixed(GREW, part),
            Self::Shrank(part) => mixed(SHRANK, part),
            Self::New => NEW,
            Self::Gone => GONE,
            Self::Unchanged => theme.unchanged,
        }
    }
}

impl Colour {
    /// From its three parts.
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// This colour with `part`, 0 to 1, of another.
    pub fn mix(self, other: Self, part: f64) -> Self {
        let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round();
        Self {
            red: mix(self.red, other.red) as u8,
            green: mix(self.green, other.green) as u8,
            blue: mix(self.blue, other.blue) as u8,
        }
    }

    /// Black or white, whichever is easier to read on this colour.
    pub fn ink(self) -> Self {
        let [black, white] = [Self::new(0, 0, 0), Self::new(255, 255, 255)];
        if self.contrast(black) >= self.contrast(white) {
            black
        } else {
            white
        }
    }

    /// The ratio of contrast, 1 to 21, by the Web Content Accessibility Guidelines 2.2.
    pub fn contrast(self, other: Self) -> f64 {
        let [a, b] = [self, other].map(|colour| colour.luminance() + 0.05);
        a.max(b) / a.min(b)
    }

    /// Relative luminance, 0 to 1, by the same guidelines.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.linear();
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// Amounts of light, 0 to 1.
    fn linear(self) -> [f64; 3] {
        [self.red, self.green, self.blue].map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        })
    }
}

/// As CSS and SVG write it: `#d55e00`.
impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { red, green, blue } = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEMES: [Theme; 2] = [LIGHT, DARK];

    /// Linear light as people without red, green and blue cones see it (Machado, Oliveira and
    /// Fernandes 2009, full severity), and as others do.
    const VISIONS: [[[f64; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ],
    ];

    fn applied(matrix: &[[f64; 3]; 3], vector: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| (0..3).map(|at| row[at] * vector[at]).sum())
    }

    /// Ottosson's OKLab, in which distance is about how different two colours look: 0.02 is just
    /// visible, 1 is black beside white.
    fn oklab(linear: [f64; 3]) -> [f64; 3] {
        let cones = applied(
            &[
                [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
                [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
                [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
            ],
            linear.map(|light| light.clamp(0.0, 1.0)),
        );
        applied(
            &[
                [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
                [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
                [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
            ],
            cones.map(f64::cbrt),
        )
    }

    fn distance(a: Colour, b: Colour, vision: &[[f64; 3]; 3]) -> f64 {
        let [a, b] = [a, b].map(|colour| oklab(applied(vision, colour.linear())));
        (0..3).map(|at| (a[at] - b[at]).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn every_eye_tells_the_changes_apart() {
        for theme in THEMES {
            let all = [GREW, SHRANK, NEW, GONE, theme.unchanged];
            for (at, &a) in all.iter().enumerate() {
                for &b in &all[at + 1..] {
                    for vision in &VISIONS {
                        let distance = distance(a, b, vision);
                        assert!(distance > 0.09, "{a} {b} {distance}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_eye_tells_lines_apart() {
        for (at, &a) in LINES.iter().enumerate() {
            for &b in &LINES[at + 1..] {
                for vision in &VISIONS {
                    // Their dashes tell them apart as well.
                    assert!(distance(a, b, vision) > 0.07, "{a} {b}");
                }
            }
        }
    }

    #[test]
    fn the_smallest_growth_is_no_loss_and_no_grey() {
        for theme in THEMES {
            let [grew, shrank] = [Change::Grew(0.0), Change::Shrank(0.0)].map(|c| c.fill(theme));
            for vision in &VISIONS {
                assert!(distance(grew, shrank, vision) > 0.05);
                assert!(distance(grew, theme.unchanged, vision) > 0.04);
                assert!(distance(shrank, theme.unchanged, vision) > 0.04);
            }
        }
    }

    #[test]
    fn text_can_be_read_on_everything() {
        for theme in THEMES {
            assert!(theme.text.contrast(theme.page) > 12.0);
            let parts = (0..=20).map(|step| f64::from(step) / 20.0);
            let changes = parts.flat_map(|part| [Change::Grew(part), Change::Shrank(part)]);
            for change in changes.chain([Change::New, Change::Gone, Change::Unchanged]) {
                let fill = change.fill(theme);
                assert!(fill.contrast(fill.ink()) > 4.5, "{change:?} {fill}");
            }
            // The guidelines' limit for areas that carry a meaning. What is gone is paler on white,
            // and has its hatching.
            for strong in [GREW, SHRANK, NEW] {
                assert!(strong.contrast(theme.page) > 3.0, "{strong}");
            }
            assert!(GONE.contrast(theme.page) > 2.2);
        }
    }

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        let [black, white] = [Colour::new(0, 0, 0), Colour::new(255, 255, 255)];
        assert!((black.contrast(white) - 21.0).abs() < 1e-9);
        assert!((white.contrast(Colour::new(0x76, 0x76, 0x76)) - 4.54).abs() < 0.01);
        assert_eq!(Colour::new(1, 2, 255).to_string(), "#0102ff");
    }
}
