//! Atomic operations, by the instructions of ARMv8.1 (LSE). They take an address without an offset.
//!
//! Those that fetch are full barriers, like those of Linux; the others order nothing. There is no atomic
//! `and`, only one that clears the bits of its operand.

opstitch::uops! {
    pub enum Op;
    registers { r0: x0 }

    op AtomicAdd(src: reg, address: reg) { ; stadd X(src), [X(address)] }
    op AtomicAdd32(src: reg, address: reg) { ; stadd W(src), [X(address)] }
    op AtomicOr(src: reg, address: reg) { ; stset X(src), [X(address)] }
    op AtomicOr32(src: reg, address: reg) { ; stset W(src), [X(address)] }
    op AtomicXor(src: reg, address: reg) { ; steor X(src), [X(address)] }
    op AtomicXor32(src: reg, address: reg) { ; steor W(src), [X(address)] }
    op AtomicAnd(src: reg, address: reg) { ; mvn x11, X(src) ; stclr x11, [X(address)] }
    op AtomicAnd32(src: reg, address: reg) { ; mvn w11, W(src) ; stclr w11, [X(address)] }

    op FetchAdd(src: reg, address: reg) { ; ldaddal X(src), X(src), [X(address)] }
    op FetchAdd32(src: reg, address: reg) { ; ldaddal W(src), W(src), [X(address)] }
    op FetchOr(src: reg, address: reg) { ; ldsetal X(src), X(src), [X(address)] }
    op FetchOr32(src: reg, address: reg) { ; ldsetal W(src), W(src), [X(address)] }
    op FetchXor(src: reg, address: reg) { ; ldeoral X(src), X(src), [X(address)] }
    op FetchXor32(src: reg, address: reg) { ; ldeoral W(src), W(src), [X(address)] }
    op FetchAnd(src: reg, address: reg) { ; mvn x11, X(src) ; ldclral x11, X(src), [X(address)] }
    op FetchAnd32(src: reg, address: reg) { ; mvn w11, W(src) ; ldclral w11, W(src), [X(address)] }

    op Exchange(src: reg, address: reg) { ; swpal X(src), X(src), [X(address)] }
    op Exchange32(src: reg, address: reg) { ; swpal W(src), W(src), [X(address)] }
    /// Stores `src` if r0 is there, and fetches what was there into r0.
    op CompareExchange(src: reg, address: reg) { ; casal r0, X(src), [X(address)] }
    op CompareExchange32(src: reg, address: reg) { ; casal r0_w, W(src), [X(address)] }
}
