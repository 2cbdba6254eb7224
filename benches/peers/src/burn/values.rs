//! The values of a file, as burn's layers want them.

use std::error::Error;
use std::path::Path;

use burn::module::Param;
use burn::nn::{Embedding, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::{Device, Int, Tensor, TensorData};
use lexigrad::prelude::StateDict;

/// burn says with a panic what lexigrad says with an error, so errors are of reading only.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One of so many equal parts of a parameter.
#[derive(Clone, Copy)]
pub struct Part {
    pub index: usize,
    pub of: usize,
}

const WHOLE: Part = Part { index: 0, of: 1 };

pub struct Values {
    state: StateDict,
    /// Where tensors are trained.
    pub device: Device,
}

impl Values {
    pub fn load(file: &Path) -> Result<Self> {
        Ok(Self {
            state: StateDict::load(file)?,
            device: Device::flex().autodiff(),
        })
    }

    /// Numbers that are not trained.
    pub fn tensor<const D: usize>(&self, name: &str) -> Result<Tensor<D>> {
        let value = self.state.get(name).ok_or(format!("no {name}"))?;
        let data = TensorData::new(value.to_vec(), value.shape().to_vec());
        Ok(Tensor::from_data(data, &self.device.clone().inner()))
    }

    /// Ids or labels, batch by batch, in rows as long as the last of their sizes.
    pub fn ids(&self, name: &str) -> Result<Vec<Tensor<2, Int>>> {
        let all = self.state.get(name).ok_or(format!("no {name}"))?;
        let numbers: Vec<i64> = all.to_vec().into_iter().map(|id| id as i64).collect();
        let size = numbers.len() / all.shape()[0];
        let row = all.shape()[all.rank() - 1];
        let batch = |part: &[i64]| {
            let data = TensorData::new(part.to_vec(), [size / row, row]);
            Tensor::from_data(data, &self.device)
        };
        Ok(numbers.chunks(size).map(batch).collect())
    }

    pub fn parameter<const D: usize>(&self, name: &str) -> Result<Param<Tensor<D>>> {
        Ok(self.trained(self.tensor(name)?))
    }

    fn trained<const D: usize>(&self, value: Tensor<D>) -> Param<Tensor<D>> {
        Param::from_data(value.into_data(), &self.device)
    }

    pub fn embedding(&self, name: &str) -> Result<Embedding> {
        Ok(Embedding {
            weight: self.parameter(&format!("{name}.weight"))?,
        })
    }

    pub fn linear(&self, name: &str) -> Result<Linear> {
        let names = ["weight", "bias"].map(|part| format!("{name}.{part}"));
        self.linear_of([&names[0], &names[1]], WHOLE)
    }

    /// A layer whose outputs are a part of what the file has in one parameter; the weight lies transposed in the file.
    pub fn linear_of(&self, [weight, bias]: [&str; 2], part: Part) -> Result<Linear> {
        let (weight, bias) = (self.tensor::<2>(weight)?, self.tensor::<1>(bias)?);
        let outputs = bias.dims()[0] / part.of;
        let weight = weight.narrow(0, part.index * outputs, outputs).transpose();
        let bias = bias.narrow(0, part.index * outputs, outputs);
        Ok(Linear {
            weight: self.trained(weight),
            bias: Some(self.trained(bias)),
        })
    }

    pub fn norm(&self, name: &str) -> Result<LayerNorm> {
        let gamma = self.parameter::<1>(&format!("{name}.weight"))?;
        let mut norm = LayerNormConfig::new(gamma.dims()[0]).init(&self.device);
        norm.gamma = gamma;
        norm.beta = Some(self.parameter(&format!("{name}.bias"))?);
        Ok(norm)
    }
}
