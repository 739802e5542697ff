// How much memory a device has for a program: this machine's device, or a card named by --gpu that need not be here.
#ifndef FIT_CARD_H
#define FIT_CARD_H

#include "kernels/kernels.h"

typedef struct DeviceMemory {
    double bytes;  // available to a program's plan; negative: unknown (no device here, no --gpu)
    char name[96]; // for people: "h100, 79.1 GiB", "this GPU, 139.3 GiB free", "this machine, 19.2 GiB free"
} DeviceMemory;

// The device that the kernels compute on.
void device_memory(DeviceMemory *memory, const Kernels *kernels);

// A card: h100 and the like, 80G for a nominal size of 80 GB, or 79.1GiB, 81000MiB for what it reports. False after
// fail().
bool card_memory(DeviceMemory *memory, const char *gpu);

#endif
