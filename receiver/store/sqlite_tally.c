/* See tally.h. */
#include <stdlib.h>
#include <string.h>

#include "store/sketch.h"
#include "store/sqlite.h"
#include "store/tally.h"

const int64_t inf_rollup_minutes[INF_ROLLUP_LEVELS] = {1440, 180, 15, 1};

enum { NONE = UINT32_MAX, LABEL_SLOTS = 65536 };
#define MINUTE_NS UINT64_C(60000000000)

enum kind { ROLLUP, FACET, SESSION };

/* What an entry sums, in the order of the tables' columns. */
enum { TRACES, ERRORS, INTERRUPTED, LLM_CALLS, PROMPT, COMPLETION, CACHED, CACHE_WRITE, REASONING, COST, SUMS };

struct entry {
    size_t key; /* offset of its bytes */
    uint32_t key_length;
    uint32_t samples; /* the first of its durations, or NONE */
    enum kind kind;
    int64_t sums[SUMS];
    uint64_t first_ns, last_ns, longest_ns;
    size_t user; /* offset of the newest user's name, with its NUL; 0: none */
};

/* A duration that comes or goes. */
struct sample {
    uint32_t next;
    int32_t index; /* of its bucket, complemented when it goes */
};

struct inf_tally {
    struct entry *entries;
    size_t count, capacity;
    uint32_t *slots; /* hash table of entries; its size is a power of two */
    size_t slot_count;
    inf_buf bytes; /* keys and users */
    struct sample *samples;
    size_t sample_count, sample_capacity;
    struct label {
        char *text;
        int64_t number;
    } labels[LABEL_SLOTS];      /* a cache: what does not fit is looked up */
    inf_sketch_change *changes; /* of one bucket */
    size_t change_capacity;
    uint8_t sketch[INF_SKETCH_MAX];
};

/* The bytes of a rollup's key. */
struct rollup_key {
    int64_t series, width, bucket, name, model;
    uint8_t agent_id[16];
};

static uint64_t hash(const void *data, size_t length)
{
    const uint8_t *p = data;
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static void forget_labels(inf_tally *t)
{
    for (size_t i = 0; i < LABEL_SLOTS; i++) {
        free(t->labels[i].text);
        t->labels[i].text = NULL;
    }
}

void inf_tally_free(inf_tally *t)
{
    if (!t)
        return;
    forget_labels(t);
    free(t->entries);
    free(t->slots);
    free(t->samples);
    free(t->changes);
    inf_buf_free(&t->bytes);
    free(t);
}

static inf_tally *tally_of(inf_store *store)
{
    if (!store->tally && (store->tally = calloc(1, sizeof *store->tally))) {
        inf_buf_init(&store->tally->bytes, 256 * 1024 * 1024);
        inf_buf_put_byte(&store->tally->bytes, 0); /* offset 0 means none */
    }
    return store->tally;
}

static void clear(inf_tally *t)
{
    t->count = 0;
    t->sample_count = 0;
    t->bytes.length = 1;
    t->bytes.error = 0;
    if (t->slots)
        memset(t->slots, 0xff, t->slot_count * sizeof *t->slots);
}

void inf_tally_drop(inf_store *store)
{
    if (!store->tally)
        return;
    clear(store->tally);
    forget_labels(store->tally); /* some may have been given out by what was rolled back */
}

static bool grow(inf_tally *t)
{
    size_t capacity = t->capacity ? 2 * t->capacity : 1024;
    struct entry *entries = realloc(t->entries, capacity * sizeof *entries);
    if (!entries)
        return false;
    t->entries = entries;
    uint32_t *slots = malloc(4 * capacity * sizeof *slots);
    if (!slots)
        return false;
    free(t->slots);
    t->slots = slots;
    t->slot_count = 4 * capacity;
    t->capacity = capacity;
    memset(slots, 0xff, t->slot_count * sizeof *slots);
    for (size_t i = 0; i < t->count; i++) {
        size_t at = hash(t->bytes.data + t->entries[i].key, t->entries[i].key_length) & (t->slot_count - 1);
        while (slots[at] != NONE)
            at = (at + 1) & (t->slot_count - 1);
        slots[at] = (uint32_t)i;
    }
    return true;
}

/* The entry of a key, made when it is new; NULL without memory. */
static struct entry *entry_of(inf_tally *t, enum kind kind, const void *key, size_t length)
{
    if (t->count == t->capacity && !grow(t))
        return NULL;
    size_t at = hash(key, length) & (t->slot_count - 1);
    for (; t->slots[at] != NONE; at = (at + 1) & (t->slot_count - 1)) {
        struct entry *e = &t->entries[t->slots[at]];
        if (e->kind == kind && e->key_length == length && memcmp(t->bytes.data + e->key, key, length) == 0)
            return e;
    }
    struct entry *e = &t->entries[t->count];
    *e = (struct entry){.key = t->bytes.length, .key_length = (uint32_t)length, .samples = NONE, .kind = kind};
    inf_buf_put(&t->bytes, key, length);
    if (t->bytes.error)
        return NULL;
    t->slots[at] = (uint32_t)t->count++;
    return e;
}

static bool add_sample(inf_tally *t, struct entry *e, uint64_t ns, int sign)
{
    if (t->sample_count == t->sample_capacity) {
        size_t capacity = t->sample_capacity ? 2 * t->sample_capacity : 1024;
        struct sample *samples = realloc(t->samples, capacity * sizeof *samples);
        if (!samples)
            return false;
        t->samples = samples;
        t->sample_capacity = capacity;
    }
    int32_t index = (int32_t)inf_sketch_index(ns);
    t->samples[t->sample_count] = (struct sample){e->samples, sign > 0 ? index : ~index};
    e->samples = (uint32_t)t->sample_count++;
    return true;
}

static void add_sums(struct entry *e, const inf_summary *m, int sign)
{
    const int64_t sums[SUMS] = {1,
                                m->status == INF_STATUS_ERROR,
                                m->status == INF_STATUS_INTERRUPTED,
                                m->llm_calls,
                                m->prompt_tokens,
                                m->completion_tokens,
                                m->cached_tokens,
                                m->cache_write_tokens,
                                m->reasoning_tokens,
                                m->cost_nano_usd > 0 ? m->cost_nano_usd : 0};
    for (int i = 0; i < SUMS; i++)
        e->sums[i] = inf_add_clipped(e->sums[i], sign * sums[i]);
    if (sign < 0)
        return;
    if (!e->first_ns || m->started_ns < e->first_ns)
        e->first_ns = m->started_ns;
    if (m->started_ns > e->last_ns)
        e->last_ns = m->started_ns;
    if (m->duration_ns > e->longest_ns)
        e->longest_ns = m->duration_ns;
}

/* ---- labels ---- */

static int64_t query_label(inf_store *store, enum inf_store_statement which, const char *text)
{
    sqlite3_stmt *s = inf_sqlite_statement(store, which);
    if (!s)
        return INF_EIO;
    if (text)
        sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
    int step = sqlite3_step(s);
    int64_t number = step == SQLITE_ROW    ? sqlite3_column_int64(s, 0)
                     : step == SQLITE_DONE ? 0
                                           : inf_sqlite_error(store, step);
    sqlite3_reset(s);
    return number;
}

int64_t inf_label_find(inf_store *store, const char *text)
{
    return query_label(store, INF_STMT_LABEL_GET, text);
}

/* Negative errors are told from INF_LABEL_NONE by *rc. */
static int64_t label_of(inf_store *store, const char *text, int *rc)
{
    if (!text)
        return INF_LABEL_NONE;
    struct label *cached = &store->tally->labels[hash(text, strlen(text)) % LABEL_SLOTS];
    if (cached->text && strcmp(cached->text, text) == 0)
        return cached->number;
    int64_t number = inf_label_find(store, text);
    if (number == 0) {
        int64_t there = query_label(store, INF_STMT_LABEL_COUNT, NULL);
        if (there >= 0 && there < INF_LABELS_MAX) {
            sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_LABEL_ADD);
            if (s) {
                sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
                number = inf_sqlite_finish(store, s);
            }
            if (s && number == 0)
                number = sqlite3_last_insert_rowid(store->db);
        } else {
            number = there < 0 ? there : INF_LABEL_OTHER;
        }
    }
    if (number < 0) {
        *rc = (int)number;
        return 0;
    }
    char *copy = strdup(text);
    if (copy) {
        free(cached->text);
        *cached = (struct label){copy, number};
    }
    return number;
}

/* ---- a trace ---- */

static int tally_rollup(inf_store *store, const inf_summary *m, int sign)
{
    int rc = 0;
    int64_t minute = (int64_t)(m->started_ns / MINUTE_NS);
    int64_t name = label_of(store, m->name ? m->name : "", &rc);
    int64_t model = label_of(store, m->model, &rc);
    for (int i = 0; rc == 0 && i < INF_SERIES_COUNT * INF_ROLLUP_LEVELS; i++) {
        enum inf_series series = (enum inf_series)(i / INF_ROLLUP_LEVELS);
        bool each = series == INF_SERIES_EACH;
        struct rollup_key key = {.series = series, .width = inf_rollup_minutes[i % INF_ROLLUP_LEVELS]};
        key.bucket = minute / key.width * key.width;
        key.name = each || series == INF_SERIES_NAME ? name : INF_LABEL_ANY;
        key.model = each || series == INF_SERIES_MODEL ? model : INF_LABEL_ANY;
        if (each || series == INF_SERIES_AGENT)
            memcpy(key.agent_id, m->agent_id, 16);
        struct entry *e = entry_of(store->tally, ROLLUP, &key, sizeof key);
        if (!e || !add_sample(store->tally, e, m->duration_ns, sign))
            return INF_ENOMEM;
        add_sums(e, m, sign);
    }
    return rc;
}

static int tally_facet(inf_tally *t, const inf_summary *m, int sign, enum inf_store_field field, const char *value,
                       size_t length)
{
    uint8_t key[1024];
    if (!value || length > sizeof key - 17)
        return 0;
    key[0] = (uint8_t)field;
    memcpy(key + 1, m->agent_id, 16);
    memcpy(key + 17, value, length);
    struct entry *e = entry_of(t, FACET, key, 17 + length);
    if (!e)
        return INF_ENOMEM;
    e->sums[TRACES] += sign;
    return 0;
}

static int tally_text(inf_tally *t, const inf_summary *m, int sign, enum inf_store_field field, const char *value)
{
    return value ? tally_facet(t, m, sign, field, value, strlen(value)) : 0;
}

static int tally_tag(inf_store *store, const inf_summary *m, uint64_t sign, const char *tag, size_t length)
{
    return tally_facet(store->tally, m, sign ? 1 : -1, INF_FIELD_TAG, tag, length);
}

static int tally_session(inf_tally *t, const inf_summary *m, int sign)
{
    uint8_t key[1024];
    size_t length = strlen(m->session_id);
    if (length > sizeof key - 16)
        return 0;
    memcpy(key, m->agent_id, 16);
    memcpy(key + 16, m->session_id, length);
    struct entry *e = entry_of(t, SESSION, key, 16 + length);
    if (!e)
        return INF_ENOMEM;
    if (sign > 0 && m->user_id && m->started_ns >= e->last_ns) {
        e->user = t->bytes.length;
        inf_buf_put(&t->bytes, m->user_id, strlen(m->user_id) + 1);
    }
    add_sums(e, m, sign);
    return t->bytes.error;
}

int inf_tally_trace(inf_store *store, const inf_summary *m, int sign, bool forget)
{
    inf_tally *t = tally_of(store);
    if (!t)
        return INF_ENOMEM;
    int rc = m->status != INF_STATUS_RUNNING && !forget ? tally_rollup(store, m, sign) : 0;
    if (rc == 0)
        rc = tally_text(t, m, sign, INF_FIELD_NAME, m->name);
    if (rc == 0)
        rc = tally_text(t, m, sign, INF_FIELD_MODEL, m->model);
    if (rc == 0)
        rc = tally_text(t, m, sign, INF_FIELD_USER, m->user_id);
    if (rc == 0)
        rc = inf_sqlite_each_tag(store, m, tally_tag, sign > 0);
    if (rc == 0 && m->session_id)
        rc = tally_session(t, m, sign);
    return rc;
}

/* ---- writing ---- */

static int by_bucket(const void *a, const void *b)
{
    const inf_sketch_change *x = a, *y = b;
    return x->bucket < y->bucket ? -1 : x->bucket > y->bucket;
}

/* The entry's durations in the order of their buckets, in t->changes; negative without memory. */
static int64_t sort_samples(inf_tally *t, const struct entry *e)
{
    size_t count = 0;
    for (uint32_t i = e->samples; i != NONE; i = t->samples[i].next) {
        if (count == t->change_capacity) {
            size_t capacity = count ? 2 * count : 1024;
            inf_sketch_change *changes = realloc(t->changes, capacity * sizeof *changes);
            if (!changes)
                return INF_ENOMEM;
            t->changes = changes;
            t->change_capacity = capacity;
        }
        int32_t index = t->samples[i].index;
        t->changes[count++] = (inf_sketch_change){(uint32_t)(index >= 0 ? index : ~index), index >= 0 ? 1 : -1};
    }
    if (count > 1)
        qsort(t->changes, count, sizeof *t->changes, by_bucket);
    return (int64_t)count;
}

static void bind_rollup_key(sqlite3_stmt *s, const struct rollup_key *key, int series)
{
    sqlite3_bind_int64(s, 1, key->width);
    sqlite3_bind_int64(s, 2, key->bucket);
    sqlite3_bind_blob(s, 3, key->agent_id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, key->name);
    sqlite3_bind_int64(s, 5, key->model);
    sqlite3_bind_int64(s, series, key->series);
}

static int write_rollup(inf_store *store, const struct entry *e)
{
    inf_tally *t = store->tally;
    struct rollup_key key;
    int64_t sums[SUMS];
    int64_t longest = (int64_t)(e->longest_ns > INT64_MAX ? INT64_MAX : e->longest_ns);
    size_t length = 0;
    int64_t changes = sort_samples(t, e);
    memcpy(&key, t->bytes.data + e->key, sizeof key);
    memcpy(sums, e->sums, sizeof sums);
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_ROLLUP_GET);
    if (!s || changes < 0)
        return changes < 0 ? (int)changes : INF_EIO;
    bind_rollup_key(s, &key, 6);
    int step = sqlite3_step(s);
    bool there = step == SQLITE_ROW;
    for (int i = 0; there && i < SUMS; i++)
        sums[i] = inf_add_clipped(sums[i], sqlite3_column_int64(s, i));
    if (there && sqlite3_column_int64(s, SUMS) > longest)
        longest = sqlite3_column_int64(s, SUMS);
    length =
        inf_sketch_merge(there ? sqlite3_column_blob(s, SUMS + 1) : NULL,
                         there ? (size_t)sqlite3_column_bytes(s, SUMS + 1) : 0, t->changes, (size_t)changes, t->sketch);
    int rc = there || step == SQLITE_DONE ? 0 : inf_sqlite_error(store, step);
    sqlite3_reset(s);
    s = rc == 0 ? inf_sqlite_statement(store, INF_STMT_ROLLUP_PUT) : NULL;
    if (!s)
        return rc < 0 ? rc : INF_EIO;
    bind_rollup_key(s, &key, 8 + SUMS);
    for (int i = 0; i < SUMS; i++)
        sqlite3_bind_int64(s, 6 + i, sums[i] > 0 ? sums[i] : 0);
    sqlite3_bind_int64(s, 6 + SUMS, longest);
    sqlite3_bind_blob(s, 7 + SUMS, t->sketch, (int)length, SQLITE_STATIC);
    return inf_sqlite_finish(store, s);
}

static int write_facet(inf_store *store, const struct entry *e)
{
    const uint8_t *key = store->tally->bytes.data + e->key;
    if (e->sums[TRACES] == 0)
        return 0;
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_FACET_ADD);
    if (!s)
        return INF_EIO;
    sqlite3_bind_int(s, 1, key[0]);
    sqlite3_bind_text(s, 2, (const char *)key + 17, (int)e->key_length - 17, SQLITE_STATIC);
    sqlite3_bind_blob(s, 3, key + 1, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, e->sums[TRACES]);
    int rc = inf_sqlite_finish(store, s);
    if (rc < 0 || e->sums[TRACES] > 0)
        return rc;
    s = inf_sqlite_statement(store, INF_STMT_FACET_CLEAN);
    if (!s)
        return INF_EIO;
    sqlite3_bind_int(s, 1, key[0]);
    sqlite3_bind_text(s, 2, (const char *)key + 17, (int)e->key_length - 17, SQLITE_STATIC);
    sqlite3_bind_blob(s, 3, key + 1, 16, SQLITE_STATIC);
    return inf_sqlite_finish(store, s);
}

static int write_session(inf_store *store, const struct entry *e)
{
    const inf_tally *t = store->tally;
    const uint8_t *key = t->bytes.data + e->key;
    sqlite3_stmt *s = inf_sqlite_statement(store, INF_STMT_SESSION_ADD);
    if (!s)
        return INF_EIO;
    sqlite3_bind_text(s, 1, (const char *)key + 16, (int)e->key_length - 16, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, key, 16, SQLITE_STATIC);
    if (e->user)
        sqlite3_bind_text(s, 3, (const char *)t->bytes.data + e->user, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, 3);
    static const int sums[] = {TRACES, ERRORS, PROMPT, COMPLETION, COST};
    for (int i = 0; i < 5; i++)
        sqlite3_bind_int64(s, 4 + i, e->sums[sums[i]]);
    sqlite3_bind_int64(s, 9, (sqlite3_int64)(e->first_ns > INT64_MAX ? INT64_MAX : e->first_ns));
    sqlite3_bind_int64(s, 10, (sqlite3_int64)(e->last_ns > INT64_MAX ? INT64_MAX : e->last_ns));
    int rc = inf_sqlite_finish(store, s);
    if (rc < 0 || e->sums[TRACES] > 0)
        return rc;
    s = inf_sqlite_statement(store, INF_STMT_SESSION_CLEAN);
    if (!s)
        return INF_EIO;
    sqlite3_bind_text(s, 1, (const char *)key + 16, (int)e->key_length - 16, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, key, 16, SQLITE_STATIC);
    return inf_sqlite_finish(store, s);
}

int inf_tally_write(inf_store *store)
{
    inf_tally *t = store->tally;
    int rc = 0;
    for (size_t i = 0; t && rc == 0 && i < t->count; i++) {
        const struct entry *e = &t->entries[i];
        rc = e->kind == ROLLUP  ? write_rollup(store, e)
             : e->kind == FACET ? write_facet(store, e)
                                : write_session(store, e);
    }
    if (t)
        clear(t);
    return rc;
}
