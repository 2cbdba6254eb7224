//! Activation functions as layers, for a [`Sequential`](crate::Sequential).

use lexigrad_tensor::{Element, Module, Result, Tensor, Visitor};

use crate::Layer;

/// `y = max(x, 0)`. PyTorch: `nn.ReLU`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Relu;

/// `y = tanh x`. PyTorch: `nn.Tanh`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tanh;

/// `y = 1 / (1 + e^-x)`. PyTorch: `nn.Sigmoid`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sigmoid;

/// `y = x Φ(x)`, Φ the standard normal's distribution function. PyTorch: `nn.GELU`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gelu;

/// `y = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`. PyTorch: `nn.GELU(approximate="tanh")`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GeluTanh;

/// `y = x / (1 + e^-x)`. PyTorch: `nn.SiLU`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silu;

/// `y = ln(1 + e^x)`. PyTorch: `nn.Softplus` with beta 1, which returns x itself above a threshold of 20; this is exact everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Softplus;

/// `y = ln(1 / (1 + e^-x))`. PyTorch: `nn.LogSigmoid`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSigmoid;

/// `y = x` above 0, `slope x` else. PyTorch: `nn.LeakyReLU`, slope being its `negative_slope`.
///
/// ```
/// use lexigrad_nn::{Layer, LeakyRelu};
/// use lexigrad_tensor::Tensor;
/// let y = LeakyRelu { slope: 0.5 }.forward(&Tensor::new([-2.0_f32, 2.0]))?;
/// assert_eq!(y.to_vec(), [-1.0, 2.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeakyRelu {
    /// The slope below 0, 0.01 by default.
    pub slope: f64,
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self { slope: 0.01 }
    }
}

/// `y = x` above 0, `alpha (e^x - 1)` else. PyTorch: `nn.ELU`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elu {
    /// How far below 0 it goes, 1 by default.
    pub alpha: f64,
}

impl Default for Elu {
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

/// `y = e^x / Σ e^x` along an axis. PyTorch: `nn.Softmax`; here the axis has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Softmax {
    /// The axis, the last one by default.
    pub axis: isize,
}

impl Default for Softmax {
    fn default() -> Self {
        Self { axis: -1 }
    }
}

/// `y = x - ln Σ e^x` along an axis. PyTorch: `nn.LogSoftmax`; here the axis has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSoftmax {
    /// The axis, the last one by default.
    pub axis: isize,
}

impl Default for LogSoftmax {
    fn default() -> Self {
        Self { axis: -1 }
    }
}

/// A layer without parameters: its name and the function of (layer, x).
macro_rules! activations {
    ($($layer:ident: $function:expr;)*) => {$(
        impl<T: Element> Module<T> for $layer {
            fn visit(&self, _visitor: &mut Visitor<'_, T>) {}
        }

        impl<T: Element> Layer<T> for $layer {
            fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
                let function: fn(&Self, &Tensor<T>) -> Result<Tensor<T>> = $function;
                function(self, x)
            }
        }
    )*};
}

activations! {
    Relu: |_, x| Ok(x.relu());
    Tanh: |_, x| Ok(x.tanh());
    Sigmoid: |_, x| Ok(x.sigmoid());
    Gelu: |_, x| Ok(x.gelu());
    GeluTanh: |_, x| Ok(x.gelu_tanh());
    Silu: |_, x| Ok(x.silu());
    Softplus: |_, x| Ok(x.softplus());
    LogSigmoid: |_, x| Ok(x.log_sigmoid());
    LeakyRelu: |layer, x| Ok(x.leaky_relu(T::from_f64(layer.slope)));
    Elu: |layer, x| Ok(x.elu(T::from_f64(layer.alpha)));
    Softmax: |layer, x| x.softmax(layer.axis);
    LogSoftmax: |layer, x| x.log_softmax(layer.axis);
}
