//! The last line of a program that ends by a fault.
//!
//! Routers' programs are built without the texts of panics: there a panic is an instruction that no CPU knows. What
//! is left for whoever reads the log is where it was met; `openwrt/build --where` names the place in the source.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::io::{Cursor, Write as _};

/// What the kernel hands to a signal's handler on 32-bit MIPS; libc does not know it. Linux,
/// arch/mips/include/uapi/asm/ucontext.h and sigcontext.h.
#[cfg(target_arch = "mips")]
#[repr(C)]
struct Context {
    flags: libc::c_ulong,
    link: *mut libc::c_void,
    stack: libc::stack_t,
    written: u32,
    status: u32,
    pc: u64,
    registers: [u64; 32],
}

/// Has faults told on standard error before they end the program as they always do.
pub fn tell() {
    // Once: the next time it ends the program.
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_RESETHAND;
    let action = SigAction::new(SigHandler::SigAction(line), flags, SigSet::empty());
    for signal in [Signal::SIGILL, Signal::SIGTRAP, Signal::SIGFPE] {
        // SAFETY: the handler writes to memory of its own and calls nothing but write.
        if unsafe { sigaction(signal, &action) }.is_err() {
            return;
        }
    }
}

extern "C" fn line(signal: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO, the third argument is this signal's context, in the shape that `place` reads.
    let (at, after) = unsafe { place(context) };
    let mut room = [0; 160];
    let mut text = Cursor::new(room.as_mut_slice());
    let version = env!("CARGO_PKG_VERSION");
    // What does not fit any more is left out.
    let _ = writeln!(
        text,
        "meshwork {version}: fault at {at:#x}, after {after:#x} (signal {signal}): please report this line"
    );
    let length = usize::try_from(text.position()).unwrap_or(0);
    // SAFETY: the bytes live here; write takes no more than their number.
    unsafe { libc::write(libc::STDERR_FILENO, room.as_ptr().cast(), length) };
    // SAFETY: a call without memory; it holds also for signals that somebody sent.
    unsafe { libc::raise(signal) };
}

/// Addresses of the instruction, and of where its function goes on after its last call (0: not known).
unsafe fn place(context: *mut libc::c_void) -> (u64, u64) {
    #[cfg(target_arch = "mips")]
    {
        // SAFETY: see the caller.
        let context = unsafe { &*context.cast::<Context>() };
        (context.pc, context.registers[31])
    }
    #[cfg(not(target_arch = "mips"))]
    {
        // SAFETY: see the caller.
        let context = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
        #[cfg(target_arch = "arm")]
        return (context.arm_pc.into(), context.arm_lr.into());
        #[cfg(target_arch = "aarch64")]
        return (context.pc, context.regs[30]);
        #[cfg(target_arch = "x86_64")]
        return (context.gregs[libc::REG_RIP as usize].cast_unsigned(), 0);
        #[cfg(not(any(target_arch = "arm", target_arch = "aarch64", target_arch = "x86_64")))]
        {
            let _ = context;
            (0, 0)
        }
    }
}
