/* The JSON reader: what it accepts it writes, and reads again to the same. */
#include "base/json_read.h"
#include "fuzz/fuzz.h"

static size_t walk(inf_json_value value, unsigned depth)
{
    const char *text;
    size_t length;
    int64_t integer;
    double real;
    bool truth;
    size_t count = 1;
    MUST(depth <= INF_JSON_DEPTH + 1);
    if (inf_json_as_string(value, &text, &length))
        MUST(text[length] == '\0');
    (void)inf_json_as_i64(value, &integer);
    (void)inf_json_as_double(value, &real);
    (void)inf_json_as_bool(value, &truth);
    inf_json_iterator i = inf_json_iterate(value);
    while (inf_json_next(&i))
        count += walk(i.value, depth + 1);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    inf_json *parser = inf_json_new();
    inf_json *other = inf_json_new();
    inf_json_value root, again;
    inf_buf out, twice;
    char *copy = text_of(data, size);
    MUST(parser && other);
    inf_buf_init(&out, 1u << 26);
    inf_buf_init(&twice, 1u << 26);
    if (inf_json_parse(parser, copy, size, 0, &root) == 0) {
        size_t count = walk(root, 0);
        inf_json_write(root, &out);
        MUST(out.error == 0);
        MUST(inf_json_parse(other, out.data, out.length, 0, &again) == 0);
        MUST(walk(again, 0) == count);
        inf_json_write(again, &twice);
        MUST(twice.length == out.length && memcmp(twice.data, out.data, out.length) == 0);
        (void)inf_json_get(root, "index", &again);
    } else {
        MUST(inf_json_error(parser) != NULL);
    }
    inf_buf_free(&out);
    inf_buf_free(&twice);
    inf_json_free(parser);
    inf_json_free(other);
    free(copy);
    return 0;
}
