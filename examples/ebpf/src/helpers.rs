//! Helpers: functions of the host that a program calls by their numbers.

use opstitch::Target;

/// A helper, as a program calls it.
#[derive(Debug, Clone, Copy)]
pub struct HelperCall {
    /// The number that the program knows it by.
    pub number: i32,
    /// Its code: an `extern "C" fn(context, r1, r2, r3, r4, r5) -> r0`.
    pub target: Target,
    /// Whether it ends the program by returning 0.
    pub ends: bool,
}

/// The memory of a program, as a helper sees it: what the program itself may access.
pub trait Memory {
    /// Reads bytes. `None` if the program may not access all of them.
    fn read(&self, address: u64, len: u64) -> Option<Vec<u8>>;
    /// Writes bytes. `None` if the program may not access all of them; none is then written.
    fn write(&mut self, address: u64, bytes: &[u8]) -> Option<()>;
}

/// What a helper does.
pub trait Function {
    /// Its name, for listings.
    const NAME: &'static str;
    /// Does it. The arguments are r1 to r5, the result is r0. It must not panic: natively there is
    /// nobody who would catch it.
    fn call(memory: &mut dyn Memory, arguments: [u64; 5]) -> u64;
}

/// A helper of this program.
#[derive(Debug, Clone, Copy)]
pub struct Helper {
    /// The number that programs know it by.
    pub number: i32,
    /// Its name, for listings.
    pub name: &'static str,
    /// Whether it ends the program by returning 0.
    pub ends: bool,
    /// Whether it is to lie where `bl` does not reach it, for trying that.
    pub is_far: bool,
    #[cfg(not(target_arch = "aarch64"))]
    pub(crate) body: fn(&mut dyn Memory, [u64; 5]) -> u64,
    #[cfg(target_arch = "aarch64")]
    pub(crate) code: usize,
}

impl Helper {
    /// The helper that does what `F` does.
    pub fn new<F: Function>(number: i32) -> Helper {
        Helper {
            number,
            name: F::NAME,
            ends: false,
            is_far: false,
            #[cfg(not(target_arch = "aarch64"))]
            body: F::call,
            #[cfg(target_arch = "aarch64")]
            code: crate::run::entry_of::<F>(),
        }
    }

    /// Lets it end the program by returning 0.
    pub fn ending(mut self) -> Helper {
        self.ends = true;
        self
    }

    /// Puts it where `bl` does not reach it.
    pub fn far(mut self) -> Helper {
        self.is_far = true;
        self
    }
}

/// The helpers of the command.
pub fn builtin() -> Vec<Helper> {
    vec![
        Helper::new::<GatherBytes>(1),
        Helper::new::<SumBytes>(2),
        Helper::new::<Mix>(3).far(),
        Helper::new::<Fill>(4),
        Helper::new::<Unwind>(5).ending(),
        Helper::new::<Print>(6),
    ]
}

/// Makes a number of the lowest bytes of its arguments, the first the highest.
struct GatherBytes;

impl Function for GatherBytes {
    const NAME: &'static str = "gather_bytes";

    fn call(_: &mut dyn Memory, arguments: [u64; 5]) -> u64 {
        let bytes = arguments.iter().map(|argument| argument & 0xff);
        bytes.fold(0, |number, byte| number << 8 | byte)
    }
}

/// The sum of r2 bytes at r1, or -1 if the program may not read them.
struct SumBytes;

impl Function for SumBytes {
    const NAME: &'static str = "sum_bytes";

    fn call(memory: &mut dyn Memory, [address, len, ..]: [u64; 5]) -> u64 {
        let bytes = memory.read(address, len);
        bytes.map_or(u64::MAX, |bytes| bytes.into_iter().map(u64::from).sum())
    }
}

/// Mixes five numbers.
struct Mix;

impl Function for Mix {
    const NAME: &'static str = "mix";

    fn call(_: &mut dyn Memory, arguments: [u64; 5]) -> u64 {
        let step = |mixed: u64, argument: u64| {
            (mixed ^ argument)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(23)
        };
        arguments.into_iter().fold(0, step)
    }
}

/// Sets r2 bytes at r1 to r3. 0, or -1 if the program may not write them.
struct Fill;

impl Function for Fill {
    const NAME: &'static str = "fill";

    fn call(memory: &mut dyn Memory, [address, len, byte, ..]: [u64; 5]) -> u64 {
        let filled = memory
            .read(address, len)
            .and_then(|bytes| memory.write(address, &vec![byte as u8; bytes.len()]));
        if filled.is_some() { 0 } else { u64::MAX }
    }
}

/// Returns its argument, and ends the program if that is 0.
struct Unwind;

impl Function for Unwind {
    const NAME: &'static str = "unwind";

    fn call(_: &mut dyn Memory, [argument, ..]: [u64; 5]) -> u64 {
        argument
    }
}

/// Prints its arguments to the standard error output, and returns 0.
struct Print;

impl Function for Print {
    const NAME: &'static str = "print";

    fn call(_: &mut dyn Memory, arguments: [u64; 5]) -> u64 {
        eprintln!("the program says {arguments:x?}");
        0
    }
}
