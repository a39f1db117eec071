//! One run: what the hooks do while the guest executes, and what its end means.
//!
//! Unicorn calls `enter_block` before each stretch of instructions that it has translated as one. A
//! stretch has no branch but its last instruction, so all of it can be counted there and then; an
//! exception half-way takes back what comes behind it. Where a stretch goes beyond the limit or the
//! end of the trace, it is stopped before it begins, translated anew up to that point (`until`), and
//! gone on with from there. So the counts and the limit are exact, and cost nothing per instruction.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use unicorn_engine::{MemType, Unicorn, uc_error};

use crate::access;
use crate::clobber::clobber;
use crate::cpu::Cpu;
use crate::engine::{Engine, Guest, State, pc};
use crate::error::{Error, FaultKind};
use crate::memory::{ENTRY_SP, FRAME_RECORD, Kind, NOWHERE, RETURN_ADDRESS};
use crate::outcome::{End, Executed, Outcome};
use crate::registers::{SP, x_id};

/// What is known of the run that is under way, or of the last one.
#[derive(Default)]
pub(crate) struct Run {
    limit: u64,
    pub(crate) executed: Executed,
    calls: u64,
    /// Calls that came straight from another call. They count towards the limit, or closures that
    /// send the guest from one to the other would never end.
    detours: u64,
    /// The block entered last, if it is in a trace: its address and its words.
    block: Option<(u64, u64)>,
    /// The last instruction of the last block, trampolines left out (they lie behind all others).
    departure: Option<u64>,
    /// Where the block that was just entered has to be cut off.
    cut: Option<u64>,
    /// Why a hook stopped the core.
    ended: Option<Ended>,
    /// The last access that the TLB refused.
    pub(crate) missed: Option<(MemType, u64)>,
}

enum Ended {
    Outcome(End),
    Limit,
    NothingThere,
    UnalignedJump,
    Exception(u32),
    Call(Error),
    Panic(Box<dyn Any + Send>),
}

/// Before a block: `size` bytes at `address`.
pub(crate) fn enter_block(engine: &mut Unicorn<'_, State<'_>>, address: u64, size: u32) {
    let State {
        run, traces, calls, ..
    } = engine.get_data_mut();
    let from_trace = run.block.take().is_some();
    let left = run.limit - run.executed.total() - run.detours;
    if !address.is_multiple_of(4) {
        return end(engine, Ended::UnalignedJump);
    }
    if let Some(trace) = traces.find(address) {
        let words = u64::from(size / 4);
        let counted = trace.count(address, words);
        if counted.total() == words && words <= left {
            run.executed += counted;
            run.block = Some((address, words));
            if let Some(others) = (words - counted.trampolines).checked_sub(1) {
                run.departure = Some(address + 4 * others);
            }
            return;
        }
        let code = (0..words).take_while(|n| trace.count(address + 4 * n, 1).total() == 1);
        let code = code.count() as u64;
        if code == 0 {
            return end(engine, Ended::NothingThere);
        }
        if left == 0 {
            return end(engine, Ended::Limit);
        }
        run.cut = Some(address + 4 * code.min(left));
        return stop(engine);
    }
    if address == RETURN_ADDRESS {
        return end(engine, Ended::Outcome(End::Returned));
    }
    if !calls.contains_key(&address) {
        return end(engine, Ended::NothingThere);
    }
    if !from_trace {
        if left == 0 {
            return end(engine, Ended::Limit);
        }
        run.detours += 1;
    }
    run.calls += 1;
    call(engine, address);
}

/// Runs the closure of `target`. What the core executes behind it is the `ret` that lies there.
fn call(engine: &mut Unicorn<'_, State<'_>>, target: u64) {
    let slot = engine.get_data_mut().calls.get_mut(&target);
    let Some(mut closure) = slot.and_then(Option::take) else {
        return end(engine, Ended::NothingThere);
    };
    let mut cpu = Cpu::new(engine);
    let result = catch_unwind(AssertUnwindSafe(|| closure(&mut cpu)));
    let stop = cpu.stop;
    let set = cpu.into_set();
    let state = engine.get_data_mut();
    state.calls.insert(target, Some(closure));
    let result = match result {
        Ok(Ok(())) if !stop && state.clobber => clobber(engine, &set),
        Ok(result) => result,
        Err(panic) => return end(engine, Ended::Panic(panic)),
    };
    match result {
        Ok(()) if stop => end(engine, Ended::Outcome(End::Stopped)),
        Ok(()) => {}
        Err(error) => end(engine, Ended::Call(error)),
    }
}

/// At an exception of the guest.
pub(crate) fn interrupt(engine: &mut Unicorn<'_, State<'_>>, number: u32) {
    end(engine, Ended::Exception(number));
}

fn end(engine: &mut Unicorn<'_, State<'_>>, ended: Ended) {
    engine.get_data_mut().run.ended = Some(ended);
    stop(engine);
}

fn stop(engine: &mut Unicorn<'_, State<'_>>) {
    // Fails only for an engine that does not exist.
    let _ = engine.emu_stop();
}

/// Runs from `entry` to the end.
pub(crate) fn run(engine: &mut Engine<'_>, entry: u64, limit: u64) -> Result<Outcome, Error> {
    let state = engine.get_data_mut();
    if !state.traces.is_instruction(entry) {
        return Err(Error::NoEntry { entry });
    }
    state.run = Run {
        limit,
        ..Run::default()
    };
    engine.set_register(SP, ENTRY_SP)?;
    engine.set_register(x_id(29)?, FRAME_RECORD)?;
    engine.set_register(x_id(30)?, RETURN_ADDRESS)?;
    let (back, nobody) = (RETURN_ADDRESS.to_le_bytes(), 0_u64.to_le_bytes());
    engine.write_from(ENTRY_SP, &[back, nobody, nobody, back].concat())?;

    let mut from = entry;
    let mut until = None;
    let result = loop {
        let result = engine.emu_start(from, until.unwrap_or(NOWHERE), 0, 0);
        from = pc(engine)?;
        let run = &mut engine.get_data_mut().run;
        let next = match run.cut.take() {
            Some(cut) => Some(cut),
            None if result.is_ok() && run.ended.is_none() && until == Some(from) => None,
            None => break result,
        };
        if next.is_some() {
            // Unicorn looks for `until` when it translates. It forgets by itself, afterwards, what
            // it translated to end there.
            engine
                .ctl_flush_tb()
                .map_err(Error::unicorn("forget translated code"))?;
        }
        until = next;
    };
    finish(engine, result, from)
}

/// What the end of a run at `pc` means.
fn finish(
    engine: &mut Engine<'_>,
    result: Result<(), uc_error>,
    pc: u64,
) -> Result<Outcome, Error> {
    let run = &mut engine.get_data_mut().run;
    let missed = run.missed.take().filter(|_| result.is_err());
    match (run.ended.take(), missed) {
        (Some(Ended::Outcome(end)), _) => {
            let outcome = Outcome {
                end,
                executed: run.executed,
                calls: run.calls,
            };
            if end == End::Returned {
                check_frame(engine, pc)?;
            }
            Ok(outcome)
        }
        (Some(Ended::Panic(panic)), _) => resume_unwind(panic),
        (Some(Ended::Limit), _) => {
            let limit = run.limit;
            let at = locate(engine, pc);
            match returns_into_itself(engine, pc)? {
                true => Err(Error::ReturnsIntoItself { limit, at }),
                false => Err(Error::Limit { limit, at }),
            }
        }
        (Some(Ended::NothingThere), _) => nothing_there(engine, pc),
        (Some(Ended::UnalignedJump), _) => unaligned_jump(engine, pc),
        (Some(Ended::Call(error)), _) => Err(Error::InCall {
            target: pc,
            at: locate(engine, pc),
            source: Box::new(error),
        }),
        (Some(Ended::Exception(number)), _) => exception(engine, number, pc),
        (None, Some((MemType::FETCH, page))) => {
            if !pc.is_multiple_of(4) {
                return unaligned_jump(engine, pc);
            }
            match engine.get_data().pages.get(page).map(|page| page.kind) {
                Some(Kind::Memory { .. } | Kind::Stack) => {
                    fault(engine, FaultKind::FetchProtected, pc, pc)
                }
                _ => nothing_there(engine, pc),
            }
        }
        (None, Some((access, page))) => {
            let kind = match (access, engine.get_data().pages.get(page)) {
                (MemType::WRITE, None) => FaultKind::WriteUnmapped,
                (MemType::WRITE, Some(_)) => FaultKind::WriteProtected,
                _ => FaultKind::ReadUnmapped,
            };
            let address = access::missed(word(engine, pc), pc, page, registers(engine));
            take_back(engine, pc);
            fault(engine, kind, address, pc)
        }
        // The core stopped by itself.
        (None, None) => match result {
            Ok(()) => {
                let wfi = pc.wrapping_sub(4);
                take_back(engine, wfi);
                fault(engine, FaultKind::Halted, wfi, wfi)
            }
            Err(code) => Err(Error::unicorn("run the trace")(code)),
        },
    }
}

fn exception(engine: &mut Engine<'_>, number: u32, pc: u64) -> Result<Outcome, Error> {
    // QEMU's numbers; the immediate is at one place in all of these.
    let immediate = |pc| (word(engine, pc) >> 5) as u16;
    let (kind, pc) = match number {
        1 => (FaultKind::Undefined(word(engine, pc)), pc),
        // The only exception behind its instruction.
        2 => (FaultKind::SystemCall(immediate(pc - 4)), pc - 4),
        // The TLB's refusals do not come this way.
        4 => (FaultKind::Unaligned, pc),
        7 => (FaultKind::Breakpoint(immediate(pc)), pc),
        number => (FaultKind::Exception(number), pc),
    };
    let address = match kind {
        FaultKind::Unaligned => {
            access::address(word(engine, pc), pc, registers(engine)).unwrap_or(pc)
        }
        _ => pc,
    };
    take_back(engine, pc);
    fault(engine, kind, address, pc)
}

/// The instruction at `pc` was counted with its block but did not complete, nor did what follows.
fn take_back(engine: &mut Engine<'_>, pc: u64) {
    let State { run, traces, .. } = engine.get_data_mut();
    let Some((address, words)) = run.block else {
        return;
    };
    let done = pc.wrapping_sub(address) / 4;
    if let Some(trace) = traces.find(address)
        && done < words
    {
        run.executed -= trace.count(pc, words - done);
    }
}

/// Sees that `sp` and x29 are as they were at the entry.
fn check_frame(engine: &mut Engine<'_>, pc: u64) -> Result<(), Error> {
    let by = engine.register(SP)?.wrapping_sub(ENTRY_SP) as i64;
    if by != 0 {
        let at = locate(engine, pc);
        return Err(Error::Unbalanced { by, at });
    }
    match engine.register(x_id(29)?)? {
        FRAME_RECORD => Ok(()),
        x29 => {
            let at = locate(engine, pc);
            Err(Error::FrameRecord { x29, at })
        }
    }
}

/// Whether the trace has come to `pc` by a `ret`, or is about to return, with an address of its own: the one that its last
/// call has left.
fn returns_into_itself(engine: &mut Engine<'_>, pc: u64) -> Result<bool, Error> {
    let x30 = engine.register(x_id(30)?)?;
    let State { run, traces, .. } = engine.get_data_mut();
    let departure = run.departure.unwrap_or(pc);
    let is_own = traces.find(x30).is_some();
    Ok(is_own
        && [departure, pc]
            .into_iter()
            .any(|at| is_return(word(engine, at))))
}

/// Whether a word is `ret`.
fn is_return(word: u32) -> bool {
    word.to_le_bytes() == RET
}

/// Where the trace has returned to what is no code, sees whether it has taken the address from another place of the stack
/// than where it is.
fn check_return(engine: &mut Engine<'_>, pc: u64) -> Result<(), Error> {
    match engine.get_data().run.departure {
        Some(at) if is_return(word(engine, at)) => check_frame(engine, pc),
        _ => Ok(()),
    }
}

fn unaligned_jump(engine: &mut Engine<'_>, pc: u64) -> Result<Outcome, Error> {
    check_return(engine, pc)?;
    fault(engine, FaultKind::UnalignedJump, pc, pc)
}

fn nothing_there(engine: &mut Engine<'_>, pc: u64) -> Result<Outcome, Error> {
    check_return(engine, pc)?;
    let at = locate(engine, pc);
    match engine.get_data_mut().traces.find(pc) {
        Some(_) => fault(engine, FaultKind::NotCode, pc, pc),
        None => Err(Error::NoTarget { target: pc, at }),
    }
}

fn fault(
    engine: &mut Engine<'_>,
    kind: FaultKind,
    address: u64,
    pc: u64,
) -> Result<Outcome, Error> {
    let at = locate(engine, pc);
    Err(Error::Fault { kind, address, at })
}

fn locate(engine: &mut Engine<'_>, pc: u64) -> crate::error::Location {
    let State { run, traces, .. } = engine.get_data_mut();
    traces.locate(pc, run.departure)
}

/// The instruction at `pc`; where there is none, one that accesses nothing.
fn word(engine: &Engine<'_>, pc: u64) -> u32 {
    let mut bytes = [0; 4];
    match engine.read_into(pc, &mut bytes) {
        Ok(()) => u32::from_le_bytes(bytes),
        Err(_) => 0,
    }
}

/// The registers as a load or store names them: 31 is `sp`.
fn registers(engine: &Engine<'_>) -> impl Fn(u8) -> u64 {
    |number| {
        let id = x_id(number).unwrap_or(SP);
        engine.register(id).unwrap_or(0)
    }
}

/// `ret`: what lies at a call target.
pub(crate) const RET: [u8; 4] = 0xd65f_03c0_u32.to_le_bytes();
