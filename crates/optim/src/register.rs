//! A number of the optimizer's own, kept where the state of a model is kept.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Buffer, Element, Tensor};

/// Sixteen bits fit into any float exactly.
const DIGITS: usize = 4;
const DIGIT_BITS: u32 = 16;

/// Counts beyond this are not exact in the `f64` that rules compute with.
const MOST: u64 = 1 << 53;

/// A `u64` in a buffer, as four digits of sixteen bits, the lowest first: a float alone would round it.
#[derive(Debug)]
pub(crate) struct Register<T: Element>(Buffer<T>);

#[compiled]
impl<T: Element> Register<T> {
    /// A number; `check` says of one that is loaded what it is instead, and the rule.
    fn new(number: u64, check: fn(u64) -> Result<(), String>) -> Self {
        let check = move |digits: &Tensor<T>| {
            let digits = digits.values();
            match digits.iter().position(|&digit| !is_digit(digit)) {
                None => check(read(&digits)),
                Some(place) => Err(format!(
                    "holds {} at [{place}]; a number's digits are whole, from 0 to 65535",
                    digits[place]
                )),
            }
        };
        let register = Self(Buffer::checked(Tensor::zeros([DIGITS]), check));
        register.set(number);
        register
    }

    /// Something counted.
    pub(crate) fn count(number: u64) -> Self {
        Self::new(number, |number| match number {
            0..=MOST => Ok(()),
            _ => Err(format!("is {number}; a count is at most {MOST}")),
        })
    }

    /// The bits of a learning rate.
    pub(crate) fn rate(rate: f64) -> Self {
        Self::new(rate.to_bits(), |bits| {
            let rate = f64::from_bits(bits);
            let is_right = T::from_f64(rate).is_finite() && rate >= 0.0;
            let reason = || format!("is {rate:?}; a learning rate is finite and not negative");
            is_right.then_some(()).ok_or_else(reason)
        })
    }

    /// The bits of a measure, which may be infinite.
    pub(crate) fn measure(measure: f64) -> Self {
        Self::new(measure.to_bits(), |bits| {
            match f64::from_bits(bits).is_nan() {
                false => Ok(()),
                true => Err("is NaN; a measure is a number".to_owned()),
            }
        })
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.read(read)
    }

    pub(crate) fn set(&self, number: u64) {
        self.0.update(|digits| write(number, digits));
    }

    /// Counts one up, and says how far that is.
    pub(crate) fn increment(&self) -> u64 {
        self.0.update(|digits| {
            let number = read(digits).wrapping_add(1);
            write(number, digits);
            number
        })
    }

    pub(crate) fn buffer(&self) -> &Buffer<T> {
        &self.0
    }
}

fn is_digit<T: Element>(digit: T) -> bool {
    let digit = digit.as_f64();
    (0.0..=65535.0).contains(&digit) && digit.fract() == 0.0
}

fn read<T: Element>(digits: &[T]) -> u64 {
    let add = |sum: u64, digit: &T| (sum << DIGIT_BITS) | digit.as_f64() as u64;
    digits.iter().rev().fold(0, add)
}

fn write<T: Element>(number: u64, digits: &mut [T]) {
    for (place, digit) in digits.iter_mut().enumerate() {
        let bits = number >> (place as u32 * DIGIT_BITS);
        *digit = T::from_f64((bits & 0xffff) as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_kept() {
        for number in [0, 1, 1 << 24, (1 << 53) + 1, u64::MAX, 0.1_f64.to_bits()] {
            let register = Register::<f32>::count(number);
            assert_eq!(register.get(), number);
            assert_eq!(register.increment(), number.wrapping_add(1));
        }
    }
}
