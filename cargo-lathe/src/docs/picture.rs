//! The matrix as a picture.
//!
//! A feature's name stands once, on the diagonal: to its left are its pairs with the features above it, below it
//! those with the features that follow, to its right the hardware. The colour of a cell is vLLM's verdict, a
//! disc in it says that this engine proves the combination. Hovering shows the reason; a cell with a link opens it.

mod pen;

use engine_spec::matrix::{Cell, Counts, Evidence, MATRIX, Proof, Unknown, Verdict, counts};
use engine_spec::{BackendKind, Family, Feature};

use self::pen::{Ink, Pen};
use crate::matrix::View;
use crate::matrix::count::{grouped, total};

/// Lengths are in pixels. The pitch of a cell, and the gap between two.
const PITCH: f64 = 46.0;
const GAP: f64 = 5.0;
const MARGIN: f64 = 84.0;
/// Where the first row starts.
const TOP: f64 = 262.0;
/// Room for the name of the last feature, which stands between its pairs and its hardware.
const NAME_ROOM: f64 = 206.0;
/// The pitch of hardware columns: wide enough for the name of a family.
const COLUMN: f64 = 68.0;
/// The tallest bar under a hardware column.
const BAR: f64 = 64.0;

pub fn draw(view: &View) -> String {
    let layout = Layout::of(view);
    let mut pen = Pen::new(
        layout.width,
        layout.height,
        "The compatibility matrix of Lathe",
    );
    heading(&mut pen, view);
    for (row, feature) in view.features.iter().enumerate() {
        draw_row(&mut pen, view, &layout, row, feature);
    }
    family_heads(&mut pen, view, &layout);
    bars(&mut pen, view, &layout);
    legend(&mut pen, &layout);
    pen.finish()
}

/// Where things are.
struct Layout {
    rows: usize,
    /// Left edge of the first hardware column.
    hardware: f64,
    /// Below the last row.
    bottom: f64,
    width: f64,
    height: f64,
}

impl Layout {
    fn of(view: &View) -> Layout {
        let rows = view.features.iter().count();
        let last = rows.saturating_sub(1) as f64;
        let hardware = (MARGIN + last * PITCH + NAME_ROOM).max(MARGIN + 560.0);
        let bottom = TOP + rows as f64 * PITCH;
        Layout {
            rows,
            hardware,
            bottom,
            width: (hardware + view.families.len() as f64 * COLUMN + MARGIN).max(1120.0),
            height: bottom + 290.0,
        }
    }

    fn row(&self, row: usize) -> f64 {
        TOP + row as f64 * PITCH
    }

    fn column(&self, column: usize) -> f64 {
        self.hardware + column as f64 * COLUMN
    }
}

fn heading(pen: &mut Pen, view: &View) {
    let (pairs, hardware) =
        view.cells()
            .fold((0, 0), |(pairs, hardware), cell| match cell.id.kind() {
                "feature" => (pairs + 1, hardware),
                _ => (pairs, hardware + 1),
            });
    pen.text(MARGIN, 112.0, Ink::Text, 46, 700, "What works with what");
    let families = match view.families.as_slice() {
        [family] => family.title().to_owned(),
        families => format!("{} hardware families", families.len()),
    };
    let line = format!(
        "{} serving features of an LLM engine on {families}: {pairs} pairs and {hardware} cells of hardware.",
        view.features.iter().count(),
    );
    pen.text(MARGIN, 152.0, Ink::Soft, 19, 400, &line);
    pen.text(
        MARGIN,
        180.0,
        Ink::Soft,
        19,
        400,
        "From a name, go left and down for the other features, right for the hardware.",
    );
}

fn draw_row(pen: &mut Pen, view: &View, layout: &Layout, row: usize, feature: Feature) {
    let top = layout.row(row);
    let middle = top + (PITCH - GAP) / 2.0;
    let diagonal = MARGIN + row as f64 * PITCH;
    pen.line(diagonal, middle, layout.hardware - 14.0, middle);
    let indent = if row == 0 { 0.0 } else { 6.0 };
    pen.label(diagonal + indent, middle + 6.0, 18, feature.title());
    let (pairs, hardware) = view.row(feature);
    for (column, cell) in pairs.iter().enumerate() {
        let x = MARGIN + column as f64 * PITCH;
        draw_cell(pen, view, (x, top), PITCH - GAP, cell);
    }
    for (column, cell) in hardware.iter().enumerate() {
        draw_cell(pen, view, (layout.column(column), top), COLUMN - GAP, cell);
    }
}

fn draw_cell(pen: &mut Pen, view: &View, (x, y): (f64, f64), width: f64, cell: &Cell) {
    let height = PITCH - GAP;
    let (centre_x, centre_y) = (x + width / 2.0, y + height / 2.0);
    pen.begin_cell(cell.link, &tooltip(view, cell));
    pen.tile(x, y, width, height, ink(cell.vllm));
    let proofs = view.proofs(cell);
    match (proofs.is_empty(), cell.vllm) {
        (false, _) => draw_proofs(pen, (centre_x, centre_y), &proofs),
        (true, Verdict::Yes) => {}
        (true, Verdict::No) => pen.cross(centre_x, centre_y),
        (true, Verdict::Unknown) => pen.centred(centre_x, centre_y + 7.0, Ink::Text, 20, 700, "?"),
    }
    pen.end_cell(cell.link);
}

/// A disc if something ran on the hardware itself, a ring if all ran in an emulator; the backends stand below it.
fn draw_proofs(pen: &mut Pen, (x, y): (f64, f64), proofs: &[(BackendKind, Proof)]) {
    let played = |(_, proof): &(_, Proof)| proof.evidence == Evidence::Emulator;
    match proofs.iter().all(played) {
        true => pen.ring(x, y - 5.0),
        false => pen.disc(x, y - 5.0),
    }
    let names: Vec<_> = proofs.iter().map(|(backend, _)| backend.name()).collect();
    pen.centred(x, y + 17.0, Ink::Text, 9, 600, &names.join(" "));
}

fn ink(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Yes => Ink::Yes,
        Verdict::No => Ink::No,
        Verdict::Unknown => Ink::Unknown,
    }
}

fn tooltip(view: &View, cell: &Cell) -> String {
    let what = cell.id.to_string().replace('`', "");
    let engine = match view.places(cell).as_str() {
        "" => "no in this engine".to_owned(),
        places => format!("yes in this engine, {places}"),
    };
    match cell.reason {
        "" => format!("{what}: {} by vLLM's matrix, {engine}", cell.vllm.name()),
        reason => format!(
            "{what}: {} by vLLM's matrix ({reason}), {engine}",
            cell.vllm.name()
        ),
    }
}

fn family_heads(pen: &mut Pen, view: &View, layout: &Layout) {
    for (column, family) in view.families.iter().enumerate() {
        let centre = layout.column(column) + (COLUMN - GAP) / 2.0;
        pen.centred(centre, TOP - 18.0, Ink::Text, 16, 600, family.title());
    }
}

/// Under each family, how many feature sets it allows.
fn bars(pen: &mut Pen, view: &View, layout: &Layout) {
    let all = counts(&MATRIX, Unknown::Refused);
    let of =
        |family: &Family| -> Option<Counts> { all.iter().find(|c| c.family == *family).copied() };
    let most = all
        .iter()
        .map(|count| count.legal)
        .max()
        .unwrap_or(1)
        .max(1);
    let foot = layout.bottom + 42.0 + BAR;
    pen.line(
        layout.hardware,
        foot,
        layout.column(view.families.len()) - GAP,
        foot,
    );
    for (column, family) in view.families.iter().enumerate() {
        let Some(count) = of(family) else { continue };
        let x = layout.column(column);
        let centre = x + (COLUMN - GAP) / 2.0;
        let height = (BAR * count.legal as f64 / most as f64).max(2.0);
        pen.tile(
            x + 16.0,
            foot - height,
            COLUMN - GAP - 32.0,
            height,
            Ink::Bar,
        );
        pen.centred(
            centre,
            foot - height - 8.0,
            Ink::Text,
            15,
            600,
            &grouped(count.legal),
        );
        pen.centred(
            centre,
            foot + 21.0,
            Ink::Soft,
            14,
            400,
            &count.maximal.to_string(),
        );
    }
    let label = layout.hardware - 18.0;
    pen.right(
        label,
        foot - 4.0,
        Ink::Soft,
        14,
        400,
        "sets of features that work",
    );
    pen.right(
        label,
        foot + 21.0,
        Ink::Soft,
        14,
        400,
        "of them, to which nothing can be added",
    );
}

fn legend(pen: &mut Pen, layout: &Layout) {
    let rows = [
        (Ink::Yes, "works, by vLLM's matrix"),
        (Ink::No, "does not work"),
        (Ink::Unknown, "nobody has said"),
    ];
    let mut y = layout.bottom + 30.0;
    for (ink, meaning) in rows {
        pen.tile(MARGIN, y, 26.0, 26.0, ink);
        match ink {
            Ink::No => pen.cross(MARGIN + 13.0, y + 13.0),
            Ink::Unknown => pen.centred(MARGIN + 13.0, y + 19.5, Ink::Text, 17, 700, "?"),
            _ => {}
        }
        pen.text(MARGIN + 40.0, y + 19.0, Ink::Text, 16, 400, meaning);
        y += 36.0;
    }
    pen.disc(MARGIN + 13.0, y + 13.0);
    pen.text(
        MARGIN + 40.0,
        y + 19.0,
        Ink::Text,
        16,
        400,
        "this engine proves it on the backends named below; a ring: in an emulator alone",
    );
    let (legal, maximal) = total(&counts(&MATRIX, Unknown::Refused));
    let (wide, wide_maximal) = total(&counts(&MATRIX, Unknown::Accepted));
    let line = format!(
        "{} profiles work by vLLM's matrix, {maximal} of them maximal. With every unknown taken for a yes: {} and {wide_maximal}.",
        grouped(legal),
        grouped(wide),
    );
    pen.line(
        MARGIN,
        layout.height - 84.0,
        layout.width - MARGIN,
        layout.height - 84.0,
    );
    pen.text(MARGIN, layout.height - 52.0, Ink::Soft, 15, 400, &line);
    if layout.rows == Feature::COUNT {
        pen.right(
            layout.width - MARGIN,
            layout.height - 52.0,
            Ink::Soft,
            15,
            400,
            "cargo lathe matrix --format svg",
        );
    }
}
