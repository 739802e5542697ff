// Things that people pass instead of a folder of a model or tokenizer: each is refused by name, with a remedy.
#include "pretrained/folder.h"
#include "system/files.h"
#include "system/hub.h"
#include "test/support/check.h"
#include "tokenizer/tokenizer.h"
#include <stdlib.h>
#include <unistd.h>

static char folder[64];

static int set_up(void **state)
{
    strcpy(folder, "/tmp/test_hub_XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state) { return !folder_remove(folder); }

static Bytes inside(const char *name)
{
    Bytes path = {0};
    assert_ok(bytes_printf(&path, "%s/%s", folder, name));
    return path;
}

static void put(const char *name, const char *text)
{
    Bytes path = inside(name);
    char *slash = strrchr(path.data, '/');
    *slash = 0;
    assert_ok(folder_make(path.data));
    *slash = '/';
    assert_ok(file_write_atomic(path.data, text, strlen(text)));
    bytes_free(&path);
}

static void refuse_model(const char *name, const char *first, const char *second)
{
    Bytes path = inside(name), found = {0};
    assert_false(model_folder_find(&found, path.data));
    if (strstr(error_text(), first) == NULL || strstr(error_text(), second) == NULL)
        fail_msg("%s: '%s' lacks '%s' or '%s'", name, error_text(), first, second);
    error_clear();
    bytes_free(&path);
    bytes_free(&found);
}

static void refuse_weights(const char *name, const char *message)
{
    Bytes path = inside(name);
    Weights *weights;
    assert_refused(weights_open(&weights, path.data), message);
    bytes_free(&path);
}

static void refuse_tokenizer(const char *name, const char *message)
{
    Bytes path = inside(name);
    assert_refused(tokenizer_open(path.data) != NULL, message);
    bytes_free(&path);
}

#define POINTER "version https://git-lfs.github.com/spec/v1\noid sha256:0a\nsize 11422654\n"

static void a_pointer_of_git_lfs_is_known_for_what_it_is(void **state)
{
    put("lfs/config.json", "{}");
    put("lfs/model.safetensors", POINTER);
    put("lfs/tokenizer.json", POINTER);
    put("index/model.safetensors.index.json", POINTER);
    refuse_weights("lfs", "model.safetensors: a Git LFS pointer in place of the file; `git lfs pull`");
    refuse_weights("index", "model.safetensors.index.json: a Git LFS pointer");
    refuse_tokenizer("lfs", "tokenizer.json: a Git LFS pointer");
    refuse_model("lfs/model.safetensors", "a Git LFS pointer", "hf download");
}

static void the_hubs_cache_is_refused_with_its_snapshot(void **state)
{
    put("hub/models--Qwen--Q/snapshots/0a1b/config.json", "{}");
    put("hub/models--Qwen--Q/snapshots/9f9f/config.json", "{}");
    put("hub/models--Qwen--Q/refs/main", "0a1b");
    refuse_model("hub/models--Qwen--Q", "the Hub cache's folder of a repository", "models--Qwen--Q/snapshots/0a1b");
    refuse_model("hub/models--Qwen--Q/", "cache's folder", "/hub/models--Qwen--Q/snapshots/0a1b");
    refuse_model("hub", "cache's folder", "models--Qwen--Q/snapshots/0a1b");
    refuse_tokenizer("hub/models--Qwen--Q", "use its snapshot");
    put("hub/models--Qwen--R/refs/main", "gone\n");
    put("hub/models--Qwen--R/snapshots/77/config.json", "{}");
    refuse_model("hub/models--Qwen--R", "cache's folder", "snapshots/77");
    put("hub/models--Qwen--S/refs/main", "gone");
    refuse_model("hub/models--Qwen--S", "without a snapshot", "hf download");
    Bytes snapshot = inside("hub/models--Qwen--Q/snapshots/0a1b"), found = {0};
    assert_ok(model_folder_find(&found, snapshot.data)); // as advised
    bytes_free(&snapshot);
    bytes_free(&found);
}

static void adapters_and_other_formats_are_named(void **state)
{
    put("lora/adapter_config.json", "{}");
    put("lora/adapter_model.safetensors", "x");
    refuse_model("lora", "a LoRA adapter", "merge");
    put("lora/config.json", "{}"); // some write it beside
    refuse_model("lora", "a LoRA adapter", "merge");
    put("gguf/qwen-Q4_K_M.gguf", "GGUF\3");
    put("gguf/README.md", "");
    refuse_model("gguf", "GGUF files (qwen-Q4_K_M.gguf)", "Hugging Face folder");
    refuse_model("gguf/qwen-Q4_K_M.gguf", "a GGUF file", "Hugging Face folder");
    put("renamed", "GGUF\3");
    refuse_model("renamed", "a GGUF file", "Hugging Face folder");
    refuse_model("not-there.gguf", "no such file", "Hugging Face folder");
    put("m/model.safetensors", "x");
    refuse_model("m/model.safetensors", "give the folder", "");
    put("model.pth", "x");
    refuse_model("model.pth", "PyTorch's own format", "save_pretrained()");
    put("model.tar.gz", "x");
    refuse_model("model.tar.gz", "an archive", "unpack");
}

static void weights_in_another_format_are_named(void **state)
{
    put("bin/config.json", "{}");
    put("bin/pytorch_model-00001-of-00002.bin", "x");
    refuse_weights("bin", "PyTorch's own format (pytorch_model-00001-of-00002.bin)");
    put("half/model-00001-of-00002.safetensors", "x");
    refuse_weights("half", "but not model.safetensors.index.json");
    put("adapted/adapter_model.safetensors", "x");
    refuse_weights("adapted", "only a LoRA adapter's weights");
    put("none/config.json", "{}");
    refuse_weights("none", "fetch the model's weights");
}

static void a_folder_without_a_tokenizer_is_refused_with_what_it_has(void **state)
{
    put("slow/vocab.json", "{}");
    put("slow/merges.txt", "");
    refuse_tokenizer("slow", "transformers makes it from vocab.json and merges.txt");
    put("pieces/tokenizer.model", "x");
    refuse_tokenizer("pieces", "SentencePiece");
    put("none/config.json", "{}");
    refuse_tokenizer("none", "tokenizer.json is missing");
    refuse_tokenizer("nowhere", "there is no such folder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pointer_of_git_lfs_is_known_for_what_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_hubs_cache_is_refused_with_its_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(adapters_and_other_formats_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(weights_in_another_format_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_without_a_tokenizer_is_refused_with_what_it_has, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
