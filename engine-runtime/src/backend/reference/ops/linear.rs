//! Products with matrices of any format: what a format means, computed with.

use crate::backend::reference::memory::{Array, Matrix, View};
use crate::backend::reference::{Reference, dense};
use crate::backend::{DeviceError, ExpertInput, Head, Input, Linear, Projection, Routes};
use crate::dtype::WeightFormat;

impl<W: WeightFormat> Linear<W> for Reference {
    type Matrix = Matrix;
    type Experts = Vec<Matrix>;

    fn pack(
        &mut self,
        what: &'static str,
        stacked: &[W::Source<'_>],
    ) -> Result<Matrix, DeviceError> {
        let shapes: Vec<[usize; 2]> = stacked.iter().map(W::shape).collect();
        let cols = shapes.first().map_or(0, |[_, cols]| *cols);
        assert!(
            shapes.iter().all(|[_, other]| *other == cols),
            "stacked matrices have equal columns"
        );
        let rows = shapes.iter().map(|[rows, _]| rows).sum();
        let values = self.memory.alloc(what, rows * cols)?;
        let mut target = self.memory.get_mut(values);
        let mut target = target.chunks_exact_mut(cols.max(1));
        for (part, [rows, _]) in stacked.iter().zip(shapes) {
            for (row, out) in (0..rows).zip(&mut target) {
                W::widen(part, row, out);
            }
        }
        Ok(Matrix { rows, cols, values })
    }

    fn pack_experts(
        &mut self,
        what: &'static str,
        experts: &[Vec<W::Source<'_>>],
    ) -> Result<Vec<Matrix>, DeviceError> {
        let pack = |stacked: &Vec<W::Source<'_>>| Linear::<W>::pack(self, what, stacked);
        experts.iter().map(pack).collect()
    }

    fn matmul(
        &mut self,
        x: &Array<f32>,
        w: &Projection<Matrix, Array<f32>>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        self.multiply(x, w.matrix, w.bias, rows, out)
    }

    fn grouped_matmul(
        &mut self,
        x: ExpertInput<'_, Array<f32>>,
        w: &Vec<Matrix>,
        routes: &Routes<Self>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (per_row, experts) = (routes.per_row, routes.experts);
        let (x, pairs_of_row) = match x {
            ExpertInput::Shared(x) => (*x, per_row),
            ExpertInput::Own(x) => (*x, 1),
        };
        let (w, out) = (w.clone(), *out);
        self.launch("grouped_matmul", move |memory| {
            let (x, experts) = (memory.get(x), memory.get(experts));
            let mut out = memory.get_mut(out);
            for (pair, &expert) in experts[..rows * per_row].iter().enumerate() {
                let Matrix { rows, cols, values } = *w
                    .get(expert as usize)
                    .ok_or_else(|| format!("expert {expert} of {}", w.len()))?;
                let row = pair / pairs_of_row;
                dense::matmul(
                    &x[row * cols..(row + 1) * cols],
                    &memory.get(values),
                    cols,
                    None,
                    &mut out[pair * rows..(pair + 1) * rows],
                );
            }
            Ok(())
        })
    }
}

impl<H: WeightFormat> Head<H> for Reference {
    type Table = Matrix;

    fn table(&mut self, what: &'static str, source: &H::Source<'_>) -> Result<Matrix, DeviceError> {
        Linear::<H>::pack(self, what, std::slice::from_ref(source))
    }

    fn embed(
        &mut self,
        table: &Matrix,
        ids: Input<'_, Self, u32>,
        scale: f32,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (table, ids, out) = (*table, View::of(ids), *out);
        self.launch("embed", move |memory| {
            let values = memory.get(table.values);
            let mut out = memory.get_mut(out);
            dense::look_up(&values, table.cols, &memory.view(ids), scale, &mut out)
        })
    }

    fn logits(
        &mut self,
        x: &Array<f32>,
        table: &Matrix,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        self.multiply(x, *table, None, rows, out)
    }
}

impl Reference {
    fn multiply(
        &mut self,
        x: &Array<f32>,
        w: Matrix,
        bias: Option<Array<f32>>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let (x, out) = (*x, *out);
        self.launch("matmul", move |memory| {
            let bias = bias.map(|bias| memory.get(bias));
            dense::matmul(
                &memory.get(x)[..rows * w.cols],
                &memory.get(w.values),
                w.cols,
                bias.as_ref().map(|bias| bias.as_slice()),
                &mut memory.get_mut(out)[..rows * w.rows],
            );
            Ok(())
        })
    }
}
