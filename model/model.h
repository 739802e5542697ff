// model/: a dense Qwen3 or Qwen2 that runs forward and backward over a ragged batch. Training, scoring and generation
// (engine.h) use one forward pass; it ends at the final hidden states, and loss, log-probabilities or sampled tokens
// are separate calls.
//
// A step of training, as train_sft.cu has it:
//   gradients_clear; model_forward, model_loss, model_backward for each micro-batch; gradient_norm, optimizer_step.
#ifndef MODEL_H
#define MODEL_H

#include "kernels/arena.h"
#include "model/adapters.h"
#include "model/config.h"
#include "model/parameters.h"
#include "model/ragged.h"
#include "model/sharding.h"

#ifdef __cplusplus
extern "C" {
#endif

// The largest pass over sequences in pages, for which memory is planned; tokens 0: none.
typedef struct CacheLimits {
    int64_t tokens, rows, sequences, positions; // tokens and rows of the head: at least one for each sequence
    int64_t pages;                              // of KEY_BLOCK positions of all layers; page 0 is reserved for padding
    int64_t whole;                              // rows of the head whose logits, all V of them, the host gets; 0: none
} CacheLimits;

// The largest micro-batch, for which memory is planned; tokens 0: none. A model that has both trains or generates, in
// the same memory: a training step overwrites the pages.
typedef struct ModelLimits {
    int64_t tokens, rows, sequences, positions; // rows: given to the head; positions: longest sequence
    bool training;                              // gradients and all that a backward pass needs
    bool recompute;                             // keep each layer's input only, and run the layer again in backward
    Adapters adapters;                          // that a training model learns in its own weights' stead
    Division division;                          // of a training model's state among ranks
    CacheLimits cache;
} ModelLimits;

// Hooks for sharding (sharded/sharded.h); on one rank all are NULL. A layer's weights are acquired before they are
// read and released after; in the backward pass a layer's gradient is announced when it is finished. Layer -1 is the
// embedding, layer L the final norm and the head. They are called for an empty micro-batch too, in the same order,
// because the other ranks' collectives wait for them; gradients_summed returns when all are in the sums. No pointer
// to a layer's weights is kept between release and the next acquire. The share_ hooks are called once for an update,
// or a read: every rank gets what the others own of block sums (squares_host), of weights, and of elements first ..
// first+count-1, of which it has filled its own into host. share_gradients (Division.once): each rank's gradients,
// which are whole, become the sums of all.
typedef struct ModelHooks {
    void *context;
    bool (*weights_acquire)(void *context, int64_t layer);
    void (*weights_release)(void *context, int64_t layer);
    bool (*gradient_ready)(void *context, int64_t layer);
    bool (*share_gradients)(void *context);
    bool (*gradients_summed)(void *context);
    bool (*share_squares)(void *context);
    bool (*share_weights)(void *context);
    bool (*share_elements)(void *context, int64_t first, int64_t count, float *host);
} ModelHooks;

// What a layer's forward pass keeps for its backward pass, all with T rows. qkv: q, k and v as projected, side by side;
// turned: q and k after norm and RoPE, and qk_rstd of their heads: QK-norm only, without it they are turned where they
// lie. gate_up: gate and up side by side. low: what adapters keep of a site's input, (T, ranks of all).
typedef struct LayerActivations {
    void *input, *normed, *qkv, *turned, *attended, *middle, *normed2, *gate_up, *product, *low[ADAPTER_SITES];
    float *rstd, *qk_rstd, *logsumexp, *rstd2;
} LayerActivations;

typedef struct Activations {
    int32_t *ids, *positions, *starts, *contexts, *rows, *targets, *sort; // the batch, on the device
    int32_t *context_rows, *seen_until;
    LayerActivations *layers;             // (L); with recomputation they share all arrays except `input`
    void *branch;                         // (T, C) what the last layer adds to the residual stream
    void *stream, *hidden;                // (T, C) before and after the final norm
    float *stream_rstd;                   // (T)
    void *head_input;                     // (N, C) rows of hidden that the head reads
    float *logprob, *entropy, *logsumexp; // (N)
    int32_t *best;                        // (N)
    float *head_workspace;
    // backward pass
    void *dhidden, *dstream, *dmiddle, *dnormed, *dqkv, *dattended, *dproduct, *dlow, *dhead_input;
    float *delta, *partial, *dlogprob, *dentropy; // dlogprob, dentropy (N)
    float *attention_room; // (attention_room_floats) where the backend's attention wants memory of its own
    int64_t attention_room_floats;
    float *head_gradient; // (V, C): of all micro-batches but a first one, whole before it is added; NULL: none
    // generation: the batch in one block (paged.h), and the results
    void *paged_block, *paged_results;
    void *key_pages, *value_pages; // (L, pages, page_elements)
    float *attention_workspace;
    int32_t *kept;                    // (2·S) the last token of each slot, then slots for padding sequences
    void *whole_input, *whole_logits; // (whole, C), (whole, V)
} Activations;

typedef struct PagedGraph PagedGraph;

typedef struct Model {
    ModelConfig config;
    ModelLimits limits;
    const Kernels *kernels;
    Parameters parameters; // what learns: the model's own tensors, or its adapters
    Parameters frozen;     // beside adapters: the model's own, which lie still; empty: there are no adapters
    void *frozen_weights;  // (frozen.elements) in the activation type, whole on every rank
    bool without_adapters; // passes leave them out: the model that they began from
    ModelHooks hooks;
    void *weights; // (sharding.held) in the activation type: read by every pass, each unit at its place
    // (own) what is updated; weights itself (elements) where those are fp32 and whole; bf16 without training: NULL
    float *master;
    void *own_weights; // (own) Division.weights: in the activation type; where that is fp32, master
    float *gradients;  // (elements) NULL without training; on several ranks (largest): of the unit at hand
    float *sums;       // (own) of the step's gradients: `gradients` itself on one rank
    bool unwritten;    // no micro-batch of the step has made them yet: those of layers' matrices are not even zeros
    // Of several ranks on devices, or NULL: (largest, none with Division.once) what the next unit's gradients are
    // written to while those of this one travel, and (ranks, largest_own) what has come from every rank.
    float *gradients_next, *gradients_received;
    Sharding sharding;             // own, largest
    float *squares, *squares_host; // block sums of all tensors, for the gradient norm
    float *row_host;               // (4, limits.rows) the head's results for each row, and the loss's derivatives
    float *cosine, *sine;          // (table_positions, D/2)
    int64_t table_positions;
    Activations a, cached; // of a micro-batch; of a pass over sequences in pages
    PagedGraph *graphs;    // (graph_count) of passes that only decode
    size_t graph_count, graph_capacity;
    Arena state, activations;
} Model;

// Opens a model for a configuration: plans both arenas, and allocates them unless plan_only. Weights are zero until
// loaded. Refused where the backend has no kernels for the configuration's widths.
bool model_open(Model *model, const ModelConfig *config, const ModelLimits *limits, const Kernels *kernels,
                bool plan_only);
void model_close(Model *model);

// The model's own tensors, whether they learn or lie still, and elements first .. first+count-1 of them:
// model_write_own sets them from fp32 in host memory, model_read_own gets them back. On several ranks, of tensors that
// learn, as model_write_weights and model_read_weights below.
const Parameters *model_own(const Model *model);
void model_write_own(Model *model, int64_t first, int64_t count, const float *host);
bool model_read_own(const Model *model, int64_t first, int64_t count, float *host);

// New weights of its own: matrices normal with the configuration's initializer_range, each element a function of (seed,
// tensor, element), norms 1, biases 0. To load a folder's weights: pretrained/weights.h.
bool model_initialise(Model *model, uint64_t seed);

// New adapters, which change nothing yet: A uniform within ±1/sqrt(in), each element a function of (seed, tensor,
// element), B zero.
bool model_begin_adapters(Model *model, uint64_t seed);

// Copies weights first .. first+count-1 of all that learn between the device and fp32 in host memory. Writing sets the
// master and, rounded, the weights that passes read; reading returns the master where there is one.
void model_write_weights(Model *model, int64_t first, int64_t count, const float *host);
bool model_read_weights(const Model *model, int64_t first, int64_t count, float *host);

// On several ranks: reads what this rank owns of them, without a word from the others, and leaves the rest of host as
// it is; and, after each has written what it owns, gives all of them the weights that passes read.
bool model_read_own_weights(const Model *model, int64_t first, int64_t count, float *host);
bool model_share_weights(const Model *model);

bool model_forward(Model *model, const Ragged *batch);

// A sum of log-probabilities in fixed point: the same bits for any division of the tokens into micro-batches.
typedef struct LossSum {
    int64_t fixed; // Σ -logprob · 2^30
    int64_t tokens;
    bool finite;
} LossSum;

void loss_add(LossSum *sum, float logprob);
double loss_mean(const LossSum *sum); // NaN if anything was not finite; 0 for 0 tokens

// After model_forward: runs the head over batch->rows, adds to sum, and sets d loss / d hidden for model_backward,
// which comes next (the head's gradient may already be the step's). The loss is Σ -logprob · scale (scale = 1 /
// trained tokens of the whole step).
bool model_loss(Model *model, const Ragged *batch, double scale, LossSum *sum);
const float *model_loss_logprobs(const Model *model); // of the last model_loss, (N) in host memory

// A loss of log-probabilities and entropies, for reinforcement learning. Given those of the batch's rows (N), in host
// memory, it fills in d loss / d logprob, and d loss / d entropy where it sets *of_entropy.
typedef bool (*RowLoss)(void *context, const float *logprob, const float *entropy, float *dlogprob, float *dentropy,
                        bool *of_entropy);
// What it will fill in, where that is known before the pass over the head, which then makes its logits once; `loss` is
// called all the same, for what it counts and checks.
typedef bool (*KnownLoss)(void *context, float *dlogprob, float *dentropy, bool *of_entropy);
typedef struct PolicyRows {
    float temperature;
    int64_t n_live;
    RowLoss loss;
    KnownLoss known; // NULL: it follows from the log-probabilities
    void *context;
} PolicyRows;

// After model_forward: runs the head over batch->rows, calls rows->loss, and sets d loss / d hidden for model_backward.
bool model_policy_loss(Model *model, const Ragged *batch, const PolicyRows *rows);

// After model_forward: logprob, entropy (and best, may be NULL) of batch->rows, in host memory (N). n_live <= V columns
// live.
bool model_logprobs(Model *model, const Ragged *batch, float temperature, int64_t n_live, float *logprob,
                    float *entropy, int32_t *best);

// Adds this micro-batch's gradient, completed first, to model->sums.
bool model_backward(Model *model, const Ragged *batch);

bool gradients_clear(Model *model);
bool gradient_norm(Model *model, double *norm); // NaN or infinite if any gradient is

// ---- optimizer (optimizer.c) and learning rate (learning_rate.c)

typedef struct Optimizer {
    void *m, *v;  // (own) bf16 or fp32
    int64_t step; // updates so far
    double beta1, beta2, epsilon, weight_decay;
    bool bf16_moments;
    uint64_t seed;      // of their rounding
    const Model *model; // by which they are divided
    Arena state;
} Optimizer;

// The caller sets the settings above before this.
bool optimizer_open(Optimizer *optimizer, const Model *model, bool plan_only);
void optimizer_close(Optimizer *optimizer);

// One update. It is complete when this returns: a device error is reported before the step counts.
bool optimizer_step(Optimizer *optimizer, Model *model, double learning_rate, double gradient_scale);

// Copies moments first .. first+count-1 of all elements between the device and fp32 in host memory: exact both ways, so
// written values must be ones that were read (others that bf16 cannot hold are refused). Writing destroys host.
typedef enum Moment { FIRST_MOMENT, SECOND_MOMENT } Moment;
bool optimizer_write_moments(Optimizer *optimizer, Moment which, int64_t first, int64_t count, float *host);
bool optimizer_read_moments(const Optimizer *optimizer, Moment which, int64_t first, int64_t count, float *host);
bool optimizer_read_own_moments(const Optimizer *optimizer, Moment which, int64_t first, int64_t count,
                                float *host); // as model_read_own_weights

#define SCHEDULES "constant|linear|cosine|wsd"
typedef enum ScheduleShape { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE, SCHEDULE_WSD } ScheduleShape;

typedef struct Schedule {
    ScheduleShape shape;
    double peak, end; // end: the share of the peak where decay stops
    int64_t steps, warmup;
    double decay; // WSD: share of the steps in the final decay
} Schedule;

double learning_rate(const Schedule *schedule, int64_t step); // step from 0

#ifdef __cplusplus
}
#endif
#endif
