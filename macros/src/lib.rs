//! The `uops!` macro of opstitch. See the documentation there.
//!
//! The way through, a file a step: `parse` reads the block, `declare` its names and ranges; `body`
//! takes a micro-op's statements apart, finds operands, registers and labels in them, and refuses what
//! dynasm-rs gets wrong; `eval` computes the expressions that operands stand in; `probe` chooses
//! the values to try; `draft` writes the constant in which `dynasm!` is called and its answers are
//! baked, and `flaws` what may be wrong with them; `types` writes the structs and the enum, and
//! `expand` puts all together.

mod body;
mod declare;
mod draft;
mod eval;
mod expand;
mod flaws;
mod names;
mod operand;
mod parse;
mod probe;
mod shared;
#[cfg(test)]
mod tests;
mod types;

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
struct Errors {
    all: Option<syn::Error>,
    count: usize,
}

impl Errors {
    fn add(&mut self, error: syn::Error) {
        self.count += 1;
        match &mut self.all {
            Some(all) => all.combine(error),
            None => self.all = Some(error),
        }
    }

    /// The value, or nothing and one more error.
    fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// How many there are.
    fn count(&self) -> usize {
        self.count
    }

    fn into_tokens(self) -> Option<TokenStream> {
        self.all.map(|error| error.to_compile_error())
    }
}
