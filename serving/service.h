// The service: requests from many connections through one engine, continuously batched. The thread of the connections
// (connections.h) reads a request, makes a Job of it and hands it over; the engine's thread, service_run, adds its
// prompts to the engine, writes the answer into the job's buffer as tokens come, and cancels what nobody waits for.
//
// Exact: prompt number i of a request (from 1) with seed S is, to the bit, what ./generate --seed S answers to row i of
// a file whose rows have no ids; with "request_id" to the row of that id. Neither other requests nor the options of the
// server but --context have a part in it.
#ifndef SERVING_SERVICE_H
#define SERVING_SERVICE_H

#include "asking/stops.h"
#include "options/options.h"
#include "serving/answer.h"
#include "serving/metrics.h"
#include "session/session.h"
#include <pthread.h>

// clang-format off
#define SERVICE_ROWS(ROW, IN) \
    ROW(IN, requests, integer, "256",  "> 0 and <= 65536", limits, NEUTRAL, "requests at once; further ones are told to come back (429)") \
    ROW(IN, max_body, integer, "8M",   "> 0 and <= 1e9",   limits, NEUTRAL, "longest body of a request, in bytes (413)") \
    ROW(IN, timeout,  number,  "3600", "> 0 and <= 1e6",   limits, NEUTRAL, "seconds for a request; then it is given up (504)") \
    ROW(IN, drain,    number,  "60",   ">= 0 and <= 1e6",  limits, NEUTRAL, "seconds that requests get to end after SIGTERM")
// clang-format on
OPTION_GROUP(ServiceOptions, SERVICE_ROWS)

enum {
    SERVICE_SCORES = 64, // rows of a pass for scored prompts and candidates
    SERVICE_BUFFER =
        1 << 20, // bytes of a stream that wait for a slow reader; a reader that is further behind is cut off
    SERVICE_ANSWER = 256 << 20,     // bytes of a whole answer
    SERVICE_COMPLETION_TOKENS = 16, // of a completion that does not say, as OpenAI has it
    SERVICE_RETRY_SECONDS = 1
};

typedef struct Job Job;
typedef struct Service Service;

// One answer to a prompt.
typedef struct Choice {
    int64_t index;
    DecodeStream stream;
    Bytes text;           // of its tokens, up to now
    size_t sent;          // bytes of it that are in the stream
    int64_t told, offset; // tokens whose log-probabilities are; characters before the next one
    bool begun;
    Bytes json; // of a whole answer: the choice
} Choice;

// A prompt of a job, and the engine's tag for it.
typedef struct Part {
    Job *job;
    TokenList ids;
    uint64_t name; // names its draws: as responses_name
    Text text;     // as it was sent or decoded, for echo
    Bytes decoded;
    Choice *choices; // (n)
    int64_t left;    // samples still to come
    int64_t found;   // tokens of the prompt that were not computed for any sample
} Part;

struct Job {
    Service *service;
    ApiRequest request;
    AnswerHead head;
    StopTexts stops;
    Part *parts; // (part_count)
    size_t part_count;
    AnswerUsage usage;     // so far
    size_t bytes;          // of a whole answer's choices
    double arrived, first; // seconds; first: of the first token, 0: none yet
    bool ended;            // for the engine's thread: nothing of it is in the engine
    Job *next;             // in the service's list
    // guarded by the service's lock
    Bytes out;                   // what is to be sent; of a whole answer: the body, once finished
    size_t taken;                // bytes of it that were
    bool finished;               // nothing more comes
    int status;                  // of a whole answer; of a stream that was cut: >= 400
    bool left_alone;             // its connection is gone
    int socket;                  // of the connection
    void (*wake)(void *context); // or NULL: the connection sleeps until something comes
    void *wake_context;
    int references;
};

struct Service {
    Session *session;
    const ServiceOptions *options;
    const char *model; // its name for clients
    Encoder *encoder;  // of the connections' thread
    uint64_t fingerprint;
    Job *jobs; // of the engine's thread
    struct pollfd *polled;
    size_t polled_capacity;
    pthread_mutex_t lock;
    pthread_cond_t arrival;
    // guarded by lock
    Job *arrivals;
    int64_t open; // jobs that a connection or the engine still has
    bool draining, broken;
    Metrics metrics;
};

bool service_open(Service *service, Session *session, const ServiceOptions *options, const char *model);
void service_close(Service *service);

// Until a signal comes and all is answered, or --drain seconds have passed. False after fail(): the engine failed.
bool service_run(Service *service);

// ---- for the connections' thread

// A request as a job: its ids, checked against the model. NULL after fail(), with the refusal. Takes the request.
Job *job_open(Service *service, ApiRequest *request, ApiRefusal *refusal);

// Hands it to the engine. False after fail(): too many, or no more are taken; the job is still the caller's.
bool service_submit(Service *service, Job *job, int socket, ApiRefusal *refusal);

size_t job_read(Job *job, char *buffer, size_t most); // of a stream, as much as there is; the service's lock is held
void job_leave(Job *job);                             // the connection has done with it

bool service_metrics(Service *service, Bytes *out);
bool service_draining(Service *service);
void service_count(Service *service, const char *path, int status); // an answer, whatever it was

#endif
