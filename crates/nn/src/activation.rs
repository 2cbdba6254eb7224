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

macro_rules! activations {
    ($($layer:ident $function:ident;)*) => {$(
        impl<T: Element> Module<T> for $layer {
            fn visit(&self, _visitor: &mut Visitor<'_, T>) {}
        }

        impl<T: Element> Layer<T> for $layer {
            fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
                Ok(x.$function())
            }
        }
    )*};
}

activations! {
    Relu relu;
    Tanh tanh;
    Sigmoid sigmoid;
    Gelu gelu;
}
