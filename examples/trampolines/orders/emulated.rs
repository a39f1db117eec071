//! Runs the trace in the emulator, and compares what it did with what plain Rust does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;

use opstitch::LinkedTrace;
use opstitch_emulator::Emulator;

use super::super::cpython_loop::machine::{Fault, Memory};
use super::{Function, Leaving, Local};

/// An order: item, tax, count, id.
type Order = [u64; 4];

fn orders(rounds: u64) -> impl Iterator<Item = Order> {
    (0..rounds).map(|n| [n % 5, n % 3, n % 7 + 1, 1000 + n])
}

/// The price of each item.
const PRICES: [u64; 5] = [10, 25, 7, 110, 3];

/// What the loop has computed.
#[derive(Debug, Default, PartialEq)]
struct Results {
    stock: BTreeMap<u64, u64>,
    seen: BTreeMap<u64, u64>,
    reported: Vec<u64>,
}

fn in_plain_rust(rounds: u64) -> Results {
    let mut results = Results {
        stock: (0..).zip([0; PRICES.len()]).collect(),
        ..Results::default()
    };
    let mut total = 0;
    for [item, tax, count, id] in orders(rounds) {
        total += PRICES[item as usize] + tax;
        *results.stock.entry(item).or_default() += count;
        results.seen.insert(id, total);
        results.reported.push(total);
    }
    results
}

const THREAD: u64 = 0x7ffe_f7c0_2000;
const FRAME: u64 = THREAD + 0x100;
const STACK: u64 = THREAD + 0x200;
const OBJECTS: u64 = THREAD + 0x400;
const LEN: usize = 0x8_0000;

/// The runtime. An object has a reference count and a word, a number's value; what else an object is, the
/// runtime knows by its address.
struct Runtime {
    /// Whether numbers are made once and kept. If not, each has an object of its own, and is freed.
    keep: bool,
    numbers: BTreeMap<u64, u64>,
    /// Where the next object goes.
    free: u64,
    orders: BTreeMap<u64, Order>,
    to_come: Vec<u64>,
    /// Prices, stock, and what was seen.
    containers: BTreeMap<u64, BTreeMap<u64, u64>>,
    reported: Vec<u64>,
    handled: usize,
    freed: usize,
}

impl Runtime {
    fn new(keep: bool) -> Runtime {
        Runtime {
            keep,
            numbers: BTreeMap::new(),
            free: OBJECTS,
            orders: BTreeMap::new(),
            to_come: Vec::new(),
            containers: BTreeMap::new(),
            reported: Vec::new(),
            handled: 0,
            freed: 0,
        }
    }

    /// Makes an object, with one reference to it.
    fn object(&mut self, memory: &mut dyn Memory, value: u64) -> Result<u64, Fault> {
        let object = self.free;
        self.free += 16;
        memory.store(object, 1)?;
        memory.store(object + 8, value)?;
        Ok(object)
    }

    /// A new reference to a number.
    fn number(&mut self, memory: &mut dyn Memory, value: u64) -> Result<u64, Fault> {
        if let Some(&object) = self.numbers.get(&value) {
            return reference(memory, object);
        }
        let object = self.object(memory, value)?;
        if !self.keep {
            return Ok(object);
        }
        self.numbers.insert(value, object);
        reference(memory, object)
    }

    fn container(
        &mut self,
        memory: &mut dyn Memory,
        items: impl Iterator<Item = u64>,
    ) -> Result<u64, Fault> {
        let container = self.object(memory, 0)?;
        let items = items.map(|value| self.number(memory, value));
        let items = (0..).zip(items.collect::<Result<Vec<_>, _>>()?).collect();
        self.containers.insert(container, items);
        Ok(container)
    }

    /// The moment when the loop is about to begin. Returns the container that are needed afterwards.
    fn begin(&mut self, memory: &mut dyn Memory, rounds: u64) -> Result<[u64; 2], Fault> {
        for order in orders(rounds) {
            let object = self.object(memory, 0)?;
            self.orders.insert(object, order);
            self.to_come.insert(0, object);
        }
        let prices = self.container(memory, PRICES.into_iter())?;
        let stock = self.container(memory, PRICES.into_iter().map(|_| 0))?;
        let seen = self.container(memory, std::iter::empty())?;
        let nothing = self.object(memory, 0)?;
        let (order, price) = (reference(memory, nothing)?, reference(memory, nothing)?);
        let total = self.number(memory, 0)?;
        let report = self.object(memory, 0)?;
        for (local, object) in [
            (Local::Order, order),
            (Local::Prices, prices),
            (Local::Price, price),
            (Local::Total, total),
            (Local::Stock, stock),
            (Local::Seen, seen),
            (Local::Report, report),
        ] {
            memory.store(FRAME + 8 * local as u64, object)?;
        }
        let iterator = self.object(memory, 0)?;
        memory.store(STACK, iterator)?;
        Ok([stock, seen])
    }

    /// Calls a function; returns its result.
    fn call(
        &mut self,
        memory: &mut dyn Memory,
        function: Function,
        [first, second, third]: [u64; 3],
    ) -> Result<u64, Fault> {
        match function {
            Function::HandlePending => {
                self.handled += 1;
                memory.store(THREAD, 0)?;
                Ok(0)
            }
            Function::Next => match self.to_come.pop() {
                Some(order) => reference(memory, order),
                None => Ok(0),
            },
            Function::GetAttribute => match self.orders.get(&first) {
                Some(order) => self.number(memory, order[second as usize]),
                None => Ok(0),
            },
            Function::GetItem => {
                let key = memory.load(second + 8)?;
                let items = self.containers.get(&first);
                match items.and_then(|items| items.get(&key)) {
                    Some(&item) => reference(memory, item),
                    None => Ok(0),
                }
            }
            Function::SetItem => {
                let key = memory.load(second + 8)?;
                let Some(items) = self.containers.get_mut(&first) else {
                    return Ok(1);
                };
                items.insert(key, reference(memory, third)?);
                Ok(0)
            }
            Function::Add => {
                let sum = memory.load(first + 8)? + memory.load(second + 8)?;
                self.number(memory, sum)
            }
            Function::Call => {
                self.reported.push(memory.load(second + 8)?);
                self.number(memory, 0)
            }
            Function::Dealloc => {
                assert_eq!(
                    memory.load(first)?,
                    0,
                    "an object that is still used is freed"
                );
                self.freed += 1;
                Ok(0)
            }
        }
    }

    /// The numbers in a container.
    fn items(&self, memory: &dyn Memory, container: u64) -> Result<BTreeMap<u64, u64>, Fault> {
        let items = self.containers[&container].iter();
        let items = items.map(|(&key, &object)| Ok((key, memory.load(object + 8)?)));
        items.collect()
    }
}

/// One more reference to an object.
fn reference(memory: &mut dyn Memory, object: u64) -> Result<u64, Fault> {
    let count = memory.load(object)?;
    memory.store(object, count + 1)?;
    Ok(object)
}

impl Memory for Emulator<'_> {
    fn load(&self, address: u64) -> Result<u64, Fault> {
        self.read_u64(address)
    }

    fn store(&mut self, address: u64, value: u64) -> Result<(), Fault> {
        self.write_u64(address, value)
    }
}

/// Runs the loop and compares. Returns how many instructions were executed.
///
/// In the ordinary run no reference is the last, so nothing is called out of line. In the other one,
/// numbers are freed, and there is a request to the interpreter.
pub fn run(trace: &LinkedTrace, rounds: u64, ordinary: bool) -> Result<u64, Box<dyn Error>> {
    let runtime = RefCell::new(Runtime::new(ordinary));
    let mut emulator = Emulator::new()?;
    emulator.map(THREAD, LEN)?;
    let [stock, seen] = runtime.borrow_mut().begin(&mut emulator, rounds)?;
    for function in Function::ALL {
        let runtime = &runtime;
        emulator.on_call(function.address(), move |cpu| {
            let arguments = [cpu.x(0)?, cpu.x(1)?, cpu.x(2)?];
            let result = runtime.borrow_mut().call(cpu, function, arguments)?;
            cpu.set_x(0, result)
        })?;
    }
    emulator.store(THREAD, u64::from(!ordinary))?;
    for (register, value) in [(20, THREAD), (21, FRAME), (22, STACK + 8)] {
        emulator.set_x(register, value)?;
    }
    Emulator::load(&mut emulator, trace)?;
    let outcome = emulator.run(trace.address(), 1000 * (rounds + 1))?;

    let left = emulator.x(0)?;
    if left != Leaving::Exhausted as u64 {
        return Err(format!("the loop was left for {left}").into());
    }
    let runtime = runtime.borrow();
    let results = Results {
        stock: runtime.items(&emulator, stock)?,
        seen: runtime.items(&emulator, seen)?,
        reported: runtime.reported.clone(),
    };
    if results != in_plain_rust(rounds) {
        return Err(format!("the loop has computed {results:?}").into());
    }
    if (runtime.freed == 0) != ordinary || (runtime.handled == 0) != ordinary {
        return Err("the wrong functions were called".into());
    }
    Ok(outcome.executed.total())
}
