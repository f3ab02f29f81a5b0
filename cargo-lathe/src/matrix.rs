//! `cargo lathe matrix`: what works with what, and who says so.
//!
//! Every format shows the same [`View`], a choice of rows and columns; what a cell says comes from
//! [`engine_spec::matrix::MATRIX`] alone.

pub mod count;
pub mod markdown;
mod table;
mod tsv;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine_spec::matrix::{Cell, CellId, MATRIX, Proof, Verdict};
use engine_spec::{BackendKind, Family, Feature, FeatureSet};

use crate::docs::picture;
use crate::failure::Failure;
use crate::output::Output;
use crate::{profile, target};

/// Show the compatibility matrix: vLLM's verdicts and this engine's.
#[derive(Debug, Args)]
pub struct Matrix {
    /// Only this hardware: a SKU, an architecture, a family or `native`.
    #[arg(long)]
    target: Option<String>,
    /// Only the features and the hardware of this profile.
    #[arg(long, value_name = "PROFILE", conflicts_with = "target")]
    profile: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t, conflicts_with = "count")]
    format: Format,
    /// How many profiles vLLM's matrix allows on each family, and how many of them are maximal.
    #[arg(long)]
    count: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// For a terminal.
    #[default]
    Table,
    /// For a document.
    Markdown,
    /// For a script: kind, a, b, vllm, engine, link, reason.
    Tsv,
    /// For a wall.
    Svg,
}

impl Matrix {
    pub fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let view = self.view()?;
        if self.count {
            return Ok(count::write(&view, out)?);
        }
        match self.format {
            Format::Table => table::write(&view, out)?,
            Format::Markdown => out.write_all(markdown::markdown(&view).as_bytes())?,
            Format::Tsv => tsv::write(&view, out)?,
            Format::Svg => out.write_all(picture::draw(&view).as_bytes())?,
        }
        Ok(())
    }

    fn view(&self) -> Result<View, Failure> {
        if let Some(path) = &self.profile {
            let plan = profile::preview(path)?;
            return Ok(View {
                features: plan.set(),
                families: vec![plan.target.family()],
            });
        }
        Ok(match &self.target {
            Some(name) => View {
                families: vec![target::family(name)?],
                ..View::whole()
            },
            None => View::whole(),
        })
    }
}

/// The part of the matrix that is shown.
pub struct View {
    pub features: FeatureSet,
    pub families: Vec<Family>,
}

impl View {
    /// All of it.
    pub fn whole() -> View {
        View {
            features: FeatureSet::FULL,
            families: Family::ALL.to_vec(),
        }
    }

    /// Its cells, in the order of `cells.tsv`.
    pub fn cells(&self) -> impl Iterator<Item = &'static Cell> {
        MATRIX.cells().iter().filter(|cell| match cell.id {
            CellId::Pair(a, b) => self.features.contains(a) && self.features.contains(b),
            CellId::Hardware(a, family) => {
                self.features.contains(a) && self.families.contains(&family)
            }
        })
    }

    /// The cells of a row: the pairs with the features shown before it, then its hardware.
    pub fn row(&self, feature: Feature) -> (Vec<&'static Cell>, Vec<&'static Cell>) {
        let pairs = self.features.iter().take_while(|other| *other < feature);
        let pairs = pairs.map(|other| MATRIX.cell(CellId::Pair(feature, other)));
        let hardware = self
            .families
            .iter()
            .map(|family| MATRIX.cell(CellId::Hardware(feature, *family)));
        (pairs.collect(), hardware.collect())
    }

    /// What this engine proves of a cell on the hardware that is shown.
    pub fn proofs(&self, cell: &Cell) -> Vec<(BackendKind, Proof)> {
        let shown = |backend| {
            self.families
                .iter()
                .any(|family| family.backend() == backend)
        };
        let proofs = cell.engine.proofs();
        proofs.filter(|(backend, _)| shown(*backend)).collect()
    }

    /// Where that was proven, as in `cpu:here cuda:emulator`; empty where nothing is.
    pub fn places(&self, cell: &Cell) -> String {
        let place = |(backend, proof): &(BackendKind, Proof)| {
            format!("{}:{}", backend.name(), proof.evidence.name())
        };
        let places: Vec<_> = self.proofs(cell).iter().map(place).collect();
        places.join(" ")
    }

    /// One character for both verdicts: its shape is vLLM's verdict, full when this engine proves the combination.
    pub fn glyph(&self, cell: &Cell) -> char {
        match (cell.vllm, self.proofs(cell).is_empty()) {
            (Verdict::Yes, true) => '○',
            (Verdict::Yes, false) => '●',
            (Verdict::No, true) => '×',
            (Verdict::No, false) => '◆',
            (Verdict::Unknown, true) => '?',
            (Verdict::Unknown, false) => '■',
        }
    }

    /// The characters in sight and what they say, in the order to explain them in.
    pub fn legend(&self) -> Vec<(char, &'static str)> {
        let shown: Vec<char> = self.cells().map(|cell| self.glyph(cell)).collect();
        let mut legend = GLYPHS.to_vec();
        legend.retain(|(glyph, _)| shown.contains(glyph));
        legend
    }
}

/// What each [`View::glyph`] says, in the order to explain them in.
const GLYPHS: [(char, &str); 6] = [
    ('●', "works, and this engine proves it"),
    ('○', "works by vLLM's matrix, not built yet here"),
    (
        '◆',
        "does not work by vLLM's matrix, but this engine proves it",
    ),
    ('×', "does not work"),
    ('■', "unknown to vLLM's matrix, but this engine proves it"),
    ('?', "unknown"),
];
