// The loop of ./generate and ./score over rows. The rows of files are asked in order, many at once, of a model folder
// here or of a server; each result is written to a journal at once; and when all are there, OUT appears. An interrupted
// run goes on where it stopped. The program decides what to ask about a row, and what to write for an answer:
//
//     RowWork work = {.options = ..., .program = state, .ask = ask_row, .take = take_answer};
//     TRY(row_work_check(&work) && row_work_divide(&work));
//     TRY(row_work_open_rows(&work, &reading) && row_work_open_model(&work, &server));
//     TRY(row_work_open_journal(&work, identity, NULL));
//     TRY(row_work_run(&work) && row_work_finish(&work));
//     row_work_close(&work);                                   // in any case
#ifndef ASKING_ROW_WORK_H
#define ASKING_ROW_WORK_H

#include "session/session.h"
#include "asking/stops.h"
#include "live/live.h"
#include "ranks/meeting.h"
#include "rows/parts.h"
#include "rows/rows.h"
#include "server/endpoint.h"

// clang-format off
#define ASKED_ROWS(ROW, IN)                                                                                            \
    ROW(IN, model,     text,   "",     "",                       model, NEUTRAL,  "Hugging Face folder; with --endpoint its name there") \
    ROW(IN, tokenizer, folder, "",     "",                       model, NEUTRAL,  "folder of the tokenizer, if not the model's") \
    ROW(IN, template,  choice, "auto", "auto|" TEMPLATE_CHOICES, model, IDENTITY, "chat template")
// clang-format on
OPTION_GROUP(AskedOptions, ASKED_ROWS)

typedef struct RowWorkOptions {
    const Options *given; // the program's; and its groups:
    const AskedOptions *asked;
    const ServerOptions *server;
    const SessionSizes *sizes;
    MachineOptions *machine;
    const RankOptions *ranks;
    const WatchOptions *watch;
    LivePage **live;              // the page of --watch, which the program closes
    const char *program, *scores; // its name; LiveWork's
    const RowReadingOptions *reading;
    PartOptions *part;
    const OptionList *files;
    int64_t context, probes;         // SessionOptions'
    int64_t each;                    // results to a row
    bool past_end_tokens;            // responses go on after them
    bool counts_prompts;             // progress counts the tokens of prompts as well
    const char *questions, *results; // their names for people: "prompts", "responses"
} RowWorkOptions;

// A row in flight: asked, but not fully answered yet. For a server there is one for each result.
typedef struct Pending {
    struct Pending *next, **here; // in the list
    int64_t number;               // of the row
    int64_t sample;               // for a server; for a folder the first missing one
    Bytes place;                  // "file:line", for errors
    int64_t left;                 // answers still to come
    const StopTexts *stops;       // RowWork's, unless the program sets others
    bool failed;                  // a server has none for one of its questions: there is no result
    // the program's
    Bytes row;           // as it came, without the fields that the program writes
    TokenList ids;       // of the prompt, to a folder's model
    int64_t votes[6];    // answers so far that say 1 to 5; [0]: unusable ones
    Bytes useless;       // the end of the first unusable answer
    Bytes reference;     // that responses are compared with
    int64_t verdicts[3]; // about responses so far, by Verdict
    int64_t cut_off;     // of these
} Pending;

typedef struct RowAnswer {
    int64_t sample;
    Text text;                         // the answer, without its end token or text; data NULL without a tokenizer
    Text thought;                      // its thought, where a server returns it separately; size 0: none
    const char *finish_reason;         // "stop", "length", or another of a server
    const GenerationResult *generated; // tokens, log-probabilities, probes; NULL: a server's
    const TopToken *top;               // (top_count) a server's candidates for the first token
    size_t top_count;
} RowAnswer;

typedef struct RowWork {
    RowWorkOptions options;
    void *program; // passed to these
    // Asks for a row's missing results, by row_work_ask_folder or _server. False after fail(): the row is refused.
    bool (*ask)(void *program, Pending *row, const Record *record);
    bool (*take)(void *program, Pending *row, const RowAnswer *answer); // writes the result to the journal
    bool (*enough)(const void *program);                                // whether to stop early; NULL: never

    Communicator ranks; // of this run; each does a part of the rows, and rank 0 joins them
    Meeting meeting;    // of them, while they work: what each has refused, finished and sampled
    char share[48];     // "I/N" of this one
    bool joined, made;  // by an earlier run: all parts, this one's
    bool remote;        // a server is asked
    Bytes out;          // the file to write: --out, or a part's
    RowFacts facts;
    RowOptions reading;
    RowReader rows;
    Journal journal;
    Progress progress;
    Pending *pending;
    bool all_asked;
    Bytes text;
    // a folder's model
    Fit fit; // its memory
    Session session;
    Encoder *encoder; // NULL without a tokenizer
    StopTexts stops;
    // a server's; questions that ended without an answer are counted, and the same command asks again
    Endpoint *endpoint;
    int64_t unanswered, in_a_row; // in all; in succession, up to now
    Bytes why;                    // the first one's reason
    bool for_a_row;               // one of them was about its row's question
} RowWork;

// Sets remote and out. Refuses a missing model, and options for the other kind of model, because nothing would use
// them.
bool row_work_check(RowWork *work);
bool row_work_plan(RowWork *work); // --plan: the memory, and whether it fits, on stdout

// Starts the ranks, and gives each its part. *machine gets its threads.
bool row_work_divide(RowWork *work);

// Opens the rows, by `reading` with --map and --format added.
bool row_work_open_rows(RowWork *work, const RecordOptions *reading);
// Opens the folder, or the server (endpoint_options). From then on a signal asks the program to stop.
bool row_work_open_model(RowWork *work, const EndpointOptions *server);
bool row_work_open_folder(RowWork *work); // only the folder

// journal_open, unless this rank's part is made. identity: what results depend on; becomes the journal's.
bool row_work_open_journal(RowWork *work, json_t *identity, const char *answers);
bool row_work_open_models_journal(
    RowWork *work); // the same, where answers depend on the options, the rows and the model

bool row_work_run(RowWork *work); // until all are answered, `enough` is true, or a signal comes
// OUT appears, by rank 0 when all ranks are here; fails after a signal, where answers are missing, and where all rows
// were refused.
bool row_work_finish(RowWork *work);
void row_work_close(RowWork *work);

uint64_t row_work_number(const RowWork *work, int64_t row, int64_t sample); // of a result in the journal

// For ask: the ids of a row's prompt, by the template.
bool row_work_encode(RowWork *work, Pending *row, const Record *record);

// For ask. request: how to answer row->ids, and which samples are wanted. Each question to a server, of one row or
// several, has one answer.
bool row_work_ask_folder(RowWork *work, Pending *row, const GenerationRequest *request);
bool row_work_ask_server(RowWork *work, Pending *row, const Message *messages, size_t count, int64_t seed);

#endif
