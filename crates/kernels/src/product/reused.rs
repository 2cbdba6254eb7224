//! Right operands that several products read.

use super::FEW_COLUMNS;
use super::blocked::Right;
use super::panels::Packed;
use crate::number::Number;
use crate::view::Matrix;

/// From so many products on packing an operand before the first pays.
const MANY: usize = 4;

/// The right operand `[k, n]` of several products.
pub enum Reused<'a, T: Number> {
    /// Read as it stands.
    View(Matrix<'a, T>),
    /// Packed for these products.
    Packed(Packed<T>),
    /// Packed before.
    Kept(&'a Packed<T>),
}

impl<'a, T: Number> Reused<'a, T> {
    /// `view: [k, n]`, for so many products: packed where that pays and there is memory for it.
    ///
    /// # Panics
    /// If the matrix reaches beyond its data.
    pub fn new(sizes: [usize; 2], view: Matrix<'a, T>, products: usize) -> Self {
        let pays = products >= MANY && sizes[1] > FEW_COLUMNS;
        let packed = pays.then(|| Packed::new(sizes, view).ok()).flatten();
        packed.map_or(Self::View(view), Self::Packed)
    }
}

impl<'a, T: Number> From<&'a Reused<'_, T>> for Right<'a, T> {
    fn from(reused: &'a Reused<'_, T>) -> Self {
        match reused {
            Reused::View(view) => Self::View(*view),
            Reused::Packed(packed) => Self::Packed(packed),
            Reused::Kept(packed) => Self::Packed(packed),
        }
    }
}
