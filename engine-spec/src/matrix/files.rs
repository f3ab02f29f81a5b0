//! The committed files beside the grid, in `engine-spec/matrix`: the reasons, the proofs that tests declare, and the
//! records of runs on devices.
//!
//! `cells.tsv` is the one home of the reasons; its verdicts and links stand a second time in `grid.rs` and
//! `links.rs`, and a test compares them. `proofs.tsv` is written by the test `proofs`, never by hand.
//! `device.tsv` is written by whoever has the device: it turns a test that declares `device` into a proof.

use super::{CellId, Evidence, Proof};
use crate::family::{BackendKind, Family};
use crate::features::Feature;
use crate::sku::SKUS;

pub const CELLS: &str = include_str!("../../matrix/cells.tsv");
pub const PROOFS: &str = include_str!("../../matrix/proofs.tsv");
pub const DEVICE: &str = include_str!("../../matrix/device.tsv");

/// The heads of the two tables of proofs.
pub const PROOFS_HEAD: &str = "kind\ta\tb\tbackend\tevidence\ttest";
pub const DEVICE_HEAD: &str = "kind\ta\tb\tbackend\ttest\tcard\tdriver\tcommit\tdate";

/// The reason of each cell, in the table's order; empty where the verdict is yes.
pub(super) fn reasons() -> impl Iterator<Item = &'static str> {
    let last = |line: &'static str| line.rsplit('\t').next().unwrap_or_default();
    CELLS.lines().skip(1).map(last)
}

/// A cell, the backend that it is proven on, and the proof.
pub type Line = (CellId, BackendKind, Proof);

/// The lines of `proofs.tsv`. The error says which line is none.
pub fn proofs(table: &'static str) -> Result<Vec<Line>, String> {
    read(
        table,
        PROOFS_HEAD,
        |[kind, a, b, backend, evidence, test]| {
            let (cell, backend) = place(kind, a, b, backend)?;
            let evidence = Evidence::named(evidence)?;
            let proof = Proof { evidence, test };
            evidence.is_of(backend).then_some((cell, backend, proof))
        },
    )
}

/// The lines of `device.tsv`, each with a device of the catalogue that has the backend and is of the cell's family, a
/// driver's version, a whole commit id and a date. The error says which line is none.
pub fn device(table: &'static str) -> Result<Vec<Line>, String> {
    read(
        table,
        DEVICE_HEAD,
        |[kind, a, b, backend, test, card, driver, commit, date]| {
            let (cell, backend) = place(kind, a, b, backend)?;
            let family = SKUS.iter().find(|sku| sku.name == card)?.family();
            let its_own = match cell {
                CellId::Pair(..) => family.backend() == backend,
                CellId::Hardware(_, column) => family == column,
            };
            let hex = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
            let whole = commit.len() == 40 && commit.chars().all(hex);
            let version = driver.contains('.') && driver.split('.').all(is_number);
            let day = date.len() == 10 && date.split('-').map(str::len).eq([4, 2, 2]);
            let day = day && date.split('-').all(is_number);
            let evidence = Evidence::Device;
            let proof = Proof { evidence, test };
            let sound = its_own && whole && version && day && evidence.is_of(backend);
            sound.then_some((cell, backend, proof))
        },
    )
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit())
}

/// The cell and the backend of a line, if the cell can be on that backend.
fn place(kind: &str, a: &str, b: &str, backend: &str) -> Option<(CellId, BackendKind)> {
    let a = Feature::named(a)?;
    let cell = match kind {
        "feature" => CellId::pair(a, Feature::named(b)?).filter(|id| id.a() == a)?,
        "hardware" => CellId::Hardware(a, Family::named(b)?),
        _ => return None,
    };
    let backend = BackendKind::named(backend)?;
    cell.can_be_on(backend).then_some((cell, backend))
}

/// The lines below the head, each of `N` columns that `line` understands.
fn read<const N: usize>(
    table: &'static str,
    head: &str,
    line: impl Fn([&'static str; N]) -> Option<Line>,
) -> Result<Vec<Line>, String> {
    let mut lines = table.lines();
    if lines.next() != Some(head) {
        return Err(format!("the first line is not {head:?}"));
    }
    let understood = |text: &'static str| {
        let columns: Vec<_> = text.split('\t').collect();
        let columns: Option<[_; N]> = columns.try_into().ok();
        columns
            .and_then(&line)
            .ok_or_else(|| format!("no proof is {text:?}"))
    };
    lines.map(understood).collect()
}
