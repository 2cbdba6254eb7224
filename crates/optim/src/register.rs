//! A number of the optimizer's own, kept where the state of a model is kept.

use lexigrad_tensor::{Buffer, Element, Tensor};

/// Sixteen bits fit into any float exactly.
const DIGITS: usize = 4;
const DIGIT_BITS: u32 = 16;

/// A `u64` in a buffer, as four digits of sixteen bits, the lowest first: a float alone would round it.
#[derive(Debug)]
pub(crate) struct Register<T: Element>(Buffer<T>);

impl<T: Element> Register<T> {
    pub(crate) fn new(number: u64) -> Self {
        let register = Self(Buffer::new(Tensor::zeros([DIGITS])));
        register.set(number);
        register
    }

    pub(crate) fn get(&self) -> u64 {
        read(&self.0.value().values())
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
            let register = Register::<f32>::new(number);
            assert_eq!(register.get(), number);
            assert_eq!(register.increment(), number.wrapping_add(1));
        }
    }
}
