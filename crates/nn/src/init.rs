//! First values of parameters. Each function draws a tensor; `param.set(&init::xavier_uniform(&param.shape(), 1.0, &mut rng))` uses it.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Error, Result, Shape, Tensor, room};
use rand::{Rng, RngExt};

/// What follows a layer, for [`calculate_gain`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// Nothing, or a sigmoid.
    Linear,
    /// `tanh`
    Tanh,
    /// `relu`
    Relu,
    /// `leaky_relu` of this slope.
    LeakyRelu(f64),
    /// `selu`
    Selu,
}

/// The factor by which a layer's spread must grow to keep that of its input, given what follows: 1, 5/3, √2, √(2 / (1 + slope²)), 3/4.
///
/// PyTorch: `nn.init.calculate_gain`.
pub fn calculate_gain(nonlinearity: Nonlinearity) -> f64 {
    match nonlinearity {
        Nonlinearity::Linear => 1.0,
        Nonlinearity::Tanh => 5.0 / 3.0,
        Nonlinearity::Relu => 2.0_f64.sqrt(),
        Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
        Nonlinearity::Selu => 0.75,
    }
}

/// Which spread a Kaiming initialisation keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FanMode {
    /// That of the forward pass.
    #[default]
    FanIn,
    /// That of the backward pass.
    FanOut,
}

/// How many inputs an output has, and how many outputs an input: `weight: [out, in, ..]`, the axes behind counting for both.
///
/// # Errors
/// If the weight has fewer than two axes.
fn fans(operation: &'static str, shape: &Shape) -> Result<(usize, usize)> {
    match shape[..] {
        [outputs, inputs, ref rest @ ..] => {
            let field = |size: usize| rest.iter().copied().fold(size, usize::saturating_mul);
            Ok((field(inputs), field(outputs)))
        }
        _ => Err(Error::shape(
            operation,
            "the weight",
            shape,
            "it must have at least two axes",
        )),
    }
}

/// Numbers drawn evenly from `low` (included) to `high` (excluded).
///
/// # Errors
/// If there is no memory for them.
///
/// PyTorch: `nn.init.uniform_`.
pub fn uniform<T: Element>(
    shape: &Shape,
    low: f64,
    high: f64,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<T>> {
    Tensor::try_uniform(shape, T::from_f64(low), T::from_f64(high), rng)
}

/// Numbers of the normal distribution.
///
/// # Errors
/// If there is no memory for them.
///
/// PyTorch: `nn.init.normal_`.
pub fn normal<T: Element>(
    shape: &Shape,
    mean: f64,
    std: f64,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<T>> {
    Tensor::try_normal(shape, T::from_f64(mean), T::from_f64(std), rng)
}

/// Numbers of the normal distribution that lie between `low` and `high`; others are drawn again.
///
/// # Errors
/// If `low` is not below `high`, the bounds leave less than one draw in a thousand, or there is no memory for the numbers.
///
/// PyTorch: `nn.init.trunc_normal_`.
pub fn truncated_normal<T: Element>(
    shape: &Shape,
    mean: f64,
    std: f64,
    bounds: std::ops::Range<f64>,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<T>> {
    const DRAWS: usize = 20_000;
    let message = || {
        let std::ops::Range { start, end } = bounds;
        Error::other(
            "truncated_normal",
            format!("hardly a number of N({mean}, {std}²) lies between {start} and {end}"),
        )
    };
    let mut draw = || {
        let drawn = || Tensor::<f64>::normal([1], mean, std, &mut *rng).to_vec()[0];
        std::iter::repeat_with(drawn)
            .take(DRAWS)
            .find(|x| bounds.contains(x))
            .ok_or_else(message)
    };
    let mut numbers = room(shape).map_err(|error| error.within("truncated_normal"))?;
    for _ in 0..shape.elements() {
        numbers.push(T::from_f64(draw()?));
    }
    Tensor::from_slice(&numbers, shape)
}

/// The same number everywhere.
///
/// # Errors
/// If there is no memory for them.
///
/// PyTorch: `nn.init.constant_`.
#[compiled]
pub fn constant<T: Element>(shape: &Shape, value: f64) -> Result<Tensor<T>> {
    Tensor::try_full(shape, T::from_f64(value)).map_err(|error| error.within("constant"))
}

/// Evenly drawn between `±gain √(6 / (fan_in + fan_out))`, `weight: [out, in, ..]` (Glorot and Bengio 2010).
///
/// ```
/// use lexigrad_nn::init;
/// use lexigrad_tensor::{Shape, Tensor};
/// use rand::{SeedableRng, rngs::StdRng};
/// let weight: Tensor = init::xavier_uniform(&Shape::from([20, 40]), 1.0, &mut StdRng::seed_from_u64(1))?;
/// assert!(weight.to_vec().iter().all(|x| x.abs() < 0.32));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the weight has fewer than two axes, or there is no memory for it.
///
/// PyTorch: `nn.init.xavier_uniform_`.
pub fn xavier_uniform<T: Element>(
    shape: &Shape,
    gain: f64,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<T>> {
    let (inputs, outputs) = fans("xavier_uniform", shape)?;
    let bound = gain * (6.0 / (inputs.saturating_add(outputs)).max(1) as f64).sqrt();
    uniform(shape, -bound, bound, rng).map_err(|error| error.within("xavier_uniform"))
}

/// Normal with deviation `gain √(2 / (fan_in + fan_out))`, `weight: [out, in, ..]` (Glorot and Bengio 2010).
///
/// # Errors
/// If the weight has fewer than two axes, or there is no memory for it.
///
/// PyTorch: `nn.init.xavier_normal_`.
pub fn xavier_normal<T: Element>(
    shape: &Shape,
    gain: f64,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<T>> {
    let (inputs, outputs) = fans("xavier_normal", shape)?;
    let std = gain * (2.0 / (inputs.saturating_add(outputs)).max(1) as f64).sqrt();
    normal(shape, 0.0, std, rng).map_err(|error| error.within("xavier_normal"))
}

/// Evenly drawn between `±gain √(3 / fan)`, the gain that of what follows, `weight: [out, in, ..]` (He et al. 2015).
///
/// # Errors
/// If the weight has fewer than two axes, or there is no memory for it.
///
/// PyTorch: `nn.init.kaiming_uniform_`.
pub fn kaiming_uniform<T: Element>(
    shape: &Shape,
    mode: FanMode,
    nonlinearity: Nonlinearity,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<T>> {
    let bound = 3.0_f64.sqrt() * kaiming_std("kaiming_uniform", shape, mode, nonlinearity)?;
    uniform(shape, -bound, bound, rng).map_err(|error| error.within("kaiming_uniform"))
}

/// Normal with deviation `gain / √fan`, the gain that of what follows, `weight: [out, in, ..]` (He et al. 2015).
///
/// # Errors
/// If the weight has fewer than two axes, or there is no memory for it.
///
/// PyTorch: `nn.init.kaiming_normal_`.
pub fn kaiming_normal<T: Element>(
    shape: &Shape,
    mode: FanMode,
    nonlinearity: Nonlinearity,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<T>> {
    let std = kaiming_std("kaiming_normal", shape, mode, nonlinearity)?;
    normal(shape, 0.0, std, rng).map_err(|error| error.within("kaiming_normal"))
}

fn kaiming_std(
    operation: &'static str,
    shape: &Shape,
    mode: FanMode,
    nonlinearity: Nonlinearity,
) -> Result<f64> {
    let (inputs, outputs) = fans(operation, shape)?;
    let fan = match mode {
        FanMode::FanIn => inputs,
        FanMode::FanOut => outputs,
    };
    Ok(calculate_gain(nonlinearity) / (fan.max(1) as f64).sqrt())
}

/// A matrix whose rows (or columns, if there are fewer) are orthogonal and of length `gain`, evenly drawn among all such,
/// `weight: [out, in, ..]`, the axes behind the first as one (Saxe et al. 2013).
///
/// ```
/// use lexigrad_nn::init;
/// use lexigrad_tensor::{Shape, Tensor};
/// use rand::{SeedableRng, rngs::StdRng};
/// let weight: Tensor = init::orthogonal(&Shape::from([2, 5]), 1.0, &mut StdRng::seed_from_u64(1))?;
/// let product = weight.matmul(&weight.transpose(0, 1)?)?;
/// let difference = product.sub(&Tensor::eye(2))?.abs().sum().item()?;
/// assert!(difference < 1e-5);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the weight has fewer than two axes, or there is no memory for it.
///
/// PyTorch: `nn.init.orthogonal_`.
pub fn orthogonal<T: Element>(
    shape: &Shape,
    gain: f64,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<T>> {
    fans("orthogonal", shape)?;
    let rows = shape[0];
    let columns = shape[1..].iter().copied().fold(1, usize::saturating_mul);
    // The smaller side as vectors in the space of the larger one.
    let (count, size) = (rows.min(columns), rows.max(columns));
    let mut flat: Vec<T> = room(shape).map_err(|error| error.within("orthogonal"))?;
    let mut vectors: Vec<Vec<f64>> = Vec::new();
    while vectors.len() < count {
        let mut vector = Tensor::<f64>::try_normal([size], 0.0, 1.0, rng)?.to_vec();
        // Twice, since once leaves the rounding of what was taken away.
        for other in vectors.iter().chain(&vectors) {
            let part: f64 = vector.iter().zip(other).map(|(x, y)| x * y).sum();
            vector
                .iter_mut()
                .zip(other)
                .for_each(|(x, y)| *x -= part * y);
        }
        let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length > 1e-6 {
            vector.iter_mut().for_each(|x| *x /= length);
            vectors.push(vector);
        }
    }
    flat.extend(vectors.iter().flatten().map(|x| T::from_f64(gain * x)));
    let matrix = Tensor::from_slice(&flat, [count, size])?;
    let matrix = if rows <= columns {
        matrix
    } else {
        matrix.transpose(0, 1)?
    };
    matrix.reshape(shape)
}

/// Normal numbers of deviation `std`, of which `sparsity` of each column are 0, `weight: [out, in]` (Martens 2010).
///
/// # Errors
/// If the weight is not a matrix, the sparsity not between 0 and 1, or there is no memory for the weight.
///
/// PyTorch: `nn.init.sparse_`.
pub fn sparse<T: Element>(
    shape: &Shape,
    sparsity: f64,
    std: f64,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<T>> {
    let [rows, columns] = shape[..] else {
        return Err(Error::shape(
            "sparse",
            "the weight",
            shape,
            "it must be [out, in]",
        ));
    };
    if !(0.0..=1.0).contains(&sparsity) {
        return Err(Error::value(
            "sparse",
            "the sparsity",
            sparsity,
            "between 0 and 1",
        ));
    }
    let mut values = normal::<T>(shape, 0.0, std, rng)
        .map_err(|error| error.within("sparse"))?
        .to_vec();
    let zeros = (sparsity * rows as f64).ceil() as usize;
    for column in 0..columns {
        // The first places of a shuffle (Fisher and Yates).
        let mut places: Vec<usize> = (0..rows).collect();
        for place in 0..zeros {
            places.swap(place, rng.random_range(place..rows));
            values[places[place] * columns + column] = T::zero();
        }
    }
    Tensor::from(values).reshape(shape)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn rng() -> StdRng {
        StdRng::seed_from_u64(3)
    }

    fn spread(x: &Tensor<f64>) -> f64 {
        x.square().mean().sqrt().item().unwrap()
    }

    #[test]
    fn spreads_are_those_of_the_formulas() {
        let shape = Shape::from([60, 80, 2]); // fan in 160, fan out 120
        let near = |found: f64, expected: f64| {
            assert!((found / expected - 1.0).abs() < 0.05, "{found}, {expected}")
        };
        near(
            spread(&xavier_uniform(&shape, 2.0, &mut rng()).unwrap()),
            2.0 * (2.0_f64 / 280.0).sqrt(),
        );
        near(
            spread(&xavier_normal(&shape, 1.0, &mut rng()).unwrap()),
            (2.0_f64 / 280.0).sqrt(),
        );
        let relu = Nonlinearity::Relu;
        near(
            spread(&kaiming_uniform(&shape, FanMode::FanIn, relu, &mut rng()).unwrap()),
            (2.0_f64 / 160.0).sqrt(),
        );
        near(
            spread(&kaiming_normal(&shape, FanMode::FanOut, relu, &mut rng()).unwrap()),
            (2.0_f64 / 120.0).sqrt(),
        );
        assert_eq!(calculate_gain(Nonlinearity::LeakyRelu(1.0)), 1.0);
    }

    #[test]
    fn orthogonal_matrices_are_orthogonal_on_their_shorter_side() {
        for shape in [[3, 7], [7, 3], [4, 4]] {
            let q: Tensor<f64> = orthogonal(&Shape::from(shape), 2.0, &mut rng()).unwrap();
            let transposed = q.transpose(0, 1).unwrap();
            let product = if shape[0] <= shape[1] {
                q.matmul(&transposed)
            } else {
                transposed.matmul(&q)
            };
            let expected = Tensor::eye(shape[0].min(shape[1])).mul_scalar(4.0);
            let error = product
                .unwrap()
                .sub(&expected)
                .unwrap()
                .abs()
                .max_axes(&[0, 1])
                .unwrap();
            assert!(error.item().unwrap() < 1e-12);
        }
    }

    #[test]
    fn sparse_columns_and_truncated_tails() {
        let x: Tensor<f64> = sparse(&Shape::from([10, 6]), 0.25, 1.0, &mut rng()).unwrap();
        let zeros = x
            .mask(|x| x == 0.0)
            .to_tensor::<f64>()
            .sum_axes(&[0])
            .unwrap();
        assert_eq!(zeros.to_vec(), [3.0; 6]);
        let x: Tensor<f64> =
            truncated_normal(&Shape::from([500]), 1.0, 2.0, 0.5..1.5, &mut rng()).unwrap();
        assert!(x.to_vec().iter().all(|x| (0.5..1.5).contains(x)));
        let far = truncated_normal::<f64>(&Shape::from([1]), 0.0, 1.0, 50.0..51.0, &mut rng());
        assert_eq!(
            far.unwrap_err().to_string(),
            "truncated_normal: hardly a number of N(0, 1²) lies between 50 and 51"
        );
        assert_eq!(
            xavier_uniform::<f32>(&Shape::from([3]), 1.0, &mut rng())
                .unwrap_err()
                .to_string(),
            "xavier_uniform: the weight has shape [3]; it must have at least two axes"
        );
    }
}
