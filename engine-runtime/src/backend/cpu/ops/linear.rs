//! Products with packed matrices.

use super::pointwise::refuse_outside;
use crate::backend::cpu::experts::Grouping;
use crate::backend::cpu::memory::Disjoint;
use crate::backend::cpu::{Array, Cpu, Dot, Matrix};
use crate::backend::{
    DeviceError, DeviceLimits, ExpertInput, Head, Input, Linear, Measure, Projection, Routes,
};
use crate::dtype::{Dense, Float, HostMatrix};

impl<I: Dot<D>, D: Float> Linear<Dense<D>> for Cpu<I> {
    type Matrix = Matrix<I, D>;
    type Experts = Vec<Matrix<I, D>>;

    fn pack(
        &mut self,
        what: &'static str,
        stacked: &[HostMatrix<'_>],
    ) -> Result<Matrix<I, D>, DeviceError> {
        Matrix::pack(&mut self.pool, what, stacked)
    }

    fn pack_experts(
        &mut self,
        what: &'static str,
        experts: &[Vec<HostMatrix<'_>>],
    ) -> Result<Vec<Matrix<I, D>>, DeviceError> {
        let pack = |stacked: &Vec<HostMatrix<'_>>| Matrix::pack(&mut self.pool, what, stacked);
        experts.iter().map(pack).collect()
    }

    fn matmul(
        &mut self,
        x: &Array<f32>,
        w: &Projection<Matrix<I, D>, Array<f32>>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let bias = w.bias.as_ref().map(Array::get);
        self.multiply(x.get(), &w.matrix, bias, rows, out.get_mut());
        Ok(())
    }

    fn grouped_matmul(
        &mut self,
        x: ExpertInput<'_, Array<f32>>,
        w: &Vec<Matrix<I, D>>,
        routes: &Routes<Self>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let experts = &routes.experts.get()[..rows * routes.per_row];
        let grouping = Grouping::new(experts, w.len()).map_err(|reason| DeviceError::Launch {
            op: "grouped_matmul",
            reason,
        })?;
        let (x, pairs_of_row) = match x {
            ExpertInput::Shared(x) => (x, routes.per_row as u32),
            ExpertInput::Own(x) => (x, 1),
        };
        let sources: Vec<u32> = grouping
            .pairs
            .iter()
            .map(|pair| pair / pairs_of_row)
            .collect();
        self.multiply_groups(x.get(), &sources, w, &grouping, out.get_mut());
        Ok(())
    }
}

impl<I: Dot<D>, D: Float> Head<Dense<D>> for Cpu<I> {
    type Table = Matrix<I, D>;

    fn table(
        &mut self,
        what: &'static str,
        source: &HostMatrix<'_>,
    ) -> Result<Matrix<I, D>, DeviceError> {
        Matrix::pack(&mut self.pool, what, std::slice::from_ref(source))
    }

    fn embed(
        &mut self,
        table: &Matrix<I, D>,
        ids: Input<'_, Self, u32>,
        scale: f32,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        let ids = ids.get();
        refuse_outside("embed", ids, table.rows)?;
        let out = Disjoint::new(out.get_mut());
        self.each_row(ids.len(), 8 * table.cols, |_, row| {
            // SAFETY: each row is one task's.
            let out = unsafe { out.slice(row * table.cols, table.cols) };
            table.row(ids[row] as usize, scale, out);
        });
        Ok(())
    }

    fn logits(
        &mut self,
        x: &Array<f32>,
        table: &Matrix<I, D>,
        rows: usize,
        out: &mut Array<f32>,
    ) -> Result<(), DeviceError> {
        self.multiply(x.get(), table, None, rows, out.get_mut());
        Ok(())
    }
}

impl<I: Dot<D>, D: Float> Measure<Dense<D>> for Cpu<I> {
    fn limits(&mut self) -> Result<Option<DeviceLimits>, DeviceError> {
        Ok(Some(DeviceLimits {
            read_bandwidth: self.read_bandwidth()?,
            dot_peak: self.dot_peak::<D>(),
        }))
    }
}
