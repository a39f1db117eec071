//! The `uops!` macro of opstitch. See the documentation there.
//!
//! The way through, a file a step: [`parse`] reads the block; [`body`] takes a micro-op's statements
//! apart, finds operands, registers and labels in them, and refuses what dynasm-rs gets wrong;
//! [`eval`] computes the expressions that operands stand in; [`probe`] chooses the values to try;
//! [`expand`] writes the types and the constants in which `dynasm!` is called and its answers are baked.

mod body;
mod eval;
mod expand;
mod names;
mod operand;
mod parse;
mod probe;

use proc_macro2::TokenStream;

// Its documentation stands where it is re-exported, in the crate `opstitch`: it would appear twice there.
#[allow(missing_docs)]
#[proc_macro]
pub fn uops(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let block = syn::parse_macro_input!(input as parse::Block);
    expand::expand(block).into()
}

/// Collects errors, so that an author sees all of them at once.
#[derive(Default)]
struct Errors(Option<syn::Error>);

impl Errors {
    fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The value, or its default and one more error.
    fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    fn into_tokens(self) -> Option<TokenStream> {
        self.0.map(|error| error.to_compile_error())
    }
}
