//! `+ - * /` and unary minus on tensors and numbers.
//!
//! They are sugar over the methods: where those return an error, the operator panics with the same text at the caller's line.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::element::Element;
use crate::tensor::Tensor;

macro_rules! binary_operators {
    ($($operator:ident $method:ident $scalar:expr;)*) => {$(
        impl<T: Element> $operator<&Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;

            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                match Tensor::$method(self, other) {
                    Ok(result) => result,
                    Err(error) => panic!("{error}"),
                }
            }
        }

        impl<T: Element> $operator<Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;

            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                $operator::$method(self, &other)
            }
        }

        impl<T: Element> $operator<&Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;

            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                $operator::$method(&self, other)
            }
        }

        impl<T: Element> $operator<Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;

            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                $operator::$method(&self, &other)
            }
        }

        impl<T: Element> $operator<T> for &Tensor<T> {
            type Output = Tensor<T>;

            fn $method(self, c: T) -> Tensor<T> {
                $scalar(self, c)
            }
        }

        impl<T: Element> $operator<T> for Tensor<T> {
            type Output = Tensor<T>;

            fn $method(self, c: T) -> Tensor<T> {
                $scalar(&self, c)
            }
        }
    )*};
}

binary_operators! {
    Add add |x: &Tensor<T>, c: T| x.add_scalar(c);
    Sub sub |x: &Tensor<T>, c: T| x.add_scalar(-c);
    Mul mul |x: &Tensor<T>, c: T| x.mul_scalar(c);
    Div div |x: &Tensor<T>, c: T| x.mul_scalar(c.recip());
}

macro_rules! number_on_the_left {
    ($($number:ty)*) => {$(
        impl Add<&Tensor<$number>> for $number {
            type Output = Tensor<$number>;

            fn add(self, x: &Tensor<$number>) -> Tensor<$number> {
                x.add_scalar(self)
            }
        }

        impl Sub<&Tensor<$number>> for $number {
            type Output = Tensor<$number>;

            fn sub(self, x: &Tensor<$number>) -> Tensor<$number> {
                x.neg().add_scalar(self)
            }
        }

        impl Mul<&Tensor<$number>> for $number {
            type Output = Tensor<$number>;

            fn mul(self, x: &Tensor<$number>) -> Tensor<$number> {
                x.mul_scalar(self)
            }
        }

        impl Div<&Tensor<$number>> for $number {
            type Output = Tensor<$number>;

            fn div(self, x: &Tensor<$number>) -> Tensor<$number> {
                x.recip().mul_scalar(self)
            }
        }
    )*};
}

number_on_the_left!(f32 f64);

impl<T: Element> Neg for &Tensor<T> {
    type Output = Tensor<T>;

    fn neg(self) -> Tensor<T> {
        Tensor::neg(self)
    }
}

impl<T: Element> Neg for Tensor<T> {
    type Output = Tensor<T>;

    fn neg(self) -> Tensor<T> {
        Tensor::neg(&self)
    }
}
