// Event files for TensorBoard: see events.h.
#include "log/events.h"
#include "log/event.pb-c.h"
#include "log/log.h"
#include "system/files.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BEGINNING "events.out.tfevents." // by which TensorBoard knows its files
#define OURS ".dereason"
enum { LENGTH_BYTES = 12, CHECK_BYTES = 4 }; // before and behind a message

uint32_t crc32c(const void *data, size_t size)
{
    static uint32_t table[256];
    if (table[1] == 0)
        for (uint32_t i = 255; i > 0; i--) { // table[1] last: then all of it is there
            uint32_t r = i;
            for (int bit = 0; bit < 8; bit++)
                r = r >> 1 ^ (r & 1 ? 0x82f63b78u : 0);
            table[i] = r;
        }
    uint32_t crc = 0xffffffffu;
    for (const uint8_t *p = data, *end = p + size; p < end; p++)
        crc = crc >> 8 ^ table[(crc ^ *p) & 255];
    return ~crc;
}

// CRCs of data that holds CRCs are weak, so TFRecord stores them turned and shifted.
static uint32_t masked(const void *data, size_t size)
{
    uint32_t crc = crc32c(data, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void put(char *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (char)(value >> 8 * i);
}

static uint64_t get(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

// ---- writing

static bool write_event(EventFile *file, Event *event)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    event->wall_time = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    size_t size = event__get_packed_size(event);
    char *record = allocate(size + LENGTH_BYTES + CHECK_BYTES, 1);
    TRY(record != NULL);
    put(record, size, 8);
    put(record + 8, masked(record, 8), CHECK_BYTES);
    event__pack(event, (uint8_t *)record + LENGTH_BYTES);
    put(record + LENGTH_BYTES + size, masked(record + LENGTH_BYTES, size), CHECK_BYTES);
    bool ok = line_file_append(&file->file, record, size + LENGTH_BYTES + CHECK_BYTES);
    free(record);
    return ok;
}

// The run's folder is locked, so nobody else makes files there.
static bool create(EventFile *file)
{
    char host[64] = "";
    PathKind kind = PATH_FILE;
    bool ok = folder_make(file->folder);
    if (gethostname(host, sizeof host - 1) != 0)
        strcpy(host, "host");
    for (int number = 0; ok && kind != PATH_NONE; number++) {
        Bytes name = {0};
        ok = bytes_printf(&name, BEGINNING "%010lld.%s.%d.%d" OURS, (long long)time(NULL), host, (int)getpid(), number);
        char *path = ok ? path_join(file->folder, name.data) : NULL;
        ok = path != NULL && path_kind(&kind, path) &&
             (kind != PATH_NONE || line_file_open(&file->file, path, false, NULL));
        bytes_free(&name);
        free(path);
    }
    return ok;
}

bool events_open(EventFile *file, const char *folder, int64_t step)
{
    *file = (EventFile){.folder = copy_text(folder), .step = step};
    return file->folder != NULL;
}

bool events_close(EventFile *file)
{
    bool ok = line_file_close(&file->file);
    free(file->folder);
    *file = (EventFile){0};
    return ok;
}

// The file with its first records; what is half begun is closed with the rest.
static bool begin_file(EventFile *file)
{
    if (file->file.path != NULL)
        return true;
    TRY(create(file));
    Event version = EVENT__INIT, again = EVENT__INIT;
    SessionLog start = SESSION_LOG__INIT;
    version.what_case = EVENT__WHAT_FILE_VERSION;
    version.file_version = "brain.Event:2";
    start.status = SESSION_LOG__SESSION_STATUS__START;
    again.what_case = EVENT__WHAT_SESSION_LOG;
    again.session_log = &start;
    again.step = file->step + 1;
    return write_event(file, &version) && (file->step < 0 || write_event(file, &again));
}

static bool write_summary(EventFile *file, int64_t step, Summary__Value **values, size_t count)
{
    Summary summary = SUMMARY__INIT;
    Event event = EVENT__INIT;
    summary.value = values;
    summary.n_value = count;
    event.step = step;
    event.what_case = EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    return begin_file(file) && write_event(file, &event);
}

bool events_scalars(EventFile *file, int64_t step, const LogField *fields, size_t count)
{
    Summary__Value *values = allocate(count, sizeof *values), **list = allocate(count, sizeof *list);
    bool ok = values != NULL && list != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        summary__value__init(&values[i]);
        values[i].tag = (char *)fields[i].name;
        values[i].value_case = SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
        values[i].simple_value = (float)fields[i].value;
        list[i] = &values[i];
    }
    ok = ok && write_summary(file, step, list, count);
    free(values);
    free(list);
    return ok;
}

static void count_values(HistogramProto *h, const double *values, size_t count)
{
    double width = (h->max - h->min) / HISTOGRAM_BUCKETS;
    for (int b = 0; b < HISTOGRAM_BUCKETS; b++)
        h->bucket_limit[b] = b == HISTOGRAM_BUCKETS - 1 ? h->max : h->min + width * (b + 1);
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            continue;
        int b = 0;
        while (b < HISTOGRAM_BUCKETS - 1 && values[i] > h->bucket_limit[b])
            b++;
        h->bucket[b]++;
        h->sum += values[i];
        h->sum_squares += values[i] * values[i];
    }
}

bool events_histogram(EventFile *file, int64_t step, const char *name, const double *values, size_t count)
{
    double limits[HISTOGRAM_BUCKETS] = {0}, buckets[HISTOGRAM_BUCKETS] = {0};
    HistogramProto h = HISTOGRAM_PROTO__INIT;
    Summary__Value value = SUMMARY__VALUE__INIT, *list = &value;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            continue;
        h.min = h.num == 0 || values[i] < h.min ? values[i] : h.min;
        h.max = h.num == 0 || values[i] > h.max ? values[i] : h.max;
        h.num++;
    }
    if (h.num == 0)
        return true;
    h.bucket_limit = limits;
    h.bucket = buckets;
    h.n_bucket_limit = h.n_bucket = HISTOGRAM_BUCKETS;
    count_values(&h, values, count);
    value.tag = (char *)name;
    value.value_case = SUMMARY__VALUE__VALUE_HISTO;
    value.histo = &h;
    return write_summary(file, step, &list, 1);
}

// ---- cutting back

// The size of the whole record at the beginning; 0: there is none.
static size_t whole_record(const uint8_t *data, size_t size)
{
    if (size < LENGTH_BYTES + CHECK_BYTES || get(data + 8, 4) != masked(data, 8))
        return 0;
    uint64_t length = get(data, 8);
    if (length > size - LENGTH_BYTES - CHECK_BYTES ||
        get(data + LENGTH_BYTES + length, 4) != masked(data + LENGTH_BYTES, length))
        return 0;
    return (size_t)length + LENGTH_BYTES + CHECK_BYTES;
}

static bool stays(bool *kept, const uint8_t *record, size_t size, int64_t step)
{
    Event *event = event__unpack(NULL, size - LENGTH_BYTES - CHECK_BYTES, record + LENGTH_BYTES);
    *kept = event != NULL && (event->what_case == EVENT__WHAT_FILE_VERSION || event->step <= step);
    event__free_unpacked(event, NULL);
    return true;
}

static bool cut_file(const char *path, int64_t step)
{
    MappedFile file;
    Bytes kept = {0};
    TRY(file_map(&file, path));
    bool ok = true;
    for (size_t at = 0, size; ok && (size = whole_record(file.data + at, file.size - at)) > 0; at += size) {
        bool here;
        ok = stays(&here, file.data + at, size, step) && (!here || bytes_append(&kept, file.data + at, size));
    }
    bool same = ok && kept.size == file.size;
    file_unmap(&file);
    ok = ok && (same || file_write_atomic(path, kept.data, kept.size));
    bytes_free(&kept);
    return ok;
}

static bool is_ours(const char *name)
{
    size_t size = strlen(name);
    return strncmp(name, BEGINNING, strlen(BEGINNING)) == 0 && size > strlen(OURS) &&
           strcmp(name + size - strlen(OURS), OURS) == 0;
}

bool events_cut(const char *folder, int64_t step)
{
    char **names;
    size_t count;
    PathKind kind;
    TRY(path_kind(&kind, folder));
    if (kind == PATH_NONE)
        return true;
    TRY(folder_list(&names, &count, folder));
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        char *path = is_ours(names[i]) ? path_join(folder, names[i]) : NULL;
        if (is_ours(names[i]))
            ok = path != NULL &&
                 (step < 0 ? unlink(path) == 0 || fail_errno("%s: removing", path) : cut_file(path, step));
        free(path);
    }
    names_free(names, count);
    return ok || fail_in("cutting the scalars for TensorBoard back to step %" PRId64, step);
}
