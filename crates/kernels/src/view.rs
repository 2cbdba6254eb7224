//! Views: the numbers of a buffer by strides.

/// Numbers `[i, j, ..]` that stand at `i strides[0] + j strides[1] + ..` of a buffer. A stride of 0 repeats them along its axis.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T, S> {
    /// The buffer, from number `[0, 0, ..]` on.
    pub values: &'a [T],
    /// The distance in the buffer between neighbours along each axis.
    pub strides: S,
}

/// A view of rows and columns.
pub type Matrix<'a, T> = View<'a, T, [usize; 2]>;

/// A view of any number of axes.
pub type Strided<'a, T> = View<'a, T, &'a [usize]>;

impl<'a, T, S: AsRef<[usize]>> View<'a, T, S> {
    /// The same view, of any number of axes.
    #[inline]
    pub fn strided<'b>(&'b self) -> Strided<'b, T> {
        View {
            values: self.values,
            strides: self.strides.as_ref(),
        }
    }
}

impl<'a, T> Matrix<'a, T> {
    /// Rows in row-major order that begin so far apart.
    #[inline]
    pub fn rows(values: &'a [T], distance: usize) -> Self {
        Self {
            values,
            strides: [distance, 1],
        }
    }

    /// Rows and columns exchanged.
    #[inline]
    pub fn transposed(self) -> Self {
        let [rows, columns] = self.strides;
        Self {
            strides: [columns, rows],
            ..self
        }
    }

    /// The rows from `first` on.
    #[inline]
    pub fn from_row(self, first: usize) -> Self {
        Self {
            values: &self.values[first * self.strides[0]..],
            ..self
        }
    }
}

impl<T> Matrix<'_, T> {
    /// Asserts that a matrix of so many rows and columns, both of them some, lies in its buffer.
    pub(crate) fn check_bounds(&self, [rows, columns]: [usize; 2]) {
        let row = (rows - 1).checked_mul(self.strides[0]);
        let column = (columns - 1).checked_mul(self.strides[1]);
        let last = row
            .zip(column)
            .and_then(|(row, column)| row.checked_add(column));
        assert!(
            last.is_some_and(|last| last < self.values.len()),
            "a matrix reaches beyond its data"
        );
    }
}

impl<'a, T: Copy> Matrix<'a, T> {
    /// The number in this row and column.
    #[inline(always)]
    pub fn at(&self, row: usize, column: usize) -> T {
        self.values[row * self.strides[0] + column * self.strides[1]]
    }
}

impl<'a, T> View<'a, T, [usize; 4]> {
    /// The matrix of the last two axes that stands at this index of the first two.
    #[inline]
    pub fn matrix(self, index: [usize; 2]) -> Matrix<'a, T> {
        let [outer, inner, rows, columns] = self.strides;
        View {
            values: &self.values[index[0] * outer + index[1] * inner..],
            strides: [rows, columns],
        }
    }
}
