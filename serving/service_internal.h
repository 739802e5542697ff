// Shared by the files of the service only: service.c (the loop), job.c (a request's way in and out), job_answer.c (what
// it writes).
#ifndef SERVING_SERVICE_INTERNAL_H
#define SERVING_SERVICE_INTERNAL_H

#include "serving/service.h"

// ---- job.c; the service's lock is held

void job_wake(Job *job);    // its connection, if it sleeps
void job_release(Job *job); // drops one reference; the last one frees it

// ---- job_answer.c, in the engine's thread

// A watch of the engine, with the part as its context: whether a stop text has come; in a stream, the next piece.
bool job_take_token(void *part, const GenerationResult *so_far);
bool job_take_result(Job *job, Part *part, const GenerationResult *result); // false after fail(): no memory
bool job_finish(Job *job);                                                  // all results are there
void job_fail(Job *job, const ApiRefusal *refusal, const char *message);    // it ends with an error

#endif
