// The CPU as a device: its memory, and a queue that is always empty, since everything is done when a call returns.
// Shared by the CPU backends of every instruction set and by the plain loops of kernels/naive.c.
#ifndef KERNELS_CPU_DEVICE_H
#define KERNELS_CPU_DEVICE_H

#include "kernels/kernels.h"

#define DEVICE_OPERATION(type, name, parameters) type cpu_##name parameters;
#include "kernels/operations.h"

#endif
