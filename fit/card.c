// The memory of cards: see card.h. CUDA reports less than a card's nominal size: that is in GiB, and the card uses some
// itself.
#include "fit/card.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// Left free: CUDA's context and libraries took 0.5 GiB on an H200, and the rest is for other programs on the card.
// Small devices are those of tests.
static double reserve(double bytes) { return bytes / 20 < 0x1p30 ? bytes / 20 : 0x1p30; }
static const double CONTEXT = 0x1p29; // on a card where nothing runs yet

void device_memory(DeviceMemory *memory, const Kernels *kernels)
{
    *memory = (DeviceMemory){.bytes = -1};
    if (kernels->memory_available == NULL)
        return;
    double available = (double)kernels->memory_available();
    memory->bytes = available - reserve(available);
    snprintf(memory->name, sizeof memory->name, "this %s, %.2f GiB free", kernels->on_gpu ? "GPU" : "machine",
             available / 0x1p30);
}

// What CUDA reports (totalGlobalMem). Cards whose blocks have less shared memory than the kernels need are not listed.
static const struct {
    const char *name;
    double gibibytes;
} CARDS[] = {{"a30", 23.5},  {"a100-40g", 39.4}, {"a100-80g", 79.1}, {"a100", 79.1},
             {"h100", 79.1}, {"h200", 139.8},    {"b200", 178.3}};

static bool said_in_words(DeviceMemory *memory, const char *gpu, double *bytes)
{
    char *end;
    double number = strtod(gpu, &end);
    if (end == gpu || !(number > 0 && number < 1e9))
        return false;
    if (strcasecmp(end, "GiB") == 0)
        *bytes = number * 0x1p30;
    else if (strcasecmp(end, "MiB") == 0)
        *bytes = number * 0x1p20;
    else if (strcasecmp(end, "G") == 0 || strcasecmp(end, "GB") == 0)
        *bytes = 0.985 * number * 0x1p30; // H100 98.9%, H200 99.1%, A100 of 40 GB 98.5%
    else
        return false;
    snprintf(memory->name, sizeof memory->name, "a GPU of %s, %.2f GiB", gpu, *bytes / 0x1p30);
    return true;
}

bool card_memory(DeviceMemory *memory, const char *gpu)
{
    double bytes = 0;
    for (size_t i = 0; bytes == 0 && i < sizeof CARDS / sizeof CARDS[0]; i++)
        if (strcasecmp(gpu, CARDS[i].name) == 0) {
            bytes = CARDS[i].gibibytes * 0x1p30;
            snprintf(memory->name, sizeof memory->name, "%s, %.2f GiB", CARDS[i].name, CARDS[i].gibibytes);
        }
    if (bytes == 0 && (strlen(gpu) > 32 || !said_in_words(memory, gpu, &bytes)))
        return fail_as(
            ERROR_USAGE,
            "--gpu %s: give a card's memory, as 80G or 79.1GiB, or one of a30, a100-40g, a100-80g, h100, h200, b200",
            gpu);
    memory->bytes = bytes > CONTEXT ? bytes - CONTEXT - reserve(bytes) : 0;
    return true;
}
