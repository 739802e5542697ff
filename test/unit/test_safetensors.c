// safetensors: a case that breaks each rule of the format; the cases that the format's own tests spell out in bytes;
// values of all three types to the bit; shards and their index; and what is written reads back the same.
#include "safetensors/safetensors.h"
#include "system/files.h"
#include "test/support/check.h"
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int set_up(void **state)
{
    strcpy(folder, "/tmp/test_safetensors-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state) { return folder_remove(folder) ? 0 : -1; }

// A file: the length of the header, the header, and `size` bytes of data (zeros if data is NULL).
static Bytes file_of(const char *header, const void *data, size_t size)
{
    Bytes b = {0};
    uint64_t length = strlen(header);
    assert_ok(bytes_append(&b, &length, 8));
    assert_ok(bytes_text(&b, header));
    void *zeros = allocate(size, 1);
    assert_ok(bytes_append(&b, data == NULL ? zeros : data, size));
    free(zeros);
    return b;
}

// The bytes are put at the very end of a block of memory, so that a read behind them is seen by the sanitizer.
static bool opens(const void *bytes, size_t size)
{
    uint8_t *exact = malloc(size == 0 ? 1 : size);
    memcpy(exact, bytes, size);
    Weights *w = NULL;
    bool ok = weights_open_memory(&w, size == 0 ? NULL : exact, size, "memory");
    weights_close(w);
    free(exact);
    return ok;
}

static bool opens_text(const char *header, size_t data)
{
    Bytes b = file_of(header, NULL, data);
    bool ok = opens(b.data, b.size);
    bytes_free(&b);
    return ok;
}

static void write_to_folder(const char *name, Bytes *b)
{
    char *path = path_join(folder, name);
    assert_ok(file_write_atomic(path, b->data, b->size));
    bytes_free(b);
    free(path);
}

static void write_text(const char *name, const char *text)
{
    Bytes b = {0};
    assert_ok(bytes_text(&b, text));
    write_to_folder(name, &b);
}

static void empty_the_folder(void)
{
    assert_ok(folder_remove(folder));
    assert_ok(folder_make(folder));
}

// ---- the cases of the format's own tests, byte for byte

#define LENGTH(x) x "\0\0\0\0\0\0\0"
#define INFO(shape, offsets) "{\"test\":{\"dtype\":\"I32\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define CASE(bytes, zeros, error)                                                                                      \
    {                                                                                                                  \
        bytes, sizeof(bytes) - 1, zeros, error                                                                         \
    }

static void the_byte_literals_of_the_reference_are_judged_alike(void **state)
{
    static const struct {
        const char *bytes;
        size_t size, zeros;
        const char *error; // NULL: accepted
    } cases[] = {
        CASE("", 0, "too few"),
        CASE("<\0\0\0\0\0\0", 0, "too few"),
        CASE(LENGTH("<"), 0, "ends after 0"),
        CASE("<\0\0\0\0\xff\xff\xff" INFO("[2,2]", "[0,16]"), 16, "not a safetensors file"),
        CASE("\xff\xff\xff\xff\xff\xff\xff\xff" INFO("[2,2]", "[0,16]"), 16, "not a safetensors file"),
        CASE("\xf8\xff\xff\xff\xff\xff\xff\xff" INFO("[2,2]", "[0,16]"), 16, "not a safetensors file"),
        CASE("\x01\xe1\xf5\x05\0\0\0\0", 0, "not a safetensors file"), // 100,000,001
        CASE("\x00\xe1\xf5\x05\0\0\0\0", 0, "ends after 0"),           // 100,000,000
        CASE(LENGTH("\x01") "\xff", 0, "not valid JSON"),
        CASE(LENGTH("\x01") "{", 0, "not valid JSON"),
        CASE(LENGTH("\0"), 0, "not valid JSON"),
        CASE(LENGTH("<") INFO("[2,2]", "[0,16]"), 16, NULL),
        CASE(LENGTH("<") INFO("[2,0]", "[0, 0]"), 0, NULL),
        CASE(LENGTH("8") INFO("[]", "[0,4]"), 4, NULL),
        CASE(LENGTH("<") INFO("[2,2]", "[0, 4]"), 16, "ask for 16 bytes, data_offsets for 4"),
        CASE(LENGTH("O") INFO("[2,18446744073709551614]", "[0,16]") "    ", 16, "not valid JSON"),
        CASE(LENGTH("N") INFO("[2,9223372036854775807]", "[0,16]") "    ", 16, "does not fit 64 bits"),
        CASE(LENGTH("N") INFO("[1,9223372036854775807]", "[0,16]") "    ", 16, "does not fit 64 bits"),
        CASE(LENGTH("\x06") "{}\x0d\x20\x09\x0a", 0, NULL),
        CASE(LENGTH("\x06") "\x09\x0a{}\x0d\x20", 0, NULL),
        CASE(LENGTH("\x08") "{}      ", 0, NULL),
        CASE(LENGTH("(") "{\"__metadata__\":{\"framework\":\"pt\"}}     ", 0, NULL),
        CASE(LENGTH("@") "{\"attn.0\":{\"dtype\":\"F4\",\"shape\":[1,2],\"data_offsets\":[0,1]}}    ", 1, NULL),
        CASE(LENGTH("@") "{\"attn.0\":{\"dtype\":\"F4\",\"shape\":[1,3],\"data_offsets\":[0,1]}}    ", 1,
             "ask for 2 bytes"),
        CASE(LENGTH("\x08") "{}\0\0\0\0\0\0", 0, "not valid JSON"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Bytes b = {0};
        uint8_t zeros[16] = {0};
        assert_ok(bytes_append(&b, cases[i].bytes, cases[i].size));
        assert_ok(bytes_append(&b, zeros, cases[i].zeros));
        if (cases[i].error == NULL)
            assert_ok(opens(b.data, b.size));
        else
            assert_refused(opens(b.data, b.size), cases[i].error);
        bytes_free(&b);
    }
}

// ---- rules, one by one

static void ten_names_for_the_same_bytes_are_refused(void **state)
{
    Bytes header = {0};
    for (int i = 0; i < 10; i++)
        assert_ok(bytes_printf(&header, "%s\"w_%d\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}",
                               i == 0 ? "{" : ",", i));
    assert_ok(bytes_text(&header, "}"));
    assert_refused(opens_text(header.data, 16), "begins at byte 0 of the data, but the one before it ends at 16");
    bytes_free(&header);
}

#define TENSOR(name, type, shape, offsets)                                                                             \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void tensors_lie_end_to_end(void **state)
{
    const char *two = "{" TENSOR("b", "F32", "[2]", "[8,16]") "," TENSOR("a", "F32", "[2]", "[0,8]") "}";
    assert_ok(opens_text(two, 16)); // any order in the header
    assert_refused(opens_text(two, 15), "the file has 15");
    assert_refused(opens_text(two, 17), "end at byte 16 of the data, but the file has 17");
    assert_refused(opens_text("{" TENSOR("a", "F32", "[2]", "[4,12]") "}", 12), "tensor a begins at byte 4");
    assert_refused(opens_text("{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[2]", "[4,12]") "}", 12),
                   "tensor b begins at byte 4");
    assert_refused(opens_text("{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[1]", "[12,16]") "}", 16),
                   "tensor b begins at byte 12");
    assert_ok(opens_text("{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("z", "F32", "[0]", "[8,8]") "}", 8));
    assert_refused(opens_text("{}", 3), "but the file has 3");
}

static void a_cut_file_is_refused_with_its_tensor(void **state)
{
    Bytes b =
        file_of("{" TENSOR("left", "F32", "[2]", "[0,8]") "," TENSOR("right", "BF16", "[4]", "[8,16]") "}", NULL, 16);
    assert_ok(opens(b.data, b.size));
    for (size_t size = 0; size < b.size; size++)
        if (opens(b.data, size))
            fail_msg("the first %zu of %zu bytes were accepted", size, b.size);
    assert_refused(opens(b.data, b.size - 1), "tensor right: it ends at byte 16 of the data, but the file has 15");
    bytes_free(&b);
}

static void offsets_that_are_no_span_are_refused(void **state)
{
    static const char *const offsets[][2] = {
        {"[16,0]", "not a span"},
        {"[-4,12]", "not a span"},
        {"[0,-1]", "not a span"},
        {"[0]", "two integers"},
        {"[0,8,16]", "two integers"},
        {"\"x\"", "two integers"},
        {"[0.0,16.0]", "two integers"},
        {"[0,17]", "ends at byte 17"},
        {"[0,9223372036854775807]", "ends at byte"},
        {"[0,18446744073709551615]", "not valid JSON"},
        {"null", "two integers"},
    };
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        Bytes header = {0};
        assert_ok(
            bytes_printf(&header, "{\"w\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":%s}}", offsets[i][0]));
        assert_refused(opens_text(header.data, 16), offsets[i][1]);
        bytes_free(&header);
    }
}

static void shapes_that_are_none_are_refused(void **state)
{
    static const char *const shapes[][2] = {
        {"[-2,-2]", "shape[0] is not a size"},
        {"[4.0]", "is not a size"},
        {"[\"4\"]", "is not a size"},
        {"4", "must be a list"},
        {"[1,1,1,1,1,1,1,1,4]", "9 dimensions"},
        {"[4294967296,4294967296,4]", "does not fit 64 bits"},
        {"[2305843009213693952]", "does not fit 64 bits"},
        {"null", "must be a list"},
        {"[5]", "ask for 20 bytes"},
        {"[4611686018427387904,4,0]", "does not fit 64 bits"},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        Bytes header = {0};
        assert_ok(
            bytes_printf(&header, "{\"w\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[0,16]}}", shapes[i][0]));
        assert_refused(opens_text(header.data, 16), shapes[i][1]);
        bytes_free(&header);
    }
    assert_ok(opens_text("{" TENSOR("w", "F32", "[1,1,1,1,1,1,1,4]", "[0,16]") "}", 16));
}

static void entries_that_are_incomplete_are_refused(void **state)
{
    assert_refused(opens_text("[]", 0), "not a JSON object");
    assert_refused(opens_text("{\"w\":7}", 0), "tensor w: its entry is not an object");
    assert_refused(opens_text("{\"w\":{\"shape\":[],\"data_offsets\":[0,4]}}", 4), "\"dtype\" is missing");
    assert_refused(opens_text("{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4), "shape must be a list");
    assert_refused(opens_text("{\"w\":{\"dtype\":\"F32\",\"shape\":[]}}", 4), "data_offsets");
    assert_refused(opens_text("{" TENSOR("w", "F7", "[]", "[0,4]") "}", 4), "dtype \"F7\" is unknown");
    assert_refused(opens_text("{" TENSOR("w", "f32", "[]", "[0,4]") "}", 4), "dtype \"f32\" is unknown");
    assert_refused(opens_text("{\"w\\u0000x\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4),
                   "not valid JSON");
}

static void the_same_name_twice_is_refused(void **state)
{
    assert_refused(opens_text("{" TENSOR("w", "F32", "[1]", "[0,4]") "," TENSOR("w", "F32", "[1]", "[4,8]") "}", 8),
                   "duplicate");
    assert_refused(opens_text("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0), "duplicate");
}

static void metadata_maps_text_to_text(void **state)
{
    assert_ok(opens_text("{\"__metadata__\":{\"format\":\"pt\"}}", 0));
    assert_refused(opens_text("{\"__metadata__\":{\"format\":1}}", 0), "\"format\" is not a string");
    assert_refused(opens_text("{\"__metadata__\":[]}", 0), "__metadata__ is not an object");
}

// ---- values

static void read_one(const char *type, const char *shape, const void *data, size_t size, int64_t first, int64_t count,
                     float *out)
{
    Bytes header = {0};
    assert_ok(
        bytes_printf(&header, "{\"w\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[0,%zu]}}", type, shape, size));
    Bytes b = file_of(header.data, data, size);
    Weights *w;
    assert_ok(weights_open_memory(&w, b.data, b.size, "memory"));
    assert_ok(weights_read(weights_find(w, "w"), first, count, out));
    weights_close(w);
    bytes_free(&b);
    bytes_free(&header);
}

static void every_finite_half_is_read_exactly(void **state)
{
    uint16_t *half = allocate(1 << 16, sizeof *half);
    float *out = allocate(1 << 16, sizeof *out);
    int64_t count = 0;
    for (uint32_t i = 0; i < 1 << 16; i++)
        if ((i & 0x7c00) != 0x7c00)
            half[count++] = (uint16_t)i;
    Bytes shape = {0};
    assert_ok(bytes_printf(&shape, "[%" PRId64 "]", count));
    read_one("F16", shape.data, half, (size_t)count * 2, 0, count, out);
    for (int64_t i = 0; i < count; i++) { // value = (-1)^sign · fraction · 2^exponent, by the definition
        int exponent = half[i] >> 10 & 31, fraction = half[i] & 1023;
        double value = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
        float wanted = (float)(half[i] & 0x8000 ? -value : value);
        assert_memory_equal(&out[i], &wanted, sizeof wanted); // -0 too
    }
    bytes_free(&shape);
    free(half);
    free(out);
}

static void every_finite_bf16_is_the_upper_half_of_its_float(void **state)
{
    uint16_t *rounded = allocate(1 << 16, sizeof *rounded);
    float *out = allocate(1 << 16, sizeof *out);
    int64_t count = 0;
    for (uint32_t i = 0; i < 1 << 16; i++)
        if ((i & 0x7f80) != 0x7f80)
            rounded[count++] = (uint16_t)i;
    Bytes shape = {0};
    assert_ok(bytes_printf(&shape, "[%" PRId64 "]", count));
    read_one("BF16", shape.data, rounded, (size_t)count * 2, 0, count, out);
    for (int64_t i = 0; i < count; i++) {
        uint32_t wanted = (uint32_t)rounded[i] << 16;
        assert_memory_equal(&out[i], &wanted, sizeof wanted);
    }
    bytes_free(&shape);
    free(rounded);
    free(out);
}

static void a_range_is_read_alone(void **state)
{
    float values[12], out[12];
    for (int i = 0; i < 12; i++)
        values[i] = (float)i - 5.5f;
    read_one("F32", "[3,4]", values, sizeof values, 5, 6, out);
    assert_memory_equal(out, values + 5, 6 * sizeof *out);
    read_one("F32", "[3,4]", values, sizeof values, 12, 0, out);
}

static void a_range_beyond_the_tensor_is_refused(void **state)
{
    Bytes b = file_of("{" TENSOR("w", "BF16", "[4]", "[0,8]") "}", NULL, 8);
    Weights *w;
    float out[8];
    assert_ok(weights_open_memory(&w, b.data, b.size, "memory"));
    const WeightTensor *t = weights_find(w, "w");
    assert_refused(weights_read(t, 0, 5, out), "has 4 elements");
    assert_refused(weights_read(t, -1, 2, out), "has 4 elements");
    assert_refused(weights_read(t, 5, 0, out), "has 4 elements");
    assert_refused(weights_read(t, 1, INT64_MAX, out), "has 4 elements");
    assert_refused(weights_read(t, 2, -1, out), "has 4 elements");
    weights_close(w);
    bytes_free(&b);
}

static void values_that_are_not_finite_are_refused_with_their_place(void **state)
{
    static const struct {
        const char *type;
        uint32_t bits;
        int size;
    } cases[] = {{"F32", 0x7f800000, 4}, {"F32", 0x7fc00001, 4}, {"BF16", 0xff80, 2},
                 {"BF16", 0x7fc0, 2},    {"F16", 0x7c00, 2},     {"F16", 0xfe00, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t data[5 * 4] = {0};
        float out[5];
        memcpy(data + 3 * cases[i].size, &cases[i].bits, (size_t)cases[i].size);
        Bytes header = {0};
        assert_ok(bytes_printf(&header, "{\"layer.w\":{\"dtype\":\"%s\",\"shape\":[5],\"data_offsets\":[0,%d]}}",
                               cases[i].type, 5 * cases[i].size));
        Bytes b = file_of(header.data, data, 5 * (size_t)cases[i].size);
        Weights *w;
        assert_ok(weights_open_memory(&w, b.data, b.size, "memory"));
        const WeightTensor *t = weights_find(w, "layer.w");
        assert_refused(weights_read(t, 0, 5, out), "tensor layer.w: element 3 is");
        assert_refused(weights_read(t, 2, 2, out), "tensor layer.w: element 3 is");
        assert_ok(weights_read(t, 0, 3, out));
        weights_close(w);
        bytes_free(&b);
        bytes_free(&header);
    }
}

static void types_that_are_no_weights_are_refused_when_asked_for(void **state)
{
    Bytes b = file_of("{" TENSOR("w", "F8_E4M3", "[4]", "[0,4]") "}", NULL, 4);
    Weights *w;
    float out[4];
    assert_ok(weights_open_memory(&w, b.data, b.size, "memory"));
    assert_refused(weights_read(weights_find(w, "w"), 0, 4, out), "tensor w is F8_E4M3");
    weights_close(w);
    bytes_free(&b);
}

static void tensors_are_found_by_name_and_listed(void **state)
{
    Bytes b = file_of("{" TENSOR("b", "F32", "[1,2]", "[0,8]") "," TENSOR("a", "BF16", "[]", "[8,10]") "}", NULL, 10);
    Weights *w;
    assert_ok(weights_open_memory(&w, b.data, b.size, "memory"));
    assert_int_equal(weights_count(w), 2);
    assert_string_equal(weights_at(w, 0)->name, "a");
    assert_string_equal(weights_at(w, 1)->name, "b");
    assert_null(weights_at(w, 2));
    assert_null(weights_find(w, "c"));
    const WeightTensor *t = weights_find(w, "b");
    assert_true(t->rank == 2 && t->shape[0] == 1 && t->shape[1] == 2 && t->elements == 2 && t->type == WEIGHT_F32);
    assert_int_equal(weights_find(w, "a")->elements, 1);
    weights_close(w);
    bytes_free(&b);
}

// ---- folders

static void put_shards(void)
{
    empty_the_folder();
    Bytes one = file_of("{" TENSOR("a", "F32", "[1]", "[0,4]") "}", NULL, 4);
    Bytes two = file_of("{" TENSOR("b", "F32", "[1]", "[0,4]") "," TENSOR("c", "F32", "[1]", "[4,8]") "}", NULL, 8);
    write_to_folder("one.safetensors", &one);
    write_to_folder("two.safetensors", &two);
}

static bool folder_opens(const char *weight_map)
{
    Bytes text = {0};
    assert_ok(bytes_printf(&text, "{\"metadata\":{\"total_size\":12},\"weight_map\":%s}", weight_map));
    write_text("model.safetensors.index.json", text.data);
    bytes_free(&text);
    Weights *w = NULL;
    bool ok = weights_open(&w, folder);
    if (ok)
        assert_int_equal(weights_count(w), 3);
    weights_close(w);
    return ok;
}

#define GOOD_MAP "{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\",\"c\":\"two.safetensors\"}"

static void a_folder_of_shards_is_opened(void **state)
{
    put_shards();
    assert_ok(folder_opens(GOOD_MAP));
}

static void an_index_that_points_elsewhere_is_refused(void **state)
{
    static const char *const names[] = {
        "../one.safetensors",    "/etc/one.safetensors",   "sub/one.safetensors", "..", "", ".safetensors", "one.bin",
        "..\\\\one.safetensors", "one\\u0000.safetensors", ".one.safetensors",
    };
    put_shards();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Bytes map = {0};
        assert_ok(bytes_printf(&map, "{\"a\":\"%s\",\"b\":\"two.safetensors\",\"c\":\"two.safetensors\"}", names[i]));
        assert_refused(folder_opens(map.data), "the file of tensor a must be the plain name");
        bytes_free(&map);
    }
    assert_refused(folder_opens("{\"a\":7}"), "the file of tensor a must be");
    assert_refused(folder_opens("{}"), "weight_map");
    assert_refused(folder_opens("[]"), "weight_map");
}

static void an_index_names_every_tensor_where_it_is(void **state)
{
    put_shards();
    assert_refused(folder_opens("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}"),
                   "tensor c is in two.safetensors");
    assert_refused(folder_opens("{\"a\":\"two.safetensors\",\"b\":\"one.safetensors\",\"c\":\"two.safetensors\"}"),
                   "but the index says that it is in");
    assert_refused(folder_opens("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\",\"c\":\"two.safetensors\","
                                "\"d\":\"two.safetensors\"}"),
                   "tensor d is in none of the shards");
    assert_refused(folder_opens("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\",\"c\":\"three.safetensors\"}"),
                   "tensor c is in two.safetensors, but the index says that it is in three.safetensors");
    assert_refused(folder_opens("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\",\"c\":\"two.safetensors\","
                                "\"d\":\"three.safetensors\"}"),
                   "three.safetensors");
}

static void a_tensor_in_two_shards_is_refused(void **state)
{
    put_shards();
    Bytes one = file_of("{" TENSOR("b", "F32", "[1]", "[0,4]") "}", NULL, 4);
    write_to_folder("one.safetensors", &one);
    assert_refused(folder_opens("{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\",\"c\":\"two.safetensors\"}"),
                   "tensor b is in one.safetensors");
}

static void a_single_file_beside_an_index_that_does_not_name_it_is_refused(void **state)
{
    put_shards();
    Bytes single = file_of("{" TENSOR("a", "F32", "[1]", "[0,4]") "}", NULL, 4);
    write_to_folder("model.safetensors", &single);
    assert_refused(folder_opens(GOOD_MAP), "remove the one that is out of date");
}

static void a_folder_without_weights_is_refused(void **state)
{
    empty_the_folder();
    Weights *w;
    assert_refused(weights_open(&w, folder), "neither model.safetensors nor");
    assert_null(w);
    assert_refused(weights_open(&w, "/nowhere/model.safetensors"), "/nowhere/model.safetensors");
}

// ---- writing

static bool give(void *context, int64_t tensor, int64_t first, int64_t count, float *out)
{
    const float *const *values = context;
    memcpy(out, values[tensor] + first, (size_t)count * sizeof *out);
    return true;
}

static bool written(const WeightPlan *plan, int64_t count, WeightType type, const float *const *values)
{
    return weights_write(folder, plan, count, type, WEIGHTS_FILE_LIMIT, give, (void *)(uintptr_t)values);
}

static void what_is_written_as_fp32_reads_back_to_the_bit(void **state)
{
    empty_the_folder();
    enum { LARGE = (1 << 20) + 3 }; // more than the writer takes at once
    float *large = random_floats(LARGE, 1), small[] = {0x1p-149f, -0.0f, 3.40282347e38f, -0x1p-126f}, scalar = 7, *out;
    const WeightPlan plan[] = {{"large", 1, {LARGE}}, {"none", 2, {0, 5}}, {"small", 2, {2, 2}}, {"scalar", 0, {0}}};
    const float *const values[] = {large, large, small, &scalar};
    assert_ok(written(plan, 4, WEIGHT_F32, values));
    Weights *w;
    assert_ok(weights_open(&w, folder));
    assert_int_equal(weights_count(w), 4);
    out = allocate(LARGE, sizeof *out);
    assert_ok(weights_read(weights_find(w, "large"), 0, LARGE, out));
    assert_memory_equal(out, large, LARGE * sizeof *out);
    assert_ok(weights_read(weights_find(w, "small"), 0, 4, out));
    assert_memory_equal(out, small, sizeof small);
    assert_ok(weights_read(weights_find(w, "scalar"), 0, 1, out));
    assert_true(out[0] == 7);
    assert_int_equal(weights_find(w, "scalar")->rank, 0);
    assert_int_equal(weights_find(w, "none")->shape[1], 5);
    weights_close(w);
    free(large);
    free(out);
}

static void bf16_is_rounded_to_nearest_with_ties_to_even(void **state)
{
    static const uint32_t cases[][2] = {
        {0x3f800000, 0x3f80}, {0x3f807fff, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82},
        {0x3f817fff, 0x3f81}, {0xbf808000, 0xbf80}, {0xbf818000, 0xbf82}, {0x00000001, 0x0000}, {0x00008000, 0x0000},
        {0x00008001, 0x0001}, {0x00018000, 0x0002}, {0x80000001, 0x8000}, {0x3fffffff, 0x4000}, {0x7f7f7fff, 0x7f7f},
        {0x80000000, 0x8000}, {0x007fffff, 0x0080},
    };
    enum { COUNT = sizeof cases / sizeof *cases };
    float values[COUNT], out[COUNT];
    for (int i = 0; i < COUNT; i++)
        memcpy(&values[i], &cases[i][0], 4);
    empty_the_folder();
    const float *const list[] = {values};
    assert_ok(written(&(WeightPlan){"w", 1, {COUNT}}, 1, WEIGHT_BF16, list));
    Weights *w;
    assert_ok(weights_open(&w, folder));
    assert_ok(weights_read(weights_find(w, "w"), 0, COUNT, out));
    for (int i = 0; i < COUNT; i++) {
        uint32_t bits;
        memcpy(&bits, &out[i], 4);
        assert_int_equal(bits, cases[i][1] << 16);
    }
    weights_close(w);
}

static void a_value_that_is_not_finite_is_never_written(void **state)
{
    static const struct {
        uint32_t bits;
        WeightType type;
    } cases[] = {{0x7fc00000, WEIGHT_F32},
                 {0xff800000, WEIGHT_F32},
                 {0x7f800001, WEIGHT_BF16},
                 {0x7f7f8000, WEIGHT_BF16},
                 {0xff7fffff, WEIGHT_BF16}}; // the last two are finite, and would round to infinity
    float values[6] = {0};
    const float *const list[] = {values};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        empty_the_folder();
        memcpy(&values[4], &cases[i].bits, 4);
        assert_refused(written(&(WeightPlan){"layer.w", 1, {6}}, 1, cases[i].type, list),
                       "tensor layer.w: element 4 is");
        char **names;
        size_t count;
        assert_ok(folder_list(&names, &count, folder));
        assert_int_equal(count, 0); // nor is a temporary file left
        names_free(names, count);
    }
}

static void above_the_limit_shards_and_an_index_are_written(void **state)
{
    empty_the_folder();
    float *values = random_floats(100, 2), out[100];
    const float *const list[] = {values, values + 10, values + 20, values + 60, values + 61};
    const WeightPlan plan[] = {{"a", 1, {10}}, {"b", 1, {10}}, {"c", 2, {4, 10}}, {"d", 1, {1}}, {"e", 1, {39}}};
    assert_ok(
        weights_write(folder, plan, 5, WEIGHT_F32, 80, give, (void *)(uintptr_t)list)); // c and e alone are larger
    char **names;
    size_t count;
    assert_ok(folder_list(&names, &count, folder));
    assert_int_equal(count, 5);
    assert_string_equal(names[0], "model-00001-of-00004.safetensors");
    assert_string_equal(names[3], "model-00004-of-00004.safetensors");
    names_free(names, count);
    Weights *w;
    assert_ok(weights_open(&w, folder));
    for (int i = 0; i < 5; i++) {
        const WeightTensor *t = weights_find(w, plan[i].name);
        assert_ok(weights_read(t, 0, t->elements, out));
        assert_memory_equal(out, list[i], (size_t)t->elements * 4);
    }
    weights_close(w);
    free(values);
}

static void the_data_begin_at_a_multiple_of_eight(void **state)
{
    char name[16] = "";
    float value = 1;
    const float *const list[] = {&value};
    for (int i = 0; i < 9; i++) {
        empty_the_folder();
        strcat(name, "n");
        assert_ok(written(&(WeightPlan){name, 1, {1}}, 1, WEIGHT_F32, list));
        Bytes content = {0};
        char *path = path_join(folder, "model.safetensors");
        assert_ok(file_read(&content, path, 1000));
        assert_int_equal(content.data[0] % 8, 0);
        assert_memory_equal(content.data + 8, "{\"__metadata__\":{\"format\":\"pt\"}", 31);
        bytes_free(&content);
        free(path);
    }
}

static void a_name_that_is_planned_twice_is_refused(void **state)
{
    empty_the_folder();
    float value = 1;
    const float *const list[] = {&value, &value};
    const WeightPlan plan[] = {{"w", 1, {1}}, {"w", 1, {1}}};
    assert_refused(written(plan, 2, WEIGHT_F32, list), "tensor w: its name occurs twice");
}

// ---- files that others wrote

static void the_fixtures_of_all_three_types_are_read(void **state)
{
    static const char *const folders[] = {"tied",         "untied",    "group4",  "qwen2_tied",
                                          "qwen2_untied", "tied_bf16", "tied_f16"};
    static const WeightType types[] = {WEIGHT_F32, WEIGHT_F32,  WEIGHT_F32, WEIGHT_F32,
                                       WEIGHT_F32, WEIGHT_BF16, WEIGHT_F16};
    for (int i = 0; i < 7; i++) {
        Bytes path = {0};
        Weights *w;
        assert_ok(bytes_printf(&path, "test/fixtures/models/%s", folders[i]));
        assert_ok(weights_open(&w, path.data));
        for (size_t k = 0; k < weights_count(w); k++) {
            const WeightTensor *t = weights_at(w, k);
            float *out = allocate((size_t)t->elements, sizeof *out);
            assert_int_equal(t->type, types[i]);
            assert_ok(weights_read(t, 0, t->elements, out));
            free(out);
        }
        assert_non_null(weights_find(w, "model.norm.weight"));
        weights_close(w);
        bytes_free(&path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_byte_literals_of_the_reference_are_judged_alike),
        cmocka_unit_test(ten_names_for_the_same_bytes_are_refused),
        cmocka_unit_test(tensors_lie_end_to_end),
        cmocka_unit_test(a_cut_file_is_refused_with_its_tensor),
        cmocka_unit_test(offsets_that_are_no_span_are_refused),
        cmocka_unit_test(shapes_that_are_none_are_refused),
        cmocka_unit_test(entries_that_are_incomplete_are_refused),
        cmocka_unit_test(the_same_name_twice_is_refused),
        cmocka_unit_test(metadata_maps_text_to_text),
        cmocka_unit_test(every_finite_half_is_read_exactly),
        cmocka_unit_test(every_finite_bf16_is_the_upper_half_of_its_float),
        cmocka_unit_test(a_range_is_read_alone),
        cmocka_unit_test(a_range_beyond_the_tensor_is_refused),
        cmocka_unit_test(values_that_are_not_finite_are_refused_with_their_place),
        cmocka_unit_test(types_that_are_no_weights_are_refused_when_asked_for),
        cmocka_unit_test(tensors_are_found_by_name_and_listed),
        cmocka_unit_test(a_folder_of_shards_is_opened),
        cmocka_unit_test(an_index_that_points_elsewhere_is_refused),
        cmocka_unit_test(an_index_names_every_tensor_where_it_is),
        cmocka_unit_test(a_tensor_in_two_shards_is_refused),
        cmocka_unit_test(a_single_file_beside_an_index_that_does_not_name_it_is_refused),
        cmocka_unit_test(a_folder_without_weights_is_refused),
        cmocka_unit_test(what_is_written_as_fp32_reads_back_to_the_bit),
        cmocka_unit_test(bf16_is_rounded_to_nearest_with_ties_to_even),
        cmocka_unit_test(a_value_that_is_not_finite_is_never_written),
        cmocka_unit_test(above_the_limit_shards_and_an_index_are_written),
        cmocka_unit_test(the_data_begin_at_a_multiple_of_eight),
        cmocka_unit_test(a_name_that_is_planned_twice_is_refused),
        cmocka_unit_test(the_fixtures_of_all_three_types_are_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
