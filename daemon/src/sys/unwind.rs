//! No backtraces in programs for routers.
//!
//! A panic says what happened and where, and aborts. For the backtrace that it offers besides, the standard library
//! brings an unwinder and a reader of mangled names, 70 KB on mips; without tables for unwinding, which a router's
//! program does not have either, they find nothing. With a walk of the stack that ends at once the linker leaves both
//! out. `openwrt/build` switches this on, where the standard library is built along.

use core::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK`: there is no caller.
const END_OF_STACK: c_int = 5;

/// Would walk the stack from here; ends at once.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_frame: *const c_void, _of: *mut c_void) -> c_int {
    END_OF_STACK
}
