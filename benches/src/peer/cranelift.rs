//! Cranelift's AArch64 backend, on functions that do what the traces do.

use std::marker::PhantomData;

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{
    AbiParam, Block, ExternalName, Function, InstBuilder, MemFlags, SigRef, Signature,
    UserFuncName, Value, condcodes::IntCC, types,
};
use cranelift_codegen::isa::{self, CallConv, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context, ir};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use super::Peer;
use crate::memory;
use crate::mix::{Mix, Target};
use crate::script::{Script, Step, TARGETS_OF_A_KIND};

/// Cranelift without its verifier, its contexts used again for every function.
pub struct Cranelift<M> {
    isa: OwnedTargetIsa,
    context: Context,
    builder: FunctionBuilderContext,
    control: ControlPlane,
    mix: PhantomData<M>,
}

impl<M> Default for Cranelift<M> {
    fn default() -> Self {
        let mut flags = settings::builder();
        flags.set("opt_level", "none").unwrap();
        flags.set("enable_verifier", "false").unwrap();
        flags.set("regalloc_algorithm", "single_pass").unwrap();
        let target = "aarch64-unknown-linux-gnu".parse().unwrap();
        let isa = isa::lookup(target).unwrap();
        Cranelift {
            isa: isa.finish(settings::Flags::new(flags)).unwrap(),
            context: Context::new(),
            builder: FunctionBuilderContext::new(),
            control: ControlPlane::default(),
            mix: PhantomData,
        }
    }
}

impl<M: Mix> Peer for Cranelift<M> {
    const NAME: &'static str = "Cranelift";

    fn declare(&mut self, _: &Script) {}

    fn prepare(&mut self, _: &Script) {}

    #[inline(never)]
    fn build(&mut self, script: &Script) -> usize {
        self.context.clear();
        let signature = signature(1);
        self.context.func = Function::with_name_signature(UserFuncName::default(), signature);
        translate::<M>(
            script,
            FunctionBuilder::new(&mut self.context.func, &mut self.builder),
        );
        let code = self.context.compile(&*self.isa, &mut self.control).unwrap();
        code.code_buffer().len()
    }

    fn bytes(&mut self) -> Option<&[u8]> {
        None
    }
}

fn signature(parameters: usize) -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature
        .params
        .extend((0..parameters).map(|_| AbiParam::new(types::I64)));
    signature.returns.push(AbiParam::new(types::I64));
    signature
}

/// A function being written.
struct Writer<'f> {
    builder: FunctionBuilder<'f>,
    /// Points to the interpreter's state.
    state: Value,
    callee: SigRef,
    exits: [Option<Block>; TARGETS_OF_A_KIND],
    labels: Vec<Block>,
}

fn translate<M: Mix>(script: &Script, mut builder: FunctionBuilder<'_>) {
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let state = builder.block_params(entry)[0];
    let callee = builder.import_signature(signature(2));
    let labels = script.labels.iter().map(|_| builder.create_block());
    let labels = labels.collect();
    let mut writer = Writer {
        builder,
        state,
        callee,
        exits: [None; TARGETS_OF_A_KIND],
        labels,
    };
    let mut next = 0;
    for (number, step) in script.steps.iter().enumerate() {
        if script.labels.get(next) == Some(&number) {
            let here = writer.labels[next];
            writer.builder.ins().jump(here, &[]);
            writer.builder.switch_to_block(here);
            next += 1;
        }
        writer.step::<M>(step);
    }
    let zero = writer.builder.ins().iconst(types::I64, 0);
    writer.builder.ins().return_(&[zero]);
    for (number, exit) in writer.exits.into_iter().enumerate() {
        let Some(exit) = exit else { continue };
        writer.builder.switch_to_block(exit);
        let value = i64::from(memory::exit_value(number));
        let value = writer.builder.ins().iconst(types::I64, value);
        writer.builder.ins().return_(&[value]);
    }
    writer.builder.seal_all_blocks();
    writer.builder.finalize();
}

impl Writer<'_> {
    /// Memory in, a computation, memory out, and the reference: about as many instructions as the micro-op has.
    fn step<M: Mix>(&mut self, step: &Step) {
        let shape = M::SHAPES[usize::from(step.kind)];
        let offset = (step.values[0] & 4095) as i32 * 8;
        let other = (step.values[1] & 4095) as i32 * 8;
        let flags = MemFlags::trusted();
        let (state, ins) = (self.state, self.builder.ins());
        let value = ins.load(types::I64, flags, state, offset);
        match shape.target {
            // The straight mix, and the straight ones of the others.
            None if M::MOST_WORDS > 8 => {
                let second = self.builder.ins().load(types::I64, flags, state, other);
                let sum = self.builder.ins().iadd(value, second);
                let product = self.builder.ins().imul(sum, second);
                let mixed = self.builder.ins().bxor(product, value);
                let negated = self.builder.ins().bnot(mixed);
                self.builder.ins().store(flags, mixed, state, 8);
                self.builder.ins().store(flags, negated, state, 16);
            }
            None => {
                let sum = self.builder.ins().iadd_imm(value, i64::from(other));
                self.builder.ins().store(flags, sum, state, other);
            }
            Some(Target::Call) => {
                let function = self.function(step.target.into());
                let call = self
                    .builder
                    .ins()
                    .call_indirect(self.callee, function, &[state, value]);
                let result = self.builder.inst_results(call)[0];
                self.builder.ins().store(flags, result, state, 8);
            }
            Some(Target::Exit) => {
                let second = self.builder.ins().load(types::I64, flags, state, 8);
                let less = self
                    .builder
                    .ins()
                    .icmp(IntCC::SignedLessThan, value, second);
                let exit = &mut self.exits[usize::from(step.target)];
                let exit = *exit.get_or_insert_with(|| self.builder.create_block());
                self.branch(less, exit);
                self.builder.ins().store(flags, second, state, 16);
            }
            Some(Target::Label) => {
                let second = self.builder.ins().load(types::I64, flags, state, 8);
                let sum = self.builder.ins().iadd(value, second);
                self.builder.ins().store(flags, sum, state, 8);
                let equal = self.builder.ins().icmp(IntCC::Equal, value, second);
                let label = self.labels[usize::from(step.target)];
                self.branch(equal, label);
            }
        }
    }

    /// The address of a function, as an import.
    fn function(&mut self, number: usize) -> Value {
        let name = ir::UserExternalName::new(0, number as u32);
        let function = &mut self.builder.func;
        let known = function.declare_imported_user_function(name);
        let global = function.create_global_value(ir::GlobalValueData::Symbol {
            name: ExternalName::user(known),
            offset: 0.into(),
            colocated: false,
            tls: false,
        });
        self.builder.ins().symbol_value(types::I64, global)
    }

    fn branch(&mut self, condition: Value, to: Block) {
        let next = self.builder.create_block();
        self.builder.ins().brif(condition, to, &[], next, &[]);
        self.builder.switch_to_block(next);
    }
}
