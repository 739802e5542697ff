// A pass over sequences in pages: see paged.h. On a device, a pass that only decodes is padded to one of about twenty
// sizes; its operations are captured once for each size and then launched as one graph.
#include "model/paged.h"
#include "kernels/decode_pieces.h"
#include "model/model_internal.h"
#include <stdlib.h>
#include <string.h>

struct PagedGraph {
    int64_t sequences, n_live;
    bool shares;
    Graph *graph; // NULL: the size has run once, and its operations can be captured
};

int64_t paged_pages(const Model *m) { return ceil_divide(m->limits.cache.positions, KEY_BLOCK); }

// ---- where the arrays of a batch and of its results are in their blocks, on the host and on the device

// The next array of a block, at `offset`; with no block yet, only the size is computed.
static size_t lay_down(void *pointer_to_array, char *block, size_t offset, int64_t count, size_t size)
{
    if (block != NULL)
        memcpy(pointer_to_array, &(void *){block + offset}, sizeof(void *));
    return offset + ((size_t)count * size + 63) / 64 * 64;
}

static int64_t most_pieces(const Model *m)
{
    return decode_pieces_most(m->limits.cache.sequences, m->limits.cache.positions,
                              m->config.heads / m->config.kv_heads);
}

static size_t lay_batch(PagedBatch *b, const Model *m, void *block)
{
    const CacheLimits *l = &m->limits.cache;
    int64_t T = l->tokens, S = l->sequences, N = l->rows;
    int32_t **integers[] = {&b->ids,        &b->positions,    &b->starts,       &b->contexts,
                            &b->rows,       &b->slots,        &b->targets,      &b->whole_rows,
                            &b->copy_pairs, &b->shared_pages, &b->shared_until, &b->page_table};
    const int64_t counts[] = {T, T, S + 1, S, N, S, N, l->whole, 2 * S, S, S, S * paged_pages(m)};
    size_t end = lay_down(&b->sampling, block, 0, S, sizeof(SampleRow));
    for (int i = 0; i < 12; i++)
        end = lay_down(integers[i], block, end, counts[i], sizeof(int32_t));
    b->block = block;
    return lay_down(&b->pieces, block, end, most_pieces(m), sizeof(DecodePiece));
}

static size_t lay_results(PagedResults *r, const Model *m, void *block)
{
    int64_t N = m->limits.cache.rows;
    size_t end = lay_down(&r->token, block, 0, N, sizeof(int32_t));
    float **floats[] = {&r->logprob, &r->entropy, &r->processed};
    for (int i = 0; i < 3; i++)
        end = lay_down(floats[i], block, end, N, sizeof(float));
    r->block = block;
    return end;
}

size_t paged_batch_bytes(const Model *m) { return lay_batch(&(PagedBatch){0}, m, NULL); }
size_t paged_results_bytes(const Model *m) { return lay_results(&(PagedResults){0}, m, NULL); }

bool cached_batch_open(PagedBatch *batch, const Model *m)
{
    void *block = m->kernels->host_allocate(paged_batch_bytes(m));
    TRY(block != NULL);
    *batch = (PagedBatch){0};
    lay_batch(batch, m, block);
    return true;
}

bool cached_results_open(PagedResults *results, const Model *m)
{
    void *block = m->kernels->host_allocate(paged_results_bytes(m));
    *results = (PagedResults){0};
    TRY(block != NULL);
    lay_results(results, m, block);
    size_t logits = (size_t)(m->limits.cache.whole * m->config.vocabulary);
    return logits == 0 || (results->logits = allocate(logits, sizeof(float))) != NULL;
}

void cached_batch_close(PagedBatch *batch, const Model *m)
{
    if (batch->block != NULL)
        m->kernels->host_release(batch->block);
}

void cached_results_close(PagedResults *results, const Model *m)
{
    if (results->block != NULL)
        m->kernels->host_release(results->block);
    free(results->logits);
}

// The same arrays under the names that the forward pass and the head use.
void cached_open(Model *m)
{
    PagedBatch b;
    PagedResults r;
    Activations *a = &m->cached;
    lay_batch(&b, m, a->paged_block);
    lay_results(&r, m, a->paged_results);
    a->ids = b.ids;
    a->positions = b.positions;
    a->starts = b.starts;
    a->contexts = b.contexts;
    a->rows = b.rows;
    a->targets = b.targets;
    a->logprob = r.logprob;
    a->entropy = r.entropy;
}

void cached_close(Model *m)
{
    for (size_t i = 0; i < m->graph_count; i++)
        if (m->graphs[i].graph != NULL)
            m->kernels->graph_close(m->graphs[i].graph);
    free(m->graphs);
}

// ---- the pass on the device

static Tensor head_weight(const Model *m) { return own_tensor(m, model_own(m)->head); }

static void ask_whole(Model *m, const PagedBatch *b, const PagedBatch *device)
{
    const Kernels *k = m->kernels;
    Activations *a = &m->cached;
    int64_t C = m->config.width, V = m->config.vocabulary;
    if (b->whole == 0)
        return;
    Tensor x = tensor(a->whole_input, b->whole, C);
    k->rows_gather(NULL, x, tensor(a->hidden, b->tokens, C), device->whole_rows);
    k->matmul_forward(NULL, tensor(a->whole_logits, b->whole, V), x, head_weight(m), false);
}

static bool ask_head(Model *m, const PagedBatch *b, const PagedBatch *device, int64_t n_live)
{
    const Kernels *k = m->kernels;
    Activations *a = &m->cached;
    int64_t C = m->config.width, N = b->sampled + b->probed;
    PagedResults r;
    lay_results(&r, m, a->paged_results);
    if (N == 0)
        return true;
    TRY(acquire(m, m->config.layers));
    k->rows_gather(NULL, tensor(a->head_input, N, C), tensor(a->hidden, b->tokens, C), a->rows);
    if (b->sampled > 0) {
        k->head_sample(NULL, r.token, r.logprob, r.processed, r.entropy, tensor(a->head_input, b->sampled, C),
                       head_weight(m), device->sampling, n_live, a->head_workspace);
        k->tokens_keep(NULL, a->kept, r.token, device->slots, b->sampled);
    }
    void *probed = (char *)a->head_input + (size_t)(b->sampled * C) * k->activation_size;
    if (b->probed > 0)
        k->head_forward(NULL, r.logprob + b->sampled, r.entropy + b->sampled, a->logsumexp, NULL,
                        tensor(probed, b->probed, C), head_weight(m), a->targets, 1, n_live, a->head_workspace);
    ask_whole(m, b, device);
    release(m, m->config.layers);
    return true;
}

// Who attends to what in the batch, as arrays of it say: its own on the host, or those on the device.
static Attention batch_attention(const Model *m, const PagedBatch *b, const PagedBatch *arrays)
{
    return (Attention){.sequences = b->sequences,
                       .heads = m->config.heads,
                       .kv_heads = m->config.kv_heads,
                       .head_width = m->config.head_width,
                       .starts = arrays->starts,
                       .contexts = arrays->contexts,
                       .page_table = arrays->page_table,
                       .pages_per_sequence = paged_pages(m),
                       .shared_pages = b->shares ? arrays->shared_pages : NULL,
                       .shared_until = b->shares ? arrays->shared_until : NULL,
                       .pieces = arrays->pieces};
}

static bool run(Model *m, const PagedBatch *b, int64_t n_live)
{
    Activations *a = &m->cached;
    PagedBatch device;
    lay_batch(&device, m, a->paged_block);
    Pass pass = {.a = a, .tokens = b->tokens, .attention = batch_attention(m, b, &device)};
    pass.attention.workspace = a->attention_workspace;
    m->kernels->tokens_take(NULL, a->ids, b->tokens, a->kept);
    return run_forward(m, &pass) && ask_head(m, b, &device, n_live);
}

static void copy_pages(Model *m, const PagedBatch *b)
{
    const Kernels *k = m->kernels;
    PagedBatch device;
    if (b->copies == 0)
        return;
    lay_batch(&device, m, m->cached.paged_block);
    int64_t elements = k->page_elements(m->config.kv_heads, m->config.head_width);
    size_t bytes = (size_t)(m->limits.cache.pages * elements) * k->activation_size;
    for (int64_t layer = 0; layer < m->config.layers; layer++) {
        k->pages_copy(NULL, (char *)m->cached.key_pages + (size_t)layer * bytes, elements, device.copy_pairs,
                      b->copies);
        k->pages_copy(NULL, (char *)m->cached.value_pages + (size_t)layer * bytes, elements, device.copy_pairs,
                      b->copies);
    }
}

// ---- company: neighbours that decode and begin with the same pages

// Pages that s begins with as the sequence before it does, all of them full; 0 unless both decode.
static int32_t common_pages(const Model *m, const PagedBatch *b, int64_t s)
{
    if (s < 1 || s >= b->sequences || b->starts[s + 1] - b->starts[s - 1] != 2)
        return 0;
    const int32_t *mine = b->page_table + s * paged_pages(m), *before = mine - paged_pages(m);
    int32_t shorter = b->contexts[s] < b->contexts[s - 1] ? b->contexts[s] : b->contexts[s - 1], n = 0;
    while (n < shorter / KEY_BLOCK && mine[n] == before[n])
        n++;
    return n;
}

// Neighbours keep company where they have no less in common than either has with its other neighbour. So all of a
// company have the same in common, and samples of one prompt leave those of another alone, with which they share less.
static void find_company(const Model *m, PagedBatch *b)
{
    int32_t after = 0, common = common_pages(m, b, b->sequences - 1), until = 0; // after: with the sequence behind it
    bool joined = false;                                                         // with that sequence
    b->shares = false;
    for (int64_t s = b->sequences; s-- > 0;) {
        int32_t before = common_pages(m, b, s - 1);
        bool joins = common > 0 && common >= after && common >= before;
        until = joined ? until : (int32_t)s + 1;
        b->shared_pages[s] = joined ? after : joins ? common : 0;
        b->shared_until[s] = until;
        b->shares = b->shares || joins;
        joined = joins;
        after = common;
        common = before;
    }
}

// ---- graphs

static int64_t padded_size(const Model *m, int64_t sequences)
{
    int64_t step = sequences <= 4 ? 1 : sequences <= 16 ? 4 : sequences <= 64 ? 8 : sequences <= 256 ? 32 : 64;
    int64_t size = ceil_divide(sequences, step) * step;
    return size < m->limits.cache.sequences ? size : m->limits.cache.sequences;
}

// Passes in which every sequence decodes, on one rank, where a graph is worth it.
static bool suits_a_graph(const Model *m, const PagedBatch *b)
{
    bool decodes = b->tokens == b->sequences && b->sampled == b->sequences && b->probed + b->whole == 0;
    int64_t filling = padded_size(m, b->sequences) - b->sequences;
    return m->kernels->graph_begin != NULL && m->hooks.weights_acquire == NULL && decodes && filling < KEY_BLOCK &&
           filling < m->limits.cache.positions;
}

// Pads the batch with dummy sequences in page 0; their tokens go to slots after the real ones.
static void pad(const Model *m, PagedBatch *b)
{
    int64_t size = padded_size(m, b->sequences), first = b->sequences;
    for (int64_t s = first; s < size; s++) {
        b->ids[s] = 0;
        b->positions[s] = b->contexts[s] = (int32_t)(s - first);
        b->starts[s + 1] = (int32_t)(s + 1);
        b->rows[s] = (int32_t)s;
        b->slots[s] = (int32_t)(m->limits.cache.sequences + s - first);
        b->sampling[s] = (SampleRow){.top_p = 1};
        b->page_table[s * paged_pages(m)] = 0;
    }
    b->tokens = b->sequences = b->sampled = size;
}

static PagedGraph *find_graph(Model *m, const PagedBatch *b, int64_t n_live)
{
    for (size_t i = 0; i < m->graph_count; i++)
        if (m->graphs[i].sequences == b->sequences && m->graphs[i].n_live == n_live && m->graphs[i].shares == b->shares)
            return &m->graphs[i];
    return NULL;
}

// The first pass of a size runs directly, so that everything it needs is prepared; the second is captured.
static bool run_graph(Model *m, PagedBatch *b, int64_t n_live)
{
    const Kernels *k = m->kernels;
    PagedGraph *g = find_graph(m, b, n_live);
    if (g == NULL) {
        TRY(grow(&m->graphs, &m->graph_capacity, m->graph_count + 1, sizeof *m->graphs));
        m->graphs[m->graph_count++] = (PagedGraph){b->sequences, n_live, b->shares, NULL};
        return run(m, b, n_live);
    }
    if (g->graph == NULL) {
        TRY(k->graph_begin(NULL));
        bool ok = run(m, b, n_live);
        g->graph = k->graph_end(NULL);
        TRY(ok && g->graph != NULL);
    }
    k->graph_launch(NULL, g->graph);
    b->graph = true;
    return true;
}

// What there is of the batch, and of the list of pieces, which lies behind all that a batch may be.
static void upload(Model *m, PagedBatch *b)
{
    Attention attention = batch_attention(m, b, b);
    int64_t pieces = decode_pieces(b->pieces, &attention);
    char *block = b->block, *to = m->cached.paged_block;
    size_t used = (size_t)((char *)(b->page_table + b->sequences * paged_pages(m)) - block),
           behind = (size_t)((char *)b->pieces - block);
    m->kernels->upload_later(NULL, to, block, used);
    m->kernels->upload_later(NULL, to + behind, b->pieces, (size_t)pieces * sizeof *b->pieces);
}

bool cached_queue(Model *m, PagedBatch *b, int64_t n_live, PagedResults *results)
{
    const Kernels *k = m->kernels;
    bool graph = suits_a_graph(m, b);
    b->graph = false;
    if (graph)
        pad(m, b);
    find_company(m, b);
    upload(m, b);
    copy_pages(m, b);
    TRY(graph ? run_graph(m, b, n_live) : run(m, b, n_live));
    if (b->sampled + b->probed > 0)
        k->download_later(NULL, results->block, m->cached.paged_results, paged_results_bytes(m));
    return b->whole == 0 ||
           k->download_widened(NULL, results->logits, m->cached.whole_logits, b->whole * m->config.vocabulary);
}
