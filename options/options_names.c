// An unknown option: what was probably meant. Either its name is nearly one of ours, or it is the name that other
// trainers, samplers and servers use.
#include "options/options_internal.h"
#include <string.h>

// Damerau-Levenshtein distance (neighbours may change places, once each): the number of slips between two names.
static int slips(const char *a, const char *b)
{
    enum { LONGEST = OPTION_NAME };
    int d[LONGEST + 1][LONGEST + 1];
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (int i = 0; i <= n; i++) {
        for (int j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *option_nearest(const OptionTable *table, const char *word, bool groups)
{
    char asked[OPTION_NAME], shown[OPTION_NAME];
    option_shown(asked, word);
    const char *nearest = NULL, *inside = NULL;
    int fewest = (int)strlen(asked) / 3 > 1 ? (int)strlen(asked) / 3 : 1; // with more slips it is another word
    for (size_t i = 0; i < table->count; i++) {
        const char *name = groups ? table->rows[i].group : table->rows[i].name;
        option_shown(shown, name);
        int distance = slips(asked, shown);
        if (distance < fewest || (distance == fewest && nearest == NULL)) {
            nearest = name;
            fewest = distance;
        }
        if (inside == NULL && strlen(asked) > 2 && strstr(shown, asked) != NULL)
            inside = name; // --warmup for --warmup-steps
    }
    bool far = nearest == NULL || fewest >= (int)strlen(asked);
    return far ? inside : nearest;
}

// Names that others use: TRL and transformers, verl, axolotl, LLaMA-Factory, vLLM, OpenAI's interface, llm.c. Each with
// ours; the first one that the program has is named.
static const struct {
    const char *theirs, *ours[3];
} ELSEWHERE[] = {
    {"adam_beta1", {"beta1"}},
    {"adam_beta2", {"beta2"}},
    {"adam_epsilon", {"eps"}},
    {"api_base", {"endpoint"}},
    {"base_url", {"endpoint"}},
    {"batch_size", {"global_batch", "prompts_per_step", "in_flight"}},
    {"chat_template", {"template"}},
    {"clip_ratio_high", {"clip_high"}},
    {"clip_ratio_low", {"clip_low"}},
    {"clip_ratio", {"clip_high"}},
    {"concurrency", {"in_flight"}},
    {"cutoff_len", {"seq_len", "max_prompt_tokens"}},
    {"dataset", {"data", "prompts"}},
    {"dataset_name", {"data", "prompts"}},
    {"eval_dataset", {"eval_data"}},
    {"eval_steps", {"eval_every"}},
    {"gradient_accumulation_steps", {"global_batch", "prompts_per_update"}},
    {"gradient_checkpointing", {"recompute"}},
    {"group_size", {"samples_per_prompt", "samples"}},
    {"input", {"data", "prompts"}},
    {"kl_loss_coef", {"kl_coef"}},
    {"learning_rate", {"lr"}},
    {"logging_steps", {"log_every"}},
    {"lr_scheduler_type", {"lr_schedule"}},
    {"max_completion_length", {"max_new_tokens"}},
    {"max_grad_norm", {"grad_clip"}},
    {"max_length", {"seq_len", "max_new_tokens"}},
    {"max_model_len", {"context", "seq_len", "max_new_tokens"}},
    {"max_num_seqs", {"sequences"}},
    {"max_prompt_length", {"max_prompt_tokens"}},
    {"max_response_length", {"max_new_tokens"}},
    {"max_seq_len", {"seq_len", "max_new_tokens"}},
    {"max_seq_length", {"seq_len", "max_new_tokens"}},
    {"max_steps", {"steps"}},
    {"max_tokens", {"max_new_tokens"}},
    {"metric_for_best_model", {"keep_best"}},
    {"micro_batch_size", {"micro_batch_tokens"}},
    {"model_name", {"model"}},
    {"model_name_or_path", {"model"}},
    {"model_path", {"model"}},
    {"num_epochs", {"epochs"}},
    {"num_generations", {"samples_per_prompt", "samples"}},
    {"num_return_sequences", {"samples", "samples_per_prompt"}},
    {"num_train_epochs", {"epochs"}},
    {"num_workers", {"threads"}},
    {"num_warmup_steps", {"warmup_steps"}},
    {"output", {"out"}},
    {"output_dir", {"out"}},
    {"per_device_train_batch_size", {"micro_batch_tokens"}},
    {"resume_from_checkpoint", {"resume"}},
    {"rollout_n", {"samples_per_prompt"}},
    {"save_dir", {"out"}},
    {"save_steps", {"save_every"}},
    {"save_total_limit", {"keep_checkpoints"}},
    {"sequence_len", {"seq_len"}},
    {"system_prompt", {"system"}},
    {"total_epochs", {"epochs"}},
    {"total_training_steps", {"steps"}},
    {"train_batch_size", {"global_batch", "prompts_per_step"}},
    {"train_data", {"data"}},
    {"train_files", {"data"}},
    {"val_files", {"eval_data"}},
    {"warmup_ratio", {"warmup_steps"}},
};

static const char *of_elsewhere(const OptionTable *table, const char *asked)
{
    char shown[OPTION_NAME];
    const char *found = NULL;
    int fewest = 3; // --lerning-rate too, but at most two slips
    for (size_t i = 0; i < sizeof ELSEWHERE / sizeof *ELSEWHERE; i++) {
        int distance = slips(asked, option_shown(shown, ELSEWHERE[i].theirs));
        for (size_t n = 0; n < 3 && ELSEWHERE[i].ours[n] != NULL && distance < fewest; n++)
            if (option_find(table, ELSEWHERE[i].ours[n], strlen(ELSEWHERE[i].ours[n])) != NULL) {
                found = ELSEWHERE[i].ours[n];
                fewest = distance;
            }
    }
    return found;
}

bool option_unknown(const OptionTable *table, const char *word, OptionPlace place)
{
    char shown[OPTION_NAME], asked[OPTION_NAME], meant[OPTION_NAME + 32] = "--help lists them";
    const char *theirs = of_elsewhere(table, option_shown(asked, word)), *dashes = place.file == NULL ? "--" : "";
    const char *nearest = theirs != NULL ? NULL : option_nearest(table, word, false);
    if (theirs != NULL)
        snprintf(meant, sizeof meant, "here it is %s%s", dashes, option_shown(shown, theirs));
    else if (nearest != NULL)
        snprintf(meant, sizeof meant, "did you mean %s%s", dashes, option_shown(shown, nearest));
    return place.file == NULL ? fail("--%s: no such option; %s", word, meant)
                              : fail("%s:%d: %s: no such option; %s", place.file, place.line, word, meant);
}
