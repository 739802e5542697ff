// The tokenised data set: folders of shards, mapped; a list of documents over them, sorted by difficulty and keyed
// hash, whatever the folders. It never changes once opened. Which documents make a step: data/loader.h. JSONL files
// become shards first: intake/prepare.h.
#ifndef DATA_DOCUMENTS_H
#define DATA_DOCUMENTS_H

#include "shards/shard.h"

enum { LEVELS = 6 }; // difficulties 0 (unknown) to 5

#define OVER_LENGTHS "drop|cut|error"
typedef enum OverLength { OVER_LENGTH_DROP, OVER_LENGTH_CUT, OVER_LENGTH_ERROR } OverLength;

typedef struct DocumentOptions {
    ShardKind kind;           // shards of the other kind are refused, naming their place
    int64_t seq_len;          // the longest document, in tokens; at least 2
    const char *seq_len_name; // the option's name, for errors; NULL: --seq-len
    OverLength over_length;   // a longer one is dropped, cut to its first seq_len tokens, or refused
    int32_t vocabulary;       // rows of the embedding: a shard with an id at or above it is refused
    uint64_t tokenizer;       // tokenizer_hash of the loaded one; 0: there is none, and only rows of ids are read
    bool prompts;             // of records of either kind the prompt alone, if there is a reference answer
    TemplateKind template;    // the model's; shards rendered otherwise are refused. TEMPLATE_UNKNOWN: any
} DocumentOptions;

typedef struct Document {
    const int32_t *ids;      // (length), in the mapped shard
    const Span *spans;       // (span_count); the last may end beyond length, where the document was cut
    int32_t length, trained; // tokens, and how many are trained. SFT: length >= 2, trained >= 1
    int32_t span_count;
    int32_t difficulty; // 1-5, 0 unknown
    int32_t source;     // which of Documents.sources
    int32_t shard, record;
} Document;

typedef struct Documents {
    Document *list; // (count) ascending by difficulty, then by key
    int64_t count, tokens, trained_tokens;
    int64_t
        level_first[LEVELS + 1]; // documents of difficulty d are list[level_first[d]] .. list[level_first[d + 1] - 1]
    int32_t longest;             // tokens of the longest document
    int64_t records, too_long, cut; // records = count + too_long; cut ones are in count

    Shard *shards; // (shard_count)
    char **paths;  // (shard_count) their files
    size_t shard_count;
    char **sources; // (source_count) names; sources[0] is "", none
    size_t source_count;
} Documents;

// Opens folders of shards (or single shard files). Fails with file and reason; when no document is left, the error says
// how many records were dropped and why.
bool documents_open(Documents *documents, const DocumentOptions *options, const char *const *paths, size_t count);
void documents_close(Documents *documents);

void documents_find_levels(Documents *documents);            // level_first, of a sorted list
void documents_keep(Documents *documents, const bool *kept); // (count) drops the others, as if in no shard

// A hash to compare data sets by: of tokens, spans, lengths, difficulties, sources; for RL also references and rows.
uint64_t documents_hash(const Documents *documents);
ShardEntry document_entry(const Documents *documents, int64_t number); // id, answer, prompt and the rest
const ShardAbout *documents_about(const Documents *documents);         // of the first shard

#endif
