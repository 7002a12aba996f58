/* Plugin for QEMU's emulator: counts executed instructions, of programs and of the kernel apart, into a file
   of two native 64-bit numbers that others can read at any time. For 32-bit MIPS, whose kernel has the upper half of
   the addresses.
     -plugin libcount.so,out=FILE
   Debian does not package QEMU's plugin header; these are the few functions of it that are used, as QEMU 6.0
   and later have them. */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum { INLINE_ADD_U64 = 0 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id, struct qemu_plugin_tb *));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr, uint64_t n);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static uint64_t *counts;

/* A block runs from its first instruction to its last, but for the few that an exception cuts short: adding their
   number when the block starts costs a fraction of counting one by one. */
static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    int kernel = (qemu_plugin_tb_vaddr(tb) & 0xffffffff) >= 0x80000000u;

    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &counts[kernel], qemu_plugin_tb_n_insns(tb));
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int n = 0; n < argc; n++) {
        if (strncmp(argv[n], "out=", 4) == 0) {
            int file = open(argv[n] + 4, O_RDWR);
            if (file < 0)
                return -1;
            counts = mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            close(file);
        }
    }
    if (counts == NULL || counts == MAP_FAILED)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
