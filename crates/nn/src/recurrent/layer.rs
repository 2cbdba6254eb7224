//! What recurrent layers and their cells do, whatever the recurrence.

/// The methods of a layer and of its cell that run its recurrence, which `$rule` finds in either.
macro_rules! recurrent {
    ($layer:ident, $cell:ident, $state:ty, $rule:expr) => {
        #[compiled]
        impl<T: Element> $layer<T> {
            /// The hidden states of the last layer and the last state, `[layers directions, B, H]`, from a state of zeros.
            ///
            /// # Errors
            /// If x does not fit.
            pub fn forward(&self, x: &Tensor<T>) -> Result<(Tensor<T>, $state)> {
                self.forward_with(x, None, None)
            }

            /// [`forward`](Self::forward) of sequences of these lengths `[B]`, from this state, `[layers directions, B, H]`.
            ///
            /// A state of an ended tape is a constant: handing on the last state from tape to tape truncates back-propagation.
            ///
            /// # Errors
            /// If x or the state does not fit, the lengths are not one for each sequence, or one is beyond x.
            pub fn forward_with(
                &self,
                x: &Tensor<T>,
                lengths: Option<&[usize]>,
                state: Option<&$state>,
            ) -> Result<(Tensor<T>, $state)> {
                let rule: fn(&Self) -> _ = $rule;
                self.stack.forward(&rule(self), x, lengths, state)
            }

            /// The layer's sizes and options.
            pub fn config(&self) -> &RecurrentConfig {
                self.stack.config()
            }
        }

        impl<T: Element> Module<T> for $layer<T> {
            fn visit(&self, visitor: &mut Visitor<'_, T>) {
                self.stack.visit(visitor);
            }
        }

        #[compiled]
        impl<T: Element> $cell<T> {
            /// The next state, `[B, H]`, from zeros if none is given.
            ///
            /// # Errors
            /// If x or the state does not fit.
            pub fn forward(&self, x: &Tensor<T>, state: Option<&$state>) -> Result<$state> {
                let rule: fn(&Self) -> _ = $rule;
                rule(self).first_step(x, state, &self.parameters)
            }
        }

        impl<T: Element> Module<T> for $cell<T> {
            fn visit(&self, visitor: &mut Visitor<'_, T>) {
                self.parameters.visit(visitor);
            }
        }
    };
}

pub(super) use recurrent;
