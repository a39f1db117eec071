//! System calls that are forbidden to a thread, or noted before they are made: seccomp filters.

// Every test file uses some of it.
#![allow(dead_code, unreachable_pub)]

use std::mem::offset_of;

use libc::{c_long, seccomp_data, sock_filter, sock_fprog};

/// A system call that fails with `EPERM`.
pub struct Forbidden {
    pub call: c_long,
    /// Only if these arguments have one of these bits.
    pub with: &'static [(usize, u32)],
}

impl Forbidden {
    pub const fn always(call: c_long) -> Forbidden {
        Forbidden { call, with: &[] }
    }

    pub const fn with(call: c_long, with: &'static [(usize, u32)]) -> Forbidden {
        Forbidden { call, with }
    }
}

fn statement(code: u32, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    let code = code as u16;
    sock_filter { code, jt, jf, k }
}

/// Loads a word of the call's description.
pub fn load(offset: usize) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset as u32)
}

/// Skips so many statements if the word is not that.
pub fn unless_equal(k: u32, skip: usize) -> sock_filter {
    jump(
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        k,
        0,
        skip as u8,
    )
}

pub fn end(action: u32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, action)
}

/// Installs a filter for this thread and those that it starts. There is no way back.
pub fn install(filter: &mut [sock_filter]) {
    let program = sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the filter is a program of that length; it concerns this thread only.
    let result = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// Runs `f` in a thread of its own, to which these calls are forbidden.
pub fn forbidding<T: Send>(calls: &[Forbidden], f: impl FnOnce() -> T + Send) -> T {
    let mut filter = Vec::new();
    for Forbidden { call, with } in calls {
        filter.push(load(offset_of!(seccomp_data, nr)));
        filter.push(unless_equal(*call as u32, 2 * with.len() + 1));
        for (number, &(argument, bits)) in with.iter().enumerate() {
            // The lower half of the argument, on a little-endian machine.
            filter.push(load(offset_of!(seccomp_data, args) + 8 * argument));
            let skip = 2 * (with.len() - number) - 1;
            let test = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
            filter.push(jump(test, bits, 0, skip as u8));
        }
        filter.push(end(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32));
    }
    filter.push(end(libc::SECCOMP_RET_ALLOW));
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            install(&mut filter);
            f()
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
