//! A longer trace, of a loop in which 20 micro-ops call 8 functions of the runtime:
//!
//! ```python
//! for order in orders:
//!     price = prices[order.item]
//!     total = total + price + order.tax
//!     stock[order.item] = stock[order.item] + order.count
//!     seen[order.id] = total
//!     report(total)
//! ```
//!
//! Everything is done by calls, as it is before a JIT knows any types. Whatever a micro-op has used, it
//! drops: it counts a reference down, and calls `dealloc`, out of line, when that was the last one.

#[cfg(not(target_arch = "aarch64"))]
pub mod emulated;
pub mod uops;

use opstitch::Error;

use super::Program;
use super::ladder::Calls;

/// The program.
pub struct Orders;

impl Program for Orders {
    fn name(&self) -> &'static str {
        "orders"
    }

    fn stitch(&self, calls: &mut Calls<'_>) -> Result<(), Error> {
        uops::stitch(calls)
    }

    #[cfg(not(target_arch = "aarch64"))]
    fn check(&self, trace: &opstitch::LinkedTrace) -> Result<(), Box<dyn std::error::Error>> {
        emulated::run(trace, 50, false).map(drop)
    }

    #[cfg(not(target_arch = "aarch64"))]
    fn executed(
        &self,
        trace: &opstitch::LinkedTrace,
        rounds: u64,
    ) -> Result<u64, Box<dyn std::error::Error>> {
        emulated::run(trace, rounds, true)
    }
}

/// Why the trace is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Leaving {
    Exhausted,
    Error,
}

/// The functions of the runtime, in the order of their addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Function {
    HandlePending,
    Next,
    GetAttribute,
    GetItem,
    SetItem,
    Add,
    Call,
    Dealloc,
}

impl Function {
    /// All of them.
    pub const ALL: [Function; 8] = [
        Function::HandlePending,
        Function::Next,
        Function::GetAttribute,
        Function::GetItem,
        Function::SetItem,
        Function::Add,
        Function::Call,
        Function::Dealloc,
    ];

    /// Where it is: among the functions that `cpython_loop` calls.
    pub fn address(self) -> u64 {
        0x5555_5566_0000 + 0x1_0240 * self as u64
    }
}

/// The locals.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub enum Local {
    Order,
    Prices,
    Price,
    Total,
    Stock,
    Seen,
    Report,
}

/// The attributes of an order.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub enum Attribute {
    Item,
    Tax,
    Count,
    Id,
}

/// A step of the loop: a micro-op, but for what it calls.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Handles requests to the interpreter.
    CheckPeriodic,
    /// Pushes the next order.
    Next,
    /// Pushes a local.
    Load(Local),
    /// Pops into a local.
    Store(Local),
    /// Replaces the topmost value by an attribute.
    Attribute(Attribute),
    /// Replaces the two topmost values by what a function makes of them.
    Binary(Function),
    /// Pops a container, a key, and the value to store there.
    StoreItem,
    /// Drops the topmost value.
    Pop,
}

impl Step {
    /// What its micro-op calls, one function for each place that calls.
    pub fn functions(self) -> Vec<Function> {
        use Function::*;
        match self {
            Step::CheckPeriodic => vec![HandlePending],
            Step::Next => vec![Next],
            Step::Load(_) => vec![],
            Step::Store(_) | Step::Pop => vec![Dealloc],
            Step::Attribute(_) => vec![GetAttribute, Dealloc],
            Step::Binary(function) => vec![function, Dealloc, Dealloc],
            Step::StoreItem => vec![SetItem, Dealloc, Dealloc, Dealloc],
        }
    }
}

/// The loop.
#[rustfmt::skip]
pub const LOOP: [Step; 35] = {
    use self::Attribute::{Count, Id, Item, Tax};
    use Function::{Add, Call, GetItem};
    use Local::*;
    use Step::*;
    [
        CheckPeriodic, Next, Store(Order),
        // price = prices[order.item]
        Load(Prices), Load(Order), Attribute(Item), Binary(GetItem), Store(Price),
        // total = total + price + order.tax
        Load(Total), Load(Price), Binary(Add), Load(Order), Attribute(Tax), Binary(Add), Store(Total),
        // stock[order.item] = stock[order.item] + order.count
        Load(Stock), Load(Order), Attribute(Item), Load(Stock), Load(Order), Attribute(Item),
        Binary(GetItem), Load(Order), Attribute(Count), Binary(Add), StoreItem,
        // seen[order.id] = total
        Load(Seen), Load(Order), Attribute(Id), Load(Total), StoreItem,
        // report(total)
        Load(Report), Load(Total), Binary(Call), Pop,
    ]
};
