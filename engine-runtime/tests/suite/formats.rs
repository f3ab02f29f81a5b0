//! A weight format of several arrays, made here: 8-bit integers with a scale for each row. What finds, checks and counts
//! weights knows nothing of it, and the reference backend computes with what the format says its numbers are.

use std::path::Path;

use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{Backend, DeviceOptions, Linear, Projection};
use engine_runtime::checkpoint::{Checkpoint, CheckpointError, Finder};
use engine_runtime::dtype::{Dense, HostValues, Plain, Stored, WeightFormat};
use engine_runtime::model::Model;
use engine_runtime::models::Llama;
use engine_runtime::testing::tiny::{TinyLlama, VOCAB};
use engine_runtime::testing::{LIMITS, Solo};
use engine_runtime::{Limits, Recipe};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// `name.weight` I8 [rows, cols] and `name.scales` F32 `[rows]`.
pub enum RowScaled {}

pub struct Source<'a> {
    cols: usize,
    /// [rows, cols]
    integers: &'a [u8],
    /// `[rows]`
    scales: Vec<f32>,
    scales_bytes: u64,
}

impl WeightFormat for RowScaled {
    const NAME: &'static str = "row-scaled";
    type Source<'a> = Source<'a>;

    fn find<'a>(
        finder: &mut Finder<'a>,
        name: &str,
        rows: usize,
        cols: usize,
    ) -> Result<Source<'a>, CheckpointError> {
        let scales = finder.vector(&format!("{name}.scales"), rows)?;
        Ok(Source {
            cols,
            integers: finder.array(&format!("{name}.weight"), &[rows, cols], Dtype::I8)?,
            scales_bytes: scales.values.bytes(),
            scales: scales.to_f32(),
        })
    }

    fn shape(source: &Source<'_>) -> [usize; 2] {
        [source.scales.len(), source.cols]
    }

    fn widen(source: &Source<'_>, row: usize, out: &mut [f32]) {
        let integers = &source.integers[row * source.cols..];
        for (out, integer) in out.iter_mut().zip(integers) {
            *out = f32::from(integer.cast_signed()) * source.scales[row];
        }
    }

    fn round(value: f32) -> f32 {
        value
    }

    fn stored(source: &Source<'_>) -> Vec<Stored> {
        vec![
            Stored {
                format: "i8",
                bytes: source.integers.len() as u64,
            },
            Stored {
                format: "f32",
                bytes: source.scales_bytes,
            },
        ]
    }

    fn bytes(rows: usize, cols: usize) -> u64 {
        (rows * (cols + 4)) as u64
    }
}

engine_runtime::recipe! {
    Scaled {
        backend: Reference,
        weights: RowScaled,
        head: Dense<f32>,
        cache: Plain<f32>,
        model: Llama<Self>,
        limits: TINY,
    }
}

engine_runtime::recipe! {
    Widened {
        backend: Reference,
        weights: Dense<f32>,
        model: Llama<Self>,
        limits: TINY,
    }
}

const TINY: Limits = Limits {
    max_model_len: 64,
    ..LIMITS
};

/// Whether a matrix belongs to a linear layer, and not to embedding or head.
fn is_linear(name: &str) -> bool {
    name.ends_with("_proj.weight")
}

/// Writes the tensors of `from` to `to`, with those of linear layers as `convert` makes them.
fn rewrite(
    from: &Path,
    to: &Path,
    convert: impl Fn(&str, &[usize], &[f32]) -> Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
) {
    std::fs::copy(from.join("config.json"), to.join("config.json")).unwrap();
    let bytes = std::fs::read(from.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut written = Vec::new();
    for (name, tensor) in tensors.tensors() {
        let shape = tensor.shape();
        match is_linear(&name) {
            true => {
                let values: Vec<f32> = HostValues::F32(tensor.data()).iter().collect();
                written.extend(convert(&name, shape, &values));
            }
            false => written.push((name, Dtype::F32, shape.to_vec(), tensor.data().to_vec())),
        }
    }
    let views = written
        .iter()
        .map(|(name, dtype, shape, data)| {
            let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
            (name.as_str(), view)
        })
        .collect::<Vec<_>>();
    safetensors::serialize_to_file(views, None, &to.join("model.safetensors")).unwrap();
}

/// Integers and the scale of one row.
fn scaled(row: &[f32]) -> (Vec<i8>, f32) {
    let largest = row.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let scale = largest / 127.0;
    let integers = row.iter().map(|x| (x / scale).round() as i8);
    (integers.collect(), scale)
}

#[test]
fn a_format_of_two_arrays_is_found_packed_counted_and_computed_with() {
    let tiny = TinyLlama::write(11).unwrap();
    let [folder, widened] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    rewrite(tiny.dir(), folder.path(), |name, shape, values| {
        let rows: Vec<_> = values.chunks(shape[1]).map(scaled).collect();
        let integers = rows.iter().flat_map(|(row, _)| row);
        let scales = rows.iter().flat_map(|(_, scale)| scale.to_le_bytes());
        let scales_name = name.replace(".weight", ".scales");
        vec![
            (
                name.to_owned(),
                Dtype::I8,
                shape.to_vec(),
                integers.map(|x| x.cast_unsigned()).collect(),
            ),
            (scales_name, Dtype::F32, vec![shape[0]], scales.collect()),
        ]
    });
    rewrite(tiny.dir(), widened.path(), |name, shape, values| {
        let values = values.chunks(shape[1]).flat_map(|row| {
            let (integers, scale) = scaled(row);
            integers.into_iter().map(move |x| f32::from(x) * scale)
        });
        let bytes = values.flat_map(f32::to_le_bytes).collect();
        vec![(name.to_owned(), Dtype::F32, shape.to_vec(), bytes)]
    });

    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let fit = <Scaled as Recipe>::Model::check(&checkpoint, &TINY).unwrap();
    assert_eq!(fit.weights_format, "row-scaled");
    assert!(fit.stored["i8"] > 0 && fit.stored["f32"] > 0);
    let dense = Checkpoint::open(widened.path()).unwrap();
    let wide = <Widened as Recipe>::Model::check(&dense, &TINY).unwrap();
    let saved = wide.memory.weights - fit.memory.weights;
    assert!(
        saved > fit.stored["i8"] * 2,
        "three of four bytes, less the scales"
    );

    let tokens: Vec<u32> = (0..40).map(|i| i * 37 % VOCAB as u32).collect();
    let options = DeviceOptions::default();
    let mut scaled = Solo::<Scaled>::load(folder.path(), &options, &mut |_, _| ()).unwrap();
    let mut dense = Solo::<Widened>::load(widened.path(), &options, &mut |_, _| ()).unwrap();
    assert_eq!(
        scaled.logits(&tokens, 7).unwrap(),
        dense.logits(&tokens, 40).unwrap(),
        "the same numbers in another format"
    );
}

#[test]
fn an_array_that_is_missing_is_named() {
    let tiny = TinyLlama::write(11).unwrap();
    let checkpoint = Checkpoint::open(tiny.dir()).unwrap();
    let error = <Scaled as Recipe>::Model::check(&checkpoint, &TINY).unwrap_err();
    let message = error.to_string();
    assert!(
        message
            .contains("`model.layers.0.self_attn.q_proj.scales` is missing, expected shape [32]"),
        "{message}"
    );
}

#[test]
#[should_panic(expected = "stacked matrices have equal columns")]
fn parts_of_unequal_columns_are_not_stacked() {
    let mut device = Reference::open(&DeviceOptions::default()).unwrap();
    let source = |cols: usize| Source {
        cols,
        integers: &[1; 8],
        scales: vec![1.0; 2],
        scales_bytes: 8,
    };
    let matrix = Linear::<RowScaled>::pack(&mut device, "parts", &[source(4), source(3)]);
    let _ = matrix.map(|matrix| Projection::<_, ()> { matrix, bias: None });
}
