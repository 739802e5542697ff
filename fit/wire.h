// What several ranks will send, and how long that takes beside what they compute: for --plan. Bytes are those that a
// run counts (sharded.h); times are of links and of a card at the rates below, and not measured.
#ifndef FIT_WIRE_H
#define FIT_WIRE_H

#include "fit/fit.h"
#include "sharded/sharded.h"

typedef struct UpdateShape {       // of one update
    const char *name;              // "a step", "an update"
    int64_t micro_batches, filled; // filled: that have anything in them
    int64_t tokens;
    int64_t trained; // tokens that the head reads
    double length;   // of a sequence, mean
} UpdateShape;

typedef struct WireTime {
    int64_t rounds;
    double inside, between;           // seconds an update by links inside nodes of 8, and between nodes; both at once
    double computing, backward, open; // computing: of an update; open: seconds of sending that nothing hides
    double gradients; // seconds of an update's gradients, of which the share `hidden` is beside backward
    double hidden;
} WireTime;

bool wire_time(WireTime *time, const Model *model, const UpdateShape *shape);

// Nothing of a single rank. False after fail(): it could not be written.
bool wire_print(const Fit *fit, const UpdateShape *shape, FILE *out);

#endif
