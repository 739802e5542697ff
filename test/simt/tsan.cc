// What a kernel calls at each load and store in the race build. g++ -fsanitize=thread puts the calls in; they are meant
// for libtsan, which is not linked: these are ours. A load or store of a thread's own stack, which is most of them, is
// done with two comparisons; one of the device's memory goes to the race check; any other one must be a constant of the
// program, or the kernel's arguments on the host's stack. Anything else is the host's memory, which a GPU does not
// have.
#include "runtime.h"
#include <link.h>
#include <pthread.h>

using namespace simt;

// ---- the host's memory

struct Span {
    const char *start, *end;
    bool has(const char *p) const { return p >= start && p < end; }
};

static Span program, host_stack;

static int find_segment(struct dl_phdr_info *info, size_t, void *argument)
{
    const char *p = *(const char **)argument;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const char *start = (const char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        if (info->dlpi_phdr[i].p_type == PT_LOAD && p >= start && p < start + info->dlpi_phdr[i].p_memsz)
            program = Span{start, start + info->dlpi_phdr[i].p_memsz};
    }
    return program.has(p);
}

static void find_host_stack()
{
    pthread_attr_t attributes;
    void *start;
    size_t bytes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &start, &bytes);
    pthread_attr_destroy(&attributes);
    host_stack = Span{(const char *)start, (const char *)start + bytes};
}

static __attribute__((noinline)) void check_host_memory(const char *p, const void *caller)
{
    if (program.has(p) || host_stack.has(p) || dl_iterate_phdr(find_segment, &p) != 0)
        return;
    find_host_stack();
    if (!host_stack.has(p))
        fault("an access%s to %p, which is the host's memory or none", place(caller), (const void *)p);
}

// ---- accesses

static inline __attribute__((always_inline)) void note(const void *p, size_t bytes, Access access, const void *caller)
{
    const char *address = (const char *)p;
    if (current == NULL || (address >= stacks_start && address < stacks_end))
        return;
    if (!is_of_device(p)) {
        check_host_memory(address, caller);
        return;
    }
    race_access(current, p, bytes, access, caller);
    if (access == Access::WRITE && is_shared(p))
        proxy_written(current, p, bytes);
    if (counting)
        count_access(current, p, bytes, access == Access::WRITE, caller);
}

static inline __attribute__((always_inline)) void note_aligned(const void *p, size_t bytes, Access access,
                                                               const void *caller)
{
    note(p, bytes, access, caller);
    if ((uintptr_t)p % bytes != 0 && current != NULL && is_of_device(p))
        fault("an access%s of %zu bytes to %p, which is not a multiple of that: %s", place(caller), bytes, p,
              describe_address(p));
}

#define CALLER __builtin_return_address(0)
#define ACCESSES_OF(bytes)                                                                                             \
    void __tsan_read##bytes(void *p) { note_aligned(p, bytes, Access::READ, CALLER); }                                 \
    void __tsan_write##bytes(void *p) { note_aligned(p, bytes, Access::WRITE, CALLER); }                               \
    void __tsan_unaligned_read##bytes(void *p) { note(p, bytes, Access::READ, CALLER); }                               \
    void __tsan_unaligned_write##bytes(void *p) { note(p, bytes, Access::WRITE, CALLER); }                             \
    void __tsan_volatile_read##bytes(void *p) { note_aligned(p, bytes, Access::READ, CALLER); }                        \
    void __tsan_volatile_write##bytes(void *p) { note_aligned(p, bytes, Access::WRITE, CALLER); }

extern "C" {
void __tsan_init(void) { races_checked = strcmp(environment("SIMT_RACES", "on"), "off") != 0; }
void __tsan_func_entry(void *) {}
void __tsan_func_exit(void) {}
void __tsan_vptr_update(void **, void *) {}
void __tsan_vptr_read(void **) {}
ACCESSES_OF(1)
ACCESSES_OF(2)
ACCESSES_OF(4)
ACCESSES_OF(8)
ACCESSES_OF(16)
void __tsan_read_range(void *p, size_t bytes) { note(p, bytes, Access::READ, CALLER); }
void __tsan_write_range(void *p, size_t bytes) { note(p, bytes, Access::WRITE, CALLER); }
}

// ---- the compiler's own atomics: in the host's code of a source (the guard of a static variable), never in a kernel

#define ATOMIC_OF(bits, type)                                                                                          \
    type __tsan_atomic##bits##_load(const volatile type *p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }      \
    void __tsan_atomic##bits##_store(volatile type *p, type value, int)                                                \
    {                                                                                                                  \
        __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                                  \
    }                                                                                                                  \
    type __tsan_atomic##bits##_exchange(volatile type *p, type value, int)                                             \
    {                                                                                                                  \
        return __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);                                                        \
    }                                                                                                                  \
    type __tsan_atomic##bits##_fetch_add(volatile type *p, type value, int)                                            \
    {                                                                                                                  \
        return __atomic_fetch_add(p, value, __ATOMIC_SEQ_CST);                                                         \
    }                                                                                                                  \
    bool __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *expected, type value, int, int)         \
    {                                                                                                                  \
        return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);             \
    }

extern "C" {
ATOMIC_OF(8, uint8_t)
ATOMIC_OF(32, uint32_t)
ATOMIC_OF(64, uint64_t)
}
