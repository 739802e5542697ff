// Faults: one clear report (launch, block, thread, what, where) and the end of the program; or, where a test expects
// it, the report goes to the test: the fiber is left as it stands and the host goes on behind the launch. A line of the
// source is found from the caller's address by addr2line, because an address costs nothing to note and a report is made
// once.
#include "runtime.h"
#include <deque>
#include <limits.h>
#include <link.h>
#include <map>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <ucontext.h>
#include <unistd.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace simt
{

Fiber main_fiber;
static bool expected;
static std::string first_fault;

bool faulted() { return !first_fault.empty(); }

const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : otherwise;
}

// ---- words

static std::string triple(unsigned x, unsigned y, unsigned z)
{
    return "(" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")";
}

const char *keep(const std::string &text)
{
    static std::deque<std::string> kept;
    kept.push_back(text);
    return kept.back().c_str();
}

std::string rank_text(const Thread *thread)
{
    return block.blocks == 1 ? "" : " of block " + std::to_string(thread->rank) + " of the cluster";
}

const char *thread_text(int number)
{
    const uint3 index = block.thread[number].index;
    return keep("thread " + triple(index.x, index.y, index.z) + rank_text(&block.thread[number]));
}

const char *lanes_text(uint32_t lanes)
{
    std::string text;
    for (int lane = 0; lane < WARP; lane++) {
        if (!(lanes >> lane & 1))
            continue;
        int last = lane;
        while (last + 1 < WARP && lanes >> (last + 1) & 1)
            last++;
        text += (text.empty() ? "" : ",") + std::to_string(lane) + (last > lane ? "-" + std::to_string(last) : "");
        lane = last;
    }
    return keep(text);
}

static std::string where()
{
    std::string text = "kernel launch " + std::to_string(block.launch);
    if (current == NULL)
        return text + ": ";
    const uint3 index = block.member[current->rank].index;
    return text + ", block " + triple(index.x, index.y, index.z) + " of " +
           triple(block.grid.x, block.grid.y, block.grid.z) + ", " + thread_text(current->number) + " (lane " +
           std::to_string(current->lane) + " of warp " + std::to_string(current->number % block.each / WARP) + "): ";
}

// ---- lines of the source

static int note_base(struct dl_phdr_info *info, size_t, void *base)
{
    *(uintptr_t *)base = info->dlpi_addr;
    return 1; // the first one is the program itself
}

// addr2line says "path:line" for the innermost function, then for each one that it was inlined into. Frames of the
// runtime's headers and of the launch say nothing to a reader.
static bool is_of_interest(const std::string &frame)
{
    for (const char *dull : {"/simt.h:", "/simt_ptx.h:", "/cuda_runtime.h:", "/cuda_bf16.h:", "/device.cuh:", "??"})
        if (frame.find(dull) != std::string::npos)
            return false;
    return true;
}

static std::string without_folder(std::string frame)
{
    char folder[PATH_MAX];
    frame = frame.substr(0, min(frame.find('\n'), frame.find(" (discriminator")));
    if (getcwd(folder, sizeof folder - 1) != NULL && frame.compare(0, strlen(folder), folder) == 0)
        frame = frame.substr(strlen(folder) + 1);
    return frame.compare(0, 2, "./") == 0 ? frame.substr(2) : frame;
}

static std::string look_up(uintptr_t address)
{
    char program[PATH_MAX] = "", command[PATH_MAX + 100], line[PATH_MAX + 100];
    uintptr_t base = 0;
    dl_iterate_phdr(note_base, &base);
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0)
        return "";
    snprintf(command, sizeof command, "addr2line -i -e '%s' 0x%zx 2>/dev/null", program, (size_t)(address - base));
    FILE *frames = popen(command, "r");
    std::string text;
    while (frames != NULL && fgets(line, sizeof line, frames) != NULL)
        if (is_of_interest(line))
            text += (text.empty() ? " at " : ", called at ") + without_folder(line);
    if (frames != NULL)
        pclose(frames);
    return text;
}

const char *place(const void *caller)
{
    static std::map<const void *, std::string> known;
    if (caller == NULL)
        return "";
    auto found = known.find(caller);
    if (found == known.end())
        found = known.emplace(caller, look_up((uintptr_t)caller - 1)).first; // the call, not what follows it
    return found->second.c_str();
}

// ---- reports

static std::string format_text(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    std::string text((size_t)vsnprintf(NULL, 0, format, again), '\0');
    va_end(again);
    vsnprintf(&text[0], text.size() + 1, format, arguments);
    return text;
}

static void report(const char *format, va_list arguments)
{
    std::string text = where() + format_text(format, arguments);
    if (!expected || (faulted() && current != NULL)) {
        fprintf(stderr, "simt: %s\n", text.c_str());
        abort();
    }
    if (!faulted())
        first_fault = text;
}

void fault(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (current == NULL)
        expected = false; // the host cannot be left in the middle of what it does
    report(format, arguments);
    va_end(arguments);
    fiber_switch(&current->fiber, &main_fiber);
    abort();
}

bool host_fault(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(format, arguments);
    va_end(arguments);
    return false;
}

// ---- addresses that are no memory

#if defined(__SANITIZE_ADDRESS__)

extern "C" void __asan_on_error() // called before its own report
{
    const void *address = __asan_get_report_address();
    if (current != NULL || is_of_device(address))
        fprintf(stderr, "simt: %s%s access to %s\n", where().c_str(), current != NULL ? "an" : "the host's",
                describe_address(address));
}

void catch_bad_addresses() {}

#else

static const void *line_of_signal(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (const void *)(context->uc_mcontext.gregs[REG_RIP] + 1);
#else
    (void)context;
    return NULL;
#endif
}

static void bad_address(int, siginfo_t *info, void *context)
{
    const void *address = info->si_addr, *caller = line_of_signal((const ucontext_t *)context);
    race_where(&address, &caller);
    if (current != NULL && address >= stacks_start && address < stacks_end)
        fault("the thread's stack is full%s", place(caller));
    if (current != NULL)
        fault("an access%s to %s (%p)", place(caller), describe_address(address), address);
    if (is_of_device(address)) {
        fprintf(stderr, "simt: %sthe host's access%s to %s\n", where().c_str(), place(caller),
                describe_address(address));
        abort();
    }
    signal(SIGSEGV, SIG_DFL); // not ours: it happens again and ends the program as always
}

void catch_bad_addresses()
{
    static char stack[64 << 10];
    static bool done;
    if (done)
        return;
    done = true;
    stack_t alternative = {};
    alternative.ss_sp = stack, alternative.ss_size = sizeof stack;
    sigaltstack(&alternative, NULL);
    struct sigaction action = {};
    action.sa_sigaction = bad_address;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER; // an expected fault leaves the handler without returning
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

#endif

} // namespace simt

using namespace simt;

void simt_trap(void) { fault("__trap%s", place(__builtin_return_address(0))); }

bool simt_checks_addresses(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return true;
#else
    return false;
#endif
}

const char *simt_first_fault(void (*run)(const void *), const void *context)
{
    static std::string text;
    first_fault.clear();
    expected = true;
    run(context);
    expected = false;
    text.swap(first_fault);
    first_fault.clear();
    return text.c_str();
}
