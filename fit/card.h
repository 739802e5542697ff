// How much memory a device has for a program: the device that is here, or a card that --gpu names and that need not be.
#ifndef FIT_CARD_H
#define FIT_CARD_H

#include "kernels/kernels.h"

typedef struct DeviceMemory {
    double bytes;  // that a program's plan may take; negative: the device is not here, and nobody has said how much it has
    char name[96]; // for people: "h100, 79.1 GiB", "this GPU, 139.3 GiB free", "this machine, 19.2 GiB free"
} DeviceMemory;

// Of the device that the kernels compute on.
void device_memory(DeviceMemory *memory, const Kernels *kernels);

// Of a card: h100 and the like, 80G for one that is sold as 80 GB, or 79.1GiB, 81000MiB for what it shows. False after fail().
bool card_memory(DeviceMemory *memory, const char *gpu);

#endif
