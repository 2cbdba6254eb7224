//! The macros of lexigrad: `#[derive(Module)]` for its users, and `#[compiled]` for its own crates.
//!
//! The derive is used through `lexigrad` or `lexigrad-nn`, where its documentation stands.

mod compiled;
mod module;

use proc_macro::TokenStream;
use syn::punctuated::Punctuated;
use syn::{Error, Token, Type, parse_macro_input};

/// Implements `Module` for a struct: each field is visited under its name, in declaration order.
///
/// Fields are parameters, buffers, modules, `Vec`, `Option`, `Box` and arrays of modules, and plain settings such as `usize` or
/// `f64`, which hold nothing to train. `#[module(skip)]` leaves a field of any other type out.
///
/// The element type is the type parameter that is bound by `Element`; a struct without one is a module of `f32`, unless
/// `#[module(element = f64)]` on the struct says otherwise.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as syn::DeriveInput);
    module::expand(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

/// Compiles generic code where it stands, for `f32` and `f64`, instead of in every crate that calls it.
///
/// It stands on a function, or on an `impl` block for its methods that are not private, whose only type parameter is the element type.
/// A method that has other type parameters, an `impl Trait` argument or an `#[inline]` of its own stays as it is; a function that has is
/// refused. `#[compiled(A, B)]` stands on a function whose second type parameter is A or B.
///
/// The compiler uses what another crate has compiled of a generic function if that is never inlined. So the functions are marked, and
/// named for both types. Without either, nothing would change but the time that a build takes.
#[proc_macro_attribute]
pub fn compiled(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let parse = Punctuated::<Type, Token![,]>::parse_terminated;
    let second = parse_macro_input!(arguments with parse);
    compiled::expand(parse_macro_input!(item as syn::Item), &second)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}
