//! What the picture is drawn with: a few shapes, one face of type, and colours that stay apart for colour-blind eyes
//! (Okabe and Ito's blue, vermilion and yellow, quietened) and in print, where each verdict has its own sign.

use std::fmt::Write;

/// A colour by its role.
#[derive(Clone, Copy)]
pub enum Ink {
    Text,
    Soft,
    Yes,
    No,
    Unknown,
    Bar,
}

impl Ink {
    fn hex(self) -> &'static str {
        match self {
            Ink::Text => TEXT,
            Ink::Soft => "#5d6673",
            Ink::Yes => "#a9cbe4",
            Ink::No => "#cf5a2c",
            Ink::Unknown => "#f4d98b",
            Ink::Bar => "#5b93bd",
        }
    }
}

const PAPER: &str = "#fbfaf6";
const TEXT: &str = "#1d2733";
const RULE: &str = "#d9d6cc";
const PROOF: &str = "#123a5c";
const FACE: &str = "Inter, 'Helvetica Neue', 'Segoe UI', 'DejaVu Sans', sans-serif";

/// An SVG document as it grows.
pub struct Pen(String);

impl Pen {
    pub fn new(width: f64, height: f64, title: &str) -> Pen {
        let mut pen = Pen(String::new());
        pen.put(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="{FACE}" role="img">"#
        ));
        pen.put(format_args!("<title>{}</title>", escaped(title)));
        pen.put(format_args!(
            r#"<rect width="{width}" height="{height}" fill="{PAPER}"/>"#
        ));
        pen
    }

    pub fn finish(mut self) -> String {
        self.put(format_args!("</svg>"));
        self.0
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{element}");
    }

    pub fn text(&mut self, x: f64, y: f64, ink: Ink, size: u32, weight: u32, words: &str) {
        self.words([x, y], ink, size, weight, "start", words);
    }

    pub fn centred(&mut self, x: f64, y: f64, ink: Ink, size: u32, weight: u32, words: &str) {
        self.words([x, y], ink, size, weight, "middle", words);
    }

    pub fn right(&mut self, x: f64, y: f64, ink: Ink, size: u32, weight: u32, words: &str) {
        self.words([x, y], ink, size, weight, "end", words);
    }

    fn words(
        &mut self,
        [x, y]: [f64; 2],
        ink: Ink,
        size: u32,
        weight: u32,
        anchor: &str,
        words: &str,
    ) {
        self.put(format_args!(
            r#"<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{}">{}</text>"#,
            ink.hex(),
            escaped(words)
        ));
    }

    /// A feature's name, cut out of the line that it stands on.
    pub fn label(&mut self, x: f64, y: f64, size: u32, words: &str) {
        self.put(format_args!(
            r#"<text x="{x}" y="{y}" font-size="{size}" font-weight="600" fill="{TEXT}" stroke="{PAPER}" stroke-width="14" stroke-linejoin="round" paint-order="stroke">{}</text>"#,
            escaped(words)
        ));
    }

    pub fn line(&mut self, x: f64, y: f64, to_x: f64, to_y: f64) {
        self.put(format_args!(
            r#"<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{RULE}" stroke-width="1.5"/>"#
        ));
    }

    pub fn tile(&mut self, x: f64, y: f64, width: f64, height: f64, ink: Ink) {
        let radius = 7.0_f64.min(height / 2.0);
        self.put(format_args!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" fill="{}"/>"#,
            ink.hex()
        ));
    }

    pub fn cross(&mut self, x: f64, y: f64) {
        let (left, top, right, bottom) = (x - 6.0, y - 6.0, x + 6.0, y + 6.0);
        self.put(format_args!(
            r##"<path d="M{left} {top}L{right} {bottom}M{left} {bottom}L{right} {top}" stroke="#fff" stroke-width="3" stroke-linecap="round"/>"##
        ));
    }

    /// A disc with a tick.
    pub fn disc(&mut self, x: f64, y: f64) {
        self.put(format_args!(
            r#"<circle cx="{x}" cy="{y}" r="12" fill="{PROOF}"/>"#
        ));
        self.tick(x, y, "#fff");
    }

    /// A ring with a tick.
    pub fn ring(&mut self, x: f64, y: f64) {
        self.put(format_args!(
            r##"<circle cx="{x}" cy="{y}" r="11" fill="#fff" stroke="{PROOF}" stroke-width="2"/>"##
        ));
        self.tick(x, y, PROOF);
    }

    fn tick(&mut self, x: f64, y: f64, colour: &str) {
        let (from_x, mid_x, to_x) = (x - 5.0, x - 1.5, x + 5.5);
        let (from_y, mid_y, to_y) = (y + 0.5, y + 4.5, y - 4.5);
        self.put(format_args!(
            r##"<path d="M{from_x} {from_y}L{mid_x} {mid_y}L{to_x} {to_y}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round"/>"##
        ));
    }

    /// What is drawn until `end_cell` shows `title` under the pointer and leads to `link`, if there is one.
    pub fn begin_cell(&mut self, link: &str, title: &str) {
        match link {
            "" => self.put(format_args!("<g>")),
            link => self.put(format_args!(
                r#"<a href="{}" target="_blank">"#,
                escaped(link)
            )),
        }
        self.put(format_args!("<title>{}</title>", escaped(title)));
    }

    pub fn end_cell(&mut self, link: &str) {
        self.put(format_args!(
            "{}",
            if link.is_empty() { "</g>" } else { "</a>" }
        ));
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
