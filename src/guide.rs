//! The guide in docs/guide: what its pages show is compiled and run as documentation tests. (The page on porting a
//! bytecode is compiled with the example it is about, examples/ebpf.)

macro_rules! pages {
    ($($(#[$attribute:meta])* $name:ident)*) => {$(
        $(#[$attribute])*
        #[doc = include_str!(concat!("../docs/guide/src/", stringify!($name), ".md"))]
        mod $name {}
    )*};
}

pages! {
    first
    registers
    operands
    exits
    linking
    slabs
    // The emulator is there on other hosts only.
    #[cfg(not(target_arch = "aarch64"))]
    testing
    snapshots
    profiling
    deploying
}
