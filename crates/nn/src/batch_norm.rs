//! Normalisation over a batch (Ioffe and Szegedy 2015).

use lexigrad_macros::compiled;
use lexigrad_tensor::{
    Buffer, Domain, Element, Error, Module, Param, Result, Shape, Tensor, Visitor, change_state,
    is_training,
};

use crate::Layer;
use crate::start;

const NAME: &str = "batch_norm1d";

/// `y = (x - mean) / √(var + eps) w + b` for each channel, `x: [B, C]` or `[B, C, L]`, `w` and `b: [C]`.
///
/// Under a training tape mean and variance (the biased one) are the batch's, and move the running ones:
/// `running = (1 - momentum) running + momentum batch`, with the unbiased variance. Under `Tape::eval()` and without a tape they
/// are the running ones.
///
/// ```
/// use lexigrad_nn::BatchNorm1d;
/// use lexigrad_tensor::{Tape, Tensor};
/// let norm = BatchNorm1d::new(1);
/// let x = Tensor::new([[1.0], [3.0]]);
/// assert!((norm.forward(&x)?.to_vec()[1] - 3.0).abs() < 1e-4); // mean 0 and variance 1 at first
/// let tape = Tape::new();
/// let y = norm.forward(&x)?;
/// assert!((y.to_vec()[1] - 1.0).abs() < 1e-4);
/// # drop(tape);
/// # assert!((norm.statistics.unwrap().running_mean.value().to_vec()[0] - 0.2).abs() < 1e-6);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.BatchNorm1d`, with the same names and defaults. Differences: the tape decides, not `train()` and `eval()`;
/// `num_batches_tracked` is of the element type. Each shard of `data_parallel` is normalised by its own mean and variance; the running
/// statistics move by one shard after another, in their order, once all have ended. Padding of a sequence counts like any element,
/// as there: a layer norm does not have that problem.
#[derive(Clone, Debug)]
pub struct BatchNorm1d<T: Element = f32> {
    /// w, starting at 1, unless the layer has none.
    pub weight: Option<Param<T>>,
    /// b, starting at 0, unless the layer has none.
    pub bias: Option<Param<T>>,
    /// The running statistics, unless the layer uses those of the batch always.
    pub statistics: Option<RunningStatistics<T>>,
    config: BatchNorm1dConfig,
}

/// What a [`BatchNorm1d`] has seen of its channels.
#[derive(Clone, Debug, crate::Module)]
pub struct RunningStatistics<T: Element = f32> {
    /// `[C]`, starting at 0.
    pub running_mean: Buffer<T>,
    /// `[C]`, starting at 1.
    pub running_var: Buffer<T>,
    /// How many batches were seen, one number.
    pub num_batches_tracked: Buffer<T>,
}

/// The sizes and options of a [`BatchNorm1d`], with PyTorch's names and defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm1dConfig {
    /// C, the number of channels.
    pub num_features: usize,
    /// What is added to the variance.
    pub eps: f64,
    /// How much of a batch goes into the running statistics; if none is given, they are the average over all batches.
    pub momentum: Option<f64>,
    /// Whether there are w and b.
    pub affine: bool,
    /// Whether there are running statistics.
    pub track_running_stats: bool,
}

impl BatchNorm1dConfig {
    /// Normalisation of C channels with w, b, running statistics of momentum 0.1, and eps 1e-5.
    pub fn new(num_features: usize) -> Self {
        Self {
            num_features,
            eps: 1e-5,
            momentum: Some(0.1),
            affine: true,
            track_running_stats: true,
        }
    }

    /// The layer, w being 1 and b 0.
    ///
    /// # Errors
    /// If there is no memory for the parameters.
    pub fn build<T: Element>(&self) -> Result<BatchNorm1d<T>> {
        let shape = [self.num_features];
        let weight = self.affine.then(|| start::ones(NAME, shape));
        let bias = self.affine.then(|| start::zeros(NAME, shape));
        let statistics = self.track_running_stats.then(|| {
            Ok(RunningStatistics {
                running_mean: Buffer::of(Domain::Finite, Tensor::try_zeros(shape)?),
                running_var: Buffer::of(Domain::NotNegative, Tensor::try_full(shape, T::one())?),
                num_batches_tracked: Buffer::of(Domain::Count, Tensor::zeros([])),
            })
        });
        Ok(BatchNorm1d {
            weight: weight.transpose()?,
            bias: bias.transpose()?,
            statistics: statistics
                .transpose()
                .map_err(|error: Error| error.within(NAME))?,
            config: self.clone(),
        })
    }
}

impl BatchNorm1d {
    /// Normalisation of `num_features` channels, in `f32`.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(num_features: usize) -> Self {
        start::or_panic(BatchNorm1dConfig::new(num_features).build())
    }
}

impl<T: Element> Module<T> for BatchNorm1d<T> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        visitor.field("weight", &self.weight);
        visitor.field("bias", &self.bias);
        if let Some(statistics) = &self.statistics {
            statistics.visit(visitor);
        }
    }
}

#[compiled]
impl<T: Element> BatchNorm1d<T> {
    /// x with each channel normalised, in the shape of x.
    ///
    /// # Errors
    /// If x is not `[B, C]` or `[B, C, L]`; in training, if it holds fewer than two numbers for a channel.
    pub fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let channels = self.config.num_features;
        let (count, across): (usize, &[isize]) = match x.shape()[..] {
            [batch, size] if size == channels => (batch, &[0]),
            [batch, size, length] if size == channels => (batch * length, &[0, 2]),
            _ => {
                let rule = format!("it must be [batch, {channels}] or [batch, {channels}, length]");
                return Err(Error::shape(NAME, "the input", x.shape(), rule));
            }
        };
        // [C] or, to stand before time, [C, 1].
        let shape: Shape = [channels, 1].into_iter().take(x.rank() - 1).collect();
        let beside = |channel: Tensor<T>| channel.reshape(&shape);
        let (mean, variance) = match &self.statistics {
            Some(statistics) if !is_training() => (
                statistics.running_mean.value(),
                statistics.running_var.value(),
            ),
            _ => self.of_batch(x, count, across)?,
        };
        let eps = T::from_f64(self.config.eps);
        let inverse_std = variance.add_scalar(eps).sqrt().recip();
        let mut y = x.sub(&beside(mean)?)?.mul(&beside(inverse_std)?)?;
        if let Some(weight) = &self.weight {
            y = y.mul(&beside(weight.value())?)?;
        }
        match &self.bias {
            Some(bias) => y.add(&beside(bias.value())?),
            None => Ok(y),
        }
    }

    /// Mean and biased variance of the batch, which move the running ones.
    fn of_batch(
        &self,
        x: &Tensor<T>,
        count: usize,
        across: &[isize],
    ) -> Result<(Tensor<T>, Tensor<T>)> {
        if count < 2 {
            let rule = "in training it must hold at least two numbers for each channel";
            return Err(Error::shape(NAME, "the input", x.shape(), rule));
        }
        let (mean, variance) = (x.mean_axes(across)?, x.var_axes(across, 0)?);
        if let Some(statistics) = &self.statistics {
            let unbiased = T::from_f64(count as f64 / (count - 1) as f64);
            let variance = variance.constant().mul_scalar(unbiased);
            let (mean, momentum) = (mean.constant(), self.config.momentum);
            let statistics = statistics.clone();
            change_state(move || statistics.update(&mean, &variance, momentum));
        }
        Ok((mean, variance))
    }
}

impl<T: Element> RunningStatistics<T> {
    fn update(&self, mean: &Tensor<T>, variance: &Tensor<T>, momentum: Option<f64>) {
        let batches = self.num_batches_tracked.update(|batches| {
            batches[0] += T::one();
            batches[0]
        });
        let momentum = momentum.map_or(batches.recip(), T::from_f64);
        for (running, batch) in [(&self.running_mean, mean), (&self.running_var, variance)] {
            running.update(|running| {
                for (running, &batch) in running.iter_mut().zip(&*batch.values()) {
                    *running = *running * (T::one() - momentum) + batch * momentum;
                }
            });
        }
    }
}

impl<T: Element> Layer<T> for BatchNorm1d<T> {
    fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.forward(x)
    }
}
