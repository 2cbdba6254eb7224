//! A function of tensors and parameters at a point, and what the library says of its derivatives.

use lexigrad_tensor::{Element, Module, Param, Result, Tape, Tensor};

pub(crate) type Function<'a> = &'a dyn Fn(&[Tensor<f64>]) -> Result<Tensor<f64>>;

/// What a function is differentiated by.
pub(crate) struct Variable {
    pub(crate) name: String,
    /// The point.
    pub(crate) value: Tensor<f64>,
    /// A parameter is set to each value at which the function is run; an input is handed to it.
    param: Option<Param<f64>>,
    /// For each row of a table the factor by which its gradient differs from the derivative, by a convention.
    pub(crate) row_factors: Option<Vec<f64>>,
    /// A row that is left out.
    pub(crate) fixed_row: Option<usize>,
}

impl Variable {
    pub(crate) fn input(name: String, value: Tensor<f64>) -> Self {
        Self {
            name,
            value,
            param: None,
            row_factors: None,
            fixed_row: None,
        }
    }

    fn param(path: String, param: Param<f64>) -> Self {
        Self {
            name: path,
            value: param.value().detach(),
            row_factors: None,
            fixed_row: param.fixed_row(),
            param: Some(param),
        }
    }

    /// The conventions that this variable is under.
    fn convention(&self) -> Option<String> {
        let row = self.fixed_row?;
        Some(format!("row {row} of {} is fixed, and left out", self.name))
    }
}

/// A function with its variables: the inputs first, then parameters.
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    pub(crate) variables: Vec<Variable>,
    f: Function<'a>,
    seed: u64,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(name: &'a str, f: Function<'a>, inputs: &[Tensor<f64>], seed: u64) -> Self {
        let variable = |(index, x): (usize, &Tensor<f64>)| {
            Variable::input(format!("input {index}"), x.detach())
        };
        Self {
            name,
            variables: inputs.iter().enumerate().map(variable).collect(),
            f,
            seed,
        }
    }

    /// Differentiates by the parameters of a model too, a tied one once.
    pub(crate) fn with_model(mut self, model: &(impl Module<f64> + ?Sized)) -> Self {
        let mut seen = Vec::new();
        for (path, param) in model.named_parameters() {
            if param.requires_grad() && !seen.contains(&param.id()) {
                seen.push(param.id());
                self.variables.push(Variable::param(path, param));
            }
        }
        self
    }

    pub(crate) fn point(&self) -> Vec<Tensor<f64>> {
        let values = self.variables.iter().map(|variable| variable.value.clone());
        values.collect()
    }

    /// Sets the parameters and gives the inputs.
    fn place<'v>(&self, values: &'v [Tensor<f64>]) -> Result<&'v [Tensor<f64>]> {
        let is_input = |variable: &Variable| variable.param.is_none();
        let inputs = self.variables.iter().take_while(|v| is_input(v)).count();
        for (variable, value) in self.variables.iter().zip(values).skip(inputs) {
            if let Some(param) = &variable.param {
                param.set(value)?;
            }
        }
        Ok(&values[..inputs])
    }

    /// `f` as it trains, so that dropout is on, with the same masks each time.
    pub(crate) fn evaluate(&self, values: &[Tensor<f64>]) -> Result<Tensor<f64>> {
        let inputs = self.place(values)?;
        let _tape = Tape::seeded(self.seed);
        Ok((self.f)(inputs)?.detach())
    }

    /// Runs `f` with every variable a leaf of a tape.
    fn record(&self, values: &[Tensor<f64>]) -> Result<Run> {
        let inputs = self.place(values)?;
        let tape = Tape::seeded(self.seed);
        let mut leaves: Vec<Tensor<f64>> = inputs.iter().map(|x| tape.watch(x)).collect();
        let output = (self.f)(&leaves)?;
        let params = self.variables.iter().filter_map(|v| v.param.as_ref());
        leaves.extend(params.map(Param::value));
        let is_recorded = is_recorded(&tape, &output);
        Ok(Run {
            conventions: self.conventions(&tape),
            output: Some(output).filter(|_| is_recorded),
            tape,
            leaves,
        })
    }

    fn conventions(&self, tape: &Tape) -> Vec<String> {
        let of_ops = tape.conventions::<f64>().into_iter();
        let of_ops = of_ops.map(|(operation, convention)| format!("{operation}: {convention}"));
        let of_variables = self.variables.iter().filter_map(Variable::convention);
        of_ops.chain(of_variables).collect()
    }

    /// Where the gradient is not the derivative.
    pub(crate) fn conventions_at(&self, values: &[Tensor<f64>]) -> Result<Vec<String>> {
        Ok(self.record(values)?.conventions)
    }

    /// The gradients of a tape that is consumed.
    pub(crate) fn consumed(
        &self,
        values: &[Tensor<f64>],
        cotangent: &Tensor<f64>,
    ) -> Result<Vec<Tensor<f64>>> {
        let run = self.record(values)?;
        let Some(output) = run.output else {
            return Ok(zeros(values));
        };
        let gradients = run.tape.backward_with(&output, cotangent)?;
        let of = |(variable, leaf): (&Variable, &Tensor<f64>)| {
            let gradient = match &variable.param {
                Some(param) => gradients.get(param),
                None => gradients.of(leaf),
            };
            gradient.map_or_else(|| Ok(Tensor::zeros(leaf.shape())), |g| g.to_dense())
        };
        self.variables.iter().zip(&run.leaves).map(of).collect()
    }

    /// The gradients that a tape records.
    pub(crate) fn recorded(
        &self,
        values: &[Tensor<f64>],
        cotangent: &Tensor<f64>,
    ) -> Result<Vec<Tensor<f64>>> {
        let run = self.record(values)?;
        match &run.output {
            Some(output) => {
                let leaves: Vec<&Tensor<f64>> = run.leaves.iter().collect();
                run.tape.grad_with(output, cotangent, &leaves)
            }
            None => Ok(zeros(values)),
        }
    }

    /// The gradients of `Σ <w, ∂<u, f(x)>/∂x>` by every x and, last, by the cotangent u.
    pub(crate) fn second(
        &self,
        values: &[Tensor<f64>],
        cotangent: &Tensor<f64>,
        weights: &[Tensor<f64>],
    ) -> Result<Vec<Tensor<f64>>> {
        let run = self.record(values)?;
        let all_zeros = || {
            let mut all = zeros(values);
            all.push(Tensor::zeros(cotangent.shape()));
            Ok(all)
        };
        let Some(output) = &run.output else {
            return all_zeros();
        };
        let cotangent = run.tape.watch(cotangent);
        let mut leaves: Vec<&Tensor<f64>> = run.leaves.iter().collect();
        let gradients = run.tape.grad_with(output, &cotangent, &leaves)?;
        let mut sum = Tensor::zeros([]);
        for (weight, gradient) in weights.iter().zip(&gradients) {
            sum = sum.add(&weight.mul(gradient)?.sum())?;
        }
        if !is_recorded(&run.tape, &sum) {
            return all_zeros();
        }
        leaves.push(&cotangent);
        run.tape.grad(&sum, &leaves)
    }
}

/// Parameters get their values back, whatever happened.
impl Drop for Subject<'_> {
    fn drop(&mut self) {
        for variable in &self.variables {
            if let Some(param) = &variable.param {
                // The shape has not changed, so that this cannot fail.
                let _ = param.set(&variable.value);
            }
        }
    }
}

/// A run of f on a tape.
struct Run {
    tape: Tape,
    leaves: Vec<Tensor<f64>>,
    /// None if it depends on none of the leaves, so that every gradient is zero.
    output: Option<Tensor<f64>>,
    conventions: Vec<String>,
}

/// Whether the output depends on anything that the tape differentiates by.
pub(crate) fn is_recorded<T: Element>(tape: &Tape, output: &Tensor<T>) -> bool {
    let nothing = tape.grad_with(output, &Tensor::zeros(output.shape()), &[]);
    nothing.is_ok()
}

fn zeros(values: &[Tensor<f64>]) -> Vec<Tensor<f64>> {
    values.iter().map(|x| Tensor::zeros(x.shape())).collect()
}
