//! What one sequence's step of each recurrence computes from `W_ih x + b_ih` and `W_hh h + b_hh`.

use std::iter::zip;

use crate::number::Number;

/// One step of a recurrence of a state of H numbers, and the pass back through it.
///
/// Its gates are WIDTH runs of H numbers. At first they hold what the products give, the input's in the first GATES runs, the
/// state's added in the runs that [`RECURRENT`](Self::RECURRENT) names; the step leaves there what the pass back reads. Mark both
/// functions `#[inline(always)]`.
pub trait Cell<T: Number>: Copy + Send + Sync + 'static {
    /// The weights have so many times H rows.
    const GATES: usize;
    /// How many runs a step keeps.
    const WIDTH: usize;
    /// How many runs of H numbers the state has: h, and perhaps a memory c.
    const STATES: usize;
    /// Where the rows of W_hh go, in order: the first run and how many.
    const RECURRENT: &'static [(usize, usize)];

    /// The next state, in place; `memory` is empty without one.
    fn forward(self, gates: &mut [T], hidden: &mut [T], memory: &mut [T]);

    /// The gradients of what the gates held at first, and, in place, of the state before the step but for what flows through
    /// the gates.
    fn backward(self, step: Step<'_, T>, dgates: &mut [T], dhidden: &mut [T], dmemory: &mut [T]);
}

/// What a step left for the pass back.
pub struct Step<'a, T> {
    /// The W runs of the gates.
    pub gates: &'a [T],
    /// The state before the step.
    pub hidden: &'a [T],
    /// The memory before the step; empty without one.
    pub memory: &'a [T],
}

/// The function φ of a simple recurrent layer, `h_t = φ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nonlinearity {
    /// `tanh x`
    #[default]
    Tanh,
    /// `max(x, 0)`
    Relu,
}

impl<T: Number> Cell<T> for Nonlinearity {
    const GATES: usize = 1;
    const WIDTH: usize = 1;
    const STATES: usize = 1;
    const RECURRENT: &'static [(usize, usize)] = &[(0, 1)];

    #[inline(always)]
    fn forward(self, gates: &mut [T], hidden: &mut [T], _memory: &mut [T]) {
        match self {
            Self::Tanh => gates.iter_mut().for_each(|a| *a = a.tanh_()),
            // Written so that NaN stays NaN.
            Self::Relu => gates
                .iter_mut()
                .for_each(|a| *a = if *a < T::zero() { T::zero() } else { *a }),
        }
        hidden.copy_from_slice(gates);
    }

    #[inline(always)]
    fn backward(self, step: Step<'_, T>, dgates: &mut [T], dhidden: &mut [T], _dmemory: &mut [T]) {
        let values = zip(zip(dgates, step.gates), &*dhidden);
        match self {
            Self::Tanh => values.for_each(|((da, &y), &dh)| *da = dh * (T::one() - y * y)),
            Self::Relu => {
                values
                    .for_each(|((da, &y), &dh)| *da = if y <= T::zero() { T::zero() } else { dh });
            }
        }
        dhidden.fill(T::zero());
    }
}

/// `c = f c + i g`, `h = o tanh c`; the gates are i, f, g, o.
#[derive(Clone, Copy, Debug)]
pub struct Lstm;

impl<T: Number> Cell<T> for Lstm {
    const GATES: usize = 4;
    const WIDTH: usize = 4;
    const STATES: usize = 2;
    const RECURRENT: &'static [(usize, usize)] = &[(0, 4)];

    #[inline(always)]
    fn forward(self, gates: &mut [T], hidden: &mut [T], memory: &mut [T]) {
        let [input, forget, content, output] = runs_mut(gates);
        input.iter_mut().for_each(|a| *a = a.sigmoid_());
        forget.iter_mut().for_each(|a| *a = a.sigmoid_());
        content.iter_mut().for_each(|a| *a = a.tanh_());
        output.iter_mut().for_each(|a| *a = a.sigmoid_());
        let factors = zip(zip(&*forget, &*input), &*content);
        for (c, ((&f, &i), &g)) in zip(&mut *memory, factors) {
            *c = f * *c + i * g;
        }
        for (h, (&o, &c)) in zip(hidden, zip(&*output, &*memory)) {
            *h = o * c.tanh_();
        }
    }

    #[inline(always)]
    fn backward(self, step: Step<'_, T>, dgates: &mut [T], dhidden: &mut [T], dmemory: &mut [T]) {
        let [input, forget, content, output] = runs(step.gates);
        let [dinput, dforget, dcontent, doutput] = runs_mut(dgates);
        let before = step.memory;
        // tanh c stands where the gradient of o will.
        let factors = zip(zip(forget, before), zip(input, content));
        for (t, ((&f, &c), (&i, &g))) in zip(&mut *doutput, factors) {
            *t = (f * c + i * g).tanh_();
        }
        for ((da, dc), (&o, &dh)) in zip(zip(doutput, &mut *dmemory), zip(output, &*dhidden)) {
            let t = *da;
            *dc += dh * o * (T::one() - t * t);
            *da = dh * t * o * (T::one() - o);
        }
        for ((da, &dc), (&i, &g)) in zip(zip(dinput, &*dmemory), zip(input, content)) {
            *da = dc * g * i * (T::one() - i);
        }
        for ((da, &dc), (&i, &g)) in zip(zip(dcontent, &*dmemory), zip(input, content)) {
            *da = dc * i * (T::one() - g * g);
        }
        for ((da, dc), (&f, &c)) in zip(zip(dforget, dmemory), zip(forget, before)) {
            *da = *dc * c * f * (T::one() - f);
            *dc *= f;
        }
        dhidden.fill(T::zero());
    }
}

/// `h = n + z (h - n)`, `n = tanh(a + r m)`; the gates are r, z, n, and m is what the state adds to n.
#[derive(Clone, Copy, Debug)]
pub struct Gru;

impl<T: Number> Cell<T> for Gru {
    const GATES: usize = 3;
    const WIDTH: usize = 4;
    const STATES: usize = 1;
    const RECURRENT: &'static [(usize, usize)] = &[(0, 2), (3, 1)];

    #[inline(always)]
    fn forward(self, gates: &mut [T], hidden: &mut [T], _memory: &mut [T]) {
        let [reset, update, content, recurrent] = runs_mut(gates);
        reset.iter_mut().for_each(|a| *a = a.sigmoid_());
        update.iter_mut().for_each(|a| *a = a.sigmoid_());
        for (n, (&r, &m)) in zip(&mut *content, zip(&*reset, &*recurrent)) {
            *n += r * m;
        }
        // In the loop above the compiler would compute it number by number.
        content.iter_mut().for_each(|a| *a = a.tanh_());
        for (h, (&z, &n)) in zip(hidden, zip(&*update, &*content)) {
            *h = n + z * (*h - n);
        }
    }

    #[inline(always)]
    fn backward(self, step: Step<'_, T>, dgates: &mut [T], dhidden: &mut [T], _dmemory: &mut [T]) {
        let [reset, update, content, recurrent] = runs(step.gates);
        let [dreset, dupdate, dcontent, drecurrent] = runs_mut(dgates);
        let factors = zip(zip(update, content), zip(step.hidden, &*dhidden));
        for (da, ((&z, &n), (&h, &dh))) in zip(dupdate, factors) {
            *da = dh * (h - n) * z * (T::one() - z);
        }
        for ((da, dh), (&z, &n)) in zip(zip(&mut *dcontent, dhidden), zip(update, content)) {
            *da = *dh * (T::one() - z) * (T::one() - n * n);
            *dh *= z;
        }
        for ((dm, &da), &r) in zip(zip(drecurrent, &*dcontent), reset) {
            *dm = da * r;
        }
        for ((dr, &da), (&r, &m)) in zip(zip(dreset, &*dcontent), zip(reset, recurrent)) {
            *dr = da * m * r * (T::one() - r);
        }
    }
}

/// N runs of the same length.
#[inline(always)]
fn runs<T, const N: usize>(gates: &[T]) -> [&[T]; N] {
    let size = gates.len() / N;
    std::array::from_fn(|index| &gates[index * size..(index + 1) * size])
}

#[inline(always)]
fn runs_mut<T, const N: usize>(mut gates: &mut [T]) -> [&mut [T]; N] {
    let size = gates.len() / N;
    std::array::from_fn(|_| {
        let (run, rest) = std::mem::take(&mut gates).split_at_mut(size);
        gates = rest;
        run
    })
}
