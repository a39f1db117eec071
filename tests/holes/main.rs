//! Every hole, swept over the whole range of its operand and compared with another assembler,
//! llvm-mc: every value where there are at most 4,096, else the lowest, the highest and random ones.
//!
//! The expected text of each instruction is written here by hand, independently of `uops!`. Immediates of each
//! class of instructions are here, and registers in each place that they can stand in.

#[path = "../common/llvm_mc.rs"]
mod llvm_mc;
mod masks;
mod memory;
mod numbers;
mod registers;
mod sweep;
mod vectors;

use opstitch::{Reg, TraceBuilder, VReg};

#[test]
fn what_is_outside_the_range_is_refused() {
    let mut builder = TraceBuilder::new();
    let refused = |result: Result<(), opstitch::Error>| assert!(result.is_err());
    refused(builder.push(numbers::Plus { n: 4095 }));
    refused(builder.push(numbers::PlusHigh { n: 0 }));
    refused(builder.push(numbers::AddByNegative { n: 1 }));
    refused(builder.push(numbers::AddByNegative { n: -4096 }));
    refused(builder.push(numbers::Single { n: 78 }));
    refused(builder.push(memory::LdurX { n: 256 }));
    refused(builder.push(memory::LdurX { n: -257 }));
    refused(builder.push(vectors::SshrB { n: 0 }));
    refused(builder.push(vectors::SshrB { n: 9 }));
    refused(builder.push(vectors::MulByElement { n: 0, m: VReg(16) }));
    refused(builder.push(registers::Same { a: Reg(18) }));
    refused(builder.push(registers::Same { a: Reg(31) }));
    refused(builder.push(registers::AddV {
        a: VReg(32),
        b: VReg(0),
        c: VReg(0),
    }));
    refused(builder.push(vectors::FmovD { n: 0.0 }));
    refused(builder.push(vectors::FmovD { n: f64::NAN }));
    refused(builder.push(vectors::FmovD {
        n: 1.0 + f64::EPSILON,
    }));
    assert!(builder.is_empty());
}
