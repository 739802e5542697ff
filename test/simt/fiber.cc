// Fibers: many stacks on one thread of the operating system. A switch saves the registers that a called function must
// preserve, and the stack pointer, and takes up those of the other fiber: about ten instructions. That is why a block
// of 1,024 CUDA threads is cheap here, where 1,024 threads of the operating system would not be. Stacks are made once
// and used by every block. Machines other than x86-64 (and -DSIMT_UCONTEXT) have the C library's swapcontext, which
// costs two system calls.
#include "runtime.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__x86_64__) && !defined(SIMT_UCONTEXT)
#define OWN_SWITCH 1
#else
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace simt
{

enum { STACK = 256 << 10, PAGE = 4096 }; // only what is touched takes memory

const char *stacks_start, *stacks_end;

static void make_stacks()
{
    void *start = mmap(NULL, (size_t)MAX_THREADS * STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        perror("simt: stacks for the fibers");
        abort();
    }
    stacks_start = (const char *)start;
    stacks_end = stacks_start + (size_t)MAX_THREADS * STACK;
    for (int i = 0; i < MAX_THREADS; i++)
        mprotect((char *)start + (size_t)i * STACK, PAGE, PROT_NONE); // a stack that overflows meets this page
}

#if defined(OWN_SWITCH)

// void simt_switch(void **save, void *position): pushes what must be preserved, leaves the stack pointer in *save, and
// returns on the other stack to where that one called it.
asm(R"(
.text
.globl simt_switch
.hidden simt_switch
.type simt_switch, @function
simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size simt_switch, . - simt_switch
)");
extern "C" void simt_switch(void **save, void *position);

// Lays a stack out as if it had called simt_switch just before the first instruction of begin. The tops of the stacks
// are not a power of two apart: their warmest lines would all fall into the same few sets of the cache.
static void lay_out(Fiber *fiber, int number, void (*begin)())
{
    uintptr_t top = (uintptr_t)fiber->stack + fiber->bytes - (size_t)(number * 7 % 64) * 64;
    void **position = (void **)top;
    *--position = NULL; // begin has no caller: here an unwinder stops
    *--position = (void *)begin;
    for (int preserved = 0; preserved < 6; preserved++)
        *--position = NULL;
    fiber->position = position;
}

static void exchange(Fiber *from, Fiber *to) { simt_switch(&from->position, to->position); }

#else

static void lay_out(Fiber *fiber, int, void (*begin)())
{
    if (fiber->position == NULL)
        fiber->position = calloc(1, sizeof(ucontext_t));
    ucontext_t *context = (ucontext_t *)fiber->position;
    getcontext(context);
    context->uc_stack.ss_sp = fiber->stack;
    context->uc_stack.ss_size = fiber->bytes;
    makecontext(context, begin, 0);
}

static void exchange(Fiber *from, Fiber *to)
{
    if (from->position == NULL)
        from->position = calloc(1, sizeof(ucontext_t));
    swapcontext((ucontext_t *)from->position, (ucontext_t *)to->position);
}

#endif

// AddressSanitizer must know on which stack the program is. `left` is the fiber that was switched from, whose bounds it
// tells us (the host's are known in no other way).
#if defined(__SANITIZE_ADDRESS__)
static Fiber *left;
static void before_switch(Fiber *from, Fiber *to)
{
    left = from;
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->bytes);
}
static void after_switch(Fiber *now)
{
    const void *stack;
    __sanitizer_finish_switch_fiber(now->fake_stack, &stack, &left->bytes);
    left->stack = (void *)stack;
}
static void forget(Fiber *fiber) // what an abandoned kernel left on it
{
    __asan_unpoison_memory_region(fiber->stack, fiber->bytes);
    fiber->fake_stack = NULL;
}
#else
static void before_switch(Fiber *, Fiber *) {}
static void after_switch(Fiber *) {}
static void forget(Fiber *) {}
#endif

static void (*entry_of_all)();

static void begin()
{
    after_switch(&current->fiber);
    entry_of_all();
}

void fiber_start(Fiber *fiber, int number, void (*entry)())
{
    if (stacks_start == NULL)
        make_stacks();
    fiber->stack = (void *)(stacks_start + (size_t)number * STACK + PAGE);
    fiber->bytes = STACK - PAGE;
    forget(fiber);
    entry_of_all = entry;
    lay_out(fiber, number, begin);
}

void fiber_switch(Fiber *from, Fiber *to)
{
    before_switch(from, to);
    exchange(from, to);
    after_switch(from);
}

} // namespace simt
